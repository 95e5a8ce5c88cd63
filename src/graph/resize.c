/* resize.c - the kept indices of every axis, and the answers that resize rules get about them. */
#include "graph/resize.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/coupling_state.h"
#include "graph/widen.h"

struct kept {
    int64_t *indices; /* ascending; NULL: all stay */
    int64_t n;
};

struct mc_resize {
    struct mc_model *model;
    const struct mc_coupling *coupling;
    struct kept *kept;      /* by the coupling's axis entries */
    struct mc_tensor **now; /* by value id: what is computed from shapes and comes out otherwise after the cut */
};

/* Mark and count what goes along one axis; then turn the marks into the list of what stays. */
static int note_removed(struct mc_resize *r, const struct mc_slice *slice, struct mc_error *err)
{
    const int entry = mc_coupling_axis(r->coupling, slice->value, slice->axis);
    struct kept *kept = &r->kept[entry];
    const int64_t extent = r->coupling->axes[entry].extent;
    if (!kept->indices) {
        kept->indices = MC_NEW_ARRAY(int64_t, extent);
        if (!kept->indices) return mc_error_memory(err);
        for (int64_t i = 0; i < extent; i++) kept->indices[i] = i;
    }
    for (int64_t i = 0; i < slice->n; i++) kept->indices[slice->indices[i]] = -1;
    return 0;
}

static void close_ranks(struct kept *kept, int64_t extent)
{
    for (int64_t i = 0; kept->indices && i < extent; i++)
        if (kept->indices[i] >= 0) kept->indices[kept->n++] = kept->indices[i];
}

int mc_resize_create(struct mc_resize **resize, struct mc_model *model, const struct mc_coupling *coupling,
                     const int *groups, int n_groups, struct mc_error *err)
{
    struct mc_resize *r = MC_NEW(struct mc_resize);
    if (!r) return mc_error_memory(err);
    r->model = model;
    r->coupling = coupling;
    r->kept = MC_NEW_ARRAY(struct kept, coupling->n_axes);
    r->now = MC_NEW_ARRAY(struct mc_tensor *, coupling->n_values);
    int rc = r->kept && r->now ? 0 : mc_error_memory(err);
    for (int i = 0; i < n_groups && rc == 0; i++) {
        const struct mc_group *group = mc_coupling_group(coupling, groups[i]);
        for (int s = 0; s < group->n_slices && rc == 0; s++) rc = note_removed(r, &group->slices[s], err);
    }
    for (int e = 0; e < coupling->n_axes && rc == 0; e++) {
        close_ranks(&r->kept[e], coupling->axes[e].extent);
        if (r->kept[e].indices && r->kept[e].n == 0)
            rc = mc_error_set(err, MC_ERR_USAGE, "value '%s': nothing would be left of axis %d",
                              coupling->axes[e].value->name, coupling->axes[e].axis);
    }
    if (rc < 0) {
        mc_resize_destroy(r);
        return rc;
    }
    *resize = r;
    return 0;
}

void mc_resize_destroy(struct mc_resize *r)
{
    if (!r) return;
    for (int id = 0; r->now && id < r->coupling->n_values; id++) mc_tensor_destroy(r->now[id]);
    mc_free(r->now);
    for (int e = 0; r->kept && e < r->coupling->n_axes; e++) mc_free(r->kept[e].indices);
    mc_free(r->kept);
    mc_free(r);
}

const int64_t *mc_resize_kept(const struct mc_resize *r, const struct mc_value *v, int axis, int64_t *n)
{
    const int entry = mc_coupling_axis(r->coupling, v, axis);
    const struct kept *kept = entry < 0 ? NULL : &r->kept[entry];
    *n = kept && kept->indices ? kept->n : mc_coupling_extent(r->coupling, v, axis);
    return kept ? kept->indices : NULL;
}

int64_t mc_resize_old_extent(const struct mc_resize *r, const struct mc_value *v, int axis)
{
    return mc_coupling_extent(r->coupling, v, axis);
}

int64_t mc_resize_new_extent(const struct mc_resize *r, const struct mc_value *v, int axis)
{
    int64_t n;
    mc_resize_kept(r, v, axis, &n);
    return n;
}

const struct mc_fact *mc_resize_fact(const struct mc_resize *r, const struct mc_value *v)
{
    return mc_coupling_fact(r->coupling, v);
}

bool mc_resize_changed(const struct mc_resize *r, const struct mc_value *v)
{
    const struct mc_fact *fact = mc_resize_fact(r, v);
    for (int a = 0; fact && a < fact->shape.rank; a++)
        if (r->kept[mc_coupling_axis(r->coupling, v, a)].indices) return true;
    return false;
}

const struct mc_tensor *mc_resize_constant(const struct mc_resize *r, const struct mc_node *node, int i)
{
    const struct mc_value *v = i < node->n_inputs ? node->inputs[i] : NULL;
    if (!v) return NULL;
    if (v->data) return v->data;
    const struct mc_fact *fact = mc_coupling_fact(r->coupling, v);
    return fact && mc_coupling_is_fixed(r->coupling, v) ? fact->constant : NULL;
}

/* --- what is computed from shapes --- */

static const struct mc_tensor *now_of(const struct mc_resize *r, const struct mc_value *v)
{
    return v && v->id < r->coupling->n_values ? r->now[v->id] : NULL;
}

const struct mc_tensor *mc_resize_computed(const struct mc_resize *r, const struct mc_node *node, int i)
{
    const struct mc_value *v = i < node->n_inputs ? node->inputs[i] : NULL;
    const struct mc_fact *fact = v ? mc_coupling_fact(r->coupling, v) : NULL;
    if (now_of(r, v)) return now_of(r, v);
    return fact ? fact->constant : NULL;
}

/* Do all outputs of the node follow from shapes, and are whole? A parameter that is repeated to such a shape is none of
 * that once it is cut. */
static bool is_arithmetic(const struct mc_resize *r, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++) {
        const struct mc_fact *fact = node->outputs[i] ? mc_coupling_fact(r->coupling, node->outputs[i]) : NULL;
        if (!node->outputs[i]) continue;
        if (!fact || !fact->constant || mc_coupling_is_fixed(r->coupling, node->outputs[i]) ||
            mc_resize_changed(r, node->outputs[i]))
            return false;
    }
    return node->op && !node->op->random && mc_node_n_subgraphs(node) == 0;
}

/* Facts of the inputs after the cut. Returns whether any of them is another. */
static bool facts_now(const struct mc_resize *r, const struct mc_node *node, struct mc_fact *facts,
                      const struct mc_fact **in)
{
    bool moved = false;
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        const struct mc_fact *fact = v ? mc_coupling_fact(r->coupling, v) : NULL;
        in[i] = fact ? &facts[i] : NULL;
        if (!fact) continue;
        facts[i] = *fact;
        const struct mc_tensor *now = now_of(r, v);
        if (now) {
            facts[i].constant = now;
            facts[i].shape = now->shape;
        } else if (node->op->shape_only) {
            facts[i].constant = NULL;
            for (int a = 0; a < fact->shape.rank; a++) facts[i].shape.dim[a] = mc_resize_new_extent(r, v, a);
        }
        moved = moved || now || (node->op->shape_only && !mc_shape_equal(&facts[i].shape, &fact->shape));
    }
    return moved;
}

static bool same_contents(const struct mc_tensor *a, const struct mc_tensor *b)
{
    return mc_shape_equal(&a->shape, &b->shape) && memcmp(a->data, b->data, mc_tensor_bytes(a)) == 0;
}

/* Run the node on what its inputs are now. */
static int evaluate_node(const struct mc_resize *r, const struct mc_node *node, mc_evaluate_fn *evaluate, void *context,
                         struct mc_tensor **out, struct mc_error *err)
{
    struct mc_fact *facts = MC_NEW_ARRAY(struct mc_fact, mc_node_room_in(node));
    struct mc_fact *made = MC_NEW_ARRAY(struct mc_fact, mc_node_room_out(node));
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, mc_node_room_in(node));
    int rc = facts && made && in ? 0 : mc_error_memory(err);
    if (rc == 0 && facts_now(r, node, facts, in)) {
        rc = mc_op_shape(node, in, made, err);
        if (rc == 0) rc = evaluate(context, node, in, made, out, err);
    }
    mc_free(in);
    mc_free(made);
    mc_free(facts);
    return rc;
}

static int follow_node(struct mc_resize *r, const struct mc_node *node, mc_evaluate_fn *evaluate, void *context,
                       struct mc_error *err)
{
    struct mc_tensor **out = MC_NEW_ARRAY(struct mc_tensor *, mc_node_room_out(node));
    if (!out) return mc_error_memory(err);
    const int rc = evaluate_node(r, node, evaluate, context, out, err);
    for (int i = 0; i < node->n_outputs; i++) {
        if (rc == 0 && out[i] && !same_contents(out[i], mc_coupling_fact(r->coupling, node->outputs[i])->constant))
            r->now[node->outputs[i]->id] = out[i];
        else
            mc_tensor_destroy(out[i]);
    }
    mc_free(out);
    return rc;
}

int mc_resize_follow(struct mc_resize *r, mc_evaluate_fn *evaluate, void *context, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (node->n_inputs == 0 || !is_arithmetic(r, node)) continue;
        const int rc = follow_node(r, node, evaluate, context, err);
        char text[160];
        if (rc < 0) return mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof(text)));
    }
    return 0;
}

/* What the node alone used keeps its name and gets new contents; others keep what they share. */
int mc_resize_set_constant(struct mc_resize *r, struct mc_node *node, int i, struct mc_tensor *tensor,
                           struct mc_error *err)
{
    struct mc_value *old = i < node->n_inputs ? node->inputs[i] : NULL;
    if (old) node->inputs[i] = NULL;
    if (old && old->data && !old->is_input && !mc_value_is_used(old)) {
        node->inputs[i] = old;
        mc_value_set_data(old, tensor);
        return 0;
    }
    const char *stem = old ? old->name : node->name && *node->name ? node->name : "constant";
    struct mc_value *fresh = mc_graph_add_initializer_fresh(r->model->graph, stem, tensor);
    if (!fresh) return mc_error_memory(err);
    return mc_node_set_input(node, i, fresh, err);
}

static bool stands_beside_a_cut(const struct mc_resize *r, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && (mc_resize_changed(r, node->inputs[i]) || now_of(r, node->inputs[i]))) return true;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && mc_resize_changed(r, node->outputs[i])) return true;
    return false;
}

/* A number that was computed from a shape (what attention divides by, say) stays what it was. */
static int hold_numbers(struct mc_resize *r, struct mc_node *node, struct mc_error *err)
{
    int rc = 0;
    for (int i = 0; i < node->n_inputs && rc == 0; i++) {
        const struct mc_value *v = node->inputs[i];
        struct mc_tensor *was = NULL;
        if (!now_of(r, v)) continue;
        rc = mc_tensor_clone(&was, mc_coupling_fact(r->coupling, v)->constant, err);
        if (rc == 0) rc = mc_resize_set_constant(r, node, i, was, err);
    }
    return rc;
}

static int mend_node(struct mc_resize *r, struct mc_node *node, struct mc_error *err)
{
    if (!node->op || !stands_beside_a_cut(r, node) || is_arithmetic(r, node)) return 0;
    const int rc = node->op->resize       ? node->op->resize(r, node, err)
                   : node->op->shape_only ? 0
                                          : hold_numbers(r, node, err);
    char text[160];
    return rc < 0 ? mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof(text))) : 0;
}

/* Rules may put nodes before the one that they mend. */
int mc_resize_nodes(struct mc_resize *r, struct mc_error *err)
{
    const int n = r->model->graph->n_nodes;
    struct mc_node **nodes = MC_NEW_ARRAY(struct mc_node *, n);
    if (!nodes) return mc_error_memory(err);
    memcpy(nodes, r->model->graph->nodes, (size_t)n * sizeof(*nodes));
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) rc = mend_node(r, nodes[i], err);
    mc_free(nodes);
    return rc;
}
