/* intake.h - samples on their way into a plan: they are float32, what the model is fed need not be. */
#ifndef MC_TRAIN_INTAKE_H
#define MC_TRAIN_INTAKE_H

#include "run/plan.h"

struct mc_intake {
    struct mc_plan *plan;
    struct mc_tensor room; /* of float32, where the plan's input is of another type */
};

/* For the first input of a plan, which must outlive it. */
int mc_intake_init(struct mc_intake *intake, struct mc_plan *plan, struct mc_error *err);
void mc_intake_finish(struct mc_intake *intake);

/* Where a batch goes before each run: [batch, sample…]. */
float *mc_intake_samples(struct mc_intake *intake);
/* Before the run: make of them what the model is fed. MC_ERR_INPUT for a number with a fraction where that is an
 * integer, and for one beyond its range. */
int mc_intake_settle(const struct mc_intake *intake, struct mc_error *err);

#endif
