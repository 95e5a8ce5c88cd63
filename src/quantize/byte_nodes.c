/* byte_nodes.c - nodes that run on 8 bits; see byte_nodes.h. */
#include "quantize/byte_nodes.h"

#include "base/alloc.h"
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/ops.h"
#include "prune/exclude.h"
#include "run/plan.h"

static const struct mc_fact *fact_of(const struct mc_byte_nodes *b, const struct mc_value *v)
{
    return &b->facts.of[v->id];
}

/* A float32 tensor that is another for other inputs. */
static bool is_activation(const struct mc_byte_nodes *b, const struct mc_value *v)
{
    return v && b->values[v->id].varies && fact_of(b, v)->dtype == MC_FLOAT && !fact_of(b, v)->open;
}

static bool is_made(const struct mc_byte_nodes *b, const struct mc_value *v)
{
    return is_activation(b, v) && b->values[v->id].made;
}

/* --- products --- */

const struct mc_stored *mc_byte_weight(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    const struct mc_value *w = mc_node_input(node, 1);
    return w && w->id < b->uses.n_values ? b->values[w->id].weight : NULL; /* later ones are no weights */
}

/* One scale for all, or for each index of the axis that counts outputs. */
static bool has_weight(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    const struct mc_stored *w = mc_byte_weight(b, node);
    const int axis = mc_weight_output_axis(node);
    return w && w->codes->data->dtype == MC_INT8 && w->grain.block == 0 && (w->grain.axis < 0 || w->grain.axis == axis);
}

/* None, or a number for each output, stored. */
static bool has_plain_bias(const struct mc_node *node)
{
    const struct mc_value *bias = mc_node_input(node, 2);
    const struct mc_value *w = node->inputs[1]->producer->inputs[0];
    const int axis = mc_weight_output_axis(node);
    return !bias || (bias->data && bias->data->dtype == MC_FLOAT && bias->data->shape.rank == 1 &&
                     bias->data->shape.dim[0] == w->data->shape.dim[axis]);
}

static bool is_gemm(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    if (mc_node_int(node, "transA", 0) || mc_node_float(node, "alpha", 1) != 1 || mc_node_float(node, "beta", 1) != 1)
        return false;
    return has_weight(b, node) && has_plain_bias(node);
}

static bool is_matmul(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    if (is_activation(b, node->inputs[1]))
        return fact_of(b, node->inputs[0])->shape.rank >= 2 && fact_of(b, node->inputs[1])->shape.rank >= 2;
    return has_weight(b, node) && mc_byte_weight(b, node)->codes->data->shape.rank == 2;
}

static bool is_product(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    if (!is_activation(b, node->inputs[0]) || node->n_inputs < 2 || !node->inputs[1]) return false;
    if (node->op->on_bytes == mc_bytes_conv) return has_weight(b, node) && has_plain_bias(node);
    if (node->op->on_bytes == mc_bytes_gemm) return is_gemm(b, node);
    return node->op->on_bytes == mc_bytes_matmul && is_matmul(b, node);
}

/* --- what goes on with what they make --- */

static bool holds(const struct mc_node *node)
{
    return node->op && (node->op->on_bytes == mc_bytes_relu || node->op->on_bytes == mc_bytes_clip);
}

static bool moves(const struct mc_node *node)
{
    return node->op->on_bytes == mc_bytes_move || node->op->on_bytes == mc_bytes_move_all;
}

static bool all_made(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (!is_made(b, node->inputs[i])) return false;
    return true;
}

static bool are_settings(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    for (int i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] && !fact_of(b, node->inputs[i])->constant) return false;
    return true;
}

/* A function of one element counts where it is a product's activation: in longer chains its roundings add up. */
static bool is_function(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    const struct mc_node *before = node->inputs[0]->producer;
    return node->op->on_bytes == mc_bytes_table && node->n_inputs == 1 && before && is_product(b, before);
}

static bool runs_on_bytes(const struct mc_byte_nodes *b, const struct mc_node *node)
{
    if (!node->op || !node->op->on_bytes || node->n_inputs < 1 || !node->inputs[0] || node->n_outputs != 1)
        return false;
    if (!is_activation(b, node->outputs[0])) return false;
    if (is_product(b, node)) return true;
    if (!is_made(b, node->inputs[0])) return false;
    if (node->op->on_bytes == mc_bytes_add || node->op->on_bytes == mc_bytes_mul ||
        node->op->on_bytes == mc_bytes_move_all)
        return all_made(b, node);
    if (holds(node)) return are_settings(b, node);
    return node->op->on_bytes == mc_bytes_move || node->op->on_bytes == mc_bytes_global_average_pool ||
           is_function(b, node);
}

/* --- what is rounded --- */

int mc_byte_scale_of(const struct mc_byte_nodes *b, int id)
{
    while (b->values[id].as != id) id = b->values[id].as;
    return id;
}

/* The only reader of a product, which holds its numbers to a range while they are sums. */
static bool is_held(const struct mc_byte_nodes *b, const struct mc_node *product)
{
    const struct mc_value *y = product->outputs[0];
    if (y->is_output || b->uses.n[y->id] != 1 || !is_product(b, product)) return false;
    const struct mc_node *reader = b->uses.of[y->id][0].node;
    return reader && reader->graph == b->model->graph && holds(reader) && b->on_bytes[reader->id];
}

static void round_value(struct mc_byte_nodes *b, const struct mc_value *v)
{
    struct mc_byte_value *value = &b->values[v->id];
    b->n_rounded += !value->rounded;
    value->rounded = true;
}

static void round_around(struct mc_byte_nodes *b, const struct mc_node *node)
{
    const struct mc_node *before = node->inputs[0]->producer;
    const bool bare = holds(node) && before && is_held(b, before);
    const int n = node->op->on_bytes == mc_bytes_move ? 1 : node->n_inputs;
    for (int i = 0; i < n; i++)
        if (is_activation(b, node->inputs[i]) && !bare) round_value(b, node->inputs[i]);
    if (!is_held(b, node)) round_value(b, node->outputs[0]);
}

/* What is moved, and what that makes, has one scale. */
static void share_scale(struct mc_byte_nodes *b, const struct mc_node *node)
{
    const int n = node->op->on_bytes == mc_bytes_move ? 1 : node->n_inputs, first = node->inputs[0]->id;
    b->values[node->outputs[0]->id].scaled = true;
    b->values[mc_byte_scale_of(b, node->outputs[0]->id)].as = mc_byte_scale_of(b, first);
    for (int i = 1; i < n; i++) b->values[mc_byte_scale_of(b, node->inputs[i]->id)].as = mc_byte_scale_of(b, first);
}

/* --- the whole --- */

static void mark(struct mc_byte_nodes *b, const struct mc_store *store, const char *exclude)
{
    const struct mc_graph *graph = b->model->graph;
    for (int i = 0; i < b->model->n_values; i++) b->values[i].as = i;
    for (int i = 0; i < store->n; i++) b->values[store->weights[i].floats->id].weight = &store->weights[i];
    for (int i = 0; i < graph->n_inputs; i++) b->values[graph->inputs[i]->id].varies = !graph->inputs[i]->data;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        bool varies = mc_node_n_subgraphs(node) > 0 || (node->op && node->op->random);
        for (int k = 0; k < node->n_inputs; k++)
            varies = varies || (node->inputs[k] && b->values[node->inputs[k]->id].varies);
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) b->values[node->outputs[k]->id].varies = varies;
        if (mc_excluded(exclude, node->name) || !runs_on_bytes(b, node)) continue;
        b->on_bytes[node->id] = b->values[node->outputs[0]->id].made = true;
        b->n_nodes++;
    }
}

int mc_byte_nodes_find(struct mc_byte_nodes *b, const struct mc_model *model, const struct mc_store *store,
                       const char *exclude, struct mc_error *err)
{
    const struct mc_dims two = {.batch = 2};
    const struct mc_graph *graph = model->graph;
    *b = (struct mc_byte_nodes){.model = model,
                                .values = MC_NEW_ARRAY(struct mc_byte_value, model->n_values),
                                .n_ids = model->n_node_ids,
                                .on_bytes = MC_NEW_ARRAY(bool, model->n_node_ids)};
    if (!b->values || !b->on_bytes) return mc_error_memory(err);
    int rc = mc_uses_create(&b->uses, model, err);
    if (rc == MC_OK) rc = mc_model_facts(&b->facts, model, &two, true, err);
    if (rc < 0) return rc;
    mark(b, store, exclude);
    for (int i = 0; i < graph->n_nodes; i++) {
        if (!b->on_bytes[graph->nodes[i]->id]) continue;
        round_around(b, graph->nodes[i]);
        if (moves(graph->nodes[i])) share_scale(b, graph->nodes[i]);
    }
    return MC_OK;
}

void mc_byte_nodes_finish(struct mc_byte_nodes *b)
{
    mc_facts_finish(&b->facts);
    mc_uses_finish(&b->uses);
    mc_free(b->values);
    mc_free(b->on_bytes);
    *b = (struct mc_byte_nodes){0};
}
