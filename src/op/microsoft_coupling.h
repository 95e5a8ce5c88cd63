/* microsoft_coupling.h - how channels go through what ONNX Runtime's optimizer fuses (com.microsoft). */
#ifndef MC_OP_MICROSOFT_COUPLING_H
#define MC_OP_MICROSOFT_COUPLING_H

#include "graph/op.h"

/* BiasGelu, FastGelu: element by element, input 1 a bias. */
int mc_microsoft_bias_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);
/* SkipLayerNormalization, SkipSimplifiedLayerNormalization: what stays is normalized over what stays. */
int mc_microsoft_skip_norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);
int mc_microsoft_embed_norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);
/* Attention, whose projections are inside: the width that it reads, and features of the values. Queries and keys are
 * seen by nobody, so that no twin could mask them. */
int mc_microsoft_attention_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);
int mc_microsoft_attention_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err);
/* Also of extents that fit no `qkv_hidden_sizes` yet, as a choice of channels counts them. */
void mc_microsoft_attention_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                                 struct mc_cost *cost);
/* MultiHeadAttention on queries, keys and values [B, L, heads d]: features of all heads alike; with a bias inside those
 * of the values alone. */
int mc_microsoft_multi_head_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);
int mc_microsoft_multi_head_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err);

#endif
