/* einsum.c - Einsum (ONNX opset 12): sums of products over named axes, as "bij,bjk->bik".
 *
 * Two operands whose labels are a batch, rows, columns and what is summed over are put in that order and become one
 * batch of matrix products. Anything else runs over every combination of labels.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/parallel.h"
#include "op/outline.h"

enum { MAX_OPERANDS = 16, MAX_LABELS = 2 * MC_MAX_RANK + 52, ELLIPSIS = 52 };

/* What a term says of each axis of its operand: a letter's number (A 0, a 26), or ELLIPSIS and up. */
struct term {
    int rank;
    int label[MC_MAX_RANK];
};

struct equation {
    int n, dots; /* operands; axes that an ellipsis stands for */
    struct term in[MAX_OPERANDS], out;
    int64_t extent[MAX_LABELS]; /* -1: the label is not there */
};

static int letter(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

static int bad(const char *text, size_t length, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'equation': '%.*s' is no term", (int)length, text);
}

/* The term that ends at `end`; `rank`: axes of its operand, -1 for the result, where dots are known. */
static int read_term(const char *text, const char *end, int rank, struct equation *e, struct term *term,
                     struct mc_error *err)
{
    int letters = 0;
    for (const char *p = text; p < end; p++) letters += letter(*p) >= 0;
    term->rank = 0;
    for (const char *p = text; p < end; p++) {
        if (*p == ' ') continue;
        const bool is_dots = end - p >= 3 && memcmp(p, "...", 3) == 0;
        const int n = !is_dots ? 1 : rank >= 0 ? rank - letters : e->dots;
        if ((!is_dots && letter(*p) < 0) || n < 0 || term->rank + n > MC_MAX_RANK)
            return bad(text, (size_t)(end - text), err);
        /* Dots are counted from the last: operands with fewer broadcast. */
        for (int i = 0; i < n; i++) term->label[term->rank++] = is_dots ? ELLIPSIS + n - 1 - i : letter(*p);
        if (is_dots) p += 2;
        if (is_dots && n > e->dots) e->dots = n;
    }
    if (rank >= 0 && term->rank != rank)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'equation': '%.*s' names %d axes of an input that has %d",
                            (int)(end - text), text, term->rank, rank);
    return MC_OK;
}

/* Every label has one extent; 1 broadcasts. */
static int take_extents(struct equation *e, int i, const struct mc_shape *shape, struct mc_error *err)
{
    for (int k = 0; k < shape->rank; k++) {
        int64_t *const extent = &e->extent[e->in[i].label[k]];
        if (*extent < 0 || *extent == 1)
            *extent = shape->dim[k];
        else if (shape->dim[k] != *extent && shape->dim[k] != 1)
            return mc_error_set(err, MC_ERR_INPUT, "input %d, axis %d: needs %" PRId64 ", has %" PRId64, i, k, *extent,
                                shape->dim[k]);
    }
    return MC_OK;
}

/* The result of an equation without an arrow: dots, then letters that come once, in order. */
static void imply_result(struct equation *e)
{
    int times[MAX_LABELS] = {0};
    for (int i = 0; i < e->n; i++)
        for (int k = 0; k < e->in[i].rank; k++) times[e->in[i].label[k]]++;
    e->out.rank = 0;
    for (int k = e->dots - 1; k >= 0; k--) e->out.label[e->out.rank++] = ELLIPSIS + k;
    for (int label = 0; label < ELLIPSIS && e->out.rank < MC_MAX_RANK; label++)
        if (times[label] == 1) e->out.label[e->out.rank++] = label;
}

static int check_result(const struct equation *e, struct mc_error *err)
{
    bool seen[MAX_LABELS] = {false};
    for (int k = 0; k < e->out.rank; k++) {
        const int label = e->out.label[k];
        if (e->extent[label] < 0 || seen[label])
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'equation': the result has a label %s",
                                seen[label] ? "twice" : "of no input");
        seen[label] = true;
    }
    return MC_OK;
}

static int read_equation(const struct mc_node *node, const struct mc_shape *const *shapes, int n, struct equation *e,
                         struct mc_error *err)
{
    const struct mc_attr *attr = mc_node_attr(node, "equation");
    if (!attr || attr->type != MC_ATTR_STRING)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'equation' is missing");
    const char *p = attr->s.bytes, *end = p + attr->s.length, *arrow = end;
    for (const char *q = p; q + 1 < end && arrow == end; q++)
        if (q[0] == '-' && q[1] == '>') arrow = q;
    e->n = n;
    e->dots = 0;
    for (int i = 0; i < MAX_LABELS; i++) e->extent[i] = -1;
    int rc = MC_OK;
    for (int i = 0; i < n && rc == MC_OK; i++) {
        const char *comma = memchr(p, ',', (size_t)(arrow - p));
        if ((comma != NULL) != (i + 1 < n))
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'equation': its terms are not %d", n);
        rc = read_term(p, comma ? comma : arrow, shapes[i]->rank, e, &e->in[i], err);
        if (rc == MC_OK) rc = take_extents(e, i, shapes[i], err);
        p = comma ? comma + 1 : arrow;
    }
    if (rc == MC_OK && arrow == end)
        imply_result(e);
    else if (rc == MC_OK)
        rc = read_term(arrow + 2, end, -1, e, &e->out, err);
    return rc == MC_OK ? check_result(e, err) : rc;
}

#define TYPES (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) | MC_TYPE_BIT(MC_UINT32))

static int einsum_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const struct mc_shape *shapes[MAX_OPERANDS];
    struct equation e;
    int rc = MC_OK;
    if (node->n_inputs > MAX_OPERANDS)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs at most %d inputs, has %d", MAX_OPERANDS, node->n_inputs);
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], i ? MC_TYPE_BIT(in[0]->dtype) : TYPES, err);
        if (rc == MC_OK) shapes[i] = &in[i]->shape;
    }
    if (rc == MC_OK) rc = read_equation(node, shapes, node->n_inputs, &e, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = {.rank = e.out.rank}};
    for (int k = 0; k < e.out.rank; k++) out[0].shape.dim[k] = e.extent[e.out.label[k]];
    return MC_OK;
}

static void einsum_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    struct mc_shape ones[MAX_OPERANDS];
    const struct mc_shape *shapes[MAX_OPERANDS];
    mc_symbol extent[MAX_LABELS];
    struct equation e;
    if (node->n_inputs > MAX_OPERANDS) return;
    for (int i = 0; i < node->n_inputs; i++) {
        if (!in[i] || in[i]->rank < 0) return;
        ones[i] = (struct mc_shape){.rank = in[i]->rank};
        for (int k = 0; k < ones[i].rank; k++) ones[i].dim[k] = 1; /* fits whatever the others are */
        shapes[i] = &ones[i];
    }
    if (read_equation(node, shapes, node->n_inputs, &e, NULL) < 0) return;
    for (int label = 0; label < MAX_LABELS; label++) extent[label] = mc_symbol_number(s, 1);
    for (int i = 0; i < e.n; i++)
        for (int k = 0; k < e.in[i].rank; k++) {
            mc_symbol *const of_label = &extent[e.in[i].label[k]];
            *of_label = mc_outline_wider(s, *of_label, in[i]->dim[k]);
        }
    out[0] = mc_outline_of_rank(e.out.rank);
    for (int k = 0; k < e.out.rank; k++) out[0].dim[k] = extent[e.out.label[k]];
}

/* --- as a batch of products --- */

enum role { BATCH, ROWS, SUMMED, COLUMNS, N_ROLES };

/* Labels by role, in the order of the result (summed ones in that of operand 0). */
struct product {
    int n[N_ROLES], label[N_ROLES][MC_MAX_RANK];
    int64_t extent[N_ROLES];
};

static bool names(const struct term *t, int label)
{
    for (int k = 0; k < t->rank; k++)
        if (t->label[k] == label) return true;
    return false;
}

static bool add_label(const struct equation *e, struct product *p, enum role role, int label)
{
    if (p->n[role] == MC_MAX_RANK) return false;
    p->label[role][p->n[role]++] = label;
    p->extent[role] *= e->extent[label];
    return true;
}

/* False where an axis of one operand alone is summed over, or there are more labels than axes in a box. */
static bool as_product(const struct equation *e, enum mc_dtype dtype, struct product *p)
{
    *p = (struct product){.extent = {1, 1, 1, 1}};
    if (e->n != 2 || !(MC_TYPE_BIT(dtype) & MC_TYPES_FLOAT)) return false;
    for (int k = 0; k < e->out.rank; k++) {
        const int label = e->out.label[k];
        const bool a = names(&e->in[0], label), b = names(&e->in[1], label);
        if (!add_label(e, p, a && b ? BATCH : a ? ROWS : COLUMNS, label)) return false;
    }
    for (int label = 0; label < MAX_LABELS; label++) {
        if (e->extent[label] < 0 || names(&e->out, label)) continue;
        if (!names(&e->in[0], label) || !names(&e->in[1], label)) return false;
        if (!add_label(e, p, SUMMED, label)) return false;
    }
    return p->n[BATCH] + p->n[ROWS] + p->n[SUMMED] <= MC_MAX_RANK &&
           p->n[BATCH] + p->n[SUMMED] + p->n[COLUMNS] <= MC_MAX_RANK &&
           mc_gemm_fits(p->extent[ROWS], p->extent[COLUMNS], p->extent[SUMMED]);
}

/* How far a step along a label goes in an operand: 0 where it broadcasts, diagonals add up. */
static int64_t stride_of(const struct term *t, const struct mc_shape *shape, int label)
{
    int64_t strides[MC_MAX_RANK], sum = 0;
    mc_strides(shape, strides);
    for (int k = 0; k < t->rank; k++)
        if (t->label[k] == label && shape->dim[k] != 1) sum += strides[k];
    return sum;
}

/* Between a tensor and its elements in the order of three roles, densely. */
static void role_box(const struct equation *e, const struct product *p, const enum role roles[3], const struct term *t,
                     const struct mc_shape *shape, bool out, struct mc_box *box)
{
    int64_t dense = 1;
    *box = (struct mc_box){.rank = 0};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < p->n[roles[i]]; k++) {
            const int label = p->label[roles[i]][k];
            box->extent[box->rank] = e->extent[label];
            (out ? box->to : box->from)[box->rank++] = stride_of(t, shape, label);
        }
    for (int k = box->rank - 1; k >= 0; k--) {
        (out ? box->from : box->to)[k] = dense;
        dense *= box->extent[k];
    }
    if (box->rank == 0) *box = (struct mc_box){.rank = 1, .extent = {1}, .from = {1}, .to = {1}};
}

static void run_product(struct mc_step *step, const struct equation *e, const struct product *p)
{
    static const enum role orders[3][3] = {{BATCH, ROWS, SUMMED}, {BATCH, SUMMED, COLUMNS}, {BATCH, ROWS, COLUMNS}};
    const size_t size = mc_element_size(step->in[0]->dtype);
    const int64_t B = p->extent[BATCH], m = p->extent[ROWS], k = p->extent[SUMMED], n = p->extent[COLUMNS];
    char *const a = step->workspace, *const b = a + (size_t)(B * m * k) * size,
                *const c = b + (size_t)(B * k * n) * size;
    struct mc_gemm gemm = mc_gemm_dense(step->in[0]->dtype, false, false, m, n, k);
    gemm.bfloats = mc_step_bfloats(step);
    const struct mc_gemm_batch batch = {.rank = 1, .extent = {B}, .a = {m * k}, .b = {k * n}, .c = {m * n}};
    struct mc_box box;
    if (B * m * n == 0) return;
    for (int i = 0; i < 2 && k > 0; i++) {
        role_box(e, p, orders[i], &e->in[i], &step->in[i]->shape, false, &box);
        mc_copy_box(i ? b : a, step->in[i]->data, &box, size);
    }
    mc_gemm_batched(&gemm, &batch, a, b, c);
    role_box(e, p, orders[2], &e->out, &step->out[0]->shape, true, &box);
    mc_copy_box(step->out[0]->data, c, &box, size);
}

/* --- over everything --- */

struct sum {
    const struct equation *e;
    struct mc_tensor *const *in;
    struct mc_tensor *out;
    int n, label[MAX_LABELS]; /* that are summed over */
    int64_t inner;            /* their product */
    int64_t stride[MAX_OPERANDS][MAX_LABELS];
};

/* Where term i of output `at` finds its factors. */
static void term_places(const struct sum *s, int64_t at, int64_t i, int64_t *from)
{
    for (int j = 0; j < s->e->n; j++) from[j] = 0;
    for (int k = s->e->out.rank - 1; k >= 0; k--) {
        const int label = s->e->out.label[k];
        for (int j = 0; j < s->e->n; j++) from[j] += at % s->e->extent[label] * s->stride[j][label];
        at /= s->e->extent[label];
    }
    for (int k = s->n - 1; k >= 0; k--) {
        for (int j = 0; j < s->e->n; j++) from[j] += i % s->e->extent[s->label[k]] * s->stride[j][s->label[k]];
        i /= s->e->extent[s->label[k]];
    }
}

static void sum_one(const struct sum *s, int64_t at)
{
    double total = 0;
    for (int64_t i = 0; i < s->inner; i++) {
        int64_t from[MAX_OPERANDS];
        double term = 1;
        term_places(s, at, i, from);
        for (int j = 0; j < s->e->n; j++) term *= mc_tensor_get_f64(s->in[j], from[j]);
        total += term;
    }
    mc_tensor_set_f64(s->out, at, total);
}

static void sum_range(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) sum_one(context, i);
}

static int run_sums(struct mc_step *step, const struct equation *e, struct mc_error *err)
{
    struct sum s = {.e = e, .in = step->in, .out = step->out[0], .inner = 1};
    for (int label = 0; label < MAX_LABELS; label++) {
        if (e->extent[label] < 0) continue;
        for (int i = 0; i < e->n; i++) s.stride[i][label] = stride_of(&e->in[i], &step->in[i]->shape, label);
        if (names(&e->out, label)) continue;
        s.label[s.n++] = label;
        if (!mc_mul_i64(s.inner, e->extent[label], &s.inner))
            return mc_error_set(err, MC_ERR_INPUT, "the sum has too many terms to count");
    }
    mc_parallel(mc_tensor_count(step->out[0]), mc_parallel_grain(s.inner * 16), sum_range, &s);
    return MC_OK;
}

struct plan {
    struct equation equation;
    bool is_product;
    struct product product;
};

static int einsum_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *shapes[MAX_OPERANDS];
    struct plan *plan = step->state = MC_NEW(struct plan);
    if (!plan) return mc_error_memory(err);
    for (int i = 0; i < step->n_in; i++) shapes[i] = &step->in[i]->shape;
    const int rc = read_equation(step->node, shapes, step->n_in, &plan->equation, err);
    if (rc < 0) return rc;
    plan->is_product = as_product(&plan->equation, step->in[0]->dtype, &plan->product);
    const int64_t *x = plan->product.extent, a = x[ROWS] * x[SUMMED], b = x[SUMMED] * x[COLUMNS];
    int64_t n = x[BATCH] * (a + b + x[ROWS] * x[COLUMNS]);
    if (step->training) n += x[BATCH] * (a > b ? a : b); /* the gradient of either */
    if (plan->is_product) step->workspace_bytes = (size_t)n * mc_element_size(step->in[0]->dtype);
    for (int i = 0; i < step->n_in && step->training && !plan->is_product; i++)
        step->workspace_bytes += (size_t)(mc_tensor_count(step->in[i]) + 1) * sizeof(double);
    return MC_OK;
}

static void einsum_release(struct mc_step *step)
{
    mc_free(step->state);
    step->state = NULL;
}

static int einsum_forward(struct mc_step *step, struct mc_error *err)
{
    const struct plan *plan = step->state;
    if (!plan->is_product) return run_sums(step, &plan->equation, err);
    run_product(step, &plan->equation, &plan->product);
    return MC_OK;
}

/* --- derivatives --- */

/* Add dense elements, in the order of three roles, to those of an operand: what it was broadcast along is summed. */
static void add_box(struct mc_tensor *to, const void *dense, const struct mc_box *box)
{
    struct mc_tensor from = {.dtype = to->dtype, .data = (void *)(uintptr_t)dense};
    int64_t index[MC_MAX_RANK] = {0}, n = 1, at = 0;
    for (int k = 0; k < box->rank; k++) n *= box->extent[k];
    for (int64_t i = 0; i < n; i++) {
        mc_add_run(to, at, &from, i, 1);
        for (int k = box->rank - 1; k >= 0; k--) {
            at += box->from[k];
            if (++index[k] < box->extent[k]) break;
            at -= index[k] * box->from[k];
            index[k] = 0;
        }
    }
}

/* With c = a b: da = dc b^T, db = a^T dc, batch by batch. */
static void product_back(struct mc_step *step, const struct equation *e, const struct product *p)
{
    static const enum role orders[3][3] = {{BATCH, ROWS, SUMMED}, {BATCH, SUMMED, COLUMNS}, {BATCH, ROWS, COLUMNS}};
    const enum mc_dtype dtype = step->in[0]->dtype;
    const size_t size = mc_element_size(dtype);
    const int64_t B = p->extent[BATCH], m = p->extent[ROWS], k = p->extent[SUMMED], n = p->extent[COLUMNS];
    char *const a = step->workspace, *const b = a + (size_t)(B * m * k) * size,
                *const dc = b + (size_t)(B * k * n) * size, *const to = dc + (size_t)(B * m * n) * size;
    struct mc_box box;
    for (int i = 0; i < 2 && B * m * n * k > 0; i++) {
        role_box(e, p, orders[i], &e->in[i], &step->in[i]->shape, false, &box);
        mc_copy_box(i ? b : a, step->in[i]->data, &box, size);
    }
    role_box(e, p, orders[2], &e->out, &step->grad_out[0]->shape, false, &box);
    if (B * m * n > 0) mc_copy_box(dc, step->grad_out[0]->data, &box, size);
    for (int i = 0; i < 2; i++) {
        struct mc_gemm gemm =
            i ? mc_gemm_dense(dtype, true, false, k, n, m) : mc_gemm_dense(dtype, false, true, m, k, n);
        gemm.bfloats = mc_step_bfloats(step);
        const struct mc_gemm_batch batch = {
            .rank = 1, .extent = {B}, .a = {i ? m * k : m * n}, .b = {i ? m * n : k * n}, .c = {i ? k * n : m * k}};
        if (!step->grad_in[i]) continue;
        mc_zero(step->grad_in[i]);
        if (B * m * n * k == 0) continue;
        mc_gemm_batched(&gemm, &batch, i ? a : dc, i ? dc : b, to);
        role_box(e, p, orders[i], &e->in[i], &step->in[i]->shape, false, &box);
        add_box(step->grad_in[i], to, &box);
    }
}

/* Every term's share of every operand, in double. */
static void term_back(const struct sum *s, double dy, const int64_t *from, double *const *sums)
{
    for (int j = 0; j < s->e->n; j++) {
        double others = dy;
        for (int i = 0; i < s->e->n; i++)
            if (i != j) others *= mc_tensor_get_f64(s->in[i], from[i]);
        sums[j][from[j]] += others;
    }
}

static void sums_back(struct mc_step *step, const struct equation *e)
{
    struct sum s = {.e = e, .in = step->in, .inner = 1};
    double *sums[MAX_OPERANDS], *room = step->workspace;
    for (int i = 0; i < e->n; room += mc_tensor_count(step->in[i++])) sums[i] = room;
    memset(step->workspace, 0, (size_t)(room - sums[0]) * sizeof *room);
    for (int label = 0; label < MAX_LABELS; label++) {
        if (e->extent[label] < 0) continue;
        for (int i = 0; i < e->n; i++) s.stride[i][label] = stride_of(&e->in[i], &step->in[i]->shape, label);
        if (names(&e->out, label)) continue;
        s.label[s.n++] = label;
        s.inner *= e->extent[label]; /* forward has checked it */
    }
    for (int64_t at = 0; at < mc_tensor_count(step->grad_out[0]); at++)
        for (int64_t i = 0; i < s.inner; i++) {
            int64_t from[MAX_OPERANDS];
            term_places(&s, at, i, from);
            term_back(&s, mc_tensor_get_f64(step->grad_out[0], at), from, sums);
        }
    for (int i = 0; i < e->n; i++)
        for (int64_t k = 0; step->grad_in[i] && k < mc_tensor_count(step->in[i]); k++)
            mc_tensor_set_f64(step->grad_in[i], k, sums[i][k]);
}

static int einsum_backward(struct mc_step *step, struct mc_error *err)
{
    const struct plan *plan = step->state;
    if (plan->is_product)
        product_back(step, &plan->equation, &plan->product);
    else
        sums_back(step, &plan->equation);
    return MC_OK;
}

/* --- coupling --- */

static int axis_of(const struct term *t, int label)
{
    for (int k = 0; k < t->rank; k++)
        if (t->label[k] == label) return k;
    return -1;
}

/* Each label names one axis of an operand: no diagonals. */
static bool is_plain(const struct term *t)
{
    for (int k = 0; k < t->rank; k++)
        if (axis_of(t, t->label[k]) != k) return false;
    return true;
}

/* A label of the result: the same axis in every operand that has it and is not broadcast along it. */
static int couple_kept(struct mc_coupling *c, const struct mc_node *node, const struct equation *e, int out_axis,
                       struct mc_error *err)
{
    const struct mc_value *y = node->outputs[0];
    int rc = MC_OK, n = 0;
    for (int i = 0; i < e->n && rc == MC_OK; i++) {
        const int axis = axis_of(&e->in[i], e->out.label[out_axis]);
        if (axis < 0 || mc_coupling_extent(c, node->inputs[i], axis) != mc_coupling_extent(c, y, out_axis)) continue;
        rc = mc_couple_axes(c, node->inputs[i], axis, y, out_axis, err);
        n += !mc_coupling_is_fixed(c, node->inputs[i]);
    }
    return rc == MC_OK && n > 1 ? mc_couple_heads(c, y, out_axis, err) : rc;
}

/* Does the axis count what a stored operand makes: does the result have it, and the other operand not? */
static bool makes(const struct equation *e, int operand, int axis)
{
    const int label = e->in[operand].label[axis];
    return axis_of(&e->in[1 - operand], label) < 0 && axis_of(&e->out, label) >= 0;
}

/* A label that two operands are summed over: it ends channels of the one that is computed, or of both. */
static int couple_summed(struct mc_coupling *c, const struct mc_node *node, const struct equation *e, int axis,
                         struct mc_error *err)
{
    const int label = e->in[0].label[axis], other = axis_of(&e->in[1], label);
    const bool first_stored = mc_coupling_is_fixed(c, node->inputs[0]) && !mc_coupling_is_fixed(c, node->inputs[1]);
    const int w = first_stored ? 0 : 1;
    struct mc_contraction k = {.node = node,
                               .data = node->inputs[1 - w],
                               .data_axis = w ? axis : other,
                               .weight = node->inputs[w],
                               .weight_axis = w ? other : axis,
                               .groups = 1,
                               .bias_input = -1};
    int rc = mc_couple_axes(c, node->inputs[0], axis, node->inputs[1], other, err);
    for (int made = 0; made < e->in[w].rank && rc == MC_OK && mc_coupling_is_fixed(c, k.weight); made++) {
        if (!makes(e, w, made)) continue;
        k.weight_out_axis = made;
        k.out_axis = axis_of(&e->out, e->in[w].label[made]);
        k.movable = e->in[w].rank == 2 && k.out_axis == e->out.rank - 1;
        rc = mc_couple_role(c, k.weight, made, MC_ROLE_PRODUCES, err);
        if (rc == MC_OK) rc = mc_couple_role(c, k.weight, k.weight_axis, MC_ROLE_CONSUMES, err);
    }
    return rc == MC_OK ? mc_couple_contraction(c, &k, err) : rc;
}

/* Axes that are summed away by themselves, or between operands that broadcast, are not mentioned, and so frozen. */
static int einsum_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_shape *shapes[MAX_OPERANDS];
    struct equation e;
    if (node->n_inputs > 2) return mc_coupling_freeze_all(c, node, err);
    for (int i = 0; i < node->n_inputs; i++) shapes[i] = &mc_coupling_fact(c, node->inputs[i])->shape;
    int rc = read_equation(node, shapes, node->n_inputs, &e, err);
    if (rc < 0) return rc;
    for (int i = 0; i < e.n; i++)
        if (!is_plain(&e.in[i])) return mc_coupling_freeze_all(c, node, err);
    for (int k = 0; k < e.out.rank && rc == MC_OK; k++) rc = couple_kept(c, node, &e, k, err);
    for (int k = 0; e.n == 2 && k < e.in[0].rank && rc == MC_OK; k++) {
        const int other = axis_of(&e.in[1], e.in[0].label[k]);
        if (other < 0 || axis_of(&e.out, e.in[0].label[k]) >= 0) continue;
        if (shapes[0]->dim[k] == shapes[1]->dim[other]) rc = couple_summed(c, node, &e, k, err);
    }
    return rc;
}

static void einsum_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                        struct mc_cost *cost)
{
    const struct mc_shape *shapes[MAX_OPERANDS];
    struct equation e;
    int64_t macs = 1;
    mc_cost_free(node, in, out, cost);
    for (int i = 0; i < node->n_inputs; i++) shapes[i] = &in[i]->shape;
    if (read_equation(node, shapes, node->n_inputs, &e, NULL) < 0) return;
    for (int label = 0; label < MAX_LABELS; label++)
        if (e.extent[label] >= 0 && !mc_mul_i64(macs, e.extent[label], &macs)) return;
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_einsum_12 = {
    .domain = "",
    .type = "Einsum",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = -1,
    .n_outputs = 1,
    .widens = true,
    .shape = einsum_shape,
    .outline = einsum_outline,
    .prepare = einsum_prepare,
    .release = einsum_release,
    .grad_inputs = UINT32_MAX,
    .keep = MC_KEEP_IN,
    .forward = einsum_forward,
    .backward = einsum_backward,
    .coupling = einsum_coupling,
    .cost = einsum_cost,
};
