/* reduce.c - the Reduce operators over any set of axes.
 *
 * The axes are an attribute in ReduceSum before opset 13 and in the others before 18, and an input since; none given
 * means all, unless `noop_with_empty_axes` asks for the input itself. Sums and means of floats as kernel/broadcast.h
 * states, everything else as kernel/fold.h does.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/copy.h"
#include "kernel/fold.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/outline.h"
#include "op/upgrade.h"

static bool axes_are_input(const struct mc_node *node)
{
    return node->op->max_inputs > 1;
}

/* The axes as the node lists them, n of them. They must be known before anything runs, since the shape hangs on them.
 */
static int listed_axes(const struct mc_node *node, const struct mc_fact *axes, int64_t *list, int *n,
                       struct mc_error *err)
{
    *n = 0;
    if (axes_are_input(node)) return axes ? mc_need_ints(node, 1, axes, list, MC_MAX_RANK, n, err) : MC_OK;
    int64_t count;
    const int64_t *ints = mc_node_ints(node, "axes", &count);
    if (count > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'axes': needs at most %d numbers, has %" PRId64, MC_MAX_RANK,
                            count);
    for (int64_t i = 0; i < count; i++) list[i] = ints[i];
    *n = (int)count;
    return MC_OK;
}

/* reduced[k]: is axis k summed away? */
static int reduced_axes(const struct mc_node *node, const struct mc_fact *axes, int rank, bool reduced[MC_MAX_RANK],
                        struct mc_error *err)
{
    int64_t list[MC_MAX_RANK];
    int n, rc = listed_axes(node, axes, list, &n, err);
    const bool all = n == 0 && !mc_node_int(node, "noop_with_empty_axes", 0);
    for (int k = 0; k < rank; k++) reduced[k] = all;
    for (int i = 0; i < n && rc == 0; i++) {
        int axis = 0;
        rc = mc_need_axis(list[i], rank, &axis, err);
        if (rc == 0 && reduced[axis]) rc = mc_error_set(err, MC_ERR_INPUT, "axis %d is listed twice", axis);
        if (rc == 0) reduced[axis] = true;
    }
    return rc;
}

#define TYPES_REDUCED                                                                                                  \
    (MC_TYPES_ARITHMETIC | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_UINT8) |                      \
     MC_TYPE_BIT(MC_UINT16) | MC_TYPE_BIT(MC_UINT32) | MC_TYPE_BIT(MC_UINT64))

static bool is_extreme(const struct mc_node *node)
{
    return strcmp(node->op->type, "ReduceMax") == 0 || strcmp(node->op->type, "ReduceMin") == 0;
}

static int reduce_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    bool reduced[MC_MAX_RANK];
    int rc = mc_need_dtype(node, 0, in[0], TYPES_REDUCED | (is_extreme(node) ? MC_TYPE_BIT(MC_BOOL) : 0), err);
    if (rc == 0) rc = reduced_axes(node, axes_are_input(node) ? in[1] : NULL, in[0]->shape.rank, reduced, err);
    if (rc < 0) return rc;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    out[0].dtype = in[0]->dtype;
    out[0].shape.rank = 0;
    for (int k = 0; k < in[0]->shape.rank; k++)
        if (!reduced[k] || keep) out[0].shape.dim[out[0].shape.rank++] = reduced[k] ? 1 : in[0]->shape.dim[k];
    return MC_OK;
}

static void reduce_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline_list list = mc_outline_list_of(s, node, in, "axes", 1);
    struct mc_ints axes;
    if (in[0]->rank < 0 || !mc_outline_axes(s, &list, in[0]->rank, &axes)) return;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0, noop = mc_node_int(node, "noop_with_empty_axes", 0) != 0;
    unsigned reduced = 0;
    for (int k = 0; k < axes.n; k++) reduced |= 1u << axes.at[k];
    if (!list.n) reduced = noop ? 0 : (1u << in[0]->rank) - 1;
    out[0] = mc_outline_of_rank(0);
    for (int k = 0; k < in[0]->rank; k++)
        if (!(reduced >> k & 1) || keep)
            mc_outline_append(&out[0], reduced >> k & 1 ? mc_symbol_number(s, 1) : in[0]->dim[k]);
}

/* The input's shape with 1 for every axis that is summed away: the output's elements, with all axes. Worked out once.
 */
static int reduce_prepare(struct mc_step *step, struct mc_error *err)
{
    struct mc_shape *kept = MC_NEW(struct mc_shape);
    if (!kept) return mc_error_memory(err);
    const struct mc_tensor *axes = step->n_in > 1 ? step->in[1] : NULL;
    struct mc_fact fact = {0};
    if (axes) fact = (struct mc_fact){.dtype = axes->dtype, .shape = axes->shape, .constant = axes};
    bool reduced[MC_MAX_RANK];
    *kept = step->in[0]->shape;
    step->state = kept;
    const int rc = reduced_axes(step->node, axes ? &fact : NULL, kept->rank, reduced, err);
    for (int k = 0; k < kept->rank && rc == 0; k++)
        if (reduced[k]) kept->dim[k] = 1;
    return rc;
}

static void reduce_release(struct mc_step *step)
{
    mc_free(step->state);
    step->state = NULL;
}

/* 1, or for the mean 1 / (elements that make one); an empty mean is 0 / 0. */
static double factor_of(const struct mc_step *step)
{
    if (strcmp(step->node->op->type, "ReduceSum") == 0) return 1;
    return (double)mc_shape_count(step->state) / (double)mc_tensor_count(step->in[0]);
}

/* What is folded, and what becomes of the result. */
enum finish { AS_IT_IS, MEAN, ROOT, LOGARITHM, LOG_SUM_EXP };

static const struct kind {
    const char *type;
    enum mc_fold fold;
    enum finish finish;
} kinds[] = {
    {"ReduceL1", MC_FOLD_SUM_ABS, AS_IT_IS},  {"ReduceL2", MC_FOLD_SUM_SQUARE, ROOT},
    {"ReduceLogSum", MC_FOLD_SUM, LOGARITHM}, {"ReduceLogSumExp", MC_FOLD_SUM_EXP, LOG_SUM_EXP},
    {"ReduceMax", MC_FOLD_MAX, AS_IT_IS},     {"ReduceMean", MC_FOLD_SUM, MEAN},
    {"ReduceMin", MC_FOLD_MIN, AS_IT_IS},     {"ReduceProd", MC_FOLD_PROD, AS_IT_IS},
    {"ReduceSum", MC_FOLD_SUM, AS_IT_IS},     {"ReduceSumSquare", MC_FOLD_SUM_SQUARE, AS_IT_IS},
};

static const struct kind *kind_of(const struct mc_node *node)
{
    const struct kind *kind = kinds;
    while (strcmp(kind->type, node->op->type) != 0) kind++;
    return kind;
}

/* Results, and for LogSumExp the largest that each is shifted by. */
static int fold_prepare(struct mc_step *step, struct mc_error *err)
{
    const int64_t n = mc_tensor_count(step->out[0]);
    step->workspace_bytes = (size_t)(n + 1) * 2 * sizeof(double);
    return reduce_prepare(step, err);
}

static double finished(const struct kind *kind, double value, double shift, double factor)
{
    switch (kind->finish) {
    case MEAN:
        return value * factor;
    case ROOT:
        return sqrt(value);
    case LOGARITHM:
        return log(value);
    case LOG_SUM_EXP:
        return log(value) + shift;
    case AS_IT_IS:
        break;
    }
    return value;
}

/* e^x would be infinite of a large x: the largest is taken out first, unless it is itself infinite or missing. */
static const double *find_shifts(const struct mc_step *step, enum mc_dtype dtype, int64_t n)
{
    double *shift = (double *)step->workspace + n;
    mc_fold(MC_FOLD_MAX, dtype, step->in[0]->data, &step->in[0]->shape, step->state, NULL, shift);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(shift[i])) shift[i] = 0;
    return shift;
}

/* Integers that need a logarithm or a root go through double and are cut off. */
static void finish_whole(const struct kind *kind, enum mc_carrier carrier, int64_t n, double factor, uint64_t *result)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t whole;
        memcpy(&whole, &result[i], sizeof whole);
        const double value = carrier == MC_CARRIER_SIGNED ? (double)whole : (double)result[i];
        whole = (int64_t)finished(kind, value, 0, factor);
        memcpy(&result[i], &whole, sizeof whole);
    }
}

static int fold_forward(struct mc_step *step, struct mc_error *err)
{
    const struct kind *kind = kind_of(step->node);
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    const int64_t n = mc_tensor_count(y);
    const enum mc_carrier carrier = mc_fold_carrier(x->dtype);
    double *result = step->workspace;
    const double factor = n ? (double)n / (double)mc_tensor_count(x) : 0;
    if (kind->finish == LOG_SUM_EXP && carrier != MC_CARRIER_REAL)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "integers have no sum of exponentials here");
    const double *shift = kind->finish == LOG_SUM_EXP ? find_shifts(step, x->dtype, n) : NULL;
    mc_fold(kind->fold, x->dtype, x->data, &x->shape, step->state, shift, result);
    if (carrier != MC_CARRIER_REAL && kind->finish != AS_IT_IS) finish_whole(kind, carrier, n, factor, step->workspace);
    for (int64_t i = 0; i < n && carrier == MC_CARRIER_REAL && kind->finish != AS_IT_IS; i++)
        result[i] = finished(kind, result[i], shift ? shift[i] : 0, factor);
    mc_fold_store(y->dtype, result, n, y->data);
    return MC_OK;
}

static bool is_plain(const struct mc_step *step)
{
    const enum mc_dtype dtype = step->in[0]->dtype;
    return dtype == MC_FLOAT || dtype == MC_DOUBLE;
}

static int reduce_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_nest nest;
    if (!is_plain(step)) return fold_forward(step, err);
    mc_nest_init(&nest, &x->shape, step->state, &x->shape);
    mc_broadcast_sum(&nest, MC_NEST_A, mc_step_loops(step), mc_loop_type(x->dtype), NULL, NULL, NULL, x->data,
                     factor_of(step), step->out[0]->data);
    return MC_OK;
}

/* dx = dy, spread along the axes that were summed, times the factor. */
static int reduce_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *dx = step->grad_in[0];
    const enum mc_loop_type type = mc_loop_type(dx->dtype);
    const double factor = factor_of(step);
    const float factor_f32 = (float)factor;
    struct mc_nest nest;
    if (mc_tensor_count(dx) == 0) return MC_OK;
    mc_fill(dx->data, type == MC_LOOP_F32 ? (const void *)&factor_f32 : &factor, mc_tensor_count(dx),
            (size_t)mc_dtype_bits(dx->dtype) / 8);
    mc_nest_init(&nest, &dx->shape, step->state, &dx->shape);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_MUL], type, step->grad_out[0]->data, dx->data,
                 dx->data, 1);
    return MC_OK;
}

/* Beside each result: of a product, how many of its factors are 0 and the product of the others; of an extreme, how
 * many elements are it. */
static void count_beside(const struct mc_step *step, enum mc_fold fold, struct mc_walk *walk, double *zeros,
                         double *beside)
{
    const struct mc_tensor *x = step->in[0], *y = step->out[0];
    const bool product = fold == MC_FOLD_PROD;
    for (int64_t i = 0; i < mc_tensor_count(y); i++) {
        zeros[i] = 0;
        beside[i] = product;
    }
    for (int64_t i = 0; i < mc_tensor_count(x); i++, mc_walk_next(walk)) {
        const int64_t at = walk->offset[0];
        const double v = mc_tensor_get_f64(x, i);
        if (!product)
            beside[at] += v == mc_tensor_get_f64(y, at);
        else if (v == 0)
            zeros[at]++;
        else
            beside[at] *= v;
    }
}

/* dy / dx of one element, whose result is y. Ties share, as in PyTorch's amax. */
static double slope(const struct kind *kind, double x, double y, double zeros, double beside)
{
    switch (kind->finish) {
    case ROOT:
        return y > 0 ? x / y : 0;
    case LOGARITHM:
        return exp(-y);
    case LOG_SUM_EXP:
        return exp(x - y);
    case MEAN:
    case AS_IT_IS:
        break;
    }
    switch (kind->fold) {
    case MC_FOLD_SUM_ABS:
        return (x > 0) - (x < 0);
    case MC_FOLD_SUM_SQUARE:
        return 2 * x;
    case MC_FOLD_PROD:
        return zeros == 0 ? beside / x : zeros == 1 && x == 0 ? beside : 0;
    default:
        return x == y ? 1 / beside : 0;
    }
}

static void walk_results(const struct mc_step *step, struct mc_walk *walk)
{
    struct mc_tensor shown = {.dtype = step->out[0]->dtype, .shape = *(const struct mc_shape *)step->state};
    mc_walk_start(walk, &step->in[0]->shape, 1, (struct mc_tensor *const[]){&shown});
}

static int fold_backward(struct mc_step *step, struct mc_error *err)
{
    const struct kind *kind = kind_of(step->node);
    const struct mc_tensor *x = step->in[0], *y = step->out[0], *dy = step->grad_out[0];
    double *const zeros = step->workspace, *const beside = zeros + mc_tensor_count(y);
    const bool counts = kind->fold == MC_FOLD_PROD || kind->fold == MC_FOLD_MAX || kind->fold == MC_FOLD_MIN;
    struct mc_walk walk;
    if (mc_tensor_count(x) == 0) return MC_OK;
    walk_results(step, &walk);
    if (counts) count_beside(step, kind->fold, &walk, zeros, beside);
    walk_results(step, &walk);
    for (int64_t i = 0; i < mc_tensor_count(x); i++, mc_walk_next(&walk)) {
        const int64_t at = walk.offset[0];
        const double by = slope(kind, mc_tensor_get_f64(x, i), mc_tensor_get_f64(y, at), counts ? zeros[at] : 0,
                                counts ? beside[at] : 0);
        mc_tensor_set_f64(step->grad_in[0], i, by * mc_tensor_get_f64(dy, at));
    }
    return MC_OK;
}

/* The axes that are folded are folded over what is left of them. The others pass, moved up where the folded ones are
 * dropped. */
static int reduce_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const struct mc_fact *axes = node->n_inputs > 1 && node->inputs[1] ? mc_coupling_fact(c, node->inputs[1]) : NULL;
    const int rank = mc_coupling_fact(c, x)->shape.rank;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    bool reduced[MC_MAX_RANK];
    int rc = reduced_axes(node, axes, rank, reduced, err);
    for (int k = 0, to = 0; k < rank && rc == 0; k++) {
        rc = reduced[k] ? mc_couple_statistic(c, node, x, k, err) : mc_couple_axes(c, x, k, y, to, err);
        to += keep || !reduced[k];
    }
    return rc;
}

/* An addition an element that is read, rather than one that is written. */
static void reduce_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                        struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    cost->flops += mc_shape_count(&in[0]->shape);
}

/* name: the constant mc_op_<name>_<since>; inputs: 2 where the axes are one. */
#define REDUCE_OP(name, onnx_type, version, inputs, meaning)                                                           \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .means = MC_MEANS_##meaning,                                                                                   \
        .min_inputs = 1,                                                                                               \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_NONE,                                                                                          \
        .widens = true,                                                                                                \
        .shape = reduce_shape,                                                                                         \
        .outline = reduce_outline,                                                                                     \
        .prepare = fold_prepare,                                                                                       \
        .release = reduce_release,                                                                                     \
        .forward = reduce_forward,                                                                                     \
        .backward = reduce_backward,                                                                                   \
        .others = "axes",                                                                                              \
        .coupling = reduce_coupling,                                                                                   \
        .cost = reduce_cost,                                                                                           \
        .upgrade = mc_upgrade_axes,                                                                                    \
    };

REDUCE_OP(reduce_mean, "ReduceMean", 1, 1, REDUCE_MEAN)
REDUCE_OP(reduce_mean, "ReduceMean", 18, 2, REDUCE_MEAN)
REDUCE_OP(reduce_sum, "ReduceSum", 1, 1, OTHER)
REDUCE_OP(reduce_sum, "ReduceSum", 13, 2, OTHER)

#define FOLD_OP(name, onnx_type, version, inputs)                                                                      \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_IN | MC_KEEP_OUT,                                                                              \
        .widens = true,                                                                                                \
        .shape = reduce_shape,                                                                                         \
        .outline = reduce_outline,                                                                                     \
        .prepare = fold_prepare,                                                                                       \
        .release = reduce_release,                                                                                     \
        .forward = fold_forward,                                                                                       \
        .backward = fold_backward,                                                                                     \
        .others = "axes",                                                                                              \
        .coupling = reduce_coupling,                                                                                   \
        .cost = reduce_cost,                                                                                           \
        .upgrade = mc_upgrade_axes,                                                                                    \
    };

FOLD_OP(reduce_l1, "ReduceL1", 1, 1)
FOLD_OP(reduce_l1, "ReduceL1", 18, 2)
FOLD_OP(reduce_l2, "ReduceL2", 1, 1)
FOLD_OP(reduce_l2, "ReduceL2", 18, 2)
FOLD_OP(reduce_log_sum, "ReduceLogSum", 1, 1)
FOLD_OP(reduce_log_sum, "ReduceLogSum", 18, 2)
FOLD_OP(reduce_log_sum_exp, "ReduceLogSumExp", 1, 1)
FOLD_OP(reduce_log_sum_exp, "ReduceLogSumExp", 18, 2)
FOLD_OP(reduce_max, "ReduceMax", 1, 1)
FOLD_OP(reduce_max, "ReduceMax", 18, 2)
FOLD_OP(reduce_min, "ReduceMin", 1, 1)
FOLD_OP(reduce_min, "ReduceMin", 18, 2)
FOLD_OP(reduce_prod, "ReduceProd", 1, 1)
FOLD_OP(reduce_prod, "ReduceProd", 18, 2)
FOLD_OP(reduce_sum_square, "ReduceSumSquare", 1, 1)
FOLD_OP(reduce_sum_square, "ReduceSumSquare", 18, 2)
