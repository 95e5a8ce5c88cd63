/* average.c - an exponential moving average of all that training changes; see average.h. */
#include "train/average.h"

#include <string.h>

#include "kernel/kernels.h"
#include "kernel/update.h"

int mc_average_init(struct mc_average *average, const struct mc_model *model, double decay,
                    const struct mc_runtime *runtime, struct mc_error *err)
{
    *average = (struct mc_average){.decay = decay, .runtime = runtime};
    return decay > 0 ? mc_snapshot_init(&average->mean, model, err) : MC_OK;
}

void mc_average_finish(struct mc_average *average)
{
    mc_snapshot_finish(&average->mean);
    *average = (struct mc_average){0};
}

void mc_average_step(struct mc_average *average, int64_t t)
{
    const struct mc_snapshot *mean = &average->mean;
    const double early = (double)(1 + t) / (double)(10 + t);
    const double decay = early < average->decay ? early : average->decay;
    /* Values do not depend on each other: any number of threads gives the same bits. */
#pragma omp parallel for num_threads(average->runtime->n_threads) if (mean->n > 4) schedule(dynamic)
    for (int i = 0; i < mean->n; i++) {
        const struct mc_tensor *data = mean->values[i]->data;
        if (data->dtype == MC_FLOAT)
            average->runtime->kernels->updates->average(mc_tensor_count(data), (float)(1 - decay), data->data,
                                                        mean->contents[i]);
        else
            memcpy(mean->contents[i], data->data, mc_tensor_bytes(data));
    }
}

void mc_average_swap(struct mc_average *average)
{
    const struct mc_snapshot *mean = &average->mean;
    for (int i = 0; i < mean->n; i++) {
        const struct mc_tensor *data = mean->values[i]->data;
        unsigned char *a = data->data, *b = mean->contents[i];
        for (size_t k = 0; k < mc_tensor_bytes(data); k++) {
            const unsigned char kept = a[k];
            a[k] = b[k];
            b[k] = kept;
        }
    }
}
