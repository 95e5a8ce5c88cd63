/* cut.h - a model, what is coupled in it, and the smaller models that can be cut out of it.
 *
 * All of it happens on copies. `work` is the model with shared vectors taken apart, on which everything is decided and
 * which also serves as the masked twin; `small` is its clone under the knife.
 */
#ifndef MC_PRUNE_CUT_H
#define MC_PRUNE_CUT_H

#include "prune/choose.h"
#include "prune/residue.h"
#include "prune/unshare.h"

struct mc_cut {
    const struct mc_shrink_options *options;
    struct mc_model *work, *small;
    struct mc_unshared unshared;
    struct mc_facts facts;
    struct mc_coupling *coupling;
    double *importance; /* by group */
    struct mc_choice choice;
    struct mc_residues residues;
    int64_t fixed_batch; /* mc_batch_open: samples are run at other batches */
    struct mc_shrink_options
        checks; /* `options` with the shapes that constants are looked for and the twin is run at */
    int64_t n_moved;
    int64_t surgery_ns;   /* cutting, shapes and biases; not running the model for constants */
    char unmeasured[256]; /* why constants could not be found */
};

/* Analyse a model, judge its groups and choose by the options, which must outlive this. Finished by the caller in any
 * case. */
int mc_cut_init(struct mc_cut *cut, const struct mc_model *model, const struct mc_shrink_options *options,
                struct mc_error *err);
void mc_cut_finish(struct mc_cut *cut);
/* Let go of what it was analysed and chosen by; the models and what was left behind in them stay. */
void mc_cut_forget(struct mc_cut *cut);

/* Choose the n least important groups of one family, and none of the others. */
void mc_cut_choose(struct mc_cut *cut, int family, int n);
/* The same for any number of families: the first n_removed of each. */
void mc_cut_take(struct mc_cut *cut);
/* Make `small` without the chosen groups, what they left behind moved into biases. It replaces the one before. */
int mc_cut_run(struct mc_cut *cut, struct mc_error *err);

/* What the caller's model calls a value of `work`. */
const char *mc_cut_name(const struct mc_cut *cut, const struct mc_value *v);

#endif
