/* augment.h - training samples changed at random, so that a model does not learn them by heart.
 *
 * Images [C, H, W] are changed in the order in which a specification names the ways, before they are normalized:
 *   crop:P     with P pixels of 0 around, a window of the old size anywhere
 *   flip       mirrored left to right, every other time
 *   shift:P    moved by up to P pixels; the edge is repeated
 *   rotate:D   turned by up to D degrees about the middle, bilinear; the edge is repeated
 *   cutout:S   a square of side S anywhere, cut at the edges, set to the mean (DeVries and Taylor 2017)
 * mixup:A, last and for samples of any shape: x and target become a x + (1 - a) x', with another sample x' of the role
 * and a from Beta(A, A) (Zhang and others 2018). What stands behind the colon may be left out:
 * crop:4, shift:2, rotate:15, cutout:8, mixup:0.2. Whoever draws gives a stream for each sample and epoch, so that
 * neither batches nor threads matter.
 */
#ifndef MC_DATA_AUGMENT_H
#define MC_DATA_AUGMENT_H

#include "base/rng.h"
#include "tensor/tensor.h"

enum { MC_AUGMENT_MAX = 8 };

enum mc_augment_kind { MC_AUGMENT_CROP, MC_AUGMENT_FLIP, MC_AUGMENT_SHIFT, MC_AUGMENT_ROTATE, MC_AUGMENT_CUTOUT };

struct mc_augment {
    int n;
    struct mc_augment_step {
        enum mc_augment_kind kind;
        double amount;
    } steps[MC_AUGMENT_MAX];
    double mixup; /* 0: none */
};

/* Add what "crop:4+flip+mixup:0.2" says to `augment`, which starts as zeroes. MC_ERR_USAGE for an unknown way (with the
 * nearest), an amount out of its range, and changes of images where samples [`sample`] are none. */
int mc_augment_add(struct mc_augment *augment, const char *text, const struct mc_shape *sample, struct mc_error *err);
bool mc_augment_is_none(const struct mc_augment *augment);

/* Change one sample in place, all but mixup. `mean` [C] is the colour of what is cut out (NULL: 0), `spare` has room
 * for a sample. */
void mc_augment_apply(const struct mc_augment *augment, const struct mc_shape *sample, struct mc_rng *rng,
                      const double *mean, float *x, float *spare);

/* Beta(a, a), a > 0. */
double mc_augment_beta(struct mc_rng *rng, double a);

#endif
