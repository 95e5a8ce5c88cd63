/* fold.c - nodes whose result is the same in every run become initializers. */
#include "base/alloc.h"
#include "base/error.h"
#include "rewrite/pass.h"
#include "run/plan.h"

/* What a fold may add to the model, in bytes: a shape that is spread to a large constant stays a node. */
enum { MAY_GROW = 4096 };

/* Bytes of the inputs that go along with the node. */
static size_t bytes_freed(const struct mc_rewrite *r, const struct mc_node *node)
{
    size_t bytes = 0;
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        if (v && v->data && !v->is_output && r->uses.n[v->id] == 1) bytes += mc_tensor_bytes(v->data);
    }
    for (int i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].type == MC_ATTR_TENSOR) bytes += mc_tensor_bytes(node->attrs[i].t);
    return bytes;
}

/* Matrices that are stored in few bits stay so, whatever their size. */
static size_t may_grow(const struct mc_node *node, const struct mc_fact *y)
{
    return node->op->means == MC_MEANS_CAST && y->shape.rank > 1 ? 0 : MAY_GROW;
}

static bool is_constant(const struct mc_rewrite *r, const struct mc_node *node)
{
    if (!node->op || node->op->random || mc_node_n_subgraphs(node)) return false;
    if (node->op->means == MC_MEANS_DEQUANTIZE) return false;
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        if (v && (node->op->shape_only ? !mc_rewrite_fact(r, v) : !mc_rewrite_constant(r, v))) return false;
    }
    size_t bytes = 0, more_at_most = MAY_GROW;
    for (int i = 0; i < node->n_outputs; i++) {
        if (!node->outputs[i]) continue;
        const struct mc_fact *fact = mc_rewrite_fact(r, node->outputs[i]);
        size_t more;
        if (!fact || node->outputs[i]->is_output || fact->dtype == MC_STRING) return false;
        if (!mc_dtype_size(fact->dtype, mc_shape_count(&fact->shape), &more)) return false;
        bytes += more;
        more_at_most = may_grow(node, fact);
    }
    return bytes <= bytes_freed(r, node) + more_at_most;
}

static int make(struct mc_rewrite *r, const struct mc_node *node, struct mc_tensor **made, struct mc_error *err)
{
    const int n_in = mc_node_room_in(node);
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, n_in + 1);
    struct mc_fact *out = MC_NEW_ARRAY(struct mc_fact, node->n_outputs);
    int rc = in && out ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++)
        if (node->inputs[i]) in[i] = &r->facts.of[node->inputs[i]->id];
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) out[i] = r->facts.of[node->outputs[i]->id];
    if (rc == MC_OK) rc = mc_plan_evaluate_node(&r->runtime, node, in, out, made, err);
    mc_free(out);
    mc_free(in);
    return rc;
}

static int fold_node(struct mc_rewrite *r, struct mc_node *node, struct mc_error *err)
{
    char text[128];
    struct mc_tensor **made = MC_NEW_ARRAY(struct mc_tensor *, node->n_outputs);
    int rc = made ? make(r, node, made, err) : mc_error_memory(err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        if (!node->outputs[i]) continue;
        struct mc_value *v = node->outputs[i];
        rc = mc_value_store(v, made[i], err);
        made[i] = NULL;
        r->facts.of[v->id].constant = v->data; /* the snapshot's may have been the node's own */
    }
    for (int i = 0; made && i < node->n_outputs; i++) mc_tensor_destroy(made[i]);
    mc_free(made);
    if (rc < 0) return mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof text));
    mc_node_remove(node);
    return MC_OK;
}

static int run(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    int rc = MC_OK;
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        struct mc_node *node = graph->nodes[i];
        if (!is_constant(r, node)) continue;
        rc = fold_node(r, node, err);
        ++*n;
        i--;
    }
    return rc;
}

/* What is the same in every run becomes an initializer. */
const struct mc_pass mc_pass_fold = {"fold", run};
