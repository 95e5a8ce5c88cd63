/* ops.c - the table of operators: finding descriptors, binding nodes to them; see ops.h. */
#include "op/ops.h"

#include <string.h>

#include "base/alloc.h"
#include "op/op_list.h"

#define MC_OP(name, attributes) &mc_op_##name,
const struct mc_op *const mc_ops[] = {
#include "op/op_list.h"
    NULL, /* for searches that look one past the end */
};

/* Names of attributes, by descriptor. */
#define MC_OP(name, attributes) attributes,
static const char *const attributes_of[] = {
#include "op/op_list.h"
};

const size_t mc_ops_count = MC_COUNT(mc_ops) - 1;

static int compare(const struct mc_op *op, const char *domain, const char *type, int64_t version)
{
    int order = strcmp(op->domain, domain);
    if (order == 0) order = strcmp(op->type, type);
    if (order == 0) order = (op->since > version) - (op->since < version);
    return order;
}

/* Index of the descriptor; mc_ops_count if there is none. */
static size_t find(const char *domain, const char *type, int64_t version)
{
    /* Between low and high lies the first descriptor that is beyond (domain, type, version). */
    size_t low = 0, high = mc_ops_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare(mc_ops[middle], domain, type, version) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return mc_ops_count;
    const struct mc_op *op = mc_ops[low - 1];
    return strcmp(op->domain, domain) == 0 && strcmp(op->type, type) == 0 ? low - 1 : mc_ops_count;
}

const struct mc_op *mc_ops_find(const char *domain, const char *type, int64_t version)
{
    return mc_ops[find(domain, type, version)];
}

static void bind_graph(struct mc_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        const size_t at = find(node->domain, node->type, node->opset);
        node->op = mc_ops[at];
        node->known_attrs = at < mc_ops_count ? attributes_of[at] : NULL;
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) bind_graph(mc_node_subgraph(node, k));
    }
}

void mc_ops_bind(struct mc_model *model)
{
    bind_graph(model->graph);
}

int mc_weight_output_axis(const struct mc_node *node)
{
    switch (node->op ? node->op->means : MC_MEANS_OTHER) {
    case MC_MEANS_CONV:
        return 0;
    case MC_MEANS_GEMM:
        return mc_node_int(node, "transB", 0) ? 0 : 1;
    case MC_MEANS_MATMUL:
        return 1;
    default:
        return -1;
    }
}
