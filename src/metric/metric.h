/* metric.h - figures of merit from outputs and targets. */
#ifndef MC_METRIC_METRIC_H
#define MC_METRIC_METRIC_H

#include "compress/compress.h"

/* Running totals; classes > 0: classification with a confusion matrix, else regression. */
struct mc_meter {
    int64_t n_classes;
    int64_t n_samples;
    int64_t *confusion; /* [true, predicted] */
    double loss_sum;
    double squared_sum, absolute_sum; /* regression */
    double target_sum, target_squared_sum;
    int64_t n_numbers;
};

struct mc_metrics {
    int64_t n_samples;
    bool classification;
    double loss;                      /* mean */
    double accuracy;                  /* share of right answers */
    double accuracy_low, accuracy_high; /* 95 % Wilson score interval (Wilson 1927) */
    double precision, recall, f1;     /* macro averages; a class with no prediction has precision 0 */
    double mse, mae, r2;              /* regression */
};

int mc_meter_init(struct mc_meter *meter, int64_t n_classes, struct mc_error *err);
void mc_meter_finish(struct mc_meter *meter);
void mc_meter_reset(struct mc_meter *meter);
/* scores [n, n_classes] row-major; the prediction is the first largest. A label outside is an error of the caller. */
void mc_meter_add_classes(struct mc_meter *meter, const float *scores, const int64_t *labels, int64_t n);
void mc_meter_add_numbers(struct mc_meter *meter, const float *outputs, const float *targets, int64_t n, int64_t width);
void mc_meter_add_loss(struct mc_meter *meter, double loss_sum);
void mc_meter_result(const struct mc_meter *meter, struct mc_metrics *metrics);
/* Wilson score interval of k successes in n at z = 1.959964. */
void mc_wilson(int64_t k, int64_t n, double *low, double *high);

#endif
