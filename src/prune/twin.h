/* twin.h - the masked twin (DESIGN, idea 4): does the small model compute what the original computes with the removed
 * channels set to their constants?
 *
 * The twin is the original, run with clamps; nothing of the surgery takes part in it.
 */
#ifndef MC_PRUNE_TWIN_H
#define MC_PRUNE_TWIN_H

#include "prune/residue.h"

struct mc_twin {
    bool checked; /* false: the model cannot be run (`why`), or draws random numbers */
    char why[256];
    double max_difference; /* largest |small - twin| over the real-valued outputs */
    double max_output;     /* largest |twin| */
};

/* Compare on one random batch. A difference beyond 1e-4 of the largest output (1e-2 for outputs of less than 32 bits)
 * is MC_ERR_INTERNAL. A model that cannot be run is no failure: `checked` stays false. */
int mc_twin_check(struct mc_twin *twin, const struct mc_model *original, const struct mc_model *small,
                  const struct mc_residues *residues, const struct mc_shrink_options *options, struct mc_error *err);

/* checked, max_difference, max_output; or checked: false, why. */
void mc_twin_record(const struct mc_twin *twin, struct mc_record *into);

#endif
