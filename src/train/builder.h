/* builder.h - networks put together layer by layer, with weights drawn as the papers do.
 *
 * Weights that feed a ReLU are normal with variance 2 / fan-in (He and others 2015, eq. 10), those of a last layer with
 * 1 / fan-in, those of attention uniform with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010, eq. 16). Biases
 * are 0; batch normalization begins as the identity.
 */
#ifndef MC_TRAIN_BUILDER_H
#define MC_TRAIN_BUILDER_H

#include "base/rng.h"
#include "graph/graph.h"

/* A network under construction. `last` is the value that the next layer reads, `shape` one sample of it. Failures stay
 * in `status`; the calls after one do nothing. */
struct mc_builder {
    struct mc_model *model;
    struct mc_value *last;
    struct mc_shape shape;
    struct mc_rng rng;
    int n_layers; /* names are made of it */
    int status;
    struct mc_error *err;
};

/* An empty network for samples of this shape. */
void mc_build_begin(struct mc_builder *b, const struct mc_shape *sample, uint64_t seed, struct mc_error *err);
/* `last` becomes the output. After a failure the model is destroyed and NULL. */
void mc_build_end(struct mc_builder *b);

/* Layers with parameters; `gain` is variance times fan-in: 2 before a ReLU, 1 at the end. */
void mc_build_dense(struct mc_builder *b, int64_t width, double gain);
/* A convolution [C, spatial...] of any rank: kernel, stride, padding and groups alike along all axes. */
struct mc_filter {
    int64_t filters, kernel, stride, pad;
    bool depthwise; /* one filter per channel */
    bool bias;
};
void mc_build_conv(struct mc_builder *b, const struct mc_filter *filter);
void mc_build_batch_norm(struct mc_builder *b);

void mc_build_relu(struct mc_builder *b);
void mc_build_relu6(struct mc_builder *b);
void mc_build_max_pool(struct mc_builder *b, int64_t size); /* as wide as its stride */
void mc_build_mean_pool(struct mc_builder *b);              /* over all spatial axes, which go */
void mc_build_flatten(struct mc_builder *b);
/* `last` plus another value of its shape. */
void mc_build_add(struct mc_builder *b, struct mc_value *other);
/* A node of `last` alone that changes no shape. */
void mc_build_unary(struct mc_builder *b, const char *type);

/* A block of a transformer encoder on [tokens, width]: attention and two dense layers with a ReLU between them, each
 * with a LayerNormalization before it and the sum with what went in behind it (Vaswani and others 2017; the order of
 * Xiong and others 2020). `heads` divides the width. */
void mc_build_encoder(struct mc_builder *b, int64_t heads);
/* [C, H, W] in patches of this size, or [L, C] as it is, to tokens of `width` with learned positions. */
void mc_build_tokens(struct mc_builder *b, int64_t width, int64_t patch);
/* The mean over tokens, normalized before. */
void mc_build_pool_tokens(struct mc_builder *b);

#endif
