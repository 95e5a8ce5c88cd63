/* outcomes.c - answers that are kept; see outcomes.h. */
#include "metric/outcomes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/peers.h"

#define MOST_SCORES (INT64_C(1) << 28)

int mc_outcomes_init(struct mc_outcomes *o, enum mc_meter_kind kind, int64_t width, int64_t capacity,
                     struct mc_error *err)
{
    int64_t count;
    *o = (struct mc_outcomes){.kind = kind, .width = width, .capacity = capacity};
    if (!mc_mul_i64(width, capacity, &count) || count > MOST_SCORES) return MC_OK;
    const bool classes = kind == MC_METER_CLASSES;
    o->scores = MC_NEW_ARRAY(float, count);
    o->labels = MC_NEW_ARRAY(int64_t, classes ? capacity : 0);
    o->targets = MC_NEW_ARRAY(float, classes ? 0 : count);
    o->decisions = MC_NEW_ARRAY(int64_t, classes ? capacity : 0);
    o->top = MC_NEW_ARRAY(bool, classes ? capacity : 0);
    o->losses = MC_NEW_ARRAY(double, capacity);
    o->ranks = MC_NEW_ARRAY(struct mc_rank *, width);
    const bool whole = o->scores && o->labels && o->targets && o->decisions && o->top && o->losses && o->ranks;
    return whole ? MC_OK : mc_error_memory(err);
}

void mc_outcomes_finish(struct mc_outcomes *o)
{
    mc_free(o->scores);
    mc_free(o->labels);
    mc_free(o->targets);
    mc_free(o->decisions);
    mc_free(o->top);
    mc_free(o->losses);
    for (int64_t k = 0; o->ranks && k < o->width; k++) mc_free(o->ranks[k]);
    mc_free(o->ranks);
    *o = (struct mc_outcomes){0};
}

void mc_assessment_finish(struct mc_assessment *a)
{
    mc_meter_finish(&a->meter);
    mc_outcomes_finish(&a->outcomes);
}

/* --- losses and probabilities of a row --- */

/* ln of the sum of exp of a row, and its largest. */
static double log_sum_exp(const float *row, int64_t K)
{
    double largest = row[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        if (row[k] > largest) largest = row[k];
    for (int64_t k = 0; k < K; k++) sum += exp(row[k] - largest);
    return largest + log(sum);
}

static double loss_of(const struct mc_outcomes *o, const float *row, int64_t label, const float *target)
{
    double sum = 0;
    if (o->kind == MC_METER_CLASSES) return log_sum_exp(row, o->width) - row[label];
    for (int64_t k = 0; k < o->width; k++) {
        const double z = row[k], t = target[k];
        sum += o->kind == MC_METER_LABELS ? (z > 0 ? z : 0) - z * t + log1p(exp(-fabs(z))) : (z - t) * (z - t);
    }
    return sum / (double)o->width;
}

void mc_outcomes_add(struct mc_outcomes *o, const float *scores, const int64_t *labels, const float *targets, int64_t n)
{
    const int64_t K = o->width;
    if (!o->scores) return;
    memcpy(o->scores + o->n * K, scores, (size_t)(n * K) * sizeof *scores);
    for (int64_t i = 0; i < n; i++, o->n++) {
        if (o->kind == MC_METER_CLASSES) {
            o->labels[o->n] = labels[i];
            o->decisions[o->n] = mc_first_largest(scores + i * K, K);
            o->top[o->n] = mc_is_among_top(scores + i * K, K, labels[i]);
        } else {
            memcpy(o->targets + o->n * K, targets + i * K, (size_t)K * sizeof *targets);
        }
        o->losses[o->n] = loss_of(o, scores + i * K, labels ? labels[i] : 0, targets ? targets + i * K : NULL);
    }
}

int mc_outcomes_gather(struct mc_outcomes *o, struct mc_peers *peers, struct mc_error *err)
{
    const size_t row = (size_t)o->width * sizeof(float);
    const bool classes = o->kind == MC_METER_CLASSES;
    if (!peers || !o->scores) return MC_OK;
    int rc = mc_peers_gather(peers, o->scores, o->capacity, row, err);
    if (rc == MC_OK) rc = mc_peers_gather(peers, o->losses, o->capacity, sizeof *o->losses, err);
    if (rc == MC_OK && !classes) rc = mc_peers_gather(peers, o->targets, o->capacity, row, err);
    if (rc == MC_OK && classes) rc = mc_peers_gather(peers, o->labels, o->capacity, sizeof *o->labels, err);
    if (rc == MC_OK && classes) rc = mc_peers_gather(peers, o->decisions, o->capacity, sizeof *o->decisions, err);
    if (rc == MC_OK && classes) rc = mc_peers_gather(peers, o->top, o->capacity, sizeof *o->top, err);
    o->n = o->capacity;
    return rc;
}

/* --- areas --- */

struct mc_rank {
    double score;
    int64_t sample;
};

static int compare_ranks(const void *a, const void *b)
{
    const double x = ((const struct mc_rank *)a)->score, y = ((const struct mc_rank *)b)->score;
    return (x > y) - (x < y);
}

/* What samples are ranked by: the logarithm of the probability of class k; of two classes, and of labels, the log-odds.
 */
static double rank_score(const struct mc_outcomes *o, int64_t i, int64_t k)
{
    const float *row = o->scores + i * o->width;
    if (o->kind == MC_METER_LABELS) return row[k];
    if (o->width == 2) return (double)row[k] - row[1 - k];
    return row[k] - log_sum_exp(row, o->width);
}

/* What is no number counts as the lowest. */
static int rank(struct mc_outcomes *o, int64_t k, struct mc_error *err)
{
    struct mc_rank *ranks = MC_NEW_ARRAY(struct mc_rank, o->n);
    if (!ranks) return mc_error_memory(err);
    for (int64_t i = 0; i < o->n; i++) {
        const double score = rank_score(o, i, k);
        ranks[i] = (struct mc_rank){isnan(score) ? -INFINITY : score, i};
    }
    qsort(ranks, (size_t)o->n, sizeof *ranks, compare_ranks);
    o->ranks[k] = ranks;
    return MC_OK;
}

static bool is_positive(const struct mc_outcomes *o, int64_t i, int64_t k)
{
    return o->kind == MC_METER_CLASSES ? o->labels[i] == k : o->targets[i * o->width + k] >= 0.5F;
}

/* The share of pairs of a positive and a negative sample in which the positive one is ranked higher. */
static double area_of(const struct mc_outcomes *o, int64_t k, const int64_t *counts)
{
    const struct mc_rank *ranks = o->ranks[k];
    double positives = 0, negatives = 0, area = 0;
    for (int64_t i = 0; i < o->n;) {
        double p = 0, q = 0;
        const double score = ranks[i].score;
        for (; i < o->n && ranks[i].score == score; i++) {
            const double count = counts ? (double)counts[ranks[i].sample] : 1;
            if (is_positive(o, ranks[i].sample, k))
                p += count;
            else
                q += count;
        }
        area += p * (negatives + q / 2);
        positives += p;
        negatives += q;
    }
    return positives > 0 && negatives > 0 ? area / (positives * negatives) : NAN;
}

int mc_outcomes_auc(struct mc_outcomes *o, int64_t k, const int64_t *counts, double *auc, struct mc_error *err)
{
    const int rc = o->ranks[k] ? MC_OK : rank(o, k, err);
    if (rc == MC_OK) *auc = area_of(o, k, counts);
    return rc;
}

int mc_outcomes_mean_auc(struct mc_outcomes *o, const int64_t *counts, double *auc, struct mc_error *err)
{
    double sum = 0;
    int64_t n = 0;
    *auc = NAN;
    if (o->kind == MC_METER_CLASSES && o->width == 2) return mc_outcomes_auc(o, 1, counts, auc, err);
    for (int64_t k = 0; k < o->width; k++) {
        double one;
        const int rc = mc_outcomes_auc(o, k, counts, &one, err);
        if (rc < 0) return rc;
        if (isnan(one)) continue;
        sum += one;
        n++;
    }
    if (n > 0) *auc = sum / (double)n;
    return MC_OK;
}

/* --- everything else --- */

void mc_outcomes_measure(const struct mc_outcomes *o, const int64_t *counts, struct mc_meter *meter,
                         struct mc_metrics *metrics)
{
    mc_meter_reset(meter);
    if (o->kind == MC_METER_CLASSES)
        mc_meter_add_decisions(meter, o->labels, o->decisions, o->top, counts, o->n);
    else if (o->kind == MC_METER_LABELS)
        mc_meter_add_labels(meter, o->scores, o->targets, counts, o->n);
    else
        mc_meter_add_numbers(meter, o->scores, o->targets, counts, o->n);
    for (int64_t i = 0; i < o->n; i++) mc_meter_add_loss(meter, o->losses[i] * (counts ? (double)counts[i] : 1));
    mc_meter_result(meter, metrics);
}

int mc_outcomes_figure(struct mc_outcomes *o, const struct mc_figure *figure, int64_t group, const int64_t *counts,
                       struct mc_meter *meter, double *value, struct mc_error *err)
{
    struct mc_metrics metrics;
    struct mc_group_metrics of_group;
    if (figure->of_ranks)
        return group < 0 ? mc_outcomes_mean_auc(o, counts, value, err) : mc_outcomes_auc(o, group, counts, value, err);
    mc_outcomes_measure(o, counts, meter, &metrics);
    if (group >= 0) mc_meter_group(meter, group, &of_group);
    *value = group < 0 ? mc_figure_whole(figure, &metrics) : mc_figure_group(figure, &of_group);
    return MC_OK;
}
