/* metric.h - figures of merit from outputs and targets. */
#ifndef MC_METRIC_METRIC_H
#define MC_METRIC_METRIC_H

#include "compress/compress.h"

/* Running totals; n_classes > 0: classification with a confusion matrix, else regression. */
struct mc_meter {
    int64_t n_classes;
    int64_t n_samples;
    int64_t *confusion; /* [true, predicted] */
    double loss_sum;
    /* regression; targets are summed about the first of them, so that a large mean costs r2 no digits */
    double squared_sum, absolute_sum;
    double target_origin, target_sum, target_squared_sum;
    int64_t n_numbers;
};

struct mc_metrics {
    int64_t n_samples;
    bool classification;
    double loss;                        /* mean */
    double accuracy;                    /* share of right answers */
    double accuracy_low, accuracy_high; /* 95 % Wilson score interval (Wilson 1927) */
    double precision, recall, f1;       /* means over the classes that occur among targets or predictions; what has no
                                         * denominator (precision of a class never predicted) is 0 */
    double mse, mae, r2;                /* regression, over all numbers of all targets; r2 of constant targets is 0 */
};

/* Refuses more than 65536 classes (MC_ERR_USAGE): the matrix would be larger than any model. */
int mc_meter_init(struct mc_meter *meter, int64_t n_classes, struct mc_error *err);
void mc_meter_finish(struct mc_meter *meter);
void mc_meter_reset(struct mc_meter *meter);
/* scores [n, n_classes] row-major; the prediction is the first largest, or the first NaN. A label outside is an error
 * of the caller. */
void mc_meter_add_classes(struct mc_meter *meter, const float *scores, const int64_t *labels, int64_t n);
/* outputs and targets [n, width]. */
void mc_meter_add_numbers(struct mc_meter *meter, const float *outputs, const float *targets, int64_t n, int64_t width);
/* Loss summed over samples that are, were or will be added; the result is its mean. */
void mc_meter_add_loss(struct mc_meter *meter, double loss_sum);
/* All zero before the first sample. */
void mc_meter_result(const struct mc_meter *meter, struct mc_metrics *metrics);
/* Wilson score interval of k successes in n at z = 1.959964. */
void mc_wilson(int64_t k, int64_t n, double *low, double *high);

#endif
