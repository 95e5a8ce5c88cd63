/* unshare.c - private copies of shared vectors, and the way back. */
#include "prune/unshare.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/widen.h"

static bool is_vector(const struct mc_value *v)
{
    if (!v->data || v->is_input || !mc_dtype_is_float(v->data->dtype)) return false;
    int n_long = 0;
    for (int a = 0; a < v->data->shape.rank; a++) n_long += v->data->shape.dim[a] > 1;
    return n_long == 1;
}

/* A list of (copy, origin), by value ids, while the model still grows. */
struct copies {
    size_t n, capacity;
    struct copy {
        int id;
        const struct mc_value *origin;
    } * of;
};

static int add_copy(struct copies *copies, struct mc_model *model, const struct mc_value *origin,
                    struct mc_value **copy, struct mc_error *err)
{
    struct mc_tensor *view = NULL;
    const int rc = mc_tensor_view(&view, origin->data, NULL, 0, err);
    if (rc < 0) return rc;
    *copy = mc_graph_add_initializer_fresh(model->graph, origin->name, view);
    if (!*copy || !mc_grow((void **)&copies->of, copies->n, &copies->capacity, sizeof(*copies->of)))
        return mc_error_memory(err);
    copies->of[copies->n++] = (struct copy){(*copy)->id, origin};
    return 0;
}

/* Does the node give its only input another name and nothing else? */
static bool only_renames(const struct mc_node *node)
{
    if (!node->op || !node->op->view || node->n_inputs != 1 || node->n_outputs != 1) return false;
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    if (!x || !y || y->is_output || !is_vector(x)) return false;
    const struct mc_fact in = {x->data->dtype, x->data->shape, x->data}, *const inputs[1] = {&in};
    struct mc_fact out = {0};
    return mc_op_shape(node, inputs, &out, NULL) == 0 && mc_shape_equal(&in.shape, &out.shape);
}

/* Replace what nodes like Identity make of a vector by a copy of it. */
static int bypass_renames(struct copies *copies, struct mc_model *model, struct mc_error *err)
{
    for (int i = model->graph->n_nodes - 1; i >= 0; i--) {
        struct mc_node *node = model->graph->nodes[i];
        if (!only_renames(node)) continue;
        struct mc_value *x = node->inputs[0], *y = node->outputs[0];
        struct mc_value *copy = NULL;
        int rc = add_copy(copies, model, x, &copy, err);
        if (rc == 0) rc = mc_value_replace(y, copy, err);
        if (rc < 0) return rc;
        mc_node_remove(node);
        mc_value_remove(y);
    }
    return 0;
}

/* The first use keeps the original, every further node gets a copy. */
static int split_uses(struct copies *copies, struct mc_model *model, const struct mc_uses *uses, struct mc_value *v,
                      struct mc_error *err)
{
    const struct mc_node *last = NULL;
    for (int i = 0; i < uses->n[v->id]; i++) {
        const struct mc_use use = uses->of[v->id][i];
        if (!use.node || use.node->graph != model->graph) return 0;
    }
    for (int i = 0; i < uses->n[v->id]; i++) {
        const struct mc_use use = uses->of[v->id][i];
        if (i > 0 && use.node != last) {
            struct mc_value *copy = NULL;
            int rc = add_copy(copies, model, v, &copy, err);
            if (rc == 0) rc = mc_node_set_input(use.node, use.index, copy, err);
            if (rc < 0) return rc;
        }
        last = use.node;
    }
    return 0;
}

int mc_unshare(struct mc_unshared *unshared, struct mc_model *model, struct mc_error *err)
{
    *unshared = (struct mc_unshared){0};
    struct copies copies = {0};
    struct mc_uses uses = {0};
    int rc = bypass_renames(&copies, model, err);
    if (rc == 0) rc = mc_uses_create(&uses, model, err);
    for (int id = 0; id < uses.n_values && rc == 0; id++)
        if (model->values[id] && is_vector(model->values[id]) && uses.n[id] > 1)
            rc = split_uses(&copies, model, &uses, model->values[id], err);
    if (rc == 0) {
        unshared->n_values = model->n_values;
        unshared->origin = MC_NEW_ARRAY(const struct mc_value *, model->n_values);
        if (!unshared->origin) rc = mc_error_memory(err);
    }
    for (size_t i = 0; i < copies.n && rc == 0; i++) unshared->origin[copies.of[i].id] = copies.of[i].origin;
    mc_uses_finish(&uses);
    mc_free(copies.of);
    return rc;
}

static bool same_contents(const struct mc_tensor *a, const struct mc_tensor *b)
{
    return a->dtype == b->dtype && mc_shape_equal(&a->shape, &b->shape) &&
           memcmp(a->data, b->data, mc_tensor_bytes(a)) == 0;
}

int mc_reshare(const struct mc_unshared *unshared, struct mc_model *model, struct mc_error *err)
{
    for (int id = 0; id < unshared->n_values; id++) {
        struct mc_value *copy = unshared->origin[id] ? model->values[id] : NULL;
        struct mc_value *origin = copy ? model->values[unshared->origin[id]->id] : NULL;
        if (!copy || !copy->data || !origin || !origin->data || !same_contents(copy->data, origin->data)) continue;
        const int rc = mc_value_replace(copy, origin, err);
        if (rc < 0) return rc;
        mc_value_remove(copy);
    }
    for (int id = 0; id < unshared->n_values; id++) {
        const struct mc_value *origin = unshared->origin[id];
        struct mc_value *v = origin ? model->values[origin->id] : NULL;
        if (v && v->data && !v->is_input && !mc_value_is_used(v)) mc_value_remove(v);
    }
    return 0;
}

void mc_unshared_finish(struct mc_unshared *unshared)
{
    mc_free(unshared->origin);
    *unshared = (struct mc_unshared){0};
}
