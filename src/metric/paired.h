/* paired.h - two models on the same samples: is the one better than the other, or no worse by more than so much?
 *
 * Differences are those of the second model from the first, second - first.
 */
#ifndef MC_METRIC_PAIRED_H
#define MC_METRIC_PAIRED_H

#include "metric/outcomes.h"

/* Which of two models had each sample right, and how likely so uneven a split of those that one alone had right would
 * be if it were due to chance (McNemar 1947): exactly, by the binomial distribution, and mid-p, which counts the split
 * itself half and is less conservative (Fagerland, Lydersen, Laake 2013). Both two-sided. */
struct mc_mcnemar {
    int64_t both, only_first, only_second, neither;
    double p_exact, p_mid;
};
void mc_mcnemar(struct mc_mcnemar *result, const struct mc_outcomes *first, const struct mc_outcomes *second);
void mc_mcnemar_test(struct mc_mcnemar *result); /* p from the four counts */

struct mc_interval {
    double difference, low, high;
};

/* Difference of two shares of right answers, with the score interval for paired samples (Tango 1998). `confidence`: of
 * the two-sided interval, (0, 1). */
void mc_paired_shares(const struct mc_mcnemar *counts, double confidence, struct mc_interval *interval);

/* Difference of any figure, with the percentile interval of `n_draws` bootstrap samples (Efron 1979): samples drawn
 * with replacement, the same ones for both models, from streams of `seed`. Draws in which the figure is not defined are
 * left out; NAN where it is not for the samples themselves. MC_ERR_USAGE if outcomes were not kept or are not of the
 * same samples. */
int mc_paired_bootstrap(struct mc_outcomes *first, struct mc_outcomes *second, const struct mc_figure *figure,
                        int64_t group, int n_draws, uint64_t seed, double confidence, struct mc_interval *interval,
                        struct mc_error *err);

/* Share of samples to which both give the same answer: the class, or all labels. NAN for numbers. */
double mc_paired_agreement(const struct mc_outcomes *first, const struct mc_outcomes *second);

/* Are they answers to the same samples, so that they can be compared? MC_ERR_USAGE. */
int mc_paired_check(const struct mc_outcomes *first, const struct mc_outcomes *second, struct mc_error *err);

#endif
