/* loss.c - what training makes small; see loss.h. The loops over rows are the kernels' (kernel/update.h). */
#include "train/loss.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/update.h"

enum mc_loss_kind mc_loss_resolve(enum mc_loss_kind kind, enum mc_task task)
{
    if (kind == MC_LOSS_AUTO)
        return task == MC_TASK_CLASSIFICATION ? MC_LOSS_CROSS_ENTROPY
               : task == MC_TASK_LABELS       ? MC_LOSS_BCE
                                              : MC_LOSS_MSE;
    return kind == MC_LOSS_KL && task == MC_TASK_CLASSIFICATION ? MC_LOSS_CROSS_ENTROPY : kind;
}

bool mc_loss_takes_numbers(enum mc_loss_kind kind, enum mc_task task)
{
    return task != MC_TASK_CLASSIFICATION || kind != MC_LOSS_CROSS_ENTROPY;
}

static bool is_softmax(enum mc_loss_kind kind)
{
    return kind == MC_LOSS_CROSS_ENTROPY || kind == MC_LOSS_KL;
}

/* --- class weights --- */

/* samples / (classes * samples of the class): a class weighs the less the more often it occurs, all together as much
 * as before. One that does not occur weighs nothing. */
static int balance(struct mc_loss *loss, const struct mc_dataset *data, struct mc_error *err)
{
    const int64_t n = data->n[MC_DATA_TRAIN];
    int64_t *labels = MC_NEW_ARRAY(int64_t, n), *counts = MC_NEW_ARRAY(int64_t, loss->columns);
    int rc = labels && counts ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_dataset_read(data, MC_DATA_TRAIN, NULL, 0, n, NULL, labels, NULL, 1, err);
    for (int64_t i = 0; rc == MC_OK && i < n; i++) counts[labels[i]]++;
    for (int64_t c = 0; rc == MC_OK && c < loss->columns; c++)
        loss->weights[c] = counts[c] ? (float)((double)n / ((double)loss->columns * (double)counts[c])) : 0;
    mc_free(labels);
    mc_free(counts);
    return rc;
}

static int read_weights(struct mc_loss *loss, const char *text, struct mc_error *err)
{
    int64_t n = 0;
    for (const char *at = text;; n++) {
        char *end;
        const double weight = strtod(at, &end);
        if (end == at || !(weight >= 0) || !isfinite(weight) || (*end && *end != ','))
            return mc_error_set(err, MC_ERR_USAGE, "class weights: need numbers of at least 0, have '%s'", at);
        if (n < loss->columns) loss->weights[n] = (float)weight;
        if (!*end) break;
        at = end + 1;
    }
    if (n + 1 == loss->columns) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "class weights: need one for each of %" PRId64 " classes, have %" PRId64,
                        loss->columns, n + 1);
}

static int init_weights(struct mc_loss *loss, const char *text, const struct mc_dataset *data, struct mc_error *err)
{
    if (!text) return MC_OK;
    if (loss->kind != MC_LOSS_CROSS_ENTROPY || data->task != MC_TASK_CLASSIFICATION)
        return mc_error_set(err, MC_ERR_USAGE, "class weights have a meaning only for cross-entropy of classes");
    loss->weights = mc_alloc((size_t)loss->columns, sizeof *loss->weights);
    if (!loss->weights) return mc_error_memory(err);
    return strcmp(text, "balanced") == 0 ? balance(loss, data, err) : read_weights(loss, text, err);
}

/* --- life --- */

int mc_loss_init(struct mc_loss *loss, const struct mc_fit_options *options, enum mc_loss_kind kind, int64_t columns,
                 const struct mc_dataset *data, bool teacher, struct mc_error *err)
{
    *loss = (struct mc_loss){
        .kind = kind,
        .columns = columns,
        .distil = teacher && options->teacher,
        .alpha = options->alpha,
        .temperature = options->temperature,
        .smoothing = options->label_smoothing,
        .delta = options->huber_delta,
        .updates = options->runtime.kernels->updates,
    };
    if (is_softmax(kind) && columns < 2)
        return mc_error_set(err, MC_ERR_USAGE,
                            "cross-entropy and KL need classes, or a distribution over at least two numbers as target; "
                            "the data has one number");
    const int rc = init_weights(loss, options->class_weights, data, err);
    if (rc < 0) return rc;
    loss->scratch = mc_alloc_aligned((size_t)columns * 2, sizeof *loss->scratch);
    return loss->scratch ? MC_OK : mc_error_memory(err);
}

void mc_loss_finish(struct mc_loss *loss)
{
    mc_free(loss->weights);
    mc_free(loss->scratch);
    *loss = (struct mc_loss){0};
}

/* --- classes and distributions --- */

/* The target of row r as a distribution, smoothed and weighted. */
static const float *target_row(const struct mc_loss *loss, const struct mc_targets *targets, int64_t r)
{
    const int64_t K = loss->columns;
    float *t = loss->scratch;
    for (int64_t c = 0; c < K; c++) {
        const double is = targets->labels ? (double)(targets->labels[r] == c) : (double)targets->numbers[r * K + c];
        const double smooth = (1 - loss->smoothing) * is + loss->smoothing / (double)K;
        t[c] = (float)(smooth * (loss->weights ? (double)loss->weights[c] : 1));
    }
    return t;
}

static double soft_cross_entropy(const struct mc_loss *loss, int64_t n, const float *y,
                                 const struct mc_targets *targets, double weight, float *dy)
{
    const int64_t K = loss->columns;
    if (!targets->labels && loss->smoothing == 0 && !loss->weights)
        return loss->updates->soft_cross_entropy(n, K, y, targets->numbers, (float)weight, dy);
    double sum = 0;
    for (int64_t r = 0; r < n; r++)
        sum += loss->updates->soft_cross_entropy(1, K, y + r * K, target_row(loss, targets, r), (float)weight,
                                                 dy ? dy + r * K : NULL);
    return sum;
}

/* Sum of t ln t: what cross-entropy has more than the divergence. */
static double negative_entropy(int64_t n, const float *t)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (t[i] > 0) sum += (double)t[i] * log((double)t[i]);
    return sum;
}

static double cross_entropy(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                            double weight, float *dy)
{
    const struct mc_updates *u = loss->updates;
    const int64_t K = loss->columns;
    const bool plain = targets->labels && loss->smoothing == 0 && !loss->weights;
    const double hard = loss->distil ? 1 - loss->alpha : 1;
    double sum = 0;
    if (hard > 0) {
        sum = plain ? u->cross_entropy(n, K, y, targets->labels, (float)(weight * hard), dy)
                    : soft_cross_entropy(loss, n, y, targets, weight * hard, dy);
        if (loss->kind == MC_LOSS_KL) sum += negative_entropy(n * K, targets->numbers);
    } else if (dy) {
        memset(dy, 0, (size_t)(n * K) * sizeof *dy);
    }
    sum *= hard;
    const double soft = loss->alpha * loss->temperature * loss->temperature / (1 + targets->n_more);
    for (int i = 0; loss->distil && i <= targets->n_more; i++)
        sum += soft * u->distil(n, K, y, i ? targets->more[i - 1] : targets->teacher, (float)loss->temperature,
                                (float)(weight * soft), dy, loss->scratch);
    return sum;
}

/* --- numbers --- */

/* Sum over `count` elements, each for itself. */
static double compare(const struct mc_loss *loss, int64_t count, const float *y, const float *t, double weight,
                      float *dy)
{
    const struct mc_updates *u = loss->updates;
    switch (loss->kind) {
    case MC_LOSS_MAE:
        return u->absolute_error(count, y, t, (float)weight, dy);
    case MC_LOSS_HUBER:
        return u->huber(count, y, t, (float)loss->delta, (float)weight, dy);
    case MC_LOSS_BCE:
        return u->binary_cross_entropy(count, y, t, (float)weight, dy);
    default:
        return u->squared_error(count, y, t, (float)weight, dy);
    }
}

/* The teacher's part: of binary cross-entropy its scores become probabilities first. */
static double imitate(const struct mc_loss *loss, int64_t n, const float *y, const float *teacher, double weight,
                      float *dy)
{
    const int64_t K = loss->columns;
    float *t = loss->scratch, *d = loss->scratch + K;
    double sum = 0;
    for (int64_t r = 0; r < n; r++) {
        for (int64_t c = 0; c < K; c++) {
            const float z = teacher[r * K + c];
            t[c] = loss->kind == MC_LOSS_BCE ? (float)(1 / (1 + exp(-(double)z))) : z;
        }
        sum += compare(loss, K, y + r * K, t, weight, dy ? d : NULL);
        for (int64_t c = 0; dy && c < K; c++) dy[r * K + c] += d[c];
    }
    return sum;
}

static double run_alike(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                        double weight, float *dy)
{
    if (is_softmax(loss->kind)) return cross_entropy(loss, n, y, targets, weight, dy);
    const double per_number = 1 / (double)loss->columns, hard = loss->distil ? 1 - loss->alpha : 1;
    double sum = hard * compare(loss, n * loss->columns, y, targets->numbers, weight * hard * per_number, dy);
    const double soft = loss->alpha / (1 + targets->n_more);
    for (int i = 0; loss->distil && i <= targets->n_more; i++)
        sum += soft * imitate(loss, n, y, i ? targets->more[i - 1] : targets->teacher, weight * soft * per_number, dy);
    return sum * per_number;
}

double mc_loss_run(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                   double weight, float *dy)
{
    const int64_t K = loss->columns;
    if (!targets->weights) return run_alike(loss, n, y, targets, weight, dy);
    double sum = 0;
    for (int64_t r = 0; r < n; r++) {
        struct mc_targets one = {.labels = targets->labels ? targets->labels + r : NULL,
                                 .numbers = targets->numbers ? targets->numbers + r * K : NULL,
                                 .teacher = targets->teacher ? targets->teacher + r * K : NULL,
                                 .n_more = targets->n_more};
        for (int i = 0; i < one.n_more; i++) one.more[i] = targets->more[i] + r * K;
        const double counts = (double)targets->weights[r];
        sum += counts * run_alike(loss, 1, y + r * K, &one, weight * counts, dy ? dy + r * K : NULL);
    }
    return sum;
}
