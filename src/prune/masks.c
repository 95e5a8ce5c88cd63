/* masks.c - magnitude pruning: which weights are held at zero. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/exclude.h"
#include "prune/prune.h"
#include "prune/select.h"
#include "run/plan.h"

/* --- which tensors are weights --- */

static bool is_weight(const struct mc_value *v)
{
    return v->data && mc_dtype_is_float(v->data->dtype) && v->data->shape.rank >= 2 && mc_tensor_count(v->data) > 0;
}

/* Marks by value id: 0 no weight, otherwise 1 + the axis that a contraction sums, 1 + rank when it is not known. */
struct finding {
    const struct mc_model *model;
    unsigned char *mark;
};

/* The stored tensors that a contraction's weight comes from: itself, or what it is computed from. */
static void mark_stored(struct finding *f, const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    if (is_weight(v)) {
        f->mark[v->id] = (unsigned char)(1 + (axis < 0 ? v->data->shape.rank : axis));
    } else if (v->producer && mc_coupling_is_fixed(c, v)) {
        for (int i = 0; i < v->producer->n_inputs; i++)
            if (v->producer->inputs[i]) mark_stored(f, c, v->producer->inputs[i], -1);
    }
}

/* Filters that sum over no channels (depthwise) are contracted nowhere, but make channels of channels all the same. */
static void mark_filters(struct finding *f, const struct mc_coupling *c)
{
    for (int i = 0; i < f->model->graph->n_initializers; i++) {
        const struct mc_value *v = f->model->graph->initializers[i];
        if (!is_weight(v) || f->mark[v->id]) continue;
        int input = -1, output = -1;
        for (int a = 0; a < v->data->shape.rank; a++) {
            if (mc_coupling_role(c, v, a) == MC_ROLE_CONSUMES) input = a;
            if (mc_coupling_role(c, v, a) == MC_ROLE_PRODUCES) output = a;
        }
        if (input >= 0 && output >= 0) f->mark[v->id] = (unsigned char)(1 + input);
    }
}

static bool all_known(const struct mc_model *model, const struct mc_facts *facts)
{
    for (int i = 0; i < model->graph->n_nodes; i++) {
        const struct mc_node *node = model->graph->nodes[i];
        if (!node->op || !node->op->coupling) return false;
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] && facts->of[node->outputs[k]->id].dtype == MC_UNDEFINED) return false;
    }
    return true;
}

/* Mark the weights of contractions. *found false: something is unknown, and nothing is marked. */
static int mark_contracted(struct finding *f, bool *found, struct mc_error *err)
{
    struct mc_facts facts = {0};
    struct mc_coupling *coupling = NULL;
    const struct mc_dims dims = {.batch = 1};
    *found = false;
    int rc = mc_model_facts(&facts, f->model, &dims, true, err);
    if (rc < 0) return rc;
    if (all_known(f->model, &facts)) {
        rc = mc_coupling_create(&coupling, f->model, &facts, err);
        for (int i = 0; rc == 0 && i < mc_coupling_n_contractions(coupling); i++) {
            const struct mc_contraction *contraction = mc_coupling_contraction(coupling, i);
            mark_stored(f, coupling, contraction->weight, contraction->weight_axis);
        }
        if (rc == 0) mark_filters(f, coupling);
        *found = rc == 0;
    }
    mc_coupling_destroy(coupling);
    mc_facts_finish(&facts);
    return rc;
}

static void mark_all(struct finding *f)
{
    const struct mc_graph *graph = f->model->graph;
    for (int i = 0; i < graph->n_initializers; i++)
        if (is_weight(graph->initializers[i]))
            f->mark[graph->initializers[i]->id] = (unsigned char)(1 + graph->initializers[i]->data->shape.rank);
}

static int add_mask(struct mc_masks *masks, const struct mc_value *v, int axis, struct mc_error *err)
{
    const size_t count = (size_t)mc_tensor_count(v->data);
    unsigned char *keep = mc_alloc(count, 1);
    if (!keep) return mc_error_memory(err);
    memset(keep, 1, count);
    masks->values[masks->n] = v;
    masks->input_axis[masks->n] = axis < v->data->shape.rank ? axis : v->data->shape.rank - 1;
    masks->keep[masks->n++] = keep;
    return 0;
}

int mc_masks_create(struct mc_masks *masks, const struct mc_model *model, const char *exclude, struct mc_error *err)
{
    *masks = (struct mc_masks){0};
    struct finding f = {.model = model, .mark = mc_alloc((size_t)model->n_values, 1)};
    const int n = model->graph->n_initializers;
    masks->values = MC_NEW_ARRAY(const struct mc_value *, n);
    masks->keep = MC_NEW_ARRAY(unsigned char *, n);
    masks->input_axis = MC_NEW_ARRAY(int, n);
    bool found = false;
    int rc = 0;
    if (!f.mark || !masks->values || !masks->keep || !masks->input_axis) rc = mc_error_memory(err);
    if (rc == 0) rc = mark_contracted(&f, &found, err);
    if (rc == 0 && !found) mark_all(&f);
    for (int i = 0; i < n && rc == 0; i++) {
        const struct mc_value *v = model->graph->initializers[i];
        if (f.mark[v->id] && !mc_excluded(exclude, v->name)) rc = add_mask(masks, v, f.mark[v->id] - 1, err);
    }
    mc_free(f.mark);
    if (rc < 0) mc_masks_finish(masks);
    return rc;
}

void mc_masks_finish(struct mc_masks *masks)
{
    for (int i = 0; i < masks->n; i++) mc_free(masks->keep[i]);
    mc_free(masks->keep);
    mc_free(masks->values);
    mc_free(masks->input_axis);
    *masks = (struct mc_masks){0};
}

/* --- which of their elements stay --- */

static int64_t share_of(double sparsity, int64_t count)
{
    return (int64_t)llround(sparsity * (double)count);
}

static int update_pattern(const struct mc_masks *masks, const struct mc_candidates *candidates,
                          const struct mc_sparsify_options *options, double sparsity, struct mc_error *err)
{
    const int n = options->pattern_n, m = options->pattern_m;
    if (n < 1 || n > m || m > MC_MAX_BLOCK)
        return mc_error_set(err, MC_ERR_USAGE, "a pattern keeps n of m weights with 1 <= n <= m <= %d, not %d:%d",
                            MC_MAX_BLOCK, n, m);
    int n_keep = n;
    if (options->sparsity > 0) {
        const int eased = (int)ceil(m * (1 - sparsity) - 1e-9);
        n_keep = eased > n ? eased : n;
    }
    for (int i = 0; i < masks->n; i++) {
        const int rc = mc_select_blocks(&candidates[i], masks->input_axis[i], n_keep, m, err);
        if (rc < 0) return rc;
    }
    return 0;
}

static int update_unstructured(const struct mc_masks *masks, const struct mc_candidates *candidates,
                               enum mc_scope scope, double sparsity, struct mc_error *err)
{
    int64_t total = 0;
    for (int i = 0; i < masks->n; i++) {
        const int64_t count = mc_tensor_count(candidates[i].tensor);
        total += count;
        if (scope != MC_SCOPE_LAYER) continue;
        const int rc = mc_select_smallest(&candidates[i], 1, share_of(sparsity, count), err);
        if (rc < 0) return rc;
    }
    if (scope == MC_SCOPE_LAYER) return 0;
    return mc_select_smallest(candidates, masks->n, share_of(sparsity, total), err);
}

int mc_masks_update(struct mc_masks *masks, const struct mc_sparsify_options *options, double sparsity,
                    struct mc_error *err)
{
    if (!(sparsity >= 0 && sparsity < 1))
        return mc_error_set(err, MC_ERR_USAGE, "sparsity must be at least 0 and less than 1, not %g", sparsity);
    struct mc_candidates *candidates = MC_NEW_ARRAY(struct mc_candidates, masks->n);
    if (!candidates) return mc_error_memory(err);
    for (int i = 0; i < masks->n; i++) candidates[i] = (struct mc_candidates){masks->values[i]->data, masks->keep[i]};
    const int rc = options->pattern_m != 0 ? update_pattern(masks, candidates, options, sparsity, err)
                                           : update_unstructured(masks, candidates, options->scope, sparsity, err);
    mc_free(candidates);
    return rc;
}

static int make_own(struct mc_value *v, struct mc_error *err)
{
    if (mc_tensor_is_unique(v->data)) {
        v->origin_tensor = NULL; /* the file's bytes no longer hold */
        return 0;
    }
    struct mc_tensor *copy = NULL;
    const int rc = mc_tensor_clone(&copy, v->data, err);
    if (rc == 0) mc_value_set_data(v, copy);
    return rc;
}

/* Fewer elements are zeroed by one thread. */
#define PARALLEL_COUNT (1 << 17)

static void write_zeros(struct mc_tensor *t, const unsigned char *keep)
{
    const int64_t count = mc_tensor_count(t);
    const size_t size = (size_t)mc_dtype_bits(t->dtype) / 8;
    unsigned char *bytes = t->data;
    if (t->dtype == MC_FLOAT) {
        uint32_t *words = t->data;
#pragma omp parallel for simd if (count > PARALLEL_COUNT)
        for (int64_t i = 0; i < count; i++) words[i] &= 0U - keep[i];
        return;
    }
#pragma omp parallel for if (count > PARALLEL_COUNT)
    for (int64_t i = 0; i < count; i++)
        if (!keep[i]) memset(bytes + (size_t)i * size, 0, size);
}

int mc_masks_apply(const struct mc_masks *masks, struct mc_model *model, struct mc_error *err)
{
    for (int i = 0; i < masks->n; i++) {
        struct mc_value *v = model->values[masks->values[i]->id];
        const int rc = make_own(v, err);
        if (rc < 0) return rc;
        write_zeros(v->data, masks->keep[i]);
    }
    return 0;
}

double mc_sparsity_cubic(double initial, double final, double progress)
{
    const double left = 1 - (progress < 0 ? 0 : progress > 1 ? 1 : progress);
    return final + (initial - final) * left * left * left;
}
