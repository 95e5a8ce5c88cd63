/* narrow.c - statistics over what stays, in the twin; see narrow.h. */
#include "prune/narrow.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "prune/surgery.h"

struct narrowing {
    struct mc_model *model; /* the clone */
    const struct mc_coupling *coupling;
    const bool *goes;
    struct mc_error *err;
};

static bool loses(const struct mc_coupling *c, const bool *goes, const struct mc_value *v, int axis)
{
    for (int64_t i = 0; i < mc_coupling_extent(c, v, axis); i++)
        if (mc_index_goes(c, goes, v, axis, i)) return true;
    return false;
}

bool mc_narrows(const struct mc_coupling *coupling, const bool *goes, const struct mc_statistic *s)
{
    return loses(coupling, goes, s->value, s->axis);
}

/* Indices for a Gather: `apart` those of (v, axis) that stay; else, for every index, its place among those, and the
 * first for one that goes. */
static int list_indices(const struct narrowing *k, const struct mc_value *v, int axis, bool apart,
                        struct mc_tensor **list)
{
    const int64_t extent = mc_coupling_extent(k->coupling, v, axis);
    int64_t n_kept = 0, at = 0;
    for (int64_t i = 0; i < extent; i++) n_kept += !mc_index_goes(k->coupling, k->goes, v, axis, i);
    const struct mc_shape shape = {.rank = 1, .dim = {apart ? n_kept : extent}};
    const int rc = mc_tensor_create(list, MC_INT64, &shape, k->err);
    if (rc < 0) return rc;
    int64_t *to = (*list)->data;
    for (int64_t i = 0; i < extent; i++) {
        const bool stays = !mc_index_goes(k->coupling, k->goes, v, axis, i);
        if (!apart)
            to[i] = stays ? at : 0;
        else if (stays)
            to[at] = i;
        at += stays;
    }
    return 0;
}

/* Node `at` of the graph becomes a Gather of x along the axis; `v` is the value of old extents that it is about. */
static int add_gather(const struct narrowing *k, int at, const struct mc_value *v, int axis, bool apart,
                      struct mc_value *x, struct mc_value *y)
{
    struct mc_tensor *list = NULL;
    const int rc = list_indices(k, v, axis, apart, &list);
    if (rc < 0) return rc;
    struct mc_value *indices = mc_graph_add_initializer_fresh(k->model->graph, v->name, list);
    struct mc_node *node =
        indices ? mc_node_create(k->model->graph, at, "", "Gather", "", 2, (struct mc_value *[]){x, indices}, 1, &y)
                : NULL;
    return node ? mc_node_set_int(node, "axis", axis, k->err) : mc_error_memory(k->err);
}

static struct mc_value *like(const struct narrowing *k, const struct mc_value *v)
{
    struct mc_value *fresh = mc_value_create_fresh(k->model->graph, v->name);
    if (fresh) fresh->type = (struct mc_type){.kind = v->type.kind, .dtype = v->type.dtype, .rank = -1};
    return fresh;
}

static int narrow_input(const struct narrowing *k, struct mc_node *node, int i)
{
    const struct mc_value *v = node->inputs[i];
    const struct mc_fact *fact = v ? mc_coupling_fact(k->coupling, v) : NULL;
    int rc = 0;
    for (int axis = 0; fact && axis < fact->shape.rank && rc == 0; axis++) {
        if (!loses(k->coupling, k->goes, v, axis)) continue;
        struct mc_value *thin = like(k, v);
        if (!thin) return mc_error_memory(k->err);
        rc = add_gather(k, mc_node_position(node), v, axis, true, node->inputs[i], thin);
        if (rc == 0) rc = mc_node_set_input(node, i, thin, k->err);
    }
    return rc;
}

static int widen_output(const struct narrowing *k, struct mc_node *node, int i)
{
    struct mc_value *y = node->outputs[i];
    const struct mc_fact *fact = y ? mc_coupling_fact(k->coupling, y) : NULL;
    int rc = 0;
    for (int axis = 0; fact && axis < fact->shape.rank && rc == 0; axis++) {
        if (!loses(k->coupling, k->goes, y, axis)) continue;
        struct mc_value *thin = like(k, y);
        if (!thin) return mc_error_memory(k->err);
        struct mc_value *whole = node->outputs[i];
        node->outputs[i] = thin;
        thin->producer = node;
        rc = add_gather(k, mc_node_position(node) + 1, y, axis, false, thin, whole);
    }
    return rc;
}

static int narrow_node(const struct narrowing *k, int id)
{
    struct mc_graph *graph = k->model->graph;
    int at = 0, rc = 0;
    while (graph->nodes[at]->id != id) at++;
    struct mc_node *node = graph->nodes[at];
    const int n_inputs = node->n_inputs;
    for (int i = 0; i < n_inputs && rc == 0; i++) rc = narrow_input(k, node, i);
    for (int i = 0; i < node->n_outputs && rc == 0; i++) rc = widen_output(k, node, i);
    return rc;
}

int mc_narrow(struct mc_model **narrow, const struct mc_model *model, const struct mc_coupling *coupling,
              const bool *goes, struct mc_error *err)
{
    struct narrowing k = {.coupling = coupling, .goes = goes, .err = err};
    const struct mc_node *last = NULL;
    int rc = 0;
    *narrow = NULL;
    for (int i = 0; i < mc_coupling_n_statistics(coupling) && rc == 0; i++) {
        const struct mc_statistic *s = mc_coupling_statistic(coupling, i);
        if (s->node == last || !mc_narrows(coupling, goes, s)) continue;
        if (!k.model) rc = mc_model_clone(&k.model, model, true, err);
        if (rc == 0) rc = narrow_node(&k, s->node->id);
        last = s->node;
    }
    if (rc < 0 || !k.model) {
        mc_model_destroy(k.model);
        return rc;
    }
    mc_ops_bind(k.model);
    *narrow = k.model;
    return 0;
}
