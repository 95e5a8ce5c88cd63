/* cost.c - adding up what a model costs; see cost.h. */
#include "graph/cost.h"

#include "base/alloc.h"
#include "base/error.h"
#include "graph/pieces.h"

/* Fewer elements are counted by one thread. */
#define PARALLEL_COUNT (1 << 17)

struct counter {
    struct mc_error *err;
    int rc;
    struct mc_model_cost *total;
    const struct mc_facts *facts;
    bool *counted;             /* by value id: an initializer counts once */
    const struct mc_fact **in; /* of the node at hand, see mc_op.shape */
    struct mc_fact *out;
};

int64_t mc_tensor_nonzeros(const struct mc_tensor *tensor)
{
    const int64_t n = mc_tensor_count(tensor);
    int64_t nonzeros = 0;
    if (tensor->dtype == MC_FLOAT) { /* nearly all that there is, and there is much of it */
        const float *x = tensor->data;
#pragma omp parallel for simd reduction(+ : nonzeros) if (n > PARALLEL_COUNT)
        for (int64_t i = 0; i < n; i++) nonzeros += x[i] != 0;
    } else {
        for (int64_t i = 0; i < n; i++) nonzeros += mc_tensor_get_f64(tensor, i) != 0;
    }
    return nonzeros;
}

/* Sums of what a file claims stop at the largest number rather than overflow. */
static void add(int64_t *sum, int64_t more)
{
    if (!mc_add_i64(*sum, more, sum)) *sum = INT64_MAX;
}

/* --- parameters --- */

/* Floats, or integers that stand for some: matrices of 8 bits and less, and whatever is made floats of. */
static bool is_number(const struct mc_tensor *tensor, bool dequantized)
{
    const int bits = mc_dtype_bits(tensor->dtype);
    const bool is_code = bits > 0 && bits <= 8 && tensor->dtype != MC_BOOL && tensor->shape.rank > 1;
    return mc_dtype_is_float(tensor->dtype) || is_code || dequantized;
}

static bool count_tensor(struct mc_node_cost *node, const struct mc_tensor *tensor)
{
    node->parameters += mc_tensor_count(tensor);
    node->parameter_bytes += (int64_t)mc_tensor_bytes(tensor);
    return tensor->data != NULL; /* of a spent model none is left */
}

static void count_value(struct counter *c, struct mc_node_cost *node, const struct mc_value *v, bool dequantized)
{
    int64_t nonzeros;
    if (!is_number(v->data, dequantized) || !count_tensor(node, v->data) || c->rc < 0) return;
    c->rc = mc_value_nonzeros(v, &nonzeros, c->err);
    if (c->rc == MC_OK) node->nonzeros += nonzeros;
}

/* Tensors that a node uses first, and those that the nodes of its subgraphs do. */
static void count_parameters(struct counter *c, struct mc_node_cost *sum, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        if (!v || !v->data || c->counted[v->id]) continue;
        c->counted[v->id] = true;
        const bool dequantizes = node->op && node->op->means == MC_MEANS_DEQUANTIZE;
        if (!dequantizes || i == 0) count_value(c, sum, v, dequantizes);
    }
    for (int i = 0; i < node->n_attrs && node->n_inputs == 0; i++)
        if (node->attrs[i].type == MC_ATTR_TENSOR && node->attrs[i].t->shape.rank > 0 &&
            is_number(node->attrs[i].t, false) && count_tensor(sum, node->attrs[i].t))
            sum->nonzeros += mc_tensor_nonzeros(node->attrs[i].t);
    for (int k = 0; k < mc_node_n_subgraphs(node); k++) {
        const struct mc_graph *graph = mc_node_subgraph(node, k);
        for (int i = 0; i < graph->n_nodes; i++) count_parameters(c, sum, graph->nodes[i]);
    }
}

/* --- work --- */

static bool is_constant(const struct counter *c, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !c->facts->of[node->outputs[i]->id].constant) return false;
    return true;
}

static bool find_facts(struct counter *c, const struct mc_node *node)
{
    const int n = mc_node_room_in(node);
    for (int i = 0; i < n; i++) {
        const struct mc_value *v = i < node->n_inputs ? node->inputs[i] : NULL;
        c->in[i] = v ? &c->facts->of[v->id] : NULL;
        if (v && c->in[i]->dtype == MC_UNDEFINED) return false;
    }
    for (int i = 0; i < node->n_outputs; i++) {
        const struct mc_value *v = node->outputs[i];
        c->out[i] = v ? c->facts->of[v->id] : (struct mc_fact){0};
        if (v && c->out[i].dtype == MC_UNDEFINED) return false;
    }
    return true;
}

/* Nobody counts what the nodes of graphs within do: so often as there are turns, or those of the branch that is taken,
 * which is little where it has no parameters. */
static bool works_within(const struct mc_node_cost *sum, const struct mc_node *node)
{
    return mc_node_n_subgraphs(node) > 0 && (!node->op->branches || sum->parameters > 0);
}

static void count_work(struct counter *c, struct mc_node_cost *sum, const struct mc_node *node)
{
    if (!c->facts || !node->op || !node->op->cost || works_within(sum, node) || !find_facts(c, node)) return;
    sum->known = true;
    if (!is_constant(c, node)) node->op->cost(node, c->in, c->out, &sum->cost);
}

/* --- the whole --- */

static void count_node(struct counter *c, struct mc_node_cost *sum, const struct mc_node *node)
{
    struct mc_model_cost *total = c->total;
    sum->node = node;
    count_parameters(c, sum, node);
    count_work(c, sum, node);
    add(&total->parameters, sum->parameters);
    add(&total->nonzeros, sum->nonzeros);
    add(&total->parameter_bytes, sum->parameter_bytes);
    add(&total->cost.macs, sum->cost.macs);
    add(&total->cost.flops, sum->cost.flops);
    add(&total->cost.bytes_read, sum->cost.bytes_read);
    add(&total->cost.bytes_written, sum->cost.bytes_written);
    total->n_unknown += !sum->known;
}

int mc_model_cost_create(struct mc_model_cost *cost, const struct mc_model *model, const struct mc_facts *facts,
                         struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    int n_in = 1, n_out = 1;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (node->n_inputs > n_in) n_in = node->n_inputs;
        if (node->op && node->op->max_inputs > n_in) n_in = node->op->max_inputs;
        if (node->n_outputs > n_out) n_out = node->n_outputs;
    }
    *cost = (struct mc_model_cost){.n_nodes = graph->n_nodes};
    cost->nodes = MC_NEW_ARRAY(struct mc_node_cost, graph->n_nodes);
    struct counter c = {.err = err,
                        .total = cost,
                        .facts = facts,
                        .counted = MC_NEW_ARRAY(bool, model->n_values),
                        .in = MC_NEW_ARRAY(const struct mc_fact *, n_in),
                        .out = MC_NEW_ARRAY(struct mc_fact, n_out)};
    const bool ok = cost->nodes && c.counted && c.in && c.out;
    for (int i = 0; i < graph->n_nodes && ok; i++) count_node(&c, &cost->nodes[i], graph->nodes[i]);
    mc_free(c.out);
    mc_free(c.in);
    mc_free(c.counted);
    if (ok && c.rc == MC_OK) return MC_OK;
    mc_model_cost_finish(cost);
    return ok ? c.rc : mc_error_memory(err);
}

int mc_node_cost(struct mc_cost *cost, const struct mc_node *node, const struct mc_facts *facts, struct mc_error *err)
{
    struct mc_node_cost sum = {0};
    struct counter c = {.facts = facts,
                        .in = MC_NEW_ARRAY(const struct mc_fact *, mc_node_room_in(node) + 1),
                        .out = MC_NEW_ARRAY(struct mc_fact, node->n_outputs + 1)};
    const bool ok = c.in && c.out;
    if (ok) count_work(&c, &sum, node);
    *cost = sum.cost;
    mc_free(c.out);
    mc_free(c.in);
    return ok ? MC_OK : mc_error_memory(err);
}

void mc_model_cost_finish(struct mc_model_cost *cost)
{
    mc_free(cost->nodes);
    *cost = (struct mc_model_cost){0};
}
