/* masks.c - magnitude pruning: which weights are held at zero. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/pieces.h"
#include "kernel/parallel.h"
#include "prune/blocks.h"
#include "prune/exclude.h"
#include "prune/lamp.h"
#include "prune/prune.h"
#include "prune/select.h"
#include "run/plan.h"

/* --- which tensors are weights --- */

static bool is_weight(const struct mc_value *v)
{
    return v->data && mc_dtype_is_float(v->data->dtype) && v->data->shape.rank >= 2 && mc_tensor_count(v->data) > 0;
}

/* Marks by value id: is it a weight, and which axis does a contraction sum, which counts outputs? -1: not known. */
struct mark {
    bool found;
    signed char input, output;
};

struct finding {
    const struct mc_model *model;
    struct mark *marks;
};

/* The stored tensors that a contraction's weight comes from: itself, or what it is computed from. */
static void mark_stored(struct finding *f, const struct mc_coupling *c, const struct mc_value *v, int input, int output)
{
    if (is_weight(v)) {
        f->marks[v->id] = (struct mark){true, (signed char)input, (signed char)output};
    } else if (v->producer && mc_coupling_is_fixed(c, v)) {
        for (int i = 0; i < v->producer->n_inputs; i++)
            if (v->producer->inputs[i]) mark_stored(f, c, v->producer->inputs[i], -1, -1);
    }
}

/* Filters that sum over no channels (depthwise) are contracted nowhere, but make channels of channels all the same. */
static void mark_filters(struct finding *f, const struct mc_coupling *c)
{
    for (int i = 0; i < f->model->graph->n_initializers; i++) {
        const struct mc_value *v = f->model->graph->initializers[i];
        if (!is_weight(v) || f->marks[v->id].found) continue;
        int input = -1, output = -1;
        for (int a = 0; a < v->data->shape.rank; a++) {
            if (mc_coupling_role(c, v, a) == MC_ROLE_CONSUMES) input = a;
            if (mc_coupling_role(c, v, a) == MC_ROLE_PRODUCES) output = a;
        }
        if (input >= 0 && output >= 0) f->marks[v->id] = (struct mark){true, (signed char)input, (signed char)output};
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
        rc = mc_coupling_create(&coupling, f->model, &facts, false, err);
        for (int i = 0; rc == 0 && i < mc_coupling_n_contractions(coupling); i++) {
            const struct mc_contraction *contraction = mc_coupling_contraction(coupling, i);
            mark_stored(f, coupling, contraction->weight, contraction->weight_axis, contraction->weight_out_axis);
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
        if (is_weight(graph->initializers[i])) f->marks[graph->initializers[i]->id] = (struct mark){true, -1, -1};
}

static void add_weight(struct mc_masks *masks, const struct mc_value *v, struct mark mark)
{
    masks->values[masks->n] = v;
    masks->output_axis[masks->n] = mark.output;
    masks->input_axis[masks->n++] = mark.input >= 0 ? mark.input : v->data->shape.rank - 1;
}

int mc_masks_find(struct mc_masks *masks, const struct mc_model *model, const char *exclude, struct mc_error *err)
{
    *masks = (struct mc_masks){0};
    struct finding f = {.model = model, .marks = MC_NEW_ARRAY(struct mark, model->n_values)};
    const int n = model->graph->n_initializers;
    masks->values = MC_NEW_ARRAY(const struct mc_value *, n);
    masks->keep = MC_NEW_ARRAY(unsigned char *, n);
    masks->input_axis = MC_NEW_ARRAY(int, n);
    masks->output_axis = MC_NEW_ARRAY(int, n);
    bool found = false;
    int rc = 0;
    if (!f.marks || !masks->values || !masks->keep || !masks->input_axis || !masks->output_axis)
        rc = mc_error_memory(err);
    if (rc == 0) rc = mark_contracted(&f, &found, err);
    if (rc == 0 && !found) mark_all(&f);
    for (int i = 0; i < n && rc == 0; i++) {
        const struct mc_value *v = model->graph->initializers[i];
        if (f.marks[v->id].found && !mc_excluded(exclude, v->name)) add_weight(masks, v, f.marks[v->id]);
    }
    mc_free(f.marks);
    if (rc < 0) mc_masks_finish(masks);
    return rc;
}

int mc_masks_create(struct mc_masks *masks, const struct mc_model *model, const char *exclude, struct mc_error *err)
{
    int rc = mc_masks_find(masks, model, exclude, err);
    for (int i = 0; i < masks->n && rc == 0; i++) {
        const size_t count = (size_t)mc_tensor_count(masks->values[i]->data);
        masks->keep[i] = mc_alloc(count, 1);
        if (masks->keep[i])
            memset(masks->keep[i], 1, count);
        else
            rc = mc_error_memory(err);
    }
    if (rc < 0) mc_masks_finish(masks);
    return rc;
}

void mc_masks_finish(struct mc_masks *masks)
{
    for (int i = 0; i < masks->n; i++) {
        mc_free(masks->keep[i]);
        if (masks->scores) mc_tensor_destroy(masks->scores[i]);
    }
    mc_free(masks->scores);
    mc_free(masks->output_axis);
    mc_free(masks->keep);
    mc_free(masks->values);
    mc_free(masks->input_axis);
    *masks = (struct mc_masks){0};
}

/* --- which of their elements stay --- */

static int64_t count_of(const struct mc_candidates *candidates, int n)
{
    int64_t count = 0;
    for (int i = 0; i < n; i++) count += mc_tensor_count(candidates[i].tensor);
    return count;
}

static int64_t share_of(double sparsity, int64_t count)
{
    return (int64_t)llround(sparsity * (double)count);
}

/* How many of every m weights stay. */
static int pattern_keeps(const struct mc_sparsify_options *options, double sparsity, int *n_keep, struct mc_error *err)
{
    const int n = options->pattern_n, m = options->pattern_m;
    if (n < 1 || n > m || m > MC_MAX_BLOCK)
        return mc_error_set(err, MC_ERR_USAGE, "a pattern keeps n of m weights with 1 <= n <= m <= %d, not %d:%d",
                            MC_MAX_BLOCK, n, m);
    *n_keep = n;
    if (options->sparsity > 0) {
        const int eased = (int)ceil(m * (1 - sparsity) - 1e-9);
        *n_keep = eased > n ? eased : n;
    }
    return 0;
}

static int update_pattern(const struct mc_masks *masks, const struct mc_candidates *candidates,
                          const struct mc_sparsify_options *options, double sparsity, struct mc_error *err)
{
    int n_keep = 0;
    int rc = pattern_keeps(options, sparsity, &n_keep, err);
    for (int i = 0; i < masks->n && rc == 0; i++)
        rc = mc_select_blocks(&candidates[i], masks->input_axis[i], n_keep, options->pattern_m, err);
    return rc;
}

/* The weights' density by Erdős and Rényi: `factor` times the sum of the extents over their product, 1 at most. */
static double density_of(const struct mc_tensor *t, double factor)
{
    double sum = 0;
    for (int a = 0; a < t->shape.rank; a++) sum += (double)t->shape.dim[a];
    return fmin(1, factor * sum / (double)mc_tensor_count(t));
}

static double kept_by(const struct mc_candidates *candidates, int n, double factor)
{
    double kept = 0;
    for (int i = 0; i < n; i++)
        kept += density_of(candidates[i].tensor, factor) * (double)mc_tensor_count(candidates[i].tensor);
    return kept;
}

/* The factor by which so many weights of all stay. */
static double density_factor(const struct mc_candidates *candidates, int n, double sparsity)
{
    const double due = (1 - sparsity) * (double)count_of(candidates, n);
    double low = 0, high = 1;
    while (high < 1e18 && kept_by(candidates, n, high) < due) high *= 2;
    for (int step = 0; step < 100; step++) {
        const double middle = (low + high) / 2;
        *(kept_by(candidates, n, middle) < due ? &low : &high) = middle;
    }
    return high;
}

static int update_by_extents(const struct mc_candidates *candidates, int n, double sparsity, struct mc_error *err)
{
    const double factor = density_factor(candidates, n, sparsity);
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        const double density = density_of(candidates[i].tensor, factor);
        rc = mc_select_smallest(&candidates[i], 1, share_of(1 - density, mc_tensor_count(candidates[i].tensor)), err);
    }
    return rc;
}

static int update_by_rows(const struct mc_masks *masks, const struct mc_candidates *candidates, double sparsity,
                          struct mc_error *err)
{
    int rc = 0;
    for (int i = 0; i < masks->n && rc == 0; i++)
        rc =
            masks->output_axis[i] >= 0
                ? mc_select_rows(&candidates[i], masks->output_axis[i], sparsity, err)
                : mc_select_smallest(&candidates[i], 1, share_of(sparsity, mc_tensor_count(candidates[i].tensor)), err);
    return rc;
}

static int update_by_lamp(const struct mc_candidates *candidates, int n, int64_t n_zero, struct mc_error *err)
{
    struct mc_magnitude_cut *cuts = MC_NEW_ARRAY(struct mc_magnitude_cut, n);
    int rc = cuts ? mc_lamp_cuts(candidates, n, n_zero, cuts, NULL, err) : mc_error_memory(err);
    for (int i = 0; i < n && rc == 0; i++) rc = mc_select_by_cut(&candidates[i], &cuts[i], err);
    mc_free(cuts);
    return rc;
}

static int update_unstructured(const struct mc_masks *masks, const struct mc_candidates *candidates,
                               enum mc_scope scope, double sparsity, struct mc_error *err)
{
    const int64_t n_zero = share_of(sparsity, count_of(candidates, masks->n));
    int rc = 0;
    switch (scope) {
    case MC_SCOPE_GLOBAL:
        return mc_select_smallest(candidates, masks->n, n_zero, err);
    case MC_SCOPE_LAYER:
        for (int i = 0; i < masks->n && rc == 0; i++)
            rc = mc_select_smallest(&candidates[i], 1, share_of(sparsity, mc_tensor_count(candidates[i].tensor)), err);
        return rc;
    case MC_SCOPE_ROW:
        return update_by_rows(masks, candidates, sparsity, err);
    case MC_SCOPE_ERDOS_RENYI:
        return update_by_extents(candidates, masks->n, sparsity, err);
    case MC_SCOPE_LAMP:
        return update_by_lamp(candidates, masks->n, n_zero, err);
    }
    return rc;
}

/* --- blocks --- */

static int check_blocks(const struct mc_sparsify_options *options, struct mc_error *err)
{
    const int rows = options->block_rows, columns = options->block_columns;
    if (rows >= 1 && columns >= 1 && rows <= MC_MAX_BLOCK && columns <= MC_MAX_BLOCK) return 0;
    return mc_error_set(err, MC_ERR_USAGE, "a block has 1 to %d outputs by 1 to %d inputs, not %dx%d", MC_MAX_BLOCK,
                        MC_MAX_BLOCK, rows, columns);
}

/* Blocks of tensor i; where its outputs are not known they are taken to be the first axis beside the inputs. */
static struct mc_blocks blocks_of(const struct mc_masks *masks, int i, const struct mc_sparsify_options *options)
{
    const int input = masks->input_axis[i], output = masks->output_axis[i];
    return (struct mc_blocks){
        .row_axis = output >= 0 ? output : input == 0,
        .column_axis = input,
        .rows = options->block_rows,
        .columns = options->block_columns,
    };
}

static int score_blocks(struct mc_tensor **score, struct mc_candidates *own, const struct mc_tensor *weights,
                        const struct mc_blocks *blocks, struct mc_error *err)
{
    const int rc = mc_blocks_score(score, weights, blocks, err);
    if (rc < 0) return rc;
    *own = (struct mc_candidates){*score, mc_alloc((size_t)mc_tensor_count(*score), 1)};
    return own->keep ? 0 : mc_error_memory(err);
}

/* As single weights are chosen, by what blocks count together. */
static int update_blocks(const struct mc_masks *masks, const struct mc_candidates *candidates,
                         const struct mc_sparsify_options *options, double sparsity, struct mc_error *err)
{
    struct mc_candidates *own = MC_NEW_ARRAY(struct mc_candidates, masks->n);
    struct mc_tensor **scores = MC_NEW_ARRAY(struct mc_tensor *, masks->n);
    int rc = own && scores ? check_blocks(options, err) : mc_error_memory(err);
    for (int i = 0; i < masks->n && rc == 0; i++) {
        const struct mc_blocks blocks = blocks_of(masks, i, options);
        rc = score_blocks(&scores[i], &own[i], candidates[i].tensor, &blocks, err);
    }
    if (rc == 0) rc = update_unstructured(masks, own, options->scope, sparsity, err);
    for (int i = 0; i < masks->n && rc == 0; i++) {
        const struct mc_blocks blocks = blocks_of(masks, i, options);
        mc_blocks_spread(own[i].keep, &candidates[i].tensor->shape, &blocks, candidates[i].keep);
    }
    for (int i = 0; own && scores && i < masks->n; i++) {
        mc_free(own[i].keep);
        mc_tensor_destroy(scores[i]);
    }
    mc_free(scores);
    mc_free(own);
    return rc;
}

static int check_sparsity(double sparsity, struct mc_error *err)
{
    if (sparsity >= 0 && sparsity < 1) return 0;
    return mc_error_set(err, MC_ERR_USAGE, "sparsity must be at least 0 and less than 1, not %g", sparsity);
}

int mc_masks_update(struct mc_masks *masks, const struct mc_sparsify_options *options, double sparsity,
                    struct mc_error *err)
{
    const int bad = check_sparsity(sparsity, err);
    if (bad < 0) return bad;
    struct mc_candidates *candidates = MC_NEW_ARRAY(struct mc_candidates, masks->n);
    if (!candidates) return mc_error_memory(err);
    for (int i = 0; i < masks->n; i++) {
        const struct mc_tensor *compared = masks->scores ? masks->scores[i] : masks->values[i]->data;
        candidates[i] = (struct mc_candidates){compared, masks->keep[i]};
    }
    const int rc = options->pattern_m != 0 ? update_pattern(masks, candidates, options, sparsity, err)
                   : options->block_rows != 0 || options->block_columns != 0
                       ? update_blocks(masks, candidates, options, sparsity, err)
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

int mc_masks_own(const struct mc_masks *masks, struct mc_model *model, struct mc_error *err)
{
    int rc = 0;
    for (int i = 0; i < masks->n && rc == 0; i++) rc = make_own(model->values[masks->values[i]->id], err);
    return rc;
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

/* --- zeros without masks --- */

/* What mc_sparsify does to one tensor: a cut, or a pattern along its input axis. */
struct zeroing {
    struct mc_edit edit;
    enum mc_dtype dtype;
    struct mc_magnitude_cut cut, left; /* as chosen; what is left of its ties */
    int64_t extent, inner;             /* of a pattern */
    int n_keep, block;                 /* block 0: a cut */
};

static int zero_pattern(const struct zeroing *z, int64_t n, void *elements, struct mc_error *err)
{
    const struct mc_shape shape = {.rank = 3, .dim = {n / z->edit.unit, z->extent, z->inner}};
    struct mc_tensor part = {.dtype = z->dtype, .shape = shape, .data = elements};
    struct mc_candidates candidate = {&part, mc_alloc((size_t)n, 1)};
    int rc = candidate.keep ? 0 : mc_error_memory(err);
    if (rc == 0) rc = mc_select_blocks(&candidate, 1, z->n_keep, z->block, err);
    if (rc == 0) write_zeros(&part, candidate.keep);
    mc_free(candidate.keep);
    return rc;
}

static int apply_zeroing(const struct mc_edit *edit, int64_t first, int64_t n, void *elements, struct mc_error *err)
{
    struct zeroing *z = edit->context;
    if (z->block > 0) return zero_pattern(z, n, elements, err);
    if (first == 0) z->left = z->cut;
    mc_magnitude_cut_zero(&z->left, z->dtype, elements, n);
    return 0;
}

static struct zeroing *new_zeroing(struct mc_model *model, const struct mc_value *v)
{
    struct zeroing *z = MC_ARENA_NEW(&model->arena, struct zeroing);
    if (z)
        *z = (struct zeroing){.edit = {.unit = 1, .apply = apply_zeroing, .context = z, .nonzeros = -1},
                              .dtype = v->data->dtype};
    return z;
}

/* Now, or when the contents are written. */
static int settle(struct mc_value *v, struct zeroing *z, bool defer, struct mc_error *err)
{
    if (defer && v->data->mapped) {
        v->edit = &z->edit;
        return z->edit.nonzeros < 0 ? mc_value_nonzeros(v, &z->edit.nonzeros, err) : 0;
    }
    const int rc = make_own(v, err);
    return rc < 0 ? rc : mc_edit_contents(&z->edit, v->data, err);
}

static int zero_patterns(struct mc_model *model, const struct mc_masks *weights,
                         const struct mc_sparsify_options *options, bool defer, struct mc_error *err)
{
    int n_keep = 0;
    int rc = pattern_keeps(options, options->sparsity, &n_keep, err);
    for (int i = 0; i < weights->n && rc == 0; i++) {
        struct mc_value *v = model->values[weights->values[i]->id];
        struct zeroing *z = new_zeroing(model, v);
        if (!z) return mc_error_memory(err);
        const int axis = weights->input_axis[i], rank = v->data->shape.rank;
        z->block = options->pattern_m;
        z->extent = v->data->shape.dim[axis];
        if (z->extent % z->block == 0) z->extent = z->block; /* blocks stand alone: pieces may be small */
        z->inner = mc_shape_span(&v->data->shape, axis + 1, rank);
        z->edit.unit = z->extent * z->inner;
        z->n_keep = n_keep;
        rc = settle(v, z, defer, err);
    }
    return rc;
}

/* nonzeros: what will be left, or -1. */
static int zero_by_cut(struct mc_model *model, struct mc_value *v, const struct mc_magnitude_cut *cut, int64_t nonzeros,
                       bool defer, struct mc_error *err)
{
    struct zeroing *z = new_zeroing(model, v);
    if (!z) return mc_error_memory(err);
    z->cut = *cut;
    z->edit.nonzeros = nonzeros;
    return settle(v, z, defer, err);
}

static int zero_by_lamp(struct mc_model *model, const struct mc_masks *weights, const struct mc_candidates *candidates,
                        double sparsity, bool defer, struct mc_error *err)
{
    const int64_t n_zero = share_of(sparsity, count_of(candidates, weights->n));
    struct mc_magnitude_cut *cuts = MC_NEW_ARRAY(struct mc_magnitude_cut, weights->n);
    int64_t *nonzeros = MC_NEW_ARRAY(int64_t, weights->n);
    int rc =
        cuts && nonzeros ? mc_lamp_cuts(candidates, weights->n, n_zero, cuts, nonzeros, err) : mc_error_memory(err);
    for (int i = 0; i < weights->n && rc == 0; i++)
        rc = zero_by_cut(model, model->values[weights->values[i]->id], &cuts[i], nonzeros[i], defer, err);
    mc_free(nonzeros);
    mc_free(cuts);
    return rc;
}

/* Elements that are not zero after a cut: what equals a threshold of 0 is none. Of float64 some pass for zero that are
 * not. */
static int64_t left_by(const struct mc_magnitude_cut *cut, struct mc_select_counts counts)
{
    if (!cut->splits || cut->threshold == 0) return counts.above;
    return counts.above + counts.ties - mc_least(counts.ties, cut->n_ties > 0 ? cut->n_ties : 0);
}

/* Tensors [from, to) share a cut: the ties that it takes are those of the first of them. */
static int zero_smallest(struct mc_model *model, const struct mc_masks *weights, const struct mc_candidates *candidates,
                         int from, int to, double sparsity, bool defer, struct mc_error *err)
{
    const int64_t n_zero = share_of(sparsity, count_of(candidates + from, to - from));
    struct mc_magnitude_cut cut;
    int rc = mc_select_cut(candidates + from, to - from, n_zero, &cut, err);
    for (int i = from; i < to && rc == 0; i++) {
        struct mc_value *v = model->values[weights->values[i]->id];
        const struct mc_magnitude_cut own = cut;
        int64_t nonzeros = -1;
        if (cut.splits || (defer && v->data->mapped)) {
            const struct mc_select_counts counts = mc_select_count(v->data, cut.threshold);
            if (v->data->dtype != MC_DOUBLE) nonzeros = left_by(&cut, counts);
            if (cut.splits) cut.n_ties -= counts.ties; /* below 0: none left */
        }
        rc = zero_by_cut(model, v, &own, nonzeros, defer, err);
    }
    return rc;
}

/* Of all tensors, or of each by itself. */
static int zero_by_magnitude(struct mc_model *model, const struct mc_masks *weights,
                             const struct mc_candidates *candidates, const struct mc_sparsify_options *options,
                             bool defer, struct mc_error *err)
{
    const bool by_extents = options->scope == MC_SCOPE_ERDOS_RENYI;
    const int n = weights->n, step = by_extents || options->scope == MC_SCOPE_LAYER ? 1 : n;
    const double factor = by_extents ? density_factor(candidates, n, options->sparsity) : 0;
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i += step) {
        const double share = by_extents ? 1 - density_of(candidates[i].tensor, factor) : options->sparsity;
        rc = zero_smallest(model, weights, candidates, i, i + step, share, defer, err);
    }
    return rc;
}

int mc_sparsify(struct mc_model *model, const struct mc_masks *weights, const struct mc_sparsify_options *options,
                bool defer, struct mc_error *err)
{
    int rc = check_sparsity(options->sparsity, err);
    if (rc < 0) return rc;
    if (options->pattern_m != 0) return zero_patterns(model, weights, options, defer, err);
    struct mc_candidates *candidates = MC_NEW_ARRAY(struct mc_candidates, weights->n);
    if (!candidates) return mc_error_memory(err);
    for (int i = 0; i < weights->n; i++) candidates[i].tensor = model->values[weights->values[i]->id]->data;
    rc = options->scope == MC_SCOPE_LAMP ? zero_by_lamp(model, weights, candidates, options->sparsity, defer, err)
                                         : zero_by_magnitude(model, weights, candidates, options, defer, err);
    mc_free(candidates);
    return rc;
}
