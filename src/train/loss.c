/* loss.c - what training makes small; see loss.h. The loops over rows are the kernels' (kernel/update.h). */
#include "train/loss.h"

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/update.h"

int mc_loss_resolve(enum mc_loss_kind *kind, enum mc_task task, struct mc_error *err)
{
    if (*kind == MC_LOSS_AUTO) *kind = task == MC_TASK_CLASSIFICATION ? MC_LOSS_CROSS_ENTROPY : MC_LOSS_MSE;
    if (*kind == MC_LOSS_CROSS_ENTROPY && task != MC_TASK_CLASSIFICATION)
        return mc_error_set(err, MC_ERR_USAGE, "cross-entropy needs classes, the data has numbers as targets");
    return MC_OK;
}

int mc_loss_init(struct mc_loss *loss, const struct mc_fit_options *options, enum mc_task task, int64_t columns,
                 bool teacher, struct mc_error *err)
{
    *loss = (struct mc_loss){
        .kind = options->loss,
        .columns = columns,
        .distil = teacher && options->teacher,
        .alpha = options->alpha,
        .temperature = options->temperature,
        .updates = options->runtime.kernels->updates,
    };
    const int rc = mc_loss_resolve(&loss->kind, task, err);
    if (rc < 0 || !loss->distil) return rc;
    loss->scratch = mc_alloc_aligned((size_t)columns * 2, sizeof *loss->scratch);
    return loss->scratch ? MC_OK : mc_error_memory(err);
}

void mc_loss_finish(struct mc_loss *loss)
{
    mc_free(loss->scratch);
    *loss = (struct mc_loss){0};
}

static double cross_entropy(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                            double weight, float *dy)
{
    const struct mc_updates *u = loss->updates;
    const int64_t K = loss->columns;
    const double hard = loss->distil ? 1 - loss->alpha : 1;
    double sum = hard * u->cross_entropy(n, K, y, targets->labels, (float)(weight * hard), dy);
    if (loss->distil) {
        const double soft = loss->alpha * loss->temperature * loss->temperature;
        sum += soft * u->distil(n, K, y, targets->teacher, (float)loss->temperature, (float)(weight * soft), dy,
                                loss->scratch);
    }
    return sum;
}

/* Two targets at once: (1-alpha) (y-t)^2 + alpha (y-p)^2. */
static double blended_squares(const struct mc_loss *loss, int64_t count, const float *y,
                              const struct mc_targets *targets, double weight, float *dy)
{
    const double hard = 1 - loss->alpha, soft = loss->alpha;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)y[i] - targets->numbers[i], p = (double)y[i] - targets->teacher[i];
        sum += hard * d * d + soft * p * p;
        if (dy) dy[i] = (float)(2 * weight * (hard * d + soft * p));
    }
    return sum;
}

double mc_loss_run(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                   double weight, float *dy)
{
    if (loss->kind == MC_LOSS_CROSS_ENTROPY) return cross_entropy(loss, n, y, targets, weight, dy);
    const double per_number = 1 / (double)loss->columns;
    const int64_t count = n * loss->columns;
    const double sum = loss->distil
                           ? blended_squares(loss, count, y, targets, weight * per_number, dy)
                           : loss->updates->squared_error(count, y, targets->numbers, (float)(weight * per_number), dy);
    return sum * per_number;
}
