/* residue.h - what removed channels would still have said: the constants that take their place.
 *
 * A channel whose incoming weights are zero still carries its bias or its normalization's shift through the
 * activations to the layers that read it. Where that is one constant k, the reader's bias can take k times the sum of
 * the weights that go: the network computes as if the channel had been set to k, its mean before the activation,
 * instead of to 0. Where it is not (a gate in between, zero padding in the reader), it is set to 0.
 */
#ifndef MC_PRUNE_RESIDUE_H
#define MC_PRUNE_RESIDUE_H

#include "prune/prune.h"

/* Removed channels of one value that is read by contractions, and their constants. */
struct mc_residue {
    const struct mc_value *value; /* of the analysed model */
    int axis;
    int64_t n;
    int64_t *indices; /* ascending */
    double *constant; /* one per index */
    bool movable;     /* every reader can take a constant into its bias */
    bool seen;        /* while they are measured: in an earlier run */
};

struct mc_residues {
    int n;
    struct mc_residue *of; /* one per value and axis that a contraction reads and that loses channels */
};

/* List them, all constants 0. `goes`: by group. */
int mc_residues_create(struct mc_residues *residues, const struct mc_coupling *coupling, const bool *goes,
                       struct mc_error *err);
void mc_residues_finish(struct mc_residues *residues);

/* Find the constants of the movable ones by running `model` (the analysed one) with the removed channels silenced.
 * When it cannot be run (the error says why) they are 0. */
int mc_residues_measure(struct mc_residues *residues, const struct mc_model *model, const struct mc_coupling *coupling,
                        const bool *goes, const struct mc_shrink_options *options, struct mc_error *err);

/* Put the constants into the biases of `small`, a clone of the analysed model after surgery. Nodes are matched by id.
 * *n_moved: how many constants were not 0. */
int mc_residues_move(const struct mc_residues *residues, struct mc_model *small, const struct mc_coupling *coupling,
                     const bool *goes, int64_t *n_moved, struct mc_error *err);

#endif
