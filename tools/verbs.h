/* verbs.h - the verbs of the command, one cmd_<verb>.c each. */
#ifndef MC_TOOLS_VERBS_H
#define MC_TOOLS_VERBS_H

#include "arguments.h"

extern const struct verb verb_apply, verb_bench, verb_cluster, verb_compare, verb_distill, verb_eval, verb_factorize,
    verb_finetune, verb_help, verb_info, verb_init, verb_optimize, verb_pack, verb_prune, verb_quantize, verb_report,
    verb_run, verb_sensitivity, verb_train, verb_tune, verb_unpack, verb_version;

/* All verbs in the order in which help shows them; ended by NULL. */
extern const struct verb *const verbs[];

/* NULL and an error with the nearest one if there is none of that name. */
const struct verb *verb_find(const char *name, struct mc_error *err);

#endif
