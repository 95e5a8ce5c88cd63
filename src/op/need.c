/* need.c - what shape and cost rules share: checks with one form of message, stock costs; see ops.h. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "kernel/sparse.h"
#include "op/ops.h"

static const char *input_name(const struct mc_node *node, int i)
{
    return i < node->n_inputs && node->inputs[i] ? node->inputs[i]->name : "";
}

int mc_need_input(const struct mc_node *node, int i, const struct mc_fact *fact, struct mc_error *err)
{
    if (fact) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input %d is required and left out", i);
}

int mc_need_dtype(const struct mc_node *node, int i, const struct mc_fact *fact, uint64_t allowed, struct mc_error *err)
{
    const int rc = mc_need_input(node, i, fact, err);
    if (rc < 0 || (allowed & MC_TYPE_BIT(fact->dtype))) return rc;
    char names[256];
    size_t used = 0;
    names[0] = '\0';
    for (int t = 0; t < MC_DTYPE_COUNT && used < sizeof names; t++)
        if (allowed & MC_TYPE_BIT(t))
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? " or " : "",
                                     mc_dtype_name((enum mc_dtype)t));
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "input %d '%s': needs %s, has %s", i, input_name(node, i), names,
                        mc_dtype_name(fact->dtype));
}

int mc_need_rank(const struct mc_node *node, int i, const struct mc_fact *fact, int low, int high, struct mc_error *err)
{
    const int rc = mc_need_input(node, i, fact, err);
    if (rc < 0 || (fact->shape.rank >= low && fact->shape.rank <= high)) return rc;
    char shape[128];
    mc_shape_text(&fact->shape, shape, sizeof shape);
    if (low == high)
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %d dimensions, has shape %s", i,
                            input_name(node, i), low, shape);
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %d to %d dimensions, has shape %s", i,
                        input_name(node, i), low, high, shape);
}

int mc_need_axis(int64_t axis, int rank, int *normal, struct mc_error *err)
{
    if (axis < -(int64_t)rank || axis >= rank)
        return mc_error_set(err, MC_ERR_INPUT, "axis %" PRId64 " is outside a tensor of %d dimensions", axis, rank);
    *normal = (int)(axis < 0 ? axis + rank : axis);
    return MC_OK;
}

int mc_need_ints(const struct mc_node *node, int i, const struct mc_fact *fact, int64_t *values, int max, int *n,
                 struct mc_error *err)
{
    int rc = mc_need_dtype(node, i, fact, MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64), err);
    if (rc == MC_OK) rc = mc_need_rank(node, i, fact, 0, 1, err);
    if (rc < 0) return rc;
    if (!fact->constant)
        return mc_error_set(err, MC_ERR_OPEN, "input %d '%s': needs a constant, is computed from the inputs", i,
                            input_name(node, i));
    const int64_t count = mc_tensor_count(fact->constant);
    if (count > max)
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs at most %d numbers, has %" PRId64, i,
                            input_name(node, i), max, count);
    for (int64_t k = 0; k < count; k++) values[k] = mc_tensor_get_i64(fact->constant, k);
    *n = (int)count;
    return MC_OK;
}

int mc_shape_same(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                  struct mc_error *err)
{
    const int rc = mc_need_input(node, 0, in[0], err);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = in[0]->shape;
    return MC_OK;
}

/* --- orders --- */

enum mc_order mc_order_same(const struct mc_step *step)
{
    return MC_ORDER_SAME;
}

enum mc_order mc_order_elementwise(const struct mc_step *step)
{
    const struct mc_shape *out = &step->out[0]->shape;
    if (!mc_shape_equal(&step->in[0]->shape, out)) return MC_ORDER_FIRST;
    for (int i = 1; i < step->n_in; i++)
        if (step->in[i] && mc_tensor_count(step->in[i]) != 1 && !mc_shape_equal(&step->in[i]->shape, out))
            return MC_ORDER_FIRST;
    return MC_ORDER_SAME;
}

/* Is it the same whichever way it lies, as [N, C, 1, 1] and [1, 1, H, W] are? It may have fewer axes than the result.
 */
static bool lies_either_way(const struct mc_shape *shape, int rank)
{
    const int missing = rank - shape->rank;
    const int64_t channels = missing <= 1 ? shape->dim[1 - missing] : 1;
    return channels == 1 || mc_shape_count(shape) == channels * (missing == 0 ? shape->dim[0] : 1);
}

enum mc_order mc_order_broadcast(const struct mc_step *step)
{
    const struct mc_shape *out = &step->out[0]->shape;
    for (int i = 0; i < step->n_in; i++) {
        const struct mc_shape *in = &step->in[i]->shape;
        if (out->rank < 3 || (!mc_shape_equal(in, out) && !lies_either_way(in, out->rank))) return MC_ORDER_FIRST;
    }
    return MC_ORDER_SAME;
}

/* --- products --- */

const struct mc_bfloat_loops *mc_step_bfloats(const struct mc_step *step)
{
    return step->training && step->runtime->bfloat16 ? step->runtime->kernels->bfloats : NULL;
}

bool mc_step_packs(const struct mc_step *step, int i, int64_t rows, int64_t columns)
{
    const struct mc_tensor *w = step->in[i];
    if (!step->in_constant[i] || step->training || w->dtype != MC_FLOAT || !w->data) return false;
    if (!mc_packed_takes(columns, step->runtime)) return false;
    if (mc_packed_pays(rows, step->runtime) || mc_sparse_may_pay(w->data, mc_tensor_count(w))) return true;
    const struct mc_unpacked all = {.w = w->data, .K = mc_tensor_count(w), .M = 1, .row_step = 1, .column_step = 1};
    return mc_packed_kind_of(&all, step->runtime) != MC_PACKED_FLOATS;
}

int mc_step_pack(struct mc_step *step, int i, const struct mc_unpacked *w, struct mc_error *err)
{
    struct mc_packed *packed;
    const int rc = mc_packed_create(&packed, w, step->runtime, err);
    if (rc < 0) return rc;
    step->state = packed;
    step->packed = 1u << i;
    return MC_OK;
}

void mc_step_release_packed(struct mc_step *step)
{
    mc_packed_destroy(step->state);
    step->state = NULL;
}

/* --- costs --- */

static int64_t fact_bytes(const struct mc_fact *fact)
{
    size_t bytes;
    if (!fact || !mc_dtype_size(fact->dtype, mc_shape_count(&fact->shape), &bytes)) return 0;
    return bytes <= INT64_MAX ? (int64_t)bytes : INT64_MAX;
}

void mc_cost_free(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                  struct mc_cost *cost)
{
    for (int i = 0; i < node->n_inputs; i++) cost->bytes_read += fact_bytes(in[i]);
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) cost->bytes_written += fact_bytes(&out[i]);
}

void mc_cost_elementwise(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                         struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    cost->flops += mc_shape_count(&out[0].shape);
}
