/* reduce.c - ReduceSum and ReduceMean over any set of axes.
 *
 * The axes are an attribute in ReduceSum before opset 13 and ReduceMean before 18, and an input since; none given means
 * all, unless `noop_with_empty_axes` asks for the input itself. float32 and float64; sums as kernel/broadcast.h states.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/copy.h"
#include "op/elementwise.h"

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

static int reduce_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    bool reduced[MC_MAX_RANK];
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == 0) rc = reduced_axes(node, axes_are_input(node) ? in[1] : NULL, in[0]->shape.rank, reduced, err);
    if (rc < 0) return rc;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    out[0].dtype = in[0]->dtype;
    out[0].shape.rank = 0;
    for (int k = 0; k < in[0]->shape.rank; k++)
        if (!reduced[k] || keep) out[0].shape.dim[out[0].shape.rank++] = reduced[k] ? 1 : in[0]->shape.dim[k];
    return MC_OK;
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

static int reduce_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_nest nest;
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

/* An axis that is summed away would take the constant that a removed channel leaves with it, and a mean would be over
 * fewer elements: such axes stay whole. The others pass, moved up where the summed ones are dropped. */
static int reduce_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const struct mc_fact *axes = node->n_inputs > 1 && node->inputs[1] ? mc_coupling_fact(c, node->inputs[1]) : NULL;
    const int rank = mc_coupling_fact(c, x)->shape.rank;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    bool reduced[MC_MAX_RANK];
    int rc = reduced_axes(node, axes, rank, reduced, err);
    for (int k = 0, to = 0; k < rank && rc == 0; k++) {
        rc = reduced[k] ? mc_couple_freeze(c, node, x, k, "summed over the axis", err)
                        : mc_couple_axes(c, x, k, y, to, err);
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
#define REDUCE_OP(name, onnx_type, version, inputs)                                                                    \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_NONE,                                                                                          \
        .shape = reduce_shape,                                                                                         \
        .prepare = reduce_prepare,                                                                                     \
        .release = reduce_release,                                                                                     \
        .forward = reduce_forward,                                                                                     \
        .backward = reduce_backward,                                                                                   \
        .coupling = reduce_coupling,                                                                                   \
        .cost = reduce_cost,                                                                                           \
    };

REDUCE_OP(reduce_mean, "ReduceMean", 1, 1)
REDUCE_OP(reduce_mean, "ReduceMean", 18, 2)
REDUCE_OP(reduce_sum, "ReduceSum", 1, 1)
REDUCE_OP(reduce_sum, "ReduceSum", 13, 2)
