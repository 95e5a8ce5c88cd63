/* metric.c - running totals and what they come to; see metric.h. */
#include "metric/metric.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/peers.h"

enum { MAX_WIDTH = 65536 };

int mc_meter_init(struct mc_meter *meter, enum mc_meter_kind kind, int64_t width, struct mc_error *err)
{
    static const char *const names[] = {"classes", "labels", "numbers a sample"};
    *meter = (struct mc_meter){.kind = kind};
    if (width < 0 || width > MAX_WIDTH)
        return mc_error_set(err, MC_ERR_USAGE, "%lld %s: at most %d can be measured", (long long)width, names[kind],
                            MAX_WIDTH);
    meter->width = width;
    const bool classes = kind == MC_METER_CLASSES, labels = kind == MC_METER_LABELS;
    meter->confusion = MC_NEW_ARRAY(int64_t, classes ? width * width : 0);
    meter->actual = MC_NEW_ARRAY(int64_t, labels ? 3 * width : 0);
    meter->sums = MC_NEW_ARRAY(struct mc_meter_sums, kind == MC_METER_NUMBERS ? width : 0);
    if (!meter->confusion || !meter->actual || !meter->sums) return mc_error_memory(err);
    meter->predicted = meter->actual + (labels ? width : 0);
    meter->hits = meter->predicted + (labels ? width : 0);
    return MC_OK;
}

void mc_meter_finish(struct mc_meter *meter)
{
    mc_free(meter->confusion);
    mc_free(meter->actual);
    mc_free(meter->sums);
    *meter = (struct mc_meter){0};
}

void mc_meter_reset(struct mc_meter *meter)
{
    const size_t width = (size_t)meter->width;
    meter->n_samples = meter->n_top = meter->n_exact = 0;
    meter->loss_sum = 0;
    if (meter->kind == MC_METER_CLASSES) memset(meter->confusion, 0, width * width * sizeof *meter->confusion);
    if (meter->kind == MC_METER_LABELS) memset(meter->actual, 0, 3 * width * sizeof *meter->actual);
    if (meter->kind == MC_METER_NUMBERS) memset(meter->sums, 0, width * sizeof *meter->sums);
}

/* --- adding --- */

int64_t mc_first_largest(const float *scores, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(scores[i])) return i;
        if (scores[i] > scores[best]) best = i;
    }
    return best;
}

bool mc_is_among_top(const float *scores, int64_t n, int64_t k)
{
    int above = 0;
    for (int64_t i = 0; i < n && above < MC_TOP; i++)
        above += i != k && (scores[i] > scores[k] || (scores[i] == scores[k] && i < k) || isnan(scores[k]));
    return above < MC_TOP;
}

void mc_meter_add_decisions(struct mc_meter *meter, const int64_t *labels, const int64_t *decisions, const bool *top,
                            const int64_t *counts, int64_t n)
{
    assert(meter->kind == MC_METER_CLASSES);
    for (int64_t i = 0; i < n; i++) {
        const int64_t count = counts ? counts[i] : 1;
        assert(labels[i] >= 0 && labels[i] < meter->width);
        meter->confusion[labels[i] * meter->width + decisions[i]] += count;
        meter->n_top += top[i] ? count : 0;
        meter->n_samples += count;
    }
}

void mc_meter_add_classes(struct mc_meter *meter, const float *scores, const int64_t *labels, const int64_t *counts,
                          int64_t n)
{
    const int64_t K = meter->width;
    for (int64_t i = 0; i < n; i++) {
        const float *row = scores + i * K;
        const int64_t decision = mc_first_largest(row, K);
        const bool top = mc_is_among_top(row, K, labels[i]);
        mc_meter_add_decisions(meter, labels + i, &decision, &top, counts ? counts + i : NULL, 1);
    }
}

void mc_meter_add_labels(struct mc_meter *meter, const float *scores, const float *targets, const int64_t *counts,
                         int64_t n)
{
    const int64_t L = meter->width;
    assert(meter->kind == MC_METER_LABELS);
    for (int64_t i = 0; i < n; i++) {
        const int64_t count = counts ? counts[i] : 1;
        bool exact = true;
        for (int64_t k = 0; k < L; k++) {
            const bool is = targets[i * L + k] >= 0.5F, said = scores[i * L + k] > 0;
            meter->actual[k] += is ? count : 0;
            meter->predicted[k] += said ? count : 0;
            meter->hits[k] += is && said ? count : 0;
            exact = exact && is == said;
        }
        meter->n_exact += exact ? count : 0;
        meter->n_samples += count;
    }
}

void mc_meter_add_numbers(struct mc_meter *meter, const float *outputs, const float *targets, const int64_t *counts,
                          int64_t n)
{
    const int64_t T = meter->width;
    assert(meter->kind == MC_METER_NUMBERS);
    for (int64_t i = 0; i < n; i++) {
        const double count = counts ? (double)counts[i] : 1;
        for (int64_t k = 0; k < T; k++) {
            struct mc_meter_sums *s = &meter->sums[k];
            if (meter->n_samples == 0) s->origin = targets[i * T + k];
            const double error = (double)outputs[i * T + k] - targets[i * T + k];
            const double target = targets[i * T + k] - s->origin;
            s->squared += count * error * error;
            s->absolute += count * fabs(error);
            s->target += count * target;
            s->target_squared += count * target * target;
        }
        meter->n_samples += counts ? counts[i] : 1;
    }
}

void mc_meter_add_loss(struct mc_meter *meter, double loss_sum)
{
    meter->loss_sum += loss_sum;
}

/* --- over processes --- */

static int sum_integers(int64_t *values, size_t n, struct mc_peers *peers, struct mc_error *err)
{
    double *exact = MC_NEW_ARRAY(double, n); /* up to 2^53 */
    int rc = mc_peers_agree(peers, exact ? MC_OK : mc_error_memory(err), err);
    for (size_t i = 0; rc == MC_OK && i < n; i++) exact[i] = (double)values[i];
    if (rc == MC_OK) rc = mc_peers_sum_doubles(peers, exact, n, err);
    for (size_t i = 0; rc == MC_OK && i < n; i++) values[i] = (int64_t)exact[i];
    mc_free(exact);
    return rc;
}

/* About the origin of the process of rank 0 instead of one's own. */
static void move_origin(struct mc_meter_sums *s, double n, double origin)
{
    const double shift = s->origin - origin;
    s->target_squared += shift * (2 * s->target + shift * n);
    s->target += shift * n;
    s->origin = origin;
}

static int sum_numbers(struct mc_meter *meter, struct mc_peers *peers, struct mc_error *err)
{
    for (int64_t k = 0; k < meter->width; k++) {
        struct mc_meter_sums *s = &meter->sums[k];
        double origin = s->origin;
        int rc = mc_peers_send(peers, &origin, sizeof origin, err);
        if (rc < 0) return rc;
        move_origin(s, (double)meter->n_samples, origin);
        double sums[] = {s->target, s->target_squared, s->squared, s->absolute};
        rc = mc_peers_sum_doubles(peers, sums, MC_COUNT(sums), err);
        if (rc < 0) return rc;
        *s = (struct mc_meter_sums){origin, sums[0], sums[1], sums[2], sums[3]};
    }
    return MC_OK;
}

int mc_meter_gather(struct mc_meter *meter, struct mc_peers *peers, struct mc_error *err)
{
    const size_t width = (size_t)meter->width;
    int64_t counts[] = {meter->n_samples, meter->n_top, meter->n_exact};
    if (!peers) return MC_OK;
    int rc = MC_OK;
    if (meter->kind == MC_METER_CLASSES) rc = sum_integers(meter->confusion, width * width, peers, err);
    if (meter->kind == MC_METER_LABELS) rc = sum_integers(meter->actual, 3 * width, peers, err);
    if (meter->kind == MC_METER_NUMBERS) rc = sum_numbers(meter, peers, err);
    if (rc == MC_OK) rc = sum_integers(counts, MC_COUNT(counts), peers, err);
    if (rc == MC_OK) rc = mc_peers_sum_doubles(peers, &meter->loss_sum, 1, err);
    meter->n_samples = counts[0];
    meter->n_top = counts[1];
    meter->n_exact = counts[2];
    return rc;
}

/* --- results --- */

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

struct decisions {
    int64_t actual, predicted, hits;
};

/* Of a class or label: how often it is there, how often it is predicted, how often both. */
static struct decisions decisions_of(const struct mc_meter *meter, int64_t k)
{
    const int64_t K = meter->width;
    if (meter->kind == MC_METER_LABELS)
        return (struct decisions){meter->actual[k], meter->predicted[k], meter->hits[k]};
    struct decisions d = {.hits = meter->confusion[k * K + k]};
    for (int64_t j = 0; j < K; j++) {
        d.actual += meter->confusion[k * K + j];
        d.predicted += meter->confusion[j * K + k];
    }
    return d;
}

static double precision_of(const struct decisions *d)
{
    return ratio((double)d->hits, (double)d->predicted);
}

static double recall_of(const struct decisions *d)
{
    return ratio((double)d->hits, (double)d->actual);
}

static double f1_of(const struct decisions *d) /* the harmonic mean of the two */
{
    return ratio(2 * (double)d->hits, (double)(d->actual + d->predicted));
}

static void average(const struct mc_meter *meter, double (*of)(const struct decisions *), struct mc_averages *a)
{
    struct decisions all = {0};
    int64_t n_present = 0;
    double sum = 0, weighted = 0;
    for (int64_t k = 0; k < meter->width; k++) {
        const struct decisions d = decisions_of(meter, k);
        /* a label that nobody has and nobody predicts is part of the question all the same */
        n_present += meter->kind == MC_METER_LABELS || d.actual + d.predicted > 0;
        sum += of(&d);
        weighted += of(&d) * (double)d.actual;
        all.actual += d.actual;
        all.predicted += d.predicted;
        all.hits += d.hits;
    }
    a->macro = ratio(sum, (double)n_present);
    a->micro = of(&all);
    a->weighted = ratio(weighted, (double)all.actual);
}

static void decision_result(const struct mc_meter *meter, struct mc_metrics *m)
{
    int64_t right = meter->n_exact;
    for (int64_t k = 0; meter->kind == MC_METER_CLASSES && k < meter->width; k++)
        right += meter->confusion[k * meter->width + k];
    m->accuracy = (double)right / (double)meter->n_samples;
    mc_wilson(right, meter->n_samples, &m->accuracy_low, &m->accuracy_high);
    if (meter->width > MC_TOP) m->top = (double)meter->n_top / (double)meter->n_samples;
    average(meter, precision_of, &m->precisions);
    average(meter, recall_of, &m->recalls);
    average(meter, f1_of, &m->f1s);
    m->precision = m->precisions.macro;
    m->recall = m->recalls.macro;
    m->f1 = m->f1s.macro;
}

static void number_group(const struct mc_meter *meter, int64_t k, struct mc_group_metrics *g)
{
    const struct mc_meter_sums *s = &meter->sums[k];
    const double n = (double)meter->n_samples, spread = s->target_squared - s->target * s->target / n;
    g->mse = s->squared / n;
    g->rmse = sqrt(g->mse);
    g->mae = s->absolute / n;
    g->r2 = spread > 0 ? 1 - s->squared / spread : 0;
}

static void number_result(const struct mc_meter *meter, struct mc_metrics *m)
{
    const double T = (double)meter->width;
    for (int64_t k = 0; k < meter->width; k++) {
        struct mc_group_metrics g;
        number_group(meter, k, &g);
        m->mse += g.mse / T;
        m->rmse += g.rmse / T;
        m->mae += g.mae / T;
        m->r2 += g.r2 / T;
    }
}

void mc_meter_result(const struct mc_meter *meter, struct mc_metrics *metrics)
{
    *metrics = (struct mc_metrics){
        .n_samples = meter->n_samples, .classification = meter->kind != MC_METER_NUMBERS, .auc = NAN};
    if (meter->n_samples == 0) return;
    metrics->loss = meter->loss_sum / (double)meter->n_samples;
    if (metrics->classification)
        decision_result(meter, metrics);
    else
        number_result(meter, metrics);
}

void mc_meter_group(const struct mc_meter *meter, int64_t k, struct mc_group_metrics *metrics)
{
    *metrics = (struct mc_group_metrics){.n_samples = meter->n_samples, .auc = NAN};
    if (meter->n_samples == 0) return;
    if (meter->kind == MC_METER_NUMBERS) {
        number_group(meter, k, metrics);
        return;
    }
    const struct decisions d = decisions_of(meter, k);
    metrics->n_samples = d.actual;
    metrics->precision = precision_of(&d);
    metrics->recall = recall_of(&d);
    metrics->f1 = f1_of(&d);
}

/* Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): the p at which
 * |k/n - p| is z standard deviations sqrt(p(1-p)/n). */
void mc_wilson(int64_t k, int64_t n, double *low, double *high)
{
    if (n <= 0) {
        *low = 0;
        *high = 1;
        return;
    }
    const double z = 1.959964, z2n = z * z / (double)n;
    const double p = (double)k / (double)n;
    const double centre = (p + z2n / 2) / (1 + z2n);
    const double half = sqrt(p * (1 - p) * z2n + z2n * z2n / 4) / (1 + z2n);
    *low = k == 0 ? 0 : centre - half; /* exact at the ends, where rounding would leave a trace */
    *high = k == n ? 1 : centre + half;
}
