/* draw.c - samples as training takes them; see draw.h. */
#include "data/draw.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

/* Fewer numbers than these are read by one thread. */
enum { WORTH_THREADS = 100000 };

/* One sample, changed and normalized. */
static int read_one(const struct mc_dataset *d, enum mc_role_of_data role, int64_t position,
                    const struct mc_augment *augment, struct mc_rng *rng, float *x, float *spare, int64_t *label,
                    float *target, struct mc_error *err)
{
    const struct mc_source *from = d->from[role];
    const int rc = from->read(from, d->index[role][position], x, label, target, err);
    if (rc < 0 || !x) return rc;
    if (augment && augment->n > 0) mc_augment_apply(augment, &d->sample, rng, d->normalizer.mean, x, spare);
    mc_normalizer_apply(&d->normalizer, x);
    return MC_OK;
}

/* How much the sample at a position counts. */
static float weight_of(const struct mc_dataset *d, enum mc_role_of_data role, int64_t position)
{
    const float *weights = d->from[role]->weights;
    return weights && d->weight_scale > 0 ? (float)(weights[d->index[role][position]] * d->weight_scale) : 1;
}

/* Mix another sample of the role, itself changed, into place i. */
static int mix(const struct mc_dataset *d, enum mc_role_of_data role, const struct mc_augment *augment,
               struct mc_rng *rng, const struct mc_batch *b, int64_t i, float *other, float *spare,
               struct mc_error *err)
{
    const int64_t width = mc_shape_count(&d->sample), T = d->n_targets;
    const double share = mc_augment_beta(rng, augment->mixup);
    const int64_t position = (int64_t)mc_rng_below(rng, (uint64_t)d->n[role]);
    float *targets = T > 0 && b->targets ? MC_NEW_ARRAY(float, T) : NULL;
    if (T > 0 && b->targets && !targets) return mc_error_memory(err);
    const int rc = read_one(d, role, position, augment, rng, b->x ? other : NULL, spare,
                            b->others ? b->others + i : NULL, targets, err);
    const float a = (float)share;
    if (b->shares) b->shares[i] = a;
    if (b->weights) b->weights[i] = a * b->weights[i] + (1 - a) * weight_of(d, role, position);
    for (int64_t k = 0; rc == MC_OK && b->x && k < width; k++)
        b->x[i * width + k] = a * b->x[i * width + k] + (1 - a) * other[k];
    for (int64_t k = 0; rc == MC_OK && targets && k < T; k++)
        b->targets[i * T + k] = a * b->targets[i * T + k] + (1 - a) * targets[k];
    mc_free(targets);
    return rc;
}

int mc_dataset_draw(const struct mc_dataset *d, enum mc_role_of_data role, int64_t position, const struct mc_draw *draw,
                    const struct mc_batch *b, int64_t i, struct mc_error *err)
{
    const struct mc_augment *augment = draw ? draw->augment : NULL;
    const int64_t width = mc_shape_count(&d->sample);
    struct mc_rng rng = {0};
    float *spare = NULL;
    if (augment && !mc_augment_is_none(augment)) {
        mc_rng_init(&rng, draw->seed, mc_hash("augment") + (uint64_t)(draw->epoch * d->n[role] + position));
        spare = mc_alloc_aligned((size_t)width, 2 * sizeof *spare);
        if (!spare) return mc_error_memory(err);
    }
    int64_t own = 0, *label = b->labels ? b->labels + i : b->others ? &own : NULL;
    int rc = read_one(d, role, position, augment, &rng, b->x ? b->x + i * width : NULL, spare, label,
                      b->targets ? b->targets + i * d->n_targets : NULL, err);
    if (b->others && label) b->others[i] = *label;
    if (b->shares) b->shares[i] = 1;
    if (b->weights) b->weights[i] = weight_of(d, role, position);
    if (rc == MC_OK && augment && augment->mixup > 0) rc = mix(d, role, augment, &rng, b, i, spare + width, spare, err);
    mc_free(spare);
    return rc;
}

int mc_dataset_draw_all(const struct mc_dataset *d, enum mc_role_of_data role, const int64_t *order, int64_t begin,
                        int64_t n, const struct mc_draw *draw, const struct mc_batch *batch, int n_threads,
                        struct mc_error *err)
{
    const bool parallel = n_threads > 1 && (d->from[role]->decodes || n * mc_shape_count(&d->sample) > WORTH_THREADS);
    int64_t first = n; /* that failed */
    int rc = MC_OK;
    assert(begin >= 0 && n >= 0 && begin + n <= d->n[role]);
#pragma omp parallel for num_threads(n_threads) if (parallel) schedule(dynamic, 4)
    for (int64_t i = 0; i < n; i++) {
        struct mc_error own = {0};
        const int64_t position = order ? order[begin + i] : begin + i;
        const int status = mc_dataset_draw(d, role, position, draw, batch, i, &own);
        if (status == MC_OK) continue;
#pragma omp critical(mc_dataset_draw_error)
        if (i < first) {
            first = i;
            rc = status;
            if (err) *err = own;
        }
    }
    return rc;
}
