/* pad.c - Pad: a border of a constant, of mirrored, repeated or wrapped elements; negative pads cut off.
 *
 * Pads are an attribute before version 11, which was called "paddings" in version 1, and an input since; 18 added axes,
 * 19 the mode "wrap".
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"
#include "op/upgrade.h"

/* Keeps the sums of pads and extents within 64 bits. */
#define MAX_PAD (INT64_C(1) << 62)

enum mode { CONSTANT, REFLECT, EDGE, WRAP };

/* One axis: how far the output reaches beyond the input on either side, and the indices [low, high) of the input that
 * are left when negative pads have cut theirs off. */
struct border {
    int64_t before, after, low, high;
};

static int read_mode(const struct mc_node *node, enum mode *mode, struct mc_error *err)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const int n = node->op->since >= 19 ? 4 : 3;
    const int found = mc_node_choice(node, "mode", names, n, CONSTANT);
    *mode = (enum mode)found;
    if (found >= 0) return MC_OK;
    const struct mc_attr *const attr = mc_node_attr(node, "mode");
    const bool text = attr->type == MC_ATTR_STRING;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'mode': needs constant, reflect%s, has '%.*s'",
                        n == 4 ? ", edge or wrap" : " or edge", text ? (int)attr->s.length : 0,
                        text ? attr->s.bytes : "");
}

static int read_parameters(const struct mc_node *node, const struct mc_fact *const *in, struct mc_ints *pads,
                           struct mc_ints *axes, struct mc_error *err)
{
    *axes = (struct mc_ints){.given = false};
    if (node->op->since < 11) return mc_ints_of_attr(node, node->op->since < 2 ? "paddings" : "pads", pads, err);
    const int rc = mc_ints_of_input(node, in, 1, pads, err);
    return rc < 0 || node->op->since < 18 ? rc : mc_ints_of_input(node, in, 3, axes, err);
}

/* One border per axis of the input. */
static int read_borders(const struct mc_node *node, const struct mc_fact *const *in, struct border *borders,
                        struct mc_error *err)
{
    const struct mc_shape *const shape = &in[0]->shape;
    struct mc_ints pads, axes;
    int rc = read_parameters(node, in, &pads, &axes, err);
    if (rc < 0) return rc;
    if ((rc = mc_ints_as_axes_or_all(&axes, shape->rank, err)) < 0) return rc;
    if (pads.n != 2 * axes.n)
        return mc_error_set(err, MC_ERR_INPUT, "pads: needs two for each of %d axes, has %d", axes.n, pads.n);
    for (int k = 0; k < shape->rank; k++) borders[k] = (struct border){.high = shape->dim[k]};
    for (int k = 0; k < pads.n; k++)
        if (pads.at[k] > MAX_PAD || pads.at[k] < -MAX_PAD)
            return mc_error_set(err, MC_ERR_INPUT, "pads: needs numbers of at most 2^62, has %lld",
                                (long long)pads.at[k]);
    for (int k = 0; k < axes.n; k++) {
        struct border *const b = &borders[axes.at[k]];
        b->before = pads.at[k];
        b->after = pads.at[axes.n + k];
        if (b->before < 0) b->low = -b->before;
        if (b->after < 0) b->high += b->after;
    }
    return 0;
}

static void pad_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    const struct mc_outline_list pads = mc_outline_list_of(s, node, in, node->op->since < 2 ? "paddings" : "pads", 1),
                                 list = mc_outline_list_of(s, node, in, NULL, 3);
    struct mc_ints axes;
    if (in[0]->rank < 0 || !pads.known || !mc_outline_axes(s, &list, in[0]->rank, &axes) || pads.n != 2 * axes.n)
        return;
    mc_outline_same(s, node, in, out);
    for (int k = 0; k < axes.n; k++) {
        mc_symbol *extent = &out[0].dim[axes.at[k]];
        *extent = mc_symbol_add(s, *extent, mc_symbol_add(s, pads.at[k], pads.at[axes.n + k]));
    }
}

static int check_border(const struct border *b, int64_t extent, enum mode mode, int axis, int64_t *padded,
                        struct mc_error *err)
{
    if (b->low > b->high)
        return mc_error_set(err, MC_ERR_INPUT, "axis %d: needs pads that cut off at most %lld, has %lld and %lld", axis,
                            (long long)extent, (long long)b->before, (long long)b->after);
    if (!mc_add_i64(extent, b->before, padded) || !mc_add_i64(*padded, b->after, padded))
        return mc_error_set(err, MC_ERR_INPUT, "axis %d: pads sum to more than 2^63", axis);
    if (mode != CONSTANT && b->low == b->high && *padded > 0)
        return mc_error_set(err, MC_ERR_INPUT, "axis %d: needs an element to pad with, has none", axis);
    return 0;
}

static int pad_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    struct border borders[MC_MAX_RANK];
    enum mode mode;
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_mode(node, &mode, err)) < 0) return rc;
    if ((rc = read_borders(node, in, borders, err)) < 0) return rc;
    if (node->op->since >= 11 && node->n_inputs > 2 && in[2] &&
        (rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err)) < 0)
        return rc;
    if (node->op->since >= 11 && node->n_inputs > 2 && in[2] && mc_shape_count(&in[2]->shape) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "input 2: needs 1 element, has %lld",
                            (long long)mc_shape_count(&in[2]->shape));
    *out = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    for (int k = 0; k < in[0]->shape.rank; k++) {
        rc = check_border(&borders[k], in[0]->shape.dim[k], mode, k, &out->shape.dim[k], err);
        if (rc < 0) return rc;
    }
    return 0;
}

static int step_borders(const struct mc_step *step, struct border *borders, struct mc_error *err)
{
    struct mc_fact facts[4];
    const struct mc_fact *in[4];
    mc_facts_of_inputs(step, facts, in);
    return read_borders(step->node, in, borders, err);
}

/* --- constant: the part of the input that is kept is a box in either tensor --- */

struct placed {
    struct mc_box box; /* `from` the input, `to` the output */
    int64_t from, to;  /* where index 0 lies, in elements */
};

static struct placed place(const struct mc_shape *in, const struct mc_shape *out, const struct border *borders)
{
    struct placed p = {.box.rank = in->rank};
    mc_strides(in, p.box.from);
    mc_strides(out, p.box.to);
    for (int k = 0; k < in->rank; k++) {
        p.box.extent[k] = borders[k].high - borders[k].low;
        p.from += borders[k].low * p.box.from[k];
        p.to += (borders[k].low + borders[k].before) * p.box.to[k];
    }
    return p;
}

static void fill_constant(struct mc_step *step)
{
    union {
        unsigned char bytes[16];
        double alignment;
    } element = {{0}};
    struct mc_tensor *const out = step->out[0];
    const void *value = element.bytes;
    if (step->node->op->since >= 11) {
        if (step->n_in > 2 && step->in[2]) value = step->in[2]->data;
    } else {
        struct mc_tensor scalar = {.dtype = out->dtype, .data = element.bytes};
        mc_tensor_set_f64(&scalar, 0, mc_node_float(step->node, "value", 0));
    }
    mc_fill(out->data, value, mc_tensor_count(out), mc_element_size(out->dtype));
}

static void pad_constant(struct mc_step *step, const struct border *borders)
{
    const struct mc_tensor *const in = step->in[0];
    const struct placed p = place(&in->shape, &step->out[0]->shape, borders);
    const size_t size = mc_element_size(in->dtype);
    fill_constant(step);
    mc_copy_box((char *)step->out[0]->data + p.to * (int64_t)size, (const char *)in->data + p.from * (int64_t)size,
                &p.box, size);
}

static void unpad_constant(struct mc_tensor *grad, const struct mc_tensor *grad_out, const struct border *borders)
{
    const struct placed p = place(&grad->shape, &grad_out->shape, borders);
    const size_t size = mc_element_size(grad->dtype);
    struct mc_box back = p.box;
    memcpy(back.to, p.box.from, sizeof back.to);
    memcpy(back.from, p.box.to, sizeof back.from);
    mc_zero(grad);
    mc_copy_box((char *)grad->data + p.from * (int64_t)size, (const char *)grad_out->data + p.to * (int64_t)size, &back,
                size);
}

/* --- the other modes: each element of the output is some element of the input --- */

/* The index of the input that index i of the output shows. */
static int64_t source_of(const struct border *b, enum mode mode, int64_t i)
{
    const int64_t n = b->high - b->low, j = i - b->before - b->low;
    if (j >= 0 && j < n) return b->low + j;
    if (mode == EDGE || n == 1) return j < 0 ? b->low : b->high - 1;
    const int64_t period = mode == WRAP ? n : 2 * (n - 1);
    const int64_t phase = (j % period + period) % period;
    return b->low + (phase < n ? phase : period - phase);
}

/* Offset in the input for every index along every axis of the output, axis after axis, into the workspace. */
static void fill_tables(const struct mc_step *step, const struct border *borders, enum mode mode,
                        const int64_t **tables)
{
    const struct mc_shape *const in = &step->in[0]->shape, *const out = &step->out[0]->shape;
    int64_t strides[MC_MAX_RANK], *next = step->workspace;
    mc_strides(in, strides);
    for (int k = 0; k < out->rank; k++) {
        tables[k] = next;
        for (int64_t i = 0; i < out->dim[k]; i++) *next++ = source_of(&borders[k], mode, i) * strides[k];
    }
}

/* One element of the output and the element of the input that it shows. */
typedef void pair_fn(void *out, void *in, int64_t out_at, int64_t in_at, enum mc_dtype dtype);

static void copy_in_to_out(void *out, void *in, int64_t out_at, int64_t in_at, enum mc_dtype dtype)
{
    const size_t size = mc_element_size(dtype);
    memcpy((char *)out + (size_t)out_at * size, (char *)in + (size_t)in_at * size, size);
}

static void add_out_to_in(void *out, void *in, int64_t out_at, int64_t in_at, enum mc_dtype dtype)
{
    if (dtype == MC_DOUBLE)
        ((double *)in)[in_at] += ((double *)out)[out_at];
    else
        ((float *)in)[in_at] += ((float *)out)[out_at];
}

static void for_each_pair(const struct mc_step *step, const struct border *borders, enum mode mode,
                          struct mc_tensor *out, struct mc_tensor *in, pair_fn *visit)
{
    const int64_t *tables[MC_MAX_RANK];
    const int64_t n = mc_tensor_count(out);
    int64_t index[MC_MAX_RANK] = {0};
    fill_tables(step, borders, mode, tables);
    for (int64_t at = 0; at < n; at++) {
        int64_t source = 0;
        for (int k = 0; k < out->shape.rank; k++) source += tables[k][index[k]];
        visit(out->data, in->data, at, source, in->dtype);
        for (int k = out->shape.rank - 1; k >= 0 && ++index[k] == out->shape.dim[k]; k--) index[k] = 0;
    }
}

static int pad_prepare(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    int64_t n = 0;
    for (int k = 0; k < step->out[0]->shape.rank; k++) n += step->out[0]->shape.dim[k];
    step->workspace_bytes = (size_t)n * sizeof(int64_t);
    return 0;
}

static int pad_forward(struct mc_step *step, struct mc_error *err)
{
    struct border borders[MC_MAX_RANK];
    enum mode mode;
    int rc = read_mode(step->node, &mode, err);
    if (rc < 0) return rc;
    if ((rc = step_borders(step, borders, err)) < 0) return rc;
    if (mode == CONSTANT)
        pad_constant(step, borders);
    else
        for_each_pair(step, borders, mode, step->out[0], step->in[0], copy_in_to_out);
    return 0;
}

static int pad_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const grad = step->grad_in[0];
    struct border borders[MC_MAX_RANK];
    enum mode mode;
    int rc = read_mode(step->node, &mode, err);
    if (rc < 0 || !grad) return rc;
    if ((rc = step_borders(step, borders, err)) < 0) return rc;
    if (step->grad_out[0] && mode == CONSTANT) {
        unpad_constant(grad, step->grad_out[0], borders);
        return 0;
    }
    mc_zero(grad);
    if (step->grad_out[0]) for_each_pair(step, borders, mode, step->grad_out[0], grad, add_out_to_in);
    return 0;
}

/* --- coupling: what stands still keeps the pads as they are, so that nothing has to be mended after surgery --- */

static int couple_constant(struct mc_coupling *c, const struct mc_node *node, int axis, const struct border *b,
                           struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    const int64_t n_in = mc_coupling_extent(c, x, axis), n_out = mc_coupling_extent(c, y, axis);
    int rc = 0;
    for (int64_t i = 0; i < n_in && rc == 0; i++)
        rc = i >= b->low && i < b->high ? mc_couple_index(c, x, axis, i, y, axis, i + b->before, err)
                                        : mc_couple_freeze_index(c, node, x, axis, i, "cut off by a pad", err);
    for (int64_t i = 0; i < n_out && rc == 0; i++)
        if (i < b->low + b->before || i >= b->high + b->before)
            rc = mc_couple_freeze_index(c, node, y, axis, i, "added by a pad", err);
    return rc;
}

static int pad_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    const struct mc_fact *in[4];
    struct border borders[MC_MAX_RANK];
    enum mode mode;
    for (int i = 0; i < 4; i++) in[i] = i < node->n_inputs ? mc_coupling_fact(c, node->inputs[i]) : NULL;
    int rc = read_mode(node, &mode, err);
    if (rc == 0) rc = read_borders(node, in, borders, err);
    /* Pads computed from shapes would change with them. */
    const bool fixed = node->op->since < 11 || mc_coupling_is_fixed(c, node->inputs[1]);
    for (int k = 0; k < in[0]->shape.rank && rc == 0; k++) {
        if (!borders[k].before && !borders[k].after)
            rc = mc_couple_axes(c, x, k, y, k, err);
        else if (fixed && mode == CONSTANT)
            rc = couple_constant(c, node, k, &borders[k], err);
        /* else: nothing said, and so frozen */
    }
    return rc;
}

/* Pads and what is put there are inputs since 11. */
static int pad_upgrade_11(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    if (x->dtype == MC_UNDEFINED && mc_node_attr(node, "value")) {
        *why = "the type of what is put there is not known";
        return MC_OK;
    }
    const int rc = mc_upgrade_ints(node, "pads", 1, err);
    return rc < 0 ? rc : mc_upgrade_float(node, "value", 2, x, err);
}

#define PAD(version, low, high, upgrade_rule)                                                                          \
    {                                                                                                                  \
        .domain = "", .type = "Pad", .since = version, .min_inputs = low, .max_inputs = high, .n_outputs = 1,          \
        .grad_inputs = 1, .keep = MC_KEEP_NONE, .shape = pad_shape, .outline = pad_outline, .prepare = pad_prepare,    \
        .forward = pad_forward, .backward = pad_backward, .others = "pads, axes and a number that is a setting",       \
        .coupling = pad_coupling, .resize = NULL, .cost = mc_cost_free, .upgrade = upgrade_rule,                       \
    }

const struct mc_op mc_op_pad_1 = PAD(1, 1, 1, NULL);
const struct mc_op mc_op_pad_2 = PAD(2, 1, 1, NULL);
const struct mc_op mc_op_pad_11 = PAD(11, 2, 3, pad_upgrade_11);
const struct mc_op mc_op_pad_18 = PAD(18, 2, 4, mc_upgrade_same);
const struct mc_op mc_op_pad_19 = PAD(19, 2, 4, mc_upgrade_same);
