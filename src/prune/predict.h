/* predict.h - what the removal of a family's groups is said to cost, by the curves of `compress sensitivity`. */
#ifndef MC_PRUNE_PREDICT_H
#define MC_PRUNE_PREDICT_H

#include "report/record.h"

/* Is it the record of a sensitivity analysis? MC_ERR_INPUT if not. */
int mc_predict_check(const struct mc_record *curves, struct mc_error *err);

/* loss[n], n = 0 … n_free: the change of the loss without the first n groups of the family that has this tensor and
 * axis. Between the points that were measured it is linear and beyond the last as steep as before it; then it is
 * replaced by the largest convex curve that lies nowhere above, so that no group costs less than one before it.
 * false: the family was not measured. */
bool mc_predict_loss(const struct mc_record *curves, const char *tensor, int64_t axis, int n_free, double *loss);

#endif
