/* constant.c - Constant and ConstantOfShape: tensors that are written in the model. */
#include <string.h>

#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

/* The attribute that holds the value: exactly one of those below. */
static int find_value(const struct mc_node *node, const struct mc_attr **value, struct mc_error *err)
{
    static const char *const names[] = {"value", "value_float", "value_floats", "value_int", "value_ints"};
    static const enum mc_attr_type types[] = {MC_ATTR_TENSOR, MC_ATTR_FLOAT, MC_ATTR_FLOATS, MC_ATTR_INT, MC_ATTR_INTS};
    *value = NULL;
    for (int i = 0; i < 5; i++) {
        const struct mc_attr *const attr = mc_node_attr(node, names[i]);
        if (!attr) continue;
        if (*value) return mc_error_set(err, MC_ERR_INPUT, "has both '%s' and '%s'", (*value)->name, names[i]);
        if (attr->type != types[i])
            return mc_error_set(err, MC_ERR_INPUT, "attribute '%s' is of the wrong type", names[i]);
        *value = attr;
    }
    if (*value) return 0;
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs attribute 'value' or 'value_float', 'value_int' or a list");
}

static int constant_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    (void)in;
    const struct mc_attr *value;
    const int rc = find_value(node, &value, err);
    if (rc < 0) return rc;
    if (value->type == MC_ATTR_TENSOR) {
        *out = mc_fact_of(value->t);
        return 0;
    }
    const bool real = value->type == MC_ATTR_FLOAT || value->type == MC_ATTR_FLOATS;
    const bool list = value->type == MC_ATTR_FLOATS || value->type == MC_ATTR_INTS;
    *out = (struct mc_fact){.dtype = real ? MC_FLOAT : MC_INT64, .shape = {.rank = list, .dim = {list ? value->n : 0}}};
    return 0;
}

static int constant_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const out = step->out[0];
    const struct mc_attr *value;
    const int rc = find_value(step->node, &value, err);
    if (rc < 0) return rc;
    const size_t bytes = mc_tensor_bytes(out);
    if (!bytes) return 0;
    switch (value->type) {
    case MC_ATTR_TENSOR:
        if (out->dtype == MC_STRING) return mc_error_set(err, MC_ERR_UNSUPPORTED, "cannot copy strings");
        memcpy(out->data, value->t->data, bytes);
        break;
    case MC_ATTR_FLOAT:
        memcpy(out->data, &value->f, bytes);
        break;
    case MC_ATTR_INT:
        memcpy(out->data, &value->i, bytes);
        break;
    case MC_ATTR_FLOATS:
        memcpy(out->data, value->floats, bytes);
        break;
    default:
        memcpy(out->data, value->ints, bytes);
    }
    return 0;
}

/* --- ConstantOfShape --- */

static int filled_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const struct mc_attr *const value = mc_node_attr(node, "value");
    struct mc_ints dims;
    const int rc = mc_ints_of_input(node, in, 0, &dims, err);
    if (rc < 0) return rc;
    if (value && (value->type != MC_ATTR_TENSOR || mc_tensor_count(value->t) != 1))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'value': needs a tensor of 1 element");
    if (value && !(mc_types_copied >> value->t->dtype & 1))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'value': cannot copy %s",
                            mc_dtype_name(value->t->dtype));
    if (dims.n > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs at most %d axes, has %d", MC_MAX_RANK, dims.n);
    for (int k = 0; k < dims.n; k++)
        if (dims.at[k] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "needs extents of at least 0, has %lld", (long long)dims.at[k]);
    *out = (struct mc_fact){.dtype = value ? value->t->dtype : MC_FLOAT, .shape = mc_shape_of(dims.n, dims.at)};
    return 0;
}

static void filled_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline_list dims = mc_outline_list_of(s, node, in, NULL, 0);
    const struct mc_attr *value = mc_node_attr(node, "value");
    int64_t n = -1;
    if (!dims.known) return;
    out[0] = mc_outline_of_rank(0);
    for (int k = 0; k < dims.n; k++) mc_outline_append(&out[0], dims.at[k]);
    const bool whole = value && value->type == MC_ATTR_TENSOR && value->t->dtype == MC_INT64;
    if (!whole || dims.n != 1 || !mc_symbol_is_number(s, dims.at[0], &n) || n < 0 || n > MC_OUTLINE_ITEMS) return;
    out[0].n_items = (int)n;
    for (int i = 0; i < out[0].n_items; i++) out[0].item[i] = mc_symbol_number(s, mc_tensor_get_i64(value->t, 0));
}

static int filled_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    static const float zero = 0;
    const struct mc_attr *const value = mc_node_attr(step->node, "value");
    struct mc_tensor *const out = step->out[0];
    mc_fill(out->data, value ? value->t->data : &zero, mc_tensor_count(out), mc_element_size(out->dtype));
    return 0;
}

const struct mc_op mc_op_constant_1 = {
    .domain = "",
    .type = "Constant",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = 0,
    .n_outputs = 1,
    .keep = MC_KEEP_NONE,
    .shape = constant_shape,
    .forward = constant_forward,
    .backward = NULL,
    .no_backward = "it has no input",
    .coupling = mc_coupling_freeze_all, /* asked of strings alone; any other is tied and cut like an initializer */
    .resize = NULL,
    .cost = mc_cost_free,
};

const struct mc_op mc_op_constant_of_shape_9 = {
    .domain = "",
    .type = "ConstantOfShape",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .keep = MC_KEEP_NONE,
    .shape = filled_shape,
    .outline = filled_outline,
    .forward = filled_forward,
    .backward = NULL,
    .no_backward = "the input is a shape",
    .coupling = mc_coupling_freeze_all,
    .resize = NULL, /* nothing of it is ever cut */
    .cost = mc_cost_free,
};
