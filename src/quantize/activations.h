/* activations.h - activations in 8 bits: QuantizeLinear and DequantizeLinear around what runs on them. */
#ifndef MC_QUANTIZE_ACTIVATIONS_H
#define MC_QUANTIZE_ACTIVATIONS_H

#include "quantize/store.h"

/* Put a pair around every node that runs on bytes: products with stored weights or of two activations, and, where what
 * they make goes on, activation functions, sums, pools and whatever moves it (mc_op.on_bytes). Scales are those of
 * options->samples. A product's bias becomes 32 bits on the scale of its sums.
 *
 * `section` (may be NULL) gets nodes (how many), activations. MC_ERR_UNSUPPORTED if there is no such node, or one that
 * cannot be run, which is named; MC_ERR_INPUT without samples, or when one makes a number that is not finite. */
int mc_quantize_activations(struct mc_model *model, const struct mc_store *store,
                            const struct mc_quantize_options *options, struct mc_record *section, struct mc_error *err);

#endif
