/* gates.h - bounds that the result has to keep, or the run fails with MC_GATE_FAILED. */
#ifndef MC_RECIPE_GATES_H
#define MC_RECIPE_GATES_H

#include "metric/outcomes.h"
#include "recipe/measure.h"
#include "recipe/option.h"
#include "report/record.h"

extern const struct mc_option mc_gate_options[];
extern const size_t mc_gate_options_count;

/* What gates are held against. */
struct mc_gate_evidence {
    const struct mc_record *original, *final; /* measurements */
    const struct mc_record *baseline;         /* of an earlier run; NULL: none */
    struct mc_outcomes *before, *after;       /* answers of the original and the result; NULL: not kept */
    uint64_t seed;                            /* of what is drawn */
};

/* Does a gate that is given ask for a metric, so that there must be labelled data? Its name, or NULL. */
const char *mc_gates_need_data(const struct mc_settings *gates);
/* Does one ask for the answers themselves? */
bool mc_gates_need_outcomes(const struct mc_settings *gates);
/* Does one ask for the time that the result takes in turns with the original? */
bool mc_gates_need_turns(const struct mc_settings *gates);
/* How much has to be measured, and *gate, which asks for that; NULL: none asks for more than counts. */
enum mc_measuring mc_gates_need_measuring(const struct mc_settings *gates, const char **gate);

/* Are the metrics that gates name known? MC_ERR_USAGE, and *option names the gate that is meant. */
int mc_gates_look(const struct mc_settings *gates, const char **option, struct mc_error *err);

/* Hold every gate that is given against the evidence. `into` (an array) gets {gate, bound, value, margin, held} of
 * each: the margin is what is left to the bound, negative when it is not kept. Returns MC_OK with *held false when one
 * is not kept and *err (its text) says which; a figure that was not measured is MC_ERR_USAGE. */
int mc_gates_check(const struct mc_settings *gates, const struct mc_gate_evidence *evidence, struct mc_record *into,
                   bool *held, struct mc_error *err);

#endif
