/* metric.c - running totals and what they come to; see metric.h. */
#include "metric/metric.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MAX_CLASSES = 65536 };

int mc_meter_init(struct mc_meter *meter, int64_t n_classes, struct mc_error *err)
{
    memset(meter, 0, sizeof *meter);
    if (n_classes < 0 || n_classes > MAX_CLASSES)
        return mc_error_set(err, MC_ERR_USAGE, "%lld classes: at most %d can be measured", (long long)n_classes,
                            MAX_CLASSES);
    meter->n_classes = n_classes;
    meter->confusion = MC_NEW_ARRAY(int64_t, n_classes * n_classes);
    return meter->confusion ? MC_OK : mc_error_memory(err);
}

void mc_meter_finish(struct mc_meter *meter)
{
    mc_free(meter->confusion);
    memset(meter, 0, sizeof *meter);
}

void mc_meter_reset(struct mc_meter *meter)
{
    int64_t *confusion = meter->confusion;
    const int64_t n_classes = meter->n_classes;
    memset(confusion, 0, (size_t)(n_classes * n_classes) * sizeof *confusion);
    *meter = (struct mc_meter){.n_classes = n_classes, .confusion = confusion};
}

static int64_t first_largest(const float *scores, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(scores[i])) return i;
        if (scores[i] > scores[best]) best = i;
    }
    return best;
}

void mc_meter_add_classes(struct mc_meter *meter, const float *scores, const int64_t *labels, int64_t n)
{
    const int64_t K = meter->n_classes;
    for (int64_t i = 0; i < n; i++) {
        assert(labels[i] >= 0 && labels[i] < K);
        meter->confusion[labels[i] * K + first_largest(scores + i * K, K)]++;
    }
    meter->n_samples += n;
}

void mc_meter_add_numbers(struct mc_meter *meter, const float *outputs, const float *targets, int64_t n, int64_t width)
{
    const int64_t count = n * width;
    if (meter->n_numbers == 0 && count > 0) meter->target_origin = targets[0];
    for (int64_t i = 0; i < count; i++) {
        const double error = (double)outputs[i] - targets[i];
        const double target = targets[i] - meter->target_origin;
        meter->squared_sum += error * error;
        meter->absolute_sum += fabs(error);
        meter->target_sum += target;
        meter->target_squared_sum += target * target;
    }
    meter->n_samples += n;
    meter->n_numbers += count;
}

void mc_meter_add_loss(struct mc_meter *meter, double loss_sum)
{
    meter->loss_sum += loss_sum;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void classification_result(const struct mc_meter *meter, struct mc_metrics *metrics)
{
    const int64_t K = meter->n_classes;
    int64_t right = 0, n_present = 0;
    double precision = 0, recall = 0, f1 = 0;
    for (int64_t k = 0; k < K; k++) {
        int64_t actual = 0, predicted = 0;
        for (int64_t j = 0; j < K; j++) {
            actual += meter->confusion[k * K + j];
            predicted += meter->confusion[j * K + k];
        }
        const int64_t hits = meter->confusion[k * K + k];
        right += hits;
        n_present += actual + predicted > 0;
        precision += ratio((double)hits, (double)predicted);
        recall += ratio((double)hits, (double)actual);
        f1 += ratio(2 * (double)hits, (double)(actual + predicted)); /* the harmonic mean of the two */
    }
    metrics->accuracy = (double)right / (double)meter->n_samples;
    mc_wilson(right, meter->n_samples, &metrics->accuracy_low, &metrics->accuracy_high);
    metrics->precision = precision / (double)n_present;
    metrics->recall = recall / (double)n_present;
    metrics->f1 = f1 / (double)n_present;
}

static void regression_result(const struct mc_meter *meter, struct mc_metrics *metrics)
{
    const double n = (double)meter->n_numbers;
    const double spread = meter->target_squared_sum - meter->target_sum * meter->target_sum / n;
    metrics->mse = meter->squared_sum / n;
    metrics->mae = meter->absolute_sum / n;
    metrics->r2 = spread > 0 ? 1 - meter->squared_sum / spread : 0;
}

void mc_meter_result(const struct mc_meter *meter, struct mc_metrics *metrics)
{
    *metrics = (struct mc_metrics){.n_samples = meter->n_samples, .classification = meter->n_classes > 0};
    if (meter->n_samples == 0) return;
    metrics->loss = meter->loss_sum / (double)meter->n_samples;
    if (metrics->classification)
        classification_result(meter, metrics);
    else if (meter->n_numbers > 0)
        regression_result(meter, metrics);
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
