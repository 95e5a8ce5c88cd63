/* cluster.h - weight sharing: numbers become the nearest of a few, which training then moves together.
 *
 * Source: Han, Mao, Dally, "Deep Compression" (2016), section 3. Zero stays zero, whatever was pruned.
 */
#ifndef MC_CODE_CLUSTER_H
#define MC_CODE_CLUSTER_H

#include "graph/graph.h"

/* Most clusters beside zero: with it, one byte says which. */
enum { MC_CLUSTERS_MOST = 255 };

/* k-means of the n numbers that are not zero: exact for up to 2048, by dynamic programming; of more, Lloyd's iteration
 * from the best clusters of 2048 cells of neighbours. The same numbers give the same centroids, ascending, each the
 * mean of what is nearest to it; there are fewer than k where numbers are few. MC_ERR_SYSTEM without memory. */
int mc_cluster_find(const float *w, size_t n, int k, float centroids[MC_CLUSTERS_MOST], int *n_centroids,
                    struct mc_error *err);

struct mc_cluster_options {
    int k;             /* clusters of each tensor or channel, 1 to MC_CLUSTERS_MOST */
    bool by_channel;   /* along the first axis */
    bool vectors;      /* tensors of rank 1 too: biases, norms */
    int mantissa_bits; /* that a centroid keeps, 0 to 23 */
    const char *exclude;
};

struct mc_clustered; /* which cluster each number of a model's tensors belongs to */

/* Cluster the float32 initializers of `model` in place. The model has to outlive what is handed out. */
int mc_cluster_model(struct mc_clustered **clustered, struct mc_model *model, const struct mc_cluster_options *options,
                     struct mc_error *err);
void mc_clustered_destroy(struct mc_clustered *clustered);

/* Tensors that were clustered; numbers in them that are not zero; squared error over squared size of all of them. */
int mc_clustered_n_tensors(const struct mc_clustered *clustered);
int64_t mc_clustered_n_values(const struct mc_clustered *clustered);
double mc_clustered_error(const struct mc_clustered *clustered);

/* Let every number be the mean of its cluster: after a step of gradient descent this moves each centroid along the sum
 * of its gradients. `round`: to the mantissa that was asked for, at the end. */
void mc_clustered_tie(const struct mc_clustered *clustered, bool round);

#endif
