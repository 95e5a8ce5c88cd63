/* gates.h - bounds that the result has to keep, or the run fails with MC_GATE_FAILED. */
#ifndef MC_RECIPE_GATES_H
#define MC_RECIPE_GATES_H

#include "recipe/option.h"
#include "report/record.h"

extern const struct mc_option mc_gate_options[];
extern const size_t mc_gate_options_count;

/* Does a gate that is given ask for an accuracy, so that there must be labelled data? Its name, or NULL. */
const char *mc_gates_need_accuracy(const struct mc_settings *gates);

/* Hold every gate that is given against two measurements. `into` (an array) gets {gate, bound, value, margin, held} of
 * each: the margin is what is left to the bound, negative when it is not kept. Returns MC_OK with *held false when one
 * is not kept and *err (its text) says which; a figure that was not measured is MC_ERR_USAGE. */
int mc_gates_check(const struct mc_settings *gates, const struct mc_record *original, const struct mc_record *final,
                   struct mc_record *into, bool *held, struct mc_error *err);

#endif
