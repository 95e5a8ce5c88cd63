/* factorize.h - dense and convolutional layers in two of lower rank.
 *
 * A layer computes y = W x + b at each place, x being a row or a patch of an image, W of M outputs and K inputs. With W
 * replaced by U V, U of [M, r] and V of [r, K], it is two layers: the same kernel with r channels, and a product (a
 * convolution of 1 x 1) of those. That costs r (M + K) multiply-accumulates at a place in the place of M K.
 *
 * This is one of two ways to cut a convolution. The other (Jaderberg, Vedaldi, Zisserman 2014, scheme 2) cuts the
 * kernel into a column and a row. Ours serves dense layers, convolutions of any number of axes and of 1 x 1 alike,
 * keeps the large kernel that convolution routines are good at, and takes the outputs of real data into account by
 * nothing more than their covariance.
 */
#ifndef MC_REWRITE_FACTORIZE_H
#define MC_REWRITE_FACTORIZE_H

#include "prune/prune.h"

/* What the r directions keep the most of; either way they are the best there are of that rank. */
enum mc_factorize_by {
    MC_FACTORIZE_WEIGHTS, /* the squares of W: its truncated singular value decomposition (Eckart, Young 1936) */
    MC_FACTORIZE_OUTPUTS, /* the variance of y over samples, whose mean goes into the bias (Zhang, Zou, He, Sun 2015,
                             "Accelerating very deep convolutional networks for classification and detection",
                             section 2.1). Of layers without a bias to be (MatMul) it is the squares of y */
};

struct mc_factorize_options {
    enum mc_factorize_by by; /* default WEIGHTS */
    double energy;           /* share of that which each layer keeps at least, (0, 1]; used unless `stays` > 0; 0.9 */
    double stays;            /* share of what `budget` counts in the whole model that stays, (0, 1] (rewrite/rank.h) */
    enum mc_budget budget;   /* MACS (default) or PARAMETERS */
    int64_t round;           /* ranks are multiples of it; default 1 */
    const char *exclude;     /* comma-separated patterns (* and ?) of weights that are left alone, or NULL */
    struct mc_samples samples; /* for OUTPUTS; default: none */
    struct mc_dims dims;       /* shapes for counts and check; default: 1 for an unknown batch */
    struct mc_runtime runtime;
    uint64_t seed; /* of the check's inputs */
};

void mc_factorize_options_init(struct mc_factorize_options *options);

/* Cut the layers of `model` in place, each that has a Conv of one group, a Gemm or a MatMul with a stored float matrix
 * that nobody else reads, and costs less in two. Nothing is written unless, on a random batch, the outputs are those of
 * the model as it was with the products U V in the place of its weights (1e-4 of the largest): MC_ERR_INTERNAL. The
 * model is unchanged after any failure. Operators must be bound. On success all former pointers to parts of the model
 * are void.
 *
 * `section` (may be NULL) gets macs_before, macs_after (for `dims`), check as mc_rewrite does, and layers: [{tensor,
 * outputs, inputs, rank, energy, macs_before, macs_after}], `energy` being the share kept, or in the place of the last
 * four why the layer was left as it is.
 *
 * Errors: MC_ERR_UNSUPPORTED (no layer can be cut: says why the first cannot), MC_ERR_USAGE (a budget that cannot be
 * reached: says what can), MC_ERR_INPUT (weights that are not finite). */
int mc_factorize(struct mc_model *model, const struct mc_factorize_options *options, struct mc_record *section,
                 struct mc_error *err);

#endif
