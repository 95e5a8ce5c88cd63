/* attention_rule.c - scaled dot-product attention in exporters' spellings, found for a plan and for `optimize`.
 *
 *     [Transpose] (MatMul (shares, V))
 *     shares: Softmax (scores), or 0 where that is NaN
 *     scores: MatMul (Q, K^T), scaled before or after by Mul or Div; masks by Add or Where; reshaped between them
 *
 * (Vaswani et al. 2017, equation 1.) A plan takes it whole, whatever moved Q, K and V into heads included, as one step
 * on operands that lie apart (fused_attention.c). `optimize` makes the standard's Attention of it, where Q, K and V are
 * there as [batch, heads, positions, features]; a row in which everything is forbidden is NaN before and 0 after.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "op/fused.h"
#include "op/merge_rule.h"
#include "op/move.h"
#include "op/op_list.h"

struct search {
    struct mc_merge *m;
    const struct mc_node *product; /* of shares and values */
    const struct mc_value *q, *kt, *masks[MC_ATTENTION_MASKS];
    struct mc_attention_place places[MC_ATTENTION_MASKS]; /* of masks, the one that comes last first */
    int n_masks;
    bool selects, inverted, zeroes;
    double scale;
    float fill;
};

/* --- where a value lies --- */

/* Element (i0, i1, …) of a value is element offset + i0 stride[0] + … of `base`. */
struct lie {
    const struct mc_value *base;
    int rank;
    int64_t extent[MC_MAX_RANK], stride[MC_MAX_RANK], offset;
};

static struct lie dense(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_shape *shape = &mc_merge_fact(m, v)->shape;
    struct lie lie = {.base = v, .rank = shape->rank};
    mc_strides(shape, lie.stride);
    memcpy(lie.extent, shape->dim, sizeof lie.extent);
    return lie;
}

/* Take the axes that step evenly through the same run for one, and leave out those of extent 1. */
static void join_axes(struct lie *lie)
{
    int n = 0;
    for (int k = 0; k < lie->rank; k++) {
        const int64_t extent = lie->extent[k], stride = lie->stride[k];
        if (extent == 1) continue;
        const bool joins = n > 0 && lie->stride[n - 1] == extent * stride;
        if (!joins) n++;
        lie->extent[n - 1] = joins ? lie->extent[n - 1] * extent : extent;
        lie->stride[n - 1] = stride;
    }
    lie->rank = n;
}

/* The same elements in the same order under another shape; false: not by strides alone. */
static bool reshape(struct lie *lie, const struct mc_shape *to)
{
    struct lie from = *lie;
    join_axes(&from);
    lie->rank = to->rank;
    for (int k = to->rank - 1, run = from.rank - 1; k >= 0; k--) {
        const int64_t extent = lie->extent[k] = to->dim[k];
        lie->stride[k] = 0;
        if (extent == 1) continue;
        if (run < 0 || from.extent[run] % extent) return false;
        lie->stride[k] = from.stride[run];
        from.stride[run] *= extent;
        from.extent[run] /= extent;
        if (from.extent[run] == 1) run--;
    }
    return true;
}

static bool pick(const struct mc_merge *m, const struct mc_node *node, int output, struct lie *lie)
{
    const struct mc_fact *in[MC_MERGE_INPUTS] = {NULL};
    const struct mc_shape *to = &mc_merge_fact(m, node->outputs[output])->shape;
    const struct lie from = *lie;
    struct mc_picked picked;
    if (mc_node_room_in(node) > MC_MERGE_INPUTS) return false;
    for (int i = 0; i < node->n_inputs; i++) in[i] = mc_merge_fact(m, node->inputs[i]);
    if (!node->op->picks(node, in, output, &picked)) return false;
    for (int k = 0; k < from.rank; k++) lie->offset += picked.start[k] * from.stride[k];
    lie->rank = to->rank;
    for (int k = 0; k < to->rank; k++) {
        lie->extent[k] = to->dim[k];
        lie->stride[k] = from.stride[picked.axis[k]] * picked.step[k];
    }
    return true;
}

static int output_of(const struct mc_node *node, const struct mc_value *v)
{
    int i = 0;
    while (node->outputs[i] != v) i++;
    return i;
}

/* Through whatever only moved elements, as far as strides can follow. */
static struct lie lie_of(struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *node = v->producer;
    const int n = m->n_through;
    if (!node || !node->op || !(node->op->view || node->op->picks) || !mc_merge_fact(m, node->inputs[0]))
        return dense(m, v);
    if (m->is_fixed(m, v) || n == MC_MERGE_THROUGH) return dense(m, v);
    m->through[m->n_through++] = node;
    struct lie lie = lie_of(m, node->inputs[0]);
    if (node->op->view ? reshape(&lie, &mc_merge_fact(m, v)->shape) : pick(m, node, output_of(node, v), &lie))
        return lie;
    m->n_through = n;
    return dense(m, v);
}

/* --- places of operands --- */

/* Axes of the batch, the last MC_ATTENTION_AXES of it; along those that `lie` has once it stays. */
static bool place_batch(const struct lie *lie, const struct mc_shape *batch, struct mc_attention_place *place)
{
    const int n = batch->rank - 2;
    if (lie->rank != batch->rank || n > MC_ATTENTION_AXES) return false;
    place->offset = lie->offset;
    for (int k = 0; k < MC_ATTENTION_AXES; k++) {
        const int axis = n - MC_ATTENTION_AXES + k;
        const int64_t extent = axis < 0 ? 1 : batch->dim[axis];
        if (axis >= 0 && lie->extent[axis] != extent && lie->extent[axis] != 1) return false;
        place->extent[k] = extent;
        place->stride[k] = axis < 0 || lie->extent[axis] == 1 ? 0 : lie->stride[axis];
    }
    place->row = lie->stride[n];
    place->column = lie->stride[n + 1];
    return true;
}

/* Rows of n adjacent elements, as BLAS wants them. */
static bool has_rows(int64_t *pace, int64_t n_rows, int64_t step, int64_t n)
{
    if (n_rows == 1) *pace = n;
    return (step == 1 || n == 1) && *pace >= n && *pace <= INT_MAX;
}

/* A stack of matrices [rows, columns] that a product takes; the transposed rows will do for keys. */
static bool place_operand(struct mc_merge *m, const struct mc_value *v, const struct mc_shape *batch, bool either,
                          struct mc_attention_place *place, const struct mc_value **base)
{
    const int n = m->n_through;
    for (int strided = 1; strided >= 0; strided--) {
        const struct lie lie = strided ? lie_of(m, v) : dense(m, v);
        const int64_t rows = lie.extent[lie.rank - 2], columns = lie.extent[lie.rank - 1];
        *base = lie.base;
        if (place_batch(&lie, batch, place)) {
            if (has_rows(&place->row, rows, place->column, columns)) {
                place->column = 1;
                return true;
            }
            if (either && has_rows(&place->column, columns, place->row, rows)) {
                place->row = 1;
                return true;
            }
        }
        m->n_through = n;
    }
    return false;
}

/* --- scores --- */

static bool same_shape(const struct mc_merge *m, const struct mc_value *a, const struct mc_value *b)
{
    const struct mc_fact *of_a = mc_merge_fact(m, a), *of_b = mc_merge_fact(m, b);
    return of_a && of_b && mc_shape_equal(&of_a->shape, &of_b->shape);
}

/* What is multiplied or divided by numbers until it is v; they go into the scale. */
static const struct mc_value *unscaled(struct search *s, const struct mc_value *v)
{
    for (;;) {
        const struct mc_node *node = v->producer;
        const enum mc_meaning means = node && node->op ? node->op->means : MC_MEANS_OTHER;
        if (means != MC_MEANS_MUL && means != MC_MEANS_DIV) return v;
        const int side = !mc_merge_number(s->m, node->inputs[1]) && means == MC_MEANS_MUL;
        const struct mc_tensor *factor = mc_merge_number(s->m, node->inputs[1 - side]);
        if (!factor || !same_shape(s->m, node->inputs[side], v) || !mc_merge_take(s->m, node)) return v;
        const double f = mc_tensor_get_f64(factor, 0);
        s->scale = means == MC_MEANS_DIV ? s->scale / f : s->scale * f;
        v = node->inputs[side];
    }
}

static bool match_product(struct search *s, const struct mc_value *v)
{
    v = unscaled(s, v);
    const struct mc_node *product = mc_merge_maker(v, MC_MEANS_MATMUL);
    if (!product || !mc_merge_take(s->m, product)) return false;
    s->q = unscaled(s, product->inputs[0]);
    s->kt = unscaled(s, product->inputs[1]);
    return true;
}

static bool place_mask(struct search *s, const struct mc_value *mask, const struct mc_value *scores, enum mc_dtype type)
{
    const struct mc_fact *small = mc_merge_fact(s->m, mask), *large = mc_merge_fact(s->m, scores);
    struct mc_shape both;
    if (s->n_masks == MC_ATTENTION_MASKS || !small || !large || small->dtype != type) return false;
    if (!mc_shape_broadcast(&small->shape, &large->shape, &both) || !mc_shape_equal(&both, &large->shape)) return false;
    struct lie lie = {.rank = large->shape.rank};
    mc_broadcast_strides(&small->shape, &large->shape, lie.stride);
    memcpy(lie.extent, large->shape.dim, sizeof lie.extent);
    if (lie.rank < 2 || !place_batch(&lie, &large->shape, &s->places[s->n_masks])) return false;
    s->masks[s->n_masks++] = mask;
    return true;
}

static bool match_scores(struct search *s, const struct mc_value *v);

/* Scores and a mask of them in either order. */
static bool match_sum(struct search *s, const struct mc_node *sum)
{
    const struct search before = *s;
    const int n_inner = s->m->n_inner;
    for (int side = 0; side < 2; side++) {
        if (same_shape(s->m, sum->inputs[side], sum->outputs[0]) &&
            place_mask(s, sum->inputs[1 - side], sum->outputs[0], MC_FLOAT) && match_scores(s, sum->inputs[side]))
            return true;
        *s = before;
        s->m->n_inner = n_inner;
    }
    return false;
}

static bool match_selection(struct search *s, const struct mc_node *where)
{
    const struct mc_tensor *no = mc_merge_number(s->m, where->inputs[2]),
                           *yes = mc_merge_number(s->m, where->inputs[1]);
    const struct mc_value *scores = no ? where->inputs[1] : where->inputs[2];
    if (s->selects || (!no && !yes) || !same_shape(s->m, scores, where->outputs[0])) return false;
    s->selects = true;
    s->inverted = !no;
    s->fill = (float)mc_tensor_get_f64(no ? no : yes, 0);
    return place_mask(s, where->inputs[0], scores, MC_BOOL) && match_scores(s, scores);
}

/* Does a view leave every matrix as it is? */
static bool keeps_matrices(const struct mc_merge *m, const struct mc_node *view)
{
    const struct mc_fact *a = mc_merge_fact(m, view->inputs[0]), *b = mc_merge_fact(m, view->outputs[0]);
    if (!a || !b || a->shape.rank < 2 || b->shape.rank < 2) return false;
    const int64_t *from = &a->shape.dim[a->shape.rank - 2], *to = &b->shape.dim[b->shape.rank - 2];
    return from[0] == to[0] && from[1] == to[1];
}

static bool match_scores(struct search *s, const struct mc_value *v)
{
    const struct mc_node *node = v->producer;
    if (!node || !node->op) return false;
    if (node->op->means == MC_MEANS_ADD) return mc_merge_take(s->m, node) && match_sum(s, node);
    if (node->op->means == MC_MEANS_WHERE) return mc_merge_take(s->m, node) && match_selection(s, node);
    if (node->op->view)
        return keeps_matrices(s->m, node) && mc_merge_take(s->m, node) && match_scores(s, node->inputs[0]);
    return match_product(s, v);
}

static bool is_softmax(const struct mc_merge *m, const struct mc_node *node)
{
    const struct mc_fact *y = node && node->op ? mc_merge_fact(m, node->outputs[0]) : NULL;
    if (!y || node->op->link != MC_LINK_SOFTMAX) return false;
    const int64_t axis = mc_node_int(node, "axis", node->op->since < 13 ? 1 : -1);
    return axis == -1 || axis == y->shape.rank - 1;
}

/* Where(IsNaN(softmax), 0, softmax): what makes the softmax. */
static const struct mc_node *match_zeroed(struct search *s, const struct mc_node *where)
{
    const struct mc_node *is_nan = mc_merge_maker(where->inputs[0], MC_MEANS_IS_NAN);
    const struct mc_value *shares = where->inputs[2];
    const struct mc_tensor *zero = mc_merge_number(s->m, where->inputs[1]);
    if (!is_nan || is_nan->inputs[0] != shares) return NULL;
    if (!zero || mc_tensor_get_f64(zero, 0) != 0 || !same_shape(s->m, shares, where->outputs[0])) return NULL;
    s->zeroes = true;
    return mc_merge_take(s->m, where) && mc_merge_take(s->m, is_nan) ? shares->producer : NULL;
}

/* From the product of shares and values inwards. */
static bool match(struct search *s)
{
    const struct mc_fact *y = mc_merge_fact(s->m, s->product->outputs[0]);
    if (s->product->op->means != MC_MEANS_MATMUL || !y) return false;
    const struct mc_node *where = mc_merge_maker(s->product->inputs[0], MC_MEANS_WHERE);
    const struct mc_node *softmax = where ? match_zeroed(s, where) : s->product->inputs[0]->producer;
    if (!is_softmax(s->m, softmax) || !mc_merge_take(s->m, softmax)) return false;
    return match_scores(s, softmax->inputs[0]) && mc_merge_fact(s->m, s->q) && mc_merge_fact(s->m, s->kt) &&
           mc_merge_fact(s->m, s->product->inputs[1]);
}

/* --- for a plan --- */

/* Where the product's matrices go to in what is made of them. */
static bool place_output(const struct search *s, const struct mc_node *last, struct mc_attention_place *place)
{
    struct mc_picked picked = {{0}, {0}, {0}};
    struct lie lie = dense(s->m, last->outputs[0]), to = lie;
    const struct mc_fact *in[] = {mc_merge_fact(s->m, last->inputs[0])};
    if (last != s->product) {
        if (!last->op->picks(last, in, 0, &picked)) return false;
        for (int k = 0; k < lie.rank; k++) {
            to.extent[picked.axis[k]] = lie.extent[k];
            to.stride[picked.axis[k]] = lie.stride[k];
        }
    }
    const struct mc_shape *shape = &mc_merge_fact(s->m, s->product->outputs[0])->shape;
    const int64_t rows = shape->dim[shape->rank - 2], columns = shape->dim[shape->rank - 1];
    if (!place_batch(&to, shape, place) || !has_rows(&place->row, rows, place->column, columns)) return false;
    place->column = 1;
    return true;
}

static bool find_extents(const struct search *s, struct mc_attention_form *form)
{
    const struct mc_shape *y = &mc_merge_fact(s->m, s->product->outputs[0])->shape;
    const struct mc_shape *scores = &mc_merge_fact(s->m, s->product->inputs[0])->shape;
    const struct mc_shape *q = &mc_merge_fact(s->m, s->q)->shape;
    if (y->rank < 3 || scores->rank != y->rank || q->rank != y->rank || mc_shape_count(y) == 0) return false;
    form->B = mc_shape_span(y, 0, y->rank - 2);
    form->L = y->dim[y->rank - 2];
    form->S = scores->dim[y->rank - 1];
    form->d = q->dim[y->rank - 1];
    form->d_v = y->dim[y->rank - 1];
    form->inverted = s->inverted;
    form->zeroes = s->zeroes;
    return mc_shape_span(scores, 0, y->rank - 2) == form->B && form->S > 0 && form->d > 0;
}

static bool use_in_plan(struct search *s, const struct mc_node *last)
{
    struct mc_merge *m = s->m;
    struct mc_attention_form form = {0};
    if (!find_extents(s, &form) || !place_output(s, last, &form.y)) return false;
    const struct mc_shape *batch = &mc_merge_fact(m, s->product->outputs[0])->shape;
    if (!place_operand(m, s->q, batch, false, &form.q, &m->inputs[0]) ||
        !place_operand(m, s->kt, batch, true, &form.k, &m->inputs[1]) ||
        !place_operand(m, s->product->inputs[1], batch, false, &form.v, &m->inputs[2]))
        return false;
    m->n_inputs = 3 + s->n_masks;
    for (int k = 0; k < s->n_masks; k++) { /* in the order of the nodes */
        form.mask[k] = s->places[s->n_masks - 1 - k];
        m->inputs[3 + k] = s->masks[s->n_masks - 1 - k];
    }
    m->op = &mc_op_fused_attention;
    m->opset = INT_MAX;
    m->numbers[0].name = "scale";
    m->numbers[0].value = (float)s->scale;
    m->numbers[1].name = "fill";
    m->numbers[1].value = s->fill;
    m->n_numbers = 2;
    m->ints_name = MC_ATTENTION_FORM;
    m->n_ints = sizeof form / sizeof *m->ints;
    memcpy(m->ints, &form, sizeof form);
    return true;
}

/* --- for a model --- */

/* K of K^T. */
static const struct mc_value *transposed(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *node = mc_merge_maker(v, MC_MEANS_TRANSPOSE);
    int64_t n = 0;
    if (!node) return NULL;
    const int64_t *perm = mc_node_ints(node, "perm", &n);
    return n == 4 && perm[0] == 0 && perm[1] == 1 && perm[2] == 3 && perm[3] == 2 ? node->inputs[0] : NULL;
}

static bool use_in_model(struct search *s)
{
    struct mc_merge *m = s->m;
    const struct mc_value *scores = s->product->inputs[0], *k = transposed(m, s->kt);
    const struct mc_value *all[] = {s->q, k, s->product->inputs[1]};
    if (!k || s->n_masks > 1 || (s->selects && (s->inverted || s->fill != -INFINITY))) return false;
    const struct mc_shape *y = &mc_merge_fact(m, s->product->outputs[0])->shape;
    for (int i = 0; i < 3; i++) {
        const struct mc_shape *shape = &mc_merge_fact(m, all[i])->shape;
        if (m->is_fixed(m, all[i]) || shape->rank != 4 || shape->dim[0] != y->dim[0] || shape->dim[1] != y->dim[1])
            return false;
        m->inputs[i] = all[i];
    }
    for (int i = 0; i < m->n_inner; i++) /* no other shape between the two products */
        if (!same_shape(m, m->inner[i]->outputs[0], scores) && m->inner[i]->op->view) return false;
    m->inputs[3] = s->masks[0];
    m->n_inputs = 3 + s->n_masks;
    m->op = &mc_op_attention_23;
    m->opset = 23;
    m->numbers[0].name = "scale";
    m->numbers[0].value = (float)s->scale;
    m->n_numbers = 1;
    return true;
}

bool mc_merge_attention(const struct mc_node *last, struct mc_merge *merge)
{
    const bool transposes = last->op->means == MC_MEANS_TRANSPOSE;
    struct search s = {.m = merge, .scale = 1, .product = transposes ? last->inputs[0]->producer : last};
    if (!s.product || !s.product->op || !mc_merge_fact(merge, last->outputs[0])) return false;
    if (transposes && (merge->portable || !mc_merge_take(merge, s.product))) return false;
    return match(&s) && (merge->portable ? use_in_model(&s) : use_in_plan(&s, last));
}
