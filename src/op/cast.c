/* cast.c - Cast and CastLike: elements of one type as elements of another. */
#include "base/error.h"
#include "op/move.h"

static bool is_float8(enum mc_dtype dtype)
{
    return dtype >= MC_FLOAT8E4M3FN && dtype <= MC_FLOAT8E5M2FNUZ;
}

/* What mc_tensor_convert converts: all numbers, and bool. */
static uint64_t numbers(void)
{
    return mc_types_ordered & ~(MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
}

static int set_cast(const struct mc_node *node, const struct mc_fact *const *in, int64_t to, struct mc_fact *out,
                    struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], numbers(), err);
    if (rc < 0) return rc;
    if (to <= MC_UNDEFINED || to >= MC_DTYPE_COUNT)
        return mc_error_set(err, MC_ERR_INPUT, "needs an element type to cast to, has %lld", (long long)to);
    const enum mc_dtype dtype = (enum mc_dtype)to;
    if (!(numbers() & MC_TYPE_BIT(dtype)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "cannot cast to %s", mc_dtype_name(dtype));
    if (is_float8(dtype) && mc_node_int(node, "saturate", 1) != 1)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'saturate': needs 1 for %s, has 0",
                            mc_dtype_name(dtype));
    if (dtype == MC_FLOAT8E8M0 && !mc_node_string_is(node, "round_mode", "up", true))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'round_mode': needs up for %s", mc_dtype_name(dtype));
    *out = (struct mc_fact){.dtype = dtype, .shape = in[0]->shape};
    return 0;
}

static int cast_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return set_cast(node, in, mc_node_int(node, "to", MC_UNDEFINED), out, err);
}

static int cast_like_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    return set_cast(node, in, in[1]->dtype, out, err);
}

static int cast_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_tensor_convert(step->out[0], step->in[0], err);
}

/* Between floats the derivative is 1; rounding to anything else has none but 0. */
static int cast_backward(struct mc_step *step, struct mc_error *err)
{
    if (!step->grad_in[0]) return 0;
    if (step->grad_out[0] && mc_dtype_is_float(step->out[0]->dtype))
        return mc_tensor_convert(step->grad_in[0], step->grad_out[0], err);
    mc_zero(step->grad_in[0]);
    return 0;
}

#define CAST(name, version, n_inputs, shape_rule)                                                                      \
    {                                                                                                                  \
        .domain = "", .type = name, .since = version, .min_inputs = n_inputs, .max_inputs = n_inputs, .n_outputs = 1,  \
        .grad_inputs = 1, .keep = MC_KEEP_NONE, .opaque = true, .shape = shape_rule, .forward = cast_forward,          \
        .backward = cast_backward, .coupling = mc_coupling_first_input, .resize = NULL, .cost = mc_cost_free,          \
    }

/* Before version 6 the type was a name in a string. */
const struct mc_op mc_op_cast_6 = CAST("Cast", 6, 1, cast_shape);
const struct mc_op mc_op_cast_like_15 = CAST("CastLike", 15, 2, cast_like_shape);
