/* rewrite.h - smaller graphs that compute the same: what exporters leave behind is folded, merged, taken out.
 *
 * Passes run in the order of mc_passes, again and again until none finds anything. They change the main graph only;
 * what graphs inside nodes see of it stays. Inputs and outputs of the model keep their names.
 */
#ifndef MC_REWRITE_REWRITE_H
#define MC_REWRITE_REWRITE_H

#include "graph/facts.h"
#include "kernel/runtime.h"
#include "report/record.h"

struct mc_rewrite; /* rewrite/pass.h */

struct mc_pass {
    const char *name;
    /* Find what there is to do and do it; *n counts how often. */
    int (*run)(struct mc_rewrite *rewrite, int64_t *n, struct mc_error *err);
};

extern const struct mc_pass *const mc_passes[];
extern const size_t mc_passes_count;

struct mc_rewrite_options {
    uint64_t passes;     /* bit i: mc_passes[i] */
    struct mc_dims dims; /* for the check: 2 for an unknown batch */
    struct mc_runtime runtime;
    uint64_t seed; /* of the check's inputs */
};

/* All passes, the runtime's defaults. */
void mc_rewrite_options_init(struct mc_rewrite_options *options);

/* Rewrite `model` in place, after checking on a random batch that the outputs stay the same (1e-4 of the largest): a
 * difference is MC_ERR_INTERNAL. The model is unchanged after any failure. Operators must be bound. On success all
 * former pointers to parts of the model are void.
 *
 * `section` (may be NULL) gets nodes_before, nodes_after, parameters_before, parameters_after (elements of
 * initializers), passes: [{name, changes}], check: {checked, max_difference, max_output} or {checked: false, why}. */
int mc_rewrite(struct mc_model *model, const struct mc_rewrite_options *options, struct mc_record *section,
               struct mc_error *err);

#endif
