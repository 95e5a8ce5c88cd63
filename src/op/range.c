/* range.c - Range: start, start + delta, … up to but not including the limit. */
#include <math.h>

#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

/* Longer ones are no index arithmetic, and their length comes from contents that nothing has bounded. */
#define MAX_LENGTH (INT64_C(1) << 31)

static const uint64_t types = MC_TYPES_FLOAT | MC_TYPE_BIT(MC_FLOAT16) | MC_TYPE_BIT(MC_BFLOAT16) |
                              MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64);

/* ceil((limit - start) / delta), at least 0; delta is not 0. */
static int64_t length_of(const struct mc_fact *const *in)
{
    const double start = mc_tensor_get_f64(in[0]->constant, 0), limit = mc_tensor_get_f64(in[1]->constant, 0);
    const double length = ceil((limit - start) / mc_tensor_get_f64(in[2]->constant, 0));
    return !(length > 0) ? 0 : length > (double)MAX_LENGTH ? MAX_LENGTH + 1 : (int64_t)length;
}

static int range_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], types, err);
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[0]->dtype), err);
        if (rc == 0) rc = mc_need_rank(node, i, in[i], 0, 1, err);
        if (rc == 0 && mc_shape_count(&in[i]->shape) != 1)
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d: needs 1 element", i);
        if (rc == 0 && !in[i]->constant)
            rc = mc_error_set(err, MC_ERR_OPEN, "input %d '%s': needs a constant, is computed from the inputs", i,
                              node->inputs[i]->name);
    }
    if (rc < 0) return rc;
    if (mc_tensor_get_f64(in[2]->constant, 0) == 0) return mc_error_set(err, MC_ERR_INPUT, "delta: needs not to be 0");
    const int64_t length = length_of(in);
    if (length > MAX_LENGTH)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs at most %lld elements, has more", (long long)MAX_LENGTH);
    *out = (struct mc_fact){.dtype = in[0]->dtype, .shape = {.rank = 1, .dim = {length}}};
    return 0;
}

static void range_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    int64_t delta;
    out[0] = mc_outline_of_rank(1);
    for (int i = 0; i < 3; i++)
        if (in[i]->n_items != 1) return;
    if (!mc_symbol_is_number(s, in[2]->item[0], &delta) || delta < 1) return;
    const mc_symbol length = mc_symbol_subtract(s, in[1]->item[0], in[0]->item[0]);
    out[0].dim[0] = mc_symbol_divide_up(s, mc_symbol_greatest(s, length, mc_symbol_number(s, 0)), in[2]->item[0]);
}

static int range_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    struct mc_tensor *const out = step->out[0];
    const int64_t n = mc_tensor_count(out);
    if (mc_dtype_is_float(out->dtype)) {
        const double start = mc_tensor_get_f64(step->in[0], 0), delta = mc_tensor_get_f64(step->in[2], 0);
        for (int64_t i = 0; i < n; i++) mc_tensor_set_f64(out, i, start + (double)i * delta);
        return 0;
    }
    const int64_t start = mc_tensor_get_i64(step->in[0], 0), delta = mc_tensor_get_i64(step->in[2], 0);
    for (int64_t i = 0; i < n; i++) {
        const int64_t value = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)delta);
        if (out->dtype == MC_INT64)
            ((int64_t *)out->data)[i] = value;
        else if (out->dtype == MC_INT32)
            ((int32_t *)out->data)[i] = (int32_t)value;
        else
            ((int16_t *)out->data)[i] = (int16_t)value;
    }
    return 0;
}

const struct mc_op mc_op_range_11 = {
    .domain = "",
    .type = "Range",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .keep = MC_KEEP_NONE,
    .shape = range_shape,
    .outline = range_outline,
    .forward = range_forward,
    .backward = NULL,
    .no_backward = "the inputs are constants",
    .coupling = mc_coupling_freeze_all,
    .resize = NULL, /* nothing of it is ever cut */
    .cost = mc_cost_free,
};
