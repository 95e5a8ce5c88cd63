/* raise.c - nodes of an early opset into those of a later one; see raise.h. */
#include "rewrite/raise.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "graph/refusal.h"
#include "op/ops.h"
#include "run/plan.h"

/* Before it operators broadcast by an axis, and had attributes that are gone. */
enum { LOWEST = 7 };

struct raise {
    int version;
    const struct mc_facts *facts;
    struct mc_refusal refusal;
};

static const struct mc_op *next_version(const struct mc_op *op, int most)
{
    const struct mc_op *next = op;
    for (int version = op->since + 1; version <= most && next == op; version++)
        next = mc_ops_find(op->domain, op->type, version);
    return next;
}

static struct mc_fact fact_of(const struct raise *r, const struct mc_node *node)
{
    const struct mc_value *x = mc_node_input(node, 0);
    return x && x->id < r->facts->n_values ? r->facts->of[x->id] : (struct mc_fact){0};
}

/* Version after version. */
static int raise_node(struct raise *r, struct mc_node *node, struct mc_error *err)
{
    const struct mc_fact x = fact_of(r, node);
    const char *why = node->op ? NULL : "an unknown operator";
    int rc = MC_OK;
    while (rc == MC_OK && !why) {
        const struct mc_op *next = next_version(node->op, r->version);
        if (node->op->until && node->op->until <= r->version) why = "later versions do not have it";
        if (why || next == node->op) break;
        if (next->upgrade)
            rc = next->upgrade(node, &x, &why, err);
        else
            why = "it means something else later";
        node->op = next;
    }
    if (rc == MC_OK && why) mc_refusal_add(&r->refusal, node, why);
    return rc;
}

static int raise_graph(struct raise *r, struct mc_graph *graph, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        struct mc_node *node = graph->nodes[i];
        if (!*node->domain) rc = raise_node(r, node, err);
        for (int k = 0; k < mc_node_n_subgraphs(node) && rc == MC_OK; k++)
            rc = raise_graph(r, mc_node_subgraph(node, k), err);
    }
    return rc;
}

static void set_version(struct mc_graph *graph, int version)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        if (!*node->domain) node->opset = version;
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) set_version(mc_node_subgraph(node, k), version);
    }
}

int mc_raise_opset(struct mc_model *model, int version, struct mc_error *err)
{
    const int now = mc_model_opset(model, "");
    const struct mc_dims one = {.batch = 1};
    struct mc_facts facts = {0};
    char what[96];
    if (now >= version) return MC_OK;
    if (now < LOWEST)
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "opset %d is needed, and models of opset %d or later can be raised to it; this one has %d",
                            version, LOWEST, now);
    int rc = mc_model_facts(&facts, model, &one, true, err);
    struct raise r = {.version = version, .facts = &facts};
    mc_refusal_init(&r.refusal);
    if (rc == MC_OK) rc = raise_graph(&r, model->graph, err);
    mc_facts_finish(&facts);
    snprintf(what, sizeof what, "opset %d is needed, to which these cannot be raised", version);
    const int refused = mc_refusal_finish(&r.refusal, what, rc == MC_OK ? err : NULL);
    if (rc == MC_OK) rc = refused;
    if (rc < 0) return rc;
    for (int i = 0; i < model->n_opsets; i++) {
        const char *domain = model->opsets[i].domain;
        if (!*domain || strcmp(domain, "ai.onnx") == 0) model->opsets[i].version = version;
    }
    set_version(model->graph, version);
    mc_ops_bind(model);
    return MC_OK;
}
