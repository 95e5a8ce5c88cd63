/* cast.c - Cast and CastLike: elements of one type as elements of another. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

/* What mc_tensor_convert converts: all numbers, and bool. */
static uint64_t numbers(void)
{
    return mc_types_ordered & ~(MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
}

static int conversion_of(const struct mc_node *node, struct mc_conversion *how, struct mc_error *err)
{
    how->overflows = !mc_node_int(node, "saturate", 1);
    how->e8m0 = MC_ROUND_UP;
    if (mc_node_string_is(node, "round_mode", "down", false)) how->e8m0 = MC_ROUND_DOWN;
    if (mc_node_string_is(node, "round_mode", "nearest", false)) how->e8m0 = MC_ROUND_NEAREST;
    if (how->e8m0 != MC_ROUND_UP || mc_node_string_is(node, "round_mode", "up", true)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'round_mode': needs up, down or nearest");
}

static int set_cast(const struct mc_node *node, const struct mc_fact *const *in, int64_t to, struct mc_fact *out,
                    struct mc_error *err)
{
    struct mc_conversion how;
    int rc = mc_need_dtype(node, 0, in[0], numbers() | MC_TYPE_BIT(MC_STRING), err);
    if (rc == MC_OK) rc = conversion_of(node, &how, err);
    if (rc < 0) return rc;
    if (to <= MC_UNDEFINED || to >= MC_DTYPE_COUNT)
        return mc_error_set(err, MC_ERR_INPUT, "needs an element type to cast to, has %lld", (long long)to);
    const enum mc_dtype dtype = (enum mc_dtype)to;
    if (!((numbers() | MC_TYPE_BIT(MC_STRING)) & MC_TYPE_BIT(dtype)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "cannot cast to %s", mc_dtype_name(dtype));
    *out = (struct mc_fact){.dtype = dtype, .shape = in[0]->shape};
    return 0;
}

/* The type to cast to; before version 6 its name. */
static int64_t target_of(const struct mc_node *node)
{
    static const char *const names[MC_DTYPE_COUNT] = {
        [MC_FLOAT] = "FLOAT",   [MC_UINT8] = "UINT8",     [MC_INT8] = "INT8",     [MC_UINT16] = "UINT16",
        [MC_INT16] = "INT16",   [MC_INT32] = "INT32",     [MC_INT64] = "INT64",   [MC_STRING] = "STRING",
        [MC_BOOL] = "BOOL",     [MC_FLOAT16] = "FLOAT16", [MC_DOUBLE] = "DOUBLE", [MC_UINT32] = "UINT32",
        [MC_UINT64] = "UINT64",
    };
    if (node->op->since >= 6) return mc_node_int(node, "to", MC_UNDEFINED);
    for (int t = 0; t < MC_DTYPE_COUNT; t++)
        if (names[t] && mc_node_string_is(node, "to", names[t], false)) return t;
    return MC_UNDEFINED;
}

static int cast_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return set_cast(node, in, target_of(node), out, err);
}

/* Contents are followed from integers to integers; of floats an outline knows none. */
static void cast_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    const int64_t to = target_of(node);
    mc_outline_copy(s, node, in, out);
    if (to != MC_INT32 && to != MC_INT64) out[0].n_items = -1;
}

static int cast_like_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    return set_cast(node, in, in[1]->dtype, out, err);
}

static int cast_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_conversion how;
    const int rc = conversion_of(step->node, &how, err);
    return rc < 0 ? rc : mc_tensor_convert_by(step->out[0], step->in[0], &how, err);
}

/* --- texts --- */

enum { DIGITS = 40 };

/* A number in words: plain where it is whole, else with the fewest digits that read back as the same. */
static size_t print_number(const struct mc_tensor *x, int64_t i, char text[DIGITS])
{
    if (x->dtype == MC_BOOL) return (size_t)snprintf(text, DIGITS, "%s", mc_tensor_get_i64(x, i) ? "True" : "False");
    if (x->dtype == MC_UINT64) return (size_t)snprintf(text, DIGITS, "%" PRIu64, ((const uint64_t *)x->data)[i]);
    if (mc_dtype_is_integer(x->dtype)) return (size_t)snprintf(text, DIGITS, "%" PRId64, mc_tensor_get_i64(x, i));
    const double v = mc_tensor_get_f64(x, i);
    if (isnan(v)) return (size_t)snprintf(text, DIGITS, "NaN");
    if (isinf(v)) return (size_t)snprintf(text, DIGITS, v > 0 ? "INF" : "-INF");
    for (int digits = 1; digits < 17; digits++) {
        const int length = snprintf(text, DIGITS, "%.*g", digits, v);
        const double back = strtod(text, NULL);
        if (x->dtype == MC_DOUBLE ? back == v : (float)back == (float)v) return (size_t)length;
    }
    return (size_t)snprintf(text, DIGITS, "%.17g", v);
}

static int print_all(const struct mc_tensor *x, struct mc_tensor **y, struct mc_error *err)
{
    const int64_t n = mc_tensor_count(x);
    struct mc_text *texts = MC_NEW_ARRAY(struct mc_text, n + 1);
    char(*digits)[DIGITS] = mc_alloc((size_t)n + 1, DIGITS);
    int rc = texts && digits ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; i < n && rc == MC_OK; i++)
        texts[i] = (struct mc_text){digits[i], print_number(x, i, digits[i])};
    if (rc == MC_OK) rc = mc_tensor_create_texts(y, &x->shape, texts, err);
    mc_free(digits);
    mc_free(texts);
    return rc;
}

/* As the specification has it: plain and scientific numbers, INF and NaN in any case. */
static int read_number(const struct mc_text *text, enum mc_dtype dtype, struct mc_tensor *y, int64_t i,
                       struct mc_error *err)
{
    char copy[128], *end = copy;
    const bool fits = text->length > 0 && text->length < sizeof copy;
    if (fits) memcpy(copy, text->bytes, text->length);
    copy[fits ? text->length : 0] = '\0';
    if (fits && (dtype == MC_INT64 || dtype == MC_UINT64)) {
        const long long whole = strtoll(copy, &end, 10);
        if (end != copy && !*end) {
            ((int64_t *)y->data)[i] = whole;
            return MC_OK;
        }
    }
    const double v = fits ? strtod(copy, &end) : 0;
    if (!fits || *end || end == copy)
        return mc_error_set(err, MC_ERR_INPUT, "input 0: '%.*s' is no number",
                            (int)(text->length < 60 ? text->length : 60), text->bytes ? text->bytes : "");
    mc_tensor_set_f64(y, i, v);
    return MC_OK;
}

static int read_all(const struct mc_tensor *x, enum mc_dtype dtype, struct mc_tensor **y, struct mc_error *err)
{
    int rc = mc_tensor_create(y, dtype, &x->shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(x) && rc == MC_OK; i++)
        rc = read_number((const struct mc_text *)x->data + i, dtype, *y, i, err);
    if (rc < 0) {
        mc_tensor_destroy(*y);
        *y = NULL;
    }
    return rc;
}

static int cast_evaluate(struct mc_call *call, struct mc_error *err)
{
    const bool like = call->node->op->max_inputs > 1;
    if (call->in[0]->kind != MC_ITEM_TENSOR || (like && call->in[1]->kind != MC_ITEM_TENSOR))
        return mc_error_set(err, MC_ERR_INPUT, "needs tensors");
    const struct mc_tensor *x = call->in[0]->tensor;
    const enum mc_dtype to = like ? call->in[1]->tensor->dtype : (enum mc_dtype)target_of(call->node);
    struct mc_tensor *y = NULL;
    int rc;
    if (x->dtype != MC_STRING)
        rc = print_all(x, &y, err);
    else
        rc = to == MC_STRING ? mc_tensor_clone(&y, x, err) : read_all(x, to, &y, err);
    if (rc < 0) return rc;
    call->out[0] = mc_item_of_tensor(y);
    return call->out[0] ? MC_OK : mc_error_memory(err);
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

#define CAST(name, version, n_inputs, shape_rule, outline_rule)                                                        \
    {                                                                                                                  \
        .domain = "", .type = name, .since = version, .means = MC_MEANS_CAST, .min_inputs = n_inputs,                  \
        .max_inputs = n_inputs, .n_outputs = 1, .grad_inputs = 1, .keep = MC_KEEP_NONE, .opaque = true,                \
        .shape = shape_rule, .outline = outline_rule, .forward = cast_forward, .evaluate = cast_evaluate,              \
        .backward = cast_backward, .others = "a type", .coupling = mc_coupling_first_input, .resize = NULL,            \
        .cost = mc_cost_free,                                                                                          \
    }

const struct mc_op mc_op_cast_1 = CAST("Cast", 1, 1, cast_shape, cast_outline);
const struct mc_op mc_op_cast_6 = CAST("Cast", 6, 1, cast_shape, cast_outline);
const struct mc_op mc_op_cast_like_15 = CAST("CastLike", 15, 2, cast_like_shape, mc_outline_same);
