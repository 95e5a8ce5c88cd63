/* slice.c - Slice: every step-th index of some axes, forwards or backwards.
 *
 * Starts, ends and axes are attributes before version 10; since then they are inputs, and steps come with them.
 */
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/outline.h"
#include "op/upgrade.h"

/* What is taken along each axis of the input: begin, begin + step, … n times. */
struct range {
    int64_t begin, step, n;
};

/* The parameters as they are written, one entry per sliced axis; axes brought into 0 … rank-1. */
struct slices {
    struct mc_ints starts, ends, axes, steps;
};

static int read_parameters(const struct mc_node *node, const struct mc_fact *const *in, struct slices *s,
                           struct mc_error *err)
{
    int rc;
    if (node->op->since < 10) {
        s->steps = (struct mc_ints){.given = false};
        if ((rc = mc_ints_of_attr(node, "starts", &s->starts, err)) < 0) return rc;
        if ((rc = mc_ints_of_attr(node, "ends", &s->ends, err)) < 0) return rc;
        return mc_ints_of_attr(node, "axes", &s->axes, err);
    }
    if ((rc = mc_ints_of_input(node, in, 1, &s->starts, err)) < 0) return rc;
    if ((rc = mc_ints_of_input(node, in, 2, &s->ends, err)) < 0) return rc;
    if ((rc = mc_ints_of_input(node, in, 3, &s->axes, err)) < 0) return rc;
    return mc_ints_of_input(node, in, 4, &s->steps, err);
}

/* Fill in the default of axes or steps, or check that there are as many as there are starts. */
static int complete(const char *what, struct mc_ints *ints, int n, int64_t first, int64_t increment,
                    struct mc_error *err)
{
    if (ints->given && ints->n != n)
        return mc_error_set(err, MC_ERR_INPUT, "%s: needs as many as there are starts, %d, has %d", what, n, ints->n);
    for (int k = 0; k < n && !ints->given; k++) ints->at[k] = first + k * increment;
    ints->n = n;
    return 0;
}

static int read_slices(const struct mc_node *node, const struct mc_fact *const *in, struct slices *s,
                       struct mc_error *err)
{
    const int rank = in[0]->shape.rank;
    int rc = read_parameters(node, in, s, err);
    if (rc < 0) return rc;
    if (!s->starts.given || !s->ends.given) return mc_error_set(err, MC_ERR_INPUT, "starts and ends are required");
    const int n = s->starts.n;
    if ((rc = complete("ends", &s->ends, n, 0, 0, err)) < 0) return rc;
    if ((rc = complete("axes", &s->axes, n, 0, 1, err)) < 0) return rc;
    if ((rc = complete("steps", &s->steps, n, 1, 0, err)) < 0) return rc;
    for (int k = 0; k < n; k++)
        if (s->steps.at[k] == 0) return mc_error_set(err, MC_ERR_INPUT, "steps: needs no 0, has one at %d", k);
    return mc_ints_as_axes(&s->axes, rank, err);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* The specification's reading of start, end and step along an axis: negative ones count from the end, all are clamped
 * to what there is. */
static struct range range_of(int64_t start, int64_t end, int64_t step, int64_t extent)
{
    if (extent == 0) return (struct range){0, step, 0};
    if (step == INT64_MIN) step++; /* whose negation there is; no extent tells the two apart */
    if (start < 0) start += extent;
    if (end < 0) end += extent;
    if (step > 0) {
        const int64_t from = clamp(start, 0, extent), to = clamp(end, 0, extent);
        return (struct range){from, step, from < to ? (to - from - 1) / step + 1 : 0};
    }
    const int64_t from = clamp(start, 0, extent - 1), to = clamp(end, -1, extent - 1);
    return (struct range){from, step, from > to ? (from - to - 1) / -step + 1 : 0};
}

/* One range for every axis of the input. */
static int read_ranges(const struct mc_node *node, const struct mc_fact *const *in, struct range *ranges,
                       struct mc_error *err)
{
    struct slices s;
    const int rc = read_slices(node, in, &s, err);
    if (rc < 0) return rc;
    const struct mc_shape *const shape = &in[0]->shape;
    for (int k = 0; k < shape->rank; k++) ranges[k] = (struct range){0, 1, shape->dim[k]};
    for (int k = 0; k < s.starts.n; k++) {
        const int64_t axis = s.axes.at[k];
        ranges[axis] = range_of(s.starts.at[k], s.ends.at[k], s.steps.at[k], shape->dim[axis]);
    }
    return 0;
}

static int slice_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    struct range ranges[MC_MAX_RANK];
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_ranges(node, in, ranges, err)) < 0) return rc;
    *out = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    for (int k = 0; k < out->shape.rank; k++) out->shape.dim[k] = ranges[k].n;
    return 0;
}

/* --- outline --- */

/* The place of a bound along an axis: negative ones count from the end, all are clamped to what there is. What is
 * known neither to be negative nor not to be is unknown. */
static mc_symbol place_of(struct mc_symbols *s, mc_symbol bound, mc_symbol extent)
{
    int64_t number;
    const mc_symbol zero = mc_symbol_number(s, 0);
    if (mc_symbol_is_number(s, bound, &number)) {
        if (number >= INT32_MAX) return extent;
        if (number < -INT32_MAX) return zero;
        if (number < 0) return mc_symbol_greatest(s, mc_symbol_plus(s, extent, number), zero);
    }
    return mc_symbol_at_least(s, bound, 0) ? mc_symbol_least(s, bound, extent) : MC_SYMBOL_UNKNOWN;
}

static mc_symbol length_of(struct mc_symbols *s, mc_symbol start, mc_symbol end, int64_t step, mc_symbol extent)
{
    int64_t from, to;
    if (step > 0) {
        const mc_symbol length = mc_symbol_subtract(s, place_of(s, end, extent), place_of(s, start, extent));
        return mc_symbol_divide_up(s, mc_symbol_greatest(s, length, mc_symbol_number(s, 0)), mc_symbol_number(s, step));
    }
    const bool whole = mc_symbol_is_number(s, start, &from) && mc_symbol_is_number(s, end, &to) &&
                       (from == -1 || from >= INT32_MAX) && to < -INT32_MAX && step < 0 && step > INT64_MIN;
    return whole ? mc_symbol_divide_up(s, extent, mc_symbol_number(s, -step)) : MC_SYMBOL_UNKNOWN;
}

/* Of a list whose bounds are numbers. */
static void slice_items(const struct mc_symbols *s, const struct mc_outline *in, const struct mc_outline_list *starts,
                        const struct mc_outline_list *ends, int64_t step, struct mc_outline *out)
{
    int64_t start, end;
    if (in->n_items < 0 || starts->n != 1 || !mc_symbol_is_number(s, starts->at[0], &start) ||
        !mc_symbol_is_number(s, ends->at[0], &end))
        return;
    const struct range r = range_of(start, end, step, in->n_items);
    out->n_items = (int)r.n;
    for (int i = 0; i < out->n_items; i++) out->item[i] = in->item[r.begin + i * r.step];
}

static void slice_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    const struct mc_outline_list starts = mc_outline_list_of(s, node, in, "starts", 1),
                                 ends = mc_outline_list_of(s, node, in, "ends", 2),
                                 axes_list = mc_outline_list_of(s, node, in, "axes", 3),
                                 steps = mc_outline_list_of(s, node, in, NULL, 4);
    struct mc_ints axes;
    if (in[0]->rank < 0) return;
    out[0] = mc_outline_of_rank(in[0]->rank);
    if (!mc_outline_axes(s, &axes_list, in[0]->rank, &axes)) return;
    for (int k = 0; k < in[0]->rank; k++) out[0].dim[k] = in[0]->dim[k];
    const int n = axes_list.given ? axes.n : starts.known ? starts.n : in[0]->rank;
    for (int k = 0; k < n && k < axes.n; k++) {
        mc_symbol *extent = &out[0].dim[axes.at[k]];
        int64_t step = 1;
        const bool known = starts.known && ends.known && k < starts.n && k < ends.n &&
                           (!steps.given || (k < steps.n && mc_symbol_is_number(s, steps.at[k], &step) && step));
        *extent = known ? length_of(s, starts.at[k], ends.at[k], step, *extent) : MC_SYMBOL_UNKNOWN;
        if (known && in[0]->rank == 1) slice_items(s, in[0], &starts, &ends, step, &out[0]);
    }
}

/* The walk from the sliced tensor (`from`) to the slice (`to`), and where in the sliced tensor it begins. */
static int make_box(const struct mc_step *step, struct mc_box *box, int64_t *begin, struct mc_error *err)
{
    struct mc_fact facts[5];
    const struct mc_fact *in[5];
    struct range ranges[MC_MAX_RANK];
    mc_facts_of_inputs(step, facts, in);
    const int rc = read_ranges(step->node, in, ranges, err);
    if (rc < 0) return rc;
    int64_t strides[MC_MAX_RANK];
    mc_strides(&in[0]->shape, strides);
    mc_strides(&step->out[0]->shape, box->to);
    box->rank = in[0]->shape.rank;
    *begin = 0;
    for (int k = 0; k < box->rank; k++) {
        box->extent[k] = ranges[k].n;
        box->from[k] = ranges[k].n > 1 ? strides[k] * ranges[k].step : 0; /* a single step may be any number */
        *begin += strides[k] * ranges[k].begin;
    }
    return 0;
}

static bool slice_picks(const struct mc_node *node, const struct mc_fact *const *in, int output,
                        struct mc_picked *picked)
{
    struct range ranges[MC_MAX_RANK];
    if (read_ranges(node, in, ranges, NULL) < 0) return false;
    for (int k = 0; k < in[0]->shape.rank; k++) {
        picked->axis[k] = k;
        picked->step[k] = ranges[k].step;
        picked->start[k] = ranges[k].begin;
    }
    return true;
}

static int slice_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_box box;
    int64_t begin;
    const int rc = make_box(step, &box, &begin, err);
    if (rc < 0 || !mc_tensor_count(step->out[0])) return rc;
    const size_t size = mc_element_size(step->in[0]->dtype);
    mc_copy_box(step->out[0]->data, (const char *)step->in[0]->data + (size_t)begin * size, &box, size);
    return 0;
}

static int slice_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const grad = step->grad_in[0];
    if (!grad) return 0;
    mc_zero(grad);
    struct mc_box box, back;
    int64_t begin;
    const int rc = make_box(step, &box, &begin, err);
    if (rc < 0 || !step->grad_out[0] || !mc_tensor_count(step->grad_out[0])) return rc;
    back = box;
    for (int k = 0; k < box.rank; k++) {
        back.to[k] = box.from[k];
        back.from[k] = box.to[k];
    }
    const size_t size = mc_element_size(grad->dtype);
    mc_copy_box((char *)grad->data + (size_t)begin * size, step->grad_out[0]->data, &back, size);
    return 0;
}

/* --- coupling: what is cut off is free to go, for nothing reads it --- */

static const struct mc_fact *fact_of_input(const struct mc_coupling *c, const struct mc_node *node, int i)
{
    return i < node->n_inputs && node->inputs[i] ? mc_coupling_fact(c, node->inputs[i]) : NULL;
}

static int slice_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    const struct mc_fact *in[5];
    struct range ranges[MC_MAX_RANK];
    for (int i = 0; i < 5; i++) in[i] = fact_of_input(c, node, i);
    int rc = read_ranges(node, in, ranges, err);
    for (int k = 0; k < in[0]->shape.rank && rc == 0; k++) {
        /* Once some are gone, every second of what is left would be others than before. */
        const bool skips = ranges[k].n > 1 && ranges[k].step != 1 && ranges[k].step != -1;
        if (skips) {
            rc = mc_couple_freeze(c, node, x, k, "a slice that skips indices", err);
            if (rc == 0) rc = mc_couple_freeze(c, node, y, k, "a slice that skips indices", err);
        }
        for (int64_t j = 0; j < ranges[k].n && rc == 0 && !skips; j++)
            rc = mc_couple_index(c, x, k, ranges[k].begin + j * ranges[k].step, y, k, j, err);
    }
    return rc;
}

/* How many of the indices that stay lie below `bound`. */
static int64_t count_below(const struct mc_resize *resize, const struct mc_value *value, int axis, int64_t bound)
{
    int64_t n, below = 0;
    const int64_t *const kept = mc_resize_kept(resize, value, axis, &n);
    if (!kept) return bound;
    while (below < n && kept[below] < bound) below++;
    return below;
}

/* The same range among the indices that stay. */
static struct range range_kept(const struct mc_resize *resize, const struct mc_node *node, int axis, struct range range)
{
    const struct mc_value *const x = node->inputs[0];
    const int64_t low = range.step > 0 ? range.begin : range.begin - range.n + 1;
    const int64_t new_low = count_below(resize, x, axis, low), new_high = count_below(resize, x, axis, low + range.n);
    return (struct range){range.step > 0 ? new_low : new_high - 1, range.step, new_high - new_low};
}

/* Rewrite start and end of slice k if they do not say `need`. */
static bool mend_slice(struct slices *s, int k, struct range need, int64_t extent)
{
    const struct range have = range_of(s->starts.at[k], s->ends.at[k], s->steps.at[k], extent);
    if (have.begin == need.begin && have.n == need.n) return false;
    s->starts.at[k] = need.begin;
    s->ends.at[k] = need.begin + need.n * need.step;
    if (s->ends.at[k] < 0) s->ends.at[k] = -extent - 1; /* -1 would be the last index */
    return true;
}

static int write_slices(struct mc_resize *resize, struct mc_node *node, const struct slices *s, const bool *wrong,
                        struct mc_error *err)
{
    if (node->op->since < 10) {
        const int rc = mc_node_set_ints(node, "starts", s->starts.at, s->starts.n, err);
        return rc < 0 ? rc : mc_node_set_ints(node, "ends", s->ends.at, s->ends.n, err);
    }
    const int rc = mc_resize_mend_ints(resize, node, 1, &s->starts, wrong, err);
    return rc < 0 ? rc : mc_resize_mend_ints(resize, node, 2, &s->ends, wrong, err);
}

/* Bounds that are computed from shapes may follow them in a way of their own (half of what is there, say). */
static int slice_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0];
    struct mc_fact now[5];
    const struct mc_fact *in[5];
    struct slices was, s;
    bool wrong[2 * MC_MAX_RANK], changed = false;
    for (int i = 0; i < 5; i++) in[i] = i < node->n_inputs ? mc_resize_fact(resize, node->inputs[i]) : NULL;
    int rc = read_slices(node, in, &was, err);
    for (int i = 1; i < 5 && rc == 0; i++) {
        if (!in[i]) continue;
        now[i] = *in[i];
        now[i].constant = mc_resize_computed(resize, node, i);
        in[i] = &now[i];
    }
    if (rc == 0) rc = read_slices(node, in, &s, err);
    if (rc < 0) return rc;
    for (int k = 0; k < s.starts.n; k++) {
        const int axis = (int)s.axes.at[k];
        const int64_t old = mc_resize_old_extent(resize, x, axis), extent = mc_resize_new_extent(resize, x, axis);
        const struct range range = range_of(was.starts.at[k], was.ends.at[k], was.steps.at[k], old);
        wrong[k] = range.n > 0 && mend_slice(&s, k, range_kept(resize, node, axis, range), extent);
        changed |= wrong[k];
    }
    return changed ? write_slices(resize, node, &s, wrong, err) : 0;
}

/* Bounds and axes are inputs since 10. */
static int slice_upgrade(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    int rc = mc_upgrade_ints(node, "starts", 1, err);
    if (rc == MC_OK) rc = mc_upgrade_ints(node, "ends", 2, err);
    return rc == MC_OK ? mc_upgrade_ints(node, "axes", 3, err) : rc;
}

#define SLICE(version, low, high)                                                                                      \
    {                                                                                                                  \
        .domain = "", .type = "Slice", .since = version, .min_inputs = low, .max_inputs = high, .n_outputs = 1,        \
        .grad_inputs = 1, .keep = MC_KEEP_NONE, .opaque = true, .on_bytes = mc_bytes_move, .picks = slice_picks,       \
        .shape = slice_shape, .outline = slice_outline, .forward = slice_forward, .backward = slice_backward,          \
        .others = "bounds, axes and steps", .coupling = slice_coupling, .resize = slice_resize, .cost = mc_cost_free,  \
        .upgrade = slice_upgrade,                                                                                      \
    }

const struct mc_op mc_op_slice_1 = SLICE(1, 1, 1);
const struct mc_op mc_op_slice_10 = SLICE(10, 3, 5);
