/* rehearsal.h - a recipe gone through without its work.
 *
 * Steps are done in earnest where that takes little and decides what comes next: channels go, by their norms, weights
 * become zero, by their magnitude. What is trained is begun and broken off. So whatever a step needs of the model and
 * the data is asked for, and how long it would take is known from a few of its steps.
 */
#ifndef MC_RECIPE_REHEARSAL_H
#define MC_RECIPE_REHEARSAL_H

#include "recipe/steps.h"
#include "report/record.h"

struct mc_rehearsal {
    double look_s;         /* how long training is looked at; 0: a step of it */
    double looked_s;       /* how long it was */
    double training_s;     /* what the training of the present step is expected to take */
    double per_evaluation; /* seconds to evaluate one sample, as far as is known */
};

/* In the place of mc_fit, for a job that has a rehearsal: the model is left as it is. */
int mc_rehearse_fit(struct mc_job *job, const struct mc_fit_options *fit, struct mc_error *err);

#endif
