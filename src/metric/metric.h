/* metric.h - figures of merit from outputs and targets.
 *
 * Of classes (one of K a sample), of labels (any of L a sample) or of numbers (T a sample). Names and definitions are
 * scikit-learn's; what has no denominator (precision of a class never predicted) is 0.
 */
#ifndef MC_METRIC_METRIC_H
#define MC_METRIC_METRIC_H

#include "compress/compress.h"

enum mc_meter_kind { MC_METER_CLASSES, MC_METER_LABELS, MC_METER_NUMBERS };

enum { MC_TOP = 5 }; /* of top-k accuracy */

/* Totals of one number of each sample; targets are summed about the first of them, so that a large mean costs r2 no
 * digits. */
struct mc_meter_sums {
    double origin, target, target_squared, squared, absolute;
};

/* Running totals. */
struct mc_meter {
    enum mc_meter_kind kind;
    int64_t width; /* classes, labels, or numbers a sample */
    int64_t n_samples;
    double loss_sum;
    int64_t *confusion;                 /* classes: [true, predicted] */
    int64_t n_top;                      /* classes: samples whose class is among the MC_TOP highest scores */
    int64_t *actual, *predicted, *hits; /* labels: [width] each */
    int64_t n_exact;                    /* labels: samples with every label right */
    struct mc_meter_sums *sums;         /* numbers: [width] */
};

/* Means over classes or labels: of all that occur among targets or predictions alike (macro), by how often each occurs
 * (weighted), or of all decisions in one pot (micro). */
struct mc_averages {
    double macro, micro, weighted;
};

struct mc_metrics {
    int64_t n_samples;
    bool classification;                /* classes or labels */
    double loss;                        /* mean */
    double accuracy;                    /* share of right answers; of labels: of samples with every label right */
    double accuracy_low, accuracy_high; /* 95 % Wilson score interval (Wilson 1927) */
    double top;                         /* classes, more than MC_TOP: share with the right one among the highest */
    double precision, recall, f1;       /* macro averages */
    struct mc_averages precisions, recalls, f1s;
    double auc; /* mean area under the ROC curve, where outcomes were kept (outcomes.h); NAN: not known */
    double mse, rmse, mae, r2; /* numbers: means over the targets; r2 of constant targets is 0 */
};

/* The same of one class, label or target. */
struct mc_group_metrics {
    int64_t n_samples; /* that have the class or label */
    double precision, recall, f1, auc;
    double mse, rmse, mae, r2;
};

/* Refuses more than 65536 classes, labels or numbers (MC_ERR_USAGE): the matrix would be larger than any model. */
int mc_meter_init(struct mc_meter *meter, enum mc_meter_kind kind, int64_t width, struct mc_error *err);
void mc_meter_finish(struct mc_meter *meter);
void mc_meter_reset(struct mc_meter *meter);

/* Each counts sample i counts[i] times; NULL: once. */
/* scores [n, width] row-major; the prediction is the first largest, or the first NaN. A label outside is an error of
 * the caller. */
void mc_meter_add_classes(struct mc_meter *meter, const float *scores, const int64_t *labels, const int64_t *counts,
                          int64_t n);
/* scores [n, width], a label is predicted above 0; targets [n, width], a label is there from 0.5 on. */
void mc_meter_add_labels(struct mc_meter *meter, const float *scores, const float *targets, const int64_t *counts,
                         int64_t n);
/* outputs and targets [n, width]. */
void mc_meter_add_numbers(struct mc_meter *meter, const float *outputs, const float *targets, const int64_t *counts,
                          int64_t n);
/* Loss summed over samples that are, were or will be added; the result is its mean. */
void mc_meter_add_loss(struct mc_meter *meter, double loss_sum);

/* Totals of the samples of all processes, each of which has added its own. */
int mc_meter_gather(struct mc_meter *meter, struct mc_peers *peers, struct mc_error *err);

/* All zero before the first sample. */
void mc_meter_result(const struct mc_meter *meter, struct mc_metrics *metrics);
void mc_meter_group(const struct mc_meter *meter, int64_t k, struct mc_group_metrics *metrics);

/* The same from what was found out before: the class that each sample was taken for, and whether its own was among the
 * highest. */
void mc_meter_add_decisions(struct mc_meter *meter, const int64_t *labels, const int64_t *decisions, const bool *top,
                            const int64_t *counts, int64_t n);

/* Is class k among the MC_TOP highest scores? Of equal ones the first counts as the higher. */
bool mc_is_among_top(const float *scores, int64_t n, int64_t k);
/* The class that scores say: the first largest, or the first NaN. */
int64_t mc_first_largest(const float *scores, int64_t n);

/* Wilson score interval of k successes in n at z = 1.959964. */
void mc_wilson(int64_t k, int64_t n, double *low, double *high);

#endif
