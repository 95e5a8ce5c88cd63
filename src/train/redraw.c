/* redraw.c - weights drawn anew; see redraw.h. */
#include "train/redraw.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "graph/coupling.h"
#include "run/plan.h"
#include "train/parameters.h"

struct redrawing {
    struct mc_model *model;
    const struct mc_coupling *coupling;
    bool *last;     /* by value id: a weight on whose outputs no other is used */
    bool *variance; /* a running one */
};

/* --- what tensors are --- */

/* Mark what depends on the outputs of a node. Nodes stand in running order. */
static void mark_behind(const struct mc_graph *graph, const struct mc_node *from, bool *behind)
{
    for (int k = 0; k < from->n_outputs; k++)
        if (from->outputs[k]) behind[from->outputs[k]->id] = true;
    for (int i = mc_node_position(from) + 1; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        bool depends = false;
        for (int k = 0; k < node->n_inputs; k++) depends |= node->inputs[k] && behind[node->inputs[k]->id];
        for (int k = 0; k < node->n_outputs && depends; k++)
            if (node->outputs[k]) behind[node->outputs[k]->id] = true;
    }
}

static int find_last(struct redrawing *r, struct mc_error *err)
{
    const int n = mc_coupling_n_contractions(r->coupling);
    for (int i = 0; i < n; i++) {
        const struct mc_contraction *c = mc_coupling_contraction(r->coupling, i);
        bool *behind = MC_NEW_ARRAY(bool, r->model->n_values);
        bool is_read = false;
        if (!behind) return mc_error_memory(err);
        mark_behind(r->model->graph, c->node, behind);
        for (int k = 0; k < n; k++) is_read |= behind[mc_coupling_contraction(r->coupling, k)->data->id];
        r->last[c->weight->id] = !is_read;
        mc_free(behind);
    }
    return MC_OK;
}

static void find_variances(struct redrawing *r)
{
    for (int i = 0; i < r->model->graph->n_nodes; i++) {
        const struct mc_node *node = r->model->graph->nodes[i];
        if (node->op && node->op->means == MC_MEANS_BATCH_NORM && node->n_inputs > 4 && node->inputs[4])
            r->variance[node->inputs[4]->id] = true;
    }
}

/* The axis that counts a weight's outputs; -1: it is no weight. */
static int output_axis(const struct redrawing *r, const struct mc_value *v)
{
    int output = -1;
    bool reads = false;
    for (int a = 0; a < v->data->shape.rank; a++) {
        const enum mc_role role = mc_coupling_role(r->coupling, v, a);
        if (role == MC_ROLE_PRODUCES) output = a;
        reads |= role == MC_ROLE_CONSUMES;
    }
    return reads ? output : -1;
}

/* What role has a tensor that is no weight? */
static enum mc_role role_of(const struct redrawing *r, const struct mc_value *v)
{
    for (int a = 0; a < v->data->shape.rank; a++) {
        const enum mc_role role = mc_coupling_role(r->coupling, v, a);
        if (role >= MC_ROLE_SCALE) return role;
    }
    return MC_ROLE_NONE;
}

/* --- drawing --- */

static void fill(struct mc_tensor *t, float number)
{
    for (int64_t i = 0; i < mc_tensor_count(t); i++) ((float *)t->data)[i] = number;
}

static void draw(struct mc_tensor *t, double deviation, uint64_t seed, const char *name)
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash(name));
    for (int64_t i = 0; i < mc_tensor_count(t); i++) ((float *)t->data)[i] = (float)(deviation * mc_rng_normal(&rng));
}

/* Was it something to draw? */
static bool redraw_tensor(const struct redrawing *r, struct mc_value *v, uint64_t seed)
{
    const int axis = output_axis(r, v);
    if (axis >= 0) {
        const double fan_in = (double)mc_tensor_count(v->data) / (double)v->data->shape.dim[axis];
        draw(v->data, sqrt((r->last[v->id] ? 1 : 2) / fan_in), seed, v->name);
        return true;
    }
    switch (role_of(r, v)) {
    case MC_ROLE_SCALE:
        fill(v->data, 1);
        return true;
    case MC_ROLE_SHIFT:
        fill(v->data, 0);
        return true;
    case MC_ROLE_STATISTIC:
        fill(v->data, r->variance[v->id] ? 1 : 0);
        return true;
    default:
        return false;
    }
}

static void redraw_all(const struct redrawing *r, uint64_t seed, struct mc_record *section)
{
    const struct mc_graph *graph = r->model->graph;
    int64_t drawn = 0, kept = 0;
    for (int i = 0; i < graph->n_initializers; i++) {
        struct mc_value *v = graph->initializers[i];
        if (v->data->dtype != MC_FLOAT || mc_tensor_count(v->data) == 0) continue;
        *(redraw_tensor(r, v, seed) ? &drawn : &kept) += mc_tensor_count(v->data);
    }
    if (!section) return;
    mc_record_set_int(section, "drawn", drawn);
    mc_record_set_int(section, "kept", kept);
}

int mc_redraw(struct mc_model *model, uint64_t seed, struct mc_record *section, struct mc_error *err)
{
    struct redrawing r = {.model = model};
    struct mc_facts facts = {0};
    struct mc_coupling *coupling = NULL;
    const struct mc_dims dims = {.batch = 2};
    int rc = mc_parameters_own(model, err);
    if (rc == MC_OK) rc = mc_model_facts(&facts, model, &dims, true, err);
    if (rc == MC_OK) rc = mc_coupling_create(&coupling, model, &facts, false, err);
    r.coupling = coupling;
    r.last = MC_NEW_ARRAY(bool, model->n_values);
    r.variance = MC_NEW_ARRAY(bool, model->n_values);
    if (rc == MC_OK && (!r.last || !r.variance)) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = find_last(&r, err);
    if (rc == MC_OK) {
        find_variances(&r);
        redraw_all(&r, seed, section);
    }
    mc_free(r.variance);
    mc_free(r.last);
    mc_coupling_destroy(coupling);
    mc_facts_finish(&facts);
    return rc;
}
