/* moments.h - second moments of what a weight multiplies: H = sum of x x' over calibration samples and positions.
 *
 * A contraction gives, at each place, the products of the rows of its weight [M, K] with one vector x of K inputs, be
 * it a row of a matrix or a patch of an image. With the unit vectors as its weight the node itself gives x, so that
 * nobody has to know how an operator looks for its inputs. One more row, which the others must add up to, shows whether
 * the node is such a product at all (a fused activation is not).
 */
#ifndef MC_PRUNE_MOMENTS_H
#define MC_PRUNE_MOMENTS_H

#include "prune/prune.h"

/* A weight as rows: axis `out_axis` counts them, all others together are K; element (m, k) is at
 * (k / inner * M + m) * inner + k % inner. Row m multiplies what group m / (M / groups) is given. */
struct mc_rows {
    int64_t M, K, inner, groups;
};

struct mc_rows mc_rows_of(const struct mc_contraction *contraction, const struct mc_shape *shape);
static inline int64_t mc_rows_at(const struct mc_rows *rows, int64_t m, int64_t k)
{
    return (k / rows->inner * rows->M + m) * rows->inner + k % rows->inner;
}

struct mc_moments {
    struct mc_rows rows;
    bool known;       /* false: the node is no such product, or cannot be run; the rest is NULL then */
    double *full;     /* [groups, K, K], or NULL */
    double *diagonal; /* [groups, K] */
};

struct mc_moments_options {
    bool full; /* else the diagonal alone */
    const struct mc_samples *samples;
    const struct mc_runtime *runtime;
};

/* Run the model, as it is now, up to the contraction's node. Values and nodes of `contraction` are the model's.
 * Finished by the caller in any case. MC_ERR_UNSUPPORTED, MC_ERR_INPUT where the model does not fit the data. */
int mc_moments_measure(struct mc_moments *moments, const struct mc_model *model,
                       const struct mc_contraction *contraction, const struct mc_moments_options *options,
                       struct mc_error *err);
void mc_moments_finish(struct mc_moments *moments);

#endif
