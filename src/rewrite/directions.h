/* directions.h - the directions in which a layer does most: what its parts of lower rank are made of.
 *
 * Of a layer y = W x + b, W of M outputs and K inputs, these are orthonormal vectors, the one of which most is kept
 * first: eigenvectors of W W' (its left singular vectors), of W'W (its right ones) where that is the smaller, or of the
 * covariance of y over samples.
 */
#ifndef MC_REWRITE_DIRECTIONS_H
#define MC_REWRITE_DIRECTIONS_H

#include "prune/moments.h"
#include "rewrite/rank.h"

struct mc_layer {
    struct mc_node *node;
    int position;        /* among the nodes of its graph, when it was found */
    struct mc_rows rows; /* W within its weight, input 1 of the node; of one group */
    int out_axis;        /* of the node's output that has the outputs */
    const char *why;     /* it is left as it is; NULL: it may be cut */
    double macs;         /* of the node */
    struct mc_spectrum spectrum;
    bool of_inputs;  /* vectors are of K, not of M */
    double *vectors; /* [n, n], one a row; n = spectrum.n */
    double *mean;    /* [M] of y, about which outputs vary; NULL: about 0 */
    double n_seen;   /* places that were added up, in vectors and mean */
};

void mc_layer_finish(struct mc_layer *layer);

/* W as doubles [M, K], the caller's (mc_free). */
int mc_layer_weights(const struct mc_layer *layer, double **w, struct mc_error *err);

/* Directions of the weights into vectors and spectrum.shares. Sets `why` where there are too many. MC_ERR_INPUT for
 * weights that are not finite. */
int mc_directions_of_weights(struct mc_layer *layer, struct mc_error *err);

/* Likewise of the outputs of all layers that have no `why`; `centred[i]`: those of layer i vary about their mean. The
 * layers are nodes of `model`. */
int mc_directions_of_outputs(struct mc_layer *layers, const bool *centred, int n, const struct mc_model *model,
                             const struct mc_samples *samples, const struct mc_runtime *runtime, struct mc_error *err);

#endif
