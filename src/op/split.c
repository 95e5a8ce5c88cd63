/* split.c - Split: a tensor cut into several along an axis.
 *
 * The sizes of the parts are an attribute before version 13 and an input since; unstated, the parts are equal, from
 * version 18 on with a smaller last one where the extent does not divide.
 */
#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"
#include "op/upgrade.h"

static int read_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", 0), rank, axis, err);
}

/* Where the sizes stand; the number of outputs has no bound, so they are not copied. */
struct sizes {
    int64_t n; /* as many as are stated; -1: none are */
    const int64_t *attr;
    const struct mc_tensor *input;
};

static struct sizes find_sizes(const struct mc_node *node, const struct mc_tensor *input)
{
    struct sizes sizes = {.n = -1};
    if (node->op->since < 13) {
        sizes.attr = mc_node_ints(node, "split", &sizes.n);
        if (!mc_node_attr(node, "split")) sizes.n = -1;
    } else if (input) {
        sizes.input = input;
        sizes.n = mc_tensor_count(input);
    }
    return sizes;
}

static int64_t size_of(const struct mc_node *node, const struct sizes *sizes, int64_t extent, int i)
{
    if (sizes->attr) return sizes->attr[i];
    if (sizes->input) return mc_tensor_get_i64(sizes->input, i);
    const int64_t n = node->n_outputs, size = (extent + n - 1) / n;
    return i == n - 1 ? extent - (n - 1) * size : size;
}

static int check_sizes(const struct mc_node *node, const struct sizes *sizes, int64_t extent, struct mc_error *err)
{
    int64_t total = 0;
    if (sizes->n >= 0 && sizes->n != node->n_outputs)
        return mc_error_set(err, MC_ERR_INPUT, "split: needs a size for each of %d outputs, has %lld", node->n_outputs,
                            (long long)sizes->n);
    if (sizes->n < 0 && node->op->since < 18 && extent % node->n_outputs)
        return mc_error_set(err, MC_ERR_INPUT, "needs an extent that %d outputs divide, has %lld", node->n_outputs,
                            (long long)extent);
    for (int i = 0; i < node->n_outputs; i++) {
        const int64_t size = size_of(node, sizes, extent, i);
        if (size < 0 || size > extent - total)
            return mc_error_set(err, MC_ERR_INPUT, "output %d: needs a size of 0 to %lld, has %lld", i,
                                (long long)(extent - total), (long long)size);
        total += size;
    }
    if (total != extent)
        return mc_error_set(err, MC_ERR_INPUT, "split: needs sizes that sum to %lld, has %lld", (long long)extent,
                            (long long)total);
    return 0;
}

static int check_statement(const struct mc_node *node, const struct mc_fact *const *in, struct mc_error *err)
{
    if (node->n_outputs < 1) return mc_error_set(err, MC_ERR_INPUT, "needs at least 1 output, has 0");
    const int64_t n = mc_node_int(node, "num_outputs", node->n_outputs);
    if (node->op->since >= 18 && n != node->n_outputs)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'num_outputs': needs %d, has %lld", node->n_outputs,
                            (long long)n);
    if (node->op->since < 13 || node->n_inputs < 2 || !node->inputs[1]) return 0;
    if (!in[1]->constant)
        return mc_error_set(err, MC_ERR_OPEN, "input 1 '%s': needs sizes that do not depend on inputs",
                            node->inputs[1]->name);
    return mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT64), err);
}

static int split_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_axis(node, in[0]->shape.rank, &axis, err)) < 0) return rc;
    if ((rc = check_statement(node, in, err)) < 0) return rc;
    const int64_t extent = in[0]->shape.dim[axis];
    const struct sizes sizes = find_sizes(node, node->n_inputs > 1 && in[1] ? in[1]->constant : NULL);
    if ((rc = check_sizes(node, &sizes, extent, err)) < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++) {
        out[i] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
        out[i].shape.dim[axis] = size_of(node, &sizes, extent, i);
    }
    return 0;
}

static void split_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    const struct mc_outline_list sizes = mc_outline_list_of(s, node, in, "split", 1);
    int axis;
    if (!mc_outline_axis(node, 0, in[0]->rank, &axis)) return;
    const mc_symbol extent = in[0]->dim[axis], n = mc_symbol_number(s, node->n_outputs);
    const bool uneven = node->op->since >= 18;
    const mc_symbol part = uneven ? mc_symbol_divide_up(s, extent, n) : mc_symbol_divide(s, extent, n);
    for (int i = 0; i < node->n_outputs; i++) {
        mc_outline_same(s, node, in, &out[i]);
        out[i].dim[axis] = part;
        if (sizes.given)
            out[i].dim[axis] = sizes.known && i < sizes.n ? sizes.at[i] : MC_SYMBOL_UNKNOWN;
        else if (uneven && i == node->n_outputs - 1)
            out[i].dim[axis] = mc_symbol_subtract(s, extent, mc_symbol_times(s, part, i));
    }
}

static bool split_picks(const struct mc_node *node, const struct mc_fact *const *in, int output,
                        struct mc_picked *picked)
{
    const struct mc_shape *const shape = &in[0]->shape;
    int axis;
    if (read_axis(node, shape->rank, &axis, NULL) < 0) return false;
    const struct sizes sizes = find_sizes(node, node->n_inputs > 1 && in[1] ? in[1]->constant : NULL);
    for (int k = 0; k < shape->rank; k++) {
        picked->axis[k] = k;
        picked->step[k] = 1;
        picked->start[k] = 0;
    }
    for (int i = 0; i < output; i++) picked->start[axis] += size_of(node, &sizes, shape->dim[axis], i);
    return true;
}

static int split_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *const shape = &step->in[0]->shape;
    int axis;
    const int rc = read_axis(step->node, shape->rank, &axis, err);
    if (rc < 0) return rc;
    const struct sizes sizes = find_sizes(step->node, step->n_in > 1 ? step->in[1] : NULL);
    int64_t begin = 0;
    for (int i = 0; i < step->n_out; i++) {
        if (step->out[i]) mc_part_get(step->out[i], step->in[0], axis, begin);
        begin += size_of(step->node, &sizes, shape->dim[axis], i);
    }
    return 0;
}

static int split_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const grad = step->grad_in[0];
    if (!grad) return 0;
    int axis;
    const int rc = read_axis(step->node, grad->shape.rank, &axis, err);
    if (rc < 0) return rc;
    const struct sizes sizes = find_sizes(step->node, step->n_in > 1 ? step->in[1] : NULL);
    mc_zero(grad);
    int64_t begin = 0;
    for (int i = 0; i < step->n_out; i++) {
        if (step->grad_out[i]) mc_part_put(grad, step->grad_out[i], axis, begin);
        begin += size_of(step->node, &sizes, grad->shape.dim[axis], i);
    }
    return 0;
}

/* Index j of output i along the axis is index offset + j of the input. */
static int couple_output(struct mc_coupling *c, const struct mc_node *node, int i, int axis, int64_t offset,
                         int64_t size, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[i];
    int rc = 0;
    for (int k = 0; k < mc_coupling_fact(c, x)->shape.rank && rc == 0; k++)
        if (k != axis) rc = mc_couple_axes(c, x, k, y, k, err);
    for (int64_t j = 0; j < size && rc == 0; j++) rc = mc_couple_index(c, x, axis, offset + j, y, axis, j, err);
    return rc;
}

static int split_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0];
    int axis, rc = read_axis(node, mc_coupling_fact(c, x)->shape.rank, &axis, err);
    const bool stated = node->n_inputs > 1 && node->inputs[1];
    const struct sizes sizes = find_sizes(node, stated ? mc_coupling_fact(c, node->inputs[1])->constant : NULL);
    int64_t offset = 0;
    for (int i = 0; i < node->n_outputs && rc == 0; i++) {
        const int64_t size = size_of(node, &sizes, mc_coupling_extent(c, x, axis), i);
        if (!node->outputs[i]) /* a part that nobody looks at has no place where its new size would be known from */
            rc = mc_couple_freeze(c, node, x, axis, "a part of it is split off and not used", err);
        else
            rc = couple_output(c, node, i, axis, offset, size, err);
        offset += size;
    }
    return rc;
}

static int set_sizes(struct mc_resize *resize, struct mc_node *node, int axis, struct mc_error *err)
{
    const struct mc_shape shape = {.rank = 1, .dim = {node->n_outputs}};
    struct mc_tensor *sizes;
    int rc = mc_tensor_create(&sizes, MC_INT64, &shape, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++)
        ((int64_t *)sizes->data)[i] = mc_resize_new_extent(resize, node->outputs[i], axis);
    if (node->op->since >= 13) {
        mc_node_remove_attr(node, "num_outputs"); /* sizes or number: not both */
        return mc_resize_set_constant(resize, node, 1, sizes, err);
    }
    rc = mc_node_set_ints(node, "split", sizes->data, node->n_outputs, err);
    mc_tensor_destroy(sizes);
    return rc;
}

/* Sizes that the parts no longer have, or no longer would have by default, are written down. */
static int split_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0];
    int axis, rc = read_axis(node, mc_resize_fact(resize, x)->shape.rank, &axis, err);
    if (rc < 0) return rc;
    const bool stated = node->n_inputs > 1 && node->inputs[1];
    const struct sizes sizes = find_sizes(node, stated ? mc_resize_computed(resize, node, 1) : NULL);
    const int64_t extent = mc_resize_new_extent(resize, x, axis);
    bool right = !stated || sizes.input;
    for (int i = 0; i < node->n_outputs && right; i++)
        right = size_of(node, &sizes, extent, i) == mc_resize_new_extent(resize, node->outputs[i], axis);
    if (right && sizes.n < 0 && node->op->since < 18) right = extent % node->n_outputs == 0;
    return right ? 0 : set_sizes(resize, node, axis, err);
}

/* Sizes have been an input since 13; without any the number of parts has to be said since 18. */
static int split_upgrade_13(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    return mc_upgrade_ints(node, "split", 1, err);
}

static int split_upgrade_18(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    if (node->n_inputs > 1 && node->inputs[1]) return MC_OK;
    return mc_node_set_int(node, "num_outputs", node->n_outputs, err);
}

#define SPLIT(version, inputs, upgrade_rule)                                                                           \
    {                                                                                                                  \
        .domain = "", .type = "Split", .since = version, .min_inputs = 1, .max_inputs = inputs, .n_outputs = -1,       \
        .grad_inputs = 1, .keep = MC_KEEP_NONE, .opaque = true, .picks = split_picks, .shape = split_shape,            \
        .outline = split_outline, .forward = split_forward, .backward = split_backward, .others = "sizes",             \
        .coupling = split_coupling, .resize = split_resize, .cost = mc_cost_free, .upgrade = upgrade_rule,             \
    }

const struct mc_op mc_op_split_1 = SPLIT(1, 1, NULL); /* version 1 also had the sizes as an input, which nobody wrote */
const struct mc_op mc_op_split_13 = SPLIT(13, 2, split_upgrade_13);
const struct mc_op mc_op_split_18 = SPLIT(18, 2, split_upgrade_18);
