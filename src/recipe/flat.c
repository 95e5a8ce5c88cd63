/* flat.c - putting functions in the place of their calls; see flat.h. */
#include "recipe/flat.h"

#include "base/error.h"
#include "onnx/onnx.h"
#include "op/ops.h"

static int put_bodies_in(struct mc_model *model, struct mc_error *err)
{
    const int rc = mc_onnx_inline(model, mc_ops_find, err);
    if (rc == MC_OK) mc_ops_bind(model);
    return rc;
}

int mc_flat_init(struct mc_flat *flat, const struct mc_model *model, struct mc_error *err)
{
    *flat = (struct mc_flat){.model = model};
    if (!mc_onnx_has_calls(model, mc_ops_find)) return MC_OK;
    int rc = mc_model_clone(&flat->copy, model, true, err);
    if (rc == MC_OK) rc = put_bodies_in(flat->copy, err);
    if (rc < 0)
        mc_flat_finish(flat);
    else
        flat->model = flat->copy;
    return rc;
}

void mc_flat_finish(struct mc_flat *flat)
{
    mc_model_destroy(flat->copy);
    *flat = (struct mc_flat){0};
}

static int unify_versions(struct mc_model *model, struct mc_graph *graph, struct mc_error *err)
{
    char text[256];
    int rc = MC_OK;
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < mc_node_n_subgraphs(node) && rc == MC_OK; k++)
            rc = unify_versions(model, mc_node_subgraph(node, k), err);
        const int version = mc_model_opset(model, node->domain);
        if (rc < 0 || node->opset == version) continue;
        if (mc_ops_find(node->domain, node->type, version) != node->op)
            return mc_error_set(err, MC_ERR_UNSUPPORTED,
                                "node %s: its function imports version %d of '%s', the model %d, where the operator is "
                                "another: it can be run, but not written",
                                mc_node_text(node, text, sizeof text), node->opset, node->domain, version);
        node->opset = version;
    }
    return rc;
}

int mc_flatten(struct mc_model *model, struct mc_error *err)
{
    int rc = put_bodies_in(model, err);
    if (rc == MC_OK && model->inlined) rc = unify_versions(model, model->graph, err);
    return rc;
}
