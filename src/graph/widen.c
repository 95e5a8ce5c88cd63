/* widen.c - asking an operator's shape rule; see widen.h. */
#include "graph/widen.h"

#include "base/alloc.h"
#include "base/error.h"

bool mc_is_narrow(enum mc_dtype dtype)
{
    return dtype == MC_FLOAT16 || dtype == MC_BFLOAT16;
}

/* The type of the first input that widens; MC_UNDEFINED if none does. */
static enum mc_dtype narrow_type(const struct mc_node *node, const struct mc_fact *const *in)
{
    for (int i = 0; i < node->n_inputs && node->op->widens; i++)
        if (in[i] && mc_is_narrow(in[i]->dtype)) return in[i]->dtype;
    return MC_UNDEFINED;
}

static int widened_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         enum mc_dtype narrow, struct mc_error *err)
{
    const struct mc_op *op = node->op;
    const int n_in = op->max_inputs > node->n_inputs ? op->max_inputs : node->n_inputs;
    const int n_out = op->n_outputs > node->n_outputs ? op->n_outputs : node->n_outputs;
    struct mc_fact *facts = MC_NEW_ARRAY(struct mc_fact, n_in);
    const struct mc_fact **shown = MC_NEW_ARRAY(const struct mc_fact *, n_in);
    int rc = facts && shown ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n_in && rc == MC_OK; i++) {
        shown[i] = in[i];
        if (!in[i] || !mc_is_narrow(in[i]->dtype)) continue;
        facts[i] = *in[i];
        facts[i].dtype = MC_FLOAT;
        shown[i] = &facts[i];
    }
    if (rc == MC_OK) rc = op->shape(node, shown, out, err);
    for (int i = 0; i < n_out && rc == MC_OK; i++)
        if (out[i].dtype == MC_FLOAT && !(op->stays_wide >> (i < 31 ? i : 31) & 1)) out[i].dtype = narrow;
    mc_free(shown);
    mc_free(facts);
    return rc;
}

int mc_op_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out, struct mc_error *err)
{
    if (!node->op->shape) return mc_error_set(err, MC_ERR_OPEN, "its outputs are only known once it has run");
    const enum mc_dtype narrow = narrow_type(node, in);
    return narrow ? widened_shape(node, in, out, narrow, err) : node->op->shape(node, in, out, err);
}
