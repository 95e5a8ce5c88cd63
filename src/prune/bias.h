/* bias.h - constants of removed input channels into the bias of the node that read them. */
#ifndef MC_PRUNE_BIAS_H
#define MC_PRUNE_BIAS_H

#include "prune/residue.h"

/* Can the contraction take a constant on its data into a bias? Its rule says so, its weight is known, and so is its
 * bias, if it has one: mc_bias_can_shift. */
bool mc_bias_can_take(const struct mc_coupling *coupling, const struct mc_contraction *contraction);

/* Add to the bias of the contraction's node in `small` what the removed channels of its data contributed. */
int mc_bias_add(struct mc_model *small, const struct mc_coupling *coupling, const struct mc_contraction *contraction,
                const struct mc_residue *residue, const bool *goes, struct mc_error *err);

/* Can a shift of its outputs be added? Its bias, if it has one, is a stored vector, or stored integers of 32 bits that
 * a DequantizeLinear makes floats of, to which the shift is added as near as their scale comes. */
bool mc_bias_can_shift(const struct mc_coupling *coupling, const struct mc_contraction *contraction);
/* The output with the bias on: the node's own, or that of the Add behind it that mc_bias_shift adds to. `model`: the
 * analysed one. */
const struct mc_value *mc_bias_output(const struct mc_model *model, const struct mc_coupling *coupling,
                                      const struct mc_contraction *contraction);
/* Add shift[n], one number for each output that is left, to the bias of the contraction's node in `small`. */
int mc_bias_shift(struct mc_model *small, const struct mc_coupling *coupling, const struct mc_contraction *contraction,
                  const double *shift, int64_t n, struct mc_error *err);

#endif
