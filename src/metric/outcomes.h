/* outcomes.h - what a model answered to each sample, kept: for figures that need all answers at once (areas under
 * curves), and for comparing two models on the same samples.
 */
#ifndef MC_METRIC_OUTCOMES_H
#define MC_METRIC_OUTCOMES_H

#include "metric/figure.h"

struct mc_rank; /* a sample in the order of its scores */

struct mc_outcomes {
    enum mc_meter_kind kind;
    int64_t width, n, capacity;
    float *scores;          /* [capacity, width]; NULL: too many to be kept */
    int64_t *labels;        /* [capacity] classes */
    float *targets;         /* [capacity, width] labels and numbers */
    int64_t *decisions;     /* [capacity] classes: what the sample was taken for */
    bool *top;              /* [capacity] classes: its own was among the highest */
    double *losses;         /* [capacity] cross-entropy, binary cross-entropy, squared error */
    struct mc_rank **ranks; /* [width], made when they are asked for */
};

/* Everything that was found out about a model over the samples of a role. */
struct mc_assessment {
    struct mc_metrics metrics;
    struct mc_meter meter; /* its totals, for single classes */
    struct mc_outcomes outcomes;
};
void mc_assessment_finish(struct mc_assessment *assessment);

/* For at most `capacity` samples. More than 2^28 scores are not kept: `scores` stays NULL and nothing is added. */
int mc_outcomes_init(struct mc_outcomes *outcomes, enum mc_meter_kind kind, int64_t width, int64_t capacity,
                     struct mc_error *err);
void mc_outcomes_finish(struct mc_outcomes *outcomes);
/* n more samples, as the functions of a meter take them. Scores of classes are logarithms of probabilities up to a
 * constant, those of labels log-odds. */
void mc_outcomes_add(struct mc_outcomes *outcomes, const float *scores, const int64_t *labels, const float *targets,
                     int64_t n);

/* Answers to all `capacity` samples, of which each process has added its share (mc_peers_share) from `n` set to where
 * that begins. */
int mc_outcomes_gather(struct mc_outcomes *outcomes, struct mc_peers *peers, struct mc_error *err);

/* Metrics of the samples as often as counts says (NULL: once each), but for auc. `meter` is one of the outcomes' kind
 * and width, and holds the totals afterwards. */
void mc_outcomes_measure(const struct mc_outcomes *outcomes, const int64_t *counts, struct mc_meter *meter,
                         struct mc_metrics *metrics);

/* Area under the receiver operating characteristic of class or label k against all others, by the probability that the
 * model gives it (ties count half); NAN if either kind of sample is missing. */
int mc_outcomes_auc(struct mc_outcomes *outcomes, int64_t k, const int64_t *counts, double *auc, struct mc_error *err);
/* Its mean over the classes or labels that have one; of two classes that of the second. NAN: none has. */
int mc_outcomes_mean_auc(struct mc_outcomes *outcomes, const int64_t *counts, double *auc, struct mc_error *err);

/* One figure of all samples (group -1), or of a class, label or target. */
int mc_outcomes_figure(struct mc_outcomes *outcomes, const struct mc_figure *figure, int64_t group,
                       const int64_t *counts, struct mc_meter *meter, double *value, struct mc_error *err);

#endif
