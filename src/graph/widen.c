/* widen.c - asking an operator's shape rule; see widen.h. */
#include "graph/widen.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

enum mc_dtype mc_op_widened(const struct mc_op *op, enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_FLOAT16:
    case MC_BFLOAT16:
        return op->widens ? MC_FLOAT : dtype;
    case MC_INT8:
    case MC_UINT8:
    case MC_INT16:
    case MC_UINT16:
        return op->widens_integers ? MC_INT32 : dtype;
    case MC_UINT32:
        return op->widens_integers ? MC_INT64 : dtype;
    default:
        return dtype;
    }
}

/* The first input that widens; NULL if none does. */
static const struct mc_fact *first_widened(const struct mc_node *node, const struct mc_fact *const *in)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (in[i] && mc_op_widened(node->op, in[i]->dtype) != in[i]->dtype) return in[i];
    return NULL;
}

static int widened_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         enum mc_dtype narrow, struct mc_error *err)
{
    const struct mc_op *op = node->op;
    const int n_in = mc_node_room_in(node);
    const int n_out = mc_node_room_out(node);
    const enum mc_dtype wide = mc_op_widened(op, narrow);
    struct mc_fact *facts = MC_NEW_ARRAY(struct mc_fact, n_in);
    const struct mc_fact **shown = MC_NEW_ARRAY(const struct mc_fact *, n_in);
    int rc = facts && shown ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n_in && rc == MC_OK; i++) {
        shown[i] = in[i];
        if (!in[i]) continue;
        facts[i] = *in[i];
        facts[i].dtype = mc_op_widened(op, in[i]->dtype);
        shown[i] = &facts[i];
    }
    if (rc == MC_OK) rc = op->shape(node, shown, out, err);
    for (int i = 0; i < n_out && rc == MC_OK; i++)
        if (out[i].dtype == wide && !(op->stays_wide >> (i < 31 ? i : 31) & 1)) out[i].dtype = narrow;
    mc_free(shown);
    mc_free(facts);
    return rc;
}

/* Whatever a rule says of extents, their product has to be countable. */
static int check_outputs(const struct mc_node *node, const struct mc_fact *out, struct mc_error *err)
{
    for (int i = 0; i < node->n_outputs; i++) {
        size_t bytes;
        char text[128];
        if (!node->outputs[i] || out[i].open) continue;
        assert(out[i].dtype != MC_UNDEFINED);
        if (!mc_dtype_size(out[i].dtype, mc_shape_count(&out[i].shape), &bytes))
            return mc_error_set(err, MC_ERR_INPUT, "output '%s' of shape %s has more elements than can be counted",
                                node->outputs[i]->name, mc_shape_text(&out[i].shape, text, sizeof text));
    }
    return MC_OK;
}

int mc_op_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out, struct mc_error *err)
{
    if (!node->op->shape) return mc_error_set(err, MC_ERR_OPEN, "its outputs are only known once it has run");
    const struct mc_fact *narrow = first_widened(node, in);
    const int rc = narrow ? widened_shape(node, in, out, narrow->dtype, err) : node->op->shape(node, in, out, err);
    return rc == MC_OK ? check_outputs(node, out, err) : rc;
}
