/* verdict.h - what the curves of a training run say, in plain words. */
#ifndef MC_TRAIN_VERDICT_H
#define MC_TRAIN_VERDICT_H

#include "report/record.h"

/* What an epoch came to. NaN where there were no validation samples. */
struct mc_epoch_line {
    int64_t number; /* from 0 */
    double rate;    /* of its first step */
    double train_loss, validation_loss;
    double metric; /* accuracy or R2 on the validation samples */
    double seconds;
};

/* Into `into`: "fit" and "why", and the trade of size against time: parameters, parameters_per_sample, samples_per_s,
 * epoch_s (the median). The fit is
 *   overfitting    the validation loss has risen by a twentieth since its lowest, while the training loss fell
 *   gap            it is more than half above the training loss where it was lowest, if the two are `alike`
 *   underfitting   the training loss has lost less than a tenth of what it began with
 *   unfinished     the loss that counts fell by a twentieth or more in the last fifth of the epochs
 *   good           none of these
 *   unknown        fewer than three epochs
 * in this order. Losses are not alike where a teacher has a part in the one of training. Without validation samples the
 * first two cannot be told. */
void mc_verdict(const struct mc_epoch_line *lines, int n, bool alike, int64_t n_samples, int64_t n_parameters,
                struct mc_record *into);

#endif
