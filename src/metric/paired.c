/* paired.c - two models on the same samples; see paired.h. */
#include "metric/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"

int mc_paired_check(const struct mc_outcomes *a, const struct mc_outcomes *b, struct mc_error *err)
{
    if (!a->scores || !b->scores)
        return mc_error_set(err, MC_ERR_USAGE, "the models' answers are too many to be kept and compared");
    bool same = a->kind == b->kind && a->width == b->width && a->n == b->n;
    if (same && a->kind == MC_METER_CLASSES)
        same = memcmp(a->labels, b->labels, (size_t)a->n * sizeof *a->labels) == 0;
    else if (same)
        same = memcmp(a->targets, b->targets, (size_t)(a->n * a->width) * sizeof *a->targets) == 0;
    return same ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "the models were not asked about the same samples");
}

/* --- right and wrong --- */

static bool labels_agree(const float *a, const float *b, int64_t L)
{
    for (int64_t k = 0; k < L; k++)
        if ((a[k] > 0) != (b[k] > 0)) return false;
    return true;
}

static bool is_right(const struct mc_outcomes *o, int64_t i)
{
    const int64_t L = o->width;
    if (o->kind == MC_METER_CLASSES) return o->decisions[i] == o->labels[i];
    for (int64_t k = 0; k < L; k++)
        if ((o->scores[i * L + k] > 0) != (o->targets[i * L + k] >= 0.5F)) return false;
    return true;
}

double mc_paired_agreement(const struct mc_outcomes *a, const struct mc_outcomes *b)
{
    const int64_t L = a->width;
    int64_t same = 0;
    if (a->kind == MC_METER_NUMBERS || a->n == 0) return NAN;
    for (int64_t i = 0; i < a->n; i++)
        same += a->kind == MC_METER_CLASSES ? a->decisions[i] == b->decisions[i]
                                            : labels_agree(a->scores + i * L, b->scores + i * L, L);
    return (double)same / (double)a->n;
}

/* Logarithm of the probability of k heads in n throws of a fair coin. */
static double log_fair(int64_t k, int64_t n)
{
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) - (double)n * log(2);
}

void mc_mcnemar_test(struct mc_mcnemar *m)
{
    const int64_t n = m->only_first + m->only_second;
    const int64_t fewer = m->only_first < m->only_second ? m->only_first : m->only_second;
    double below = 0;
    for (int64_t k = 0; k < fewer; k++) below += exp(log_fair(k, n));
    const double at = exp(log_fair(fewer, n)), even = 2 * fewer == n;
    m->p_exact = even > 0 ? 1 : fmin(1, 2 * (below + at));
    m->p_mid = even > 0 ? 1 : fmin(1, 2 * below + at);
}

void mc_mcnemar(struct mc_mcnemar *m, const struct mc_outcomes *a, const struct mc_outcomes *b)
{
    *m = (struct mc_mcnemar){0};
    for (int64_t i = 0; i < a->n; i++) {
        const bool x = is_right(a, i), y = is_right(b, i);
        m->both += x && y;
        m->only_first += x && !y;
        m->only_second += !x && y;
        m->neither += !x && !y;
    }
    mc_mcnemar_test(m);
}

/* --- intervals --- */

/* The z that a normal variable stays below with probability p, by halving: exact enough, and no table. */
static double normal_quantile(double p)
{
    double low = -40, high = 40;
    for (int i = 0; i < 200; i++) {
        const double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/* Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
 * Statistics in Medicine 17 (1998), equations 4 to 6: how many standard deviations the observed difference lies above
 * `d`, under the likeliest shares of which d is the difference. */
static double score_of(double d, double n, double only_second, double only_first)
{
    const double A = 2 * n, B = -only_second - only_first + (2 * n - only_second + only_first) * d;
    const double C = -only_first * d * (1 - d), root = B * B - 4 * A * C;
    const double q = (sqrt(root > 0 ? root : 0) - B) / (2 * A), variance = n * (2 * q + d * (1 - d));
    const double above = only_second - only_first - n * d;
    if (variance <= 0) return above > 0 ? INFINITY : above < 0 ? -INFINITY : 0;
    return above / sqrt(variance);
}

/* The d at which the score is z; it falls as d grows. */
static double solve(double z, double n, double only_second, double only_first)
{
    double low = -1, high = 1;
    for (int i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (score_of(middle, n, only_second, only_first) > z)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

void mc_paired_shares(const struct mc_mcnemar *m, double confidence, struct mc_interval *interval)
{
    const double n = (double)(m->both + m->only_first + m->only_second + m->neither);
    const double z = normal_quantile(1 - (1 - confidence) / 2);
    *interval = (struct mc_interval){.low = -1, .high = 1};
    if (n == 0) return;
    interval->difference = (double)(m->only_second - m->only_first) / n;
    interval->low = solve(z, n, (double)m->only_second, (double)m->only_first);
    interval->high = solve(-z, n, (double)m->only_second, (double)m->only_first);
}

/* --- bootstrap --- */

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest of n sorted numbers, as NumPy's default. */
static double quantile(const double *sorted, int n, double p)
{
    const double at = p * (n - 1);
    const int below = (int)at;
    return below + 1 < n ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[n - 1];
}

static int difference(struct mc_outcomes *a, struct mc_outcomes *b, const struct mc_figure *figure, int64_t group,
                      const int64_t *counts, struct mc_meter *meter, double *out, struct mc_error *err)
{
    double x, y;
    int rc = mc_outcomes_figure(a, figure, group, counts, meter, &x, err);
    if (rc == MC_OK) rc = mc_outcomes_figure(b, figure, group, counts, meter, &y, err);
    if (rc == MC_OK) *out = y - x;
    return rc;
}

static int draw_all(struct mc_outcomes *a, struct mc_outcomes *b, const struct mc_figure *figure, int64_t group,
                    int n_draws, uint64_t seed, struct mc_meter *meter, int64_t *counts, double *draws, int *used,
                    struct mc_error *err)
{
    int rc = MC_OK;
    *used = 0;
    for (int r = 0; rc == MC_OK && r < n_draws; r++) {
        struct mc_rng rng;
        mc_rng_init(&rng, seed, mc_hash("bootstrap") + (uint64_t)r);
        memset(counts, 0, (size_t)a->n * sizeof *counts);
        for (int64_t i = 0; i < a->n; i++) counts[mc_rng_below(&rng, (uint64_t)a->n)]++;
        rc = difference(a, b, figure, group, counts, meter, &draws[*used], err);
        if (rc == MC_OK && !isnan(draws[*used])) ++*used;
    }
    return rc;
}

int mc_paired_bootstrap(struct mc_outcomes *a, struct mc_outcomes *b, const struct mc_figure *figure, int64_t group,
                        int n_draws, uint64_t seed, double confidence, struct mc_interval *interval,
                        struct mc_error *err)
{
    struct mc_meter meter = {0};
    int64_t *counts = MC_NEW_ARRAY(int64_t, a->n);
    double *draws = MC_NEW_ARRAY(double, n_draws);
    int used = 0, rc = counts && draws ? MC_OK : mc_error_memory(err);
    *interval = (struct mc_interval){NAN, NAN, NAN};
    if (rc == MC_OK) rc = mc_paired_check(a, b, err);
    if (rc == MC_OK) rc = mc_meter_init(&meter, a->kind, a->width, err);
    if (rc == MC_OK && a->n > 0) rc = difference(a, b, figure, group, NULL, &meter, &interval->difference, err);
    if (rc == MC_OK && a->n > 0 && !isnan(interval->difference))
        rc = draw_all(a, b, figure, group, n_draws, seed, &meter, counts, draws, &used, err);
    if (rc == MC_OK && used > 0) {
        qsort(draws, (size_t)used, sizeof *draws, compare_numbers);
        interval->low = quantile(draws, used, (1 - confidence) / 2);
        interval->high = quantile(draws, used, 1 - (1 - confidence) / 2);
    }
    mc_meter_finish(&meter);
    mc_free(draws);
    mc_free(counts);
    return rc;
}
