/* nets.h - small networks of real operators with random weights, for the tests of this folder.
 *
 * Every function adds one node (and its weights) and returns its output; a failure fails the test.
 */
#ifndef MC_TESTS_PRUNE_NETS_H
#define MC_TESTS_PRUNE_NETS_H

#include "base/rng.h"
#include "graph/graph.h"

struct net {
    struct mc_model *model;
    struct mc_rng rng;
};

void net_start(struct net *net, uint64_t seed);
void net_finish(struct net *net);

/* Graph input [N, c, h, w] with a free batch, or [N, c] for h == 0. */
struct mc_value *net_input(struct net *net, int64_t c, int64_t h, int64_t w);
/* Declare the output and bind all operators. */
void net_output(struct net *net, struct mc_value *v);

/* Initializer of normal numbers with the given deviation around `mean`; trailing zeros end the shape. */
struct mc_value *net_weight(struct net *net, const char *name, double mean, double deviation, int64_t a, int64_t b,
                            int64_t c, int64_t d);
/* Any operator without weights of its own; the inputs end at NULL. */
struct mc_value *net_node(struct net *net, const char *type, struct mc_value *a, struct mc_value *b,
                          struct mc_value *c);

/* Square kernel; `bias` with or without. */
struct mc_value *net_conv(struct net *net, struct mc_value *x, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                          int64_t pad, int64_t groups, bool bias);
struct mc_value *net_batch_norm(struct net *net, struct mc_value *x, int64_t channels);
/* Gemm with transB, weight [out, in] and bias. */
struct mc_value *net_gemm(struct net *net, struct mc_value *x, int64_t in, int64_t out);
/* MatMul with weight [in, out]. */
struct mc_value *net_matmul(struct net *net, struct mc_value *x, int64_t in, int64_t out);
struct mc_value *net_concat(struct net *net, struct mc_value *a, struct mc_value *b);
struct mc_value *net_pool(struct net *net, const char *type, struct mc_value *x, int64_t kernel, int64_t stride);

/* The initializer of that name. */
struct mc_value *net_find(const struct mc_model *model, const char *name);

#endif
