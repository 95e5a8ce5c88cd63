/* bench.c - time per batch on random inputs; see compress.h. */
#include "run/bench.h"

#include "base/error.h"
#include "recipe/context.h"
#include "train/bench_train.h"

void mc_bench_init(struct mc_bench *bench)
{
    *bench = (struct mc_bench){.batch = 1, .seconds = 2};
}

static int check(const struct mc_bench *bench, struct mc_error *err)
{
    if (bench->batch < 1)
        return mc_error_set(err, MC_ERR_USAGE, "batch: needs at least 1, has %lld", (long long)bench->batch);
    if (!(bench->seconds >= 0 && bench->seconds <= 86400))
        return mc_error_set(err, MC_ERR_USAGE, "seconds: needs a number in [0, 86400], has %g", bench->seconds);
    return MC_OK;
}

/* Training changes parameters: it is timed on a copy. */
static int time_training(const struct mc_model *model, const struct mc_bench *bench, const struct mc_runtime *runtime,
                         struct mc_bench_times *times, struct mc_error *err)
{
    struct mc_model *copy;
    int rc = mc_model_clone(&copy, model, false, err);
    if (rc < 0) return rc;
    rc = mc_bench_train(copy, bench->batch, bench->seconds, runtime, times, err);
    mc_model_destroy(copy);
    return rc;
}

static int time_model(const struct mc_model *model, const struct mc_bench *bench, const struct mc_runtime *runtime,
                      struct mc_bench_times *times, struct mc_error *err)
{
    if (bench->train) return time_training(model, bench, runtime, times, err);
    const struct mc_dims dims = {.batch = bench->batch};
    return mc_bench_infer(model, &dims, bench->seconds, runtime, times, err);
}

static void put_times(const struct mc_bench_times *times, struct mc_record *record)
{
    mc_record_set_int(record, "runs", times->n_steps);
    mc_record_set_num(record, "median_ms", times->median_ms);
    mc_record_set_num(record, "best_ms", times->best_ms);
    mc_record_set_num(record, "worst_ms", times->worst_ms);
}

int mc_model_bench(const struct mc_model *model, const struct mc_bench *bench, const struct mc_context *context,
                   struct mc_record **record, struct mc_error *err)
{
    struct mc_runtime runtime;
    struct mc_bench_times times;
    struct mc_record *r = NULL;
    int rc = check(bench, err);
    if (rc == MC_OK) rc = mc_context_runtime(context, &runtime, err);
    if (rc == MC_OK) rc = time_model(model, bench, &runtime, &times, err);
    if (rc == MC_OK) rc = mc_record_create(&r, err);
    if (rc < 0) return rc;
    mc_record_set_text(r, "title", "compress bench");
    mc_context_record(&runtime, runtime.seed, r);
    if (model->path) mc_record_set_text(r, "model", mc_path_name(model->path));
    mc_record_set_text(r, "kind", bench->train ? "train" : "inference");
    mc_record_set_int(r, "batch", bench->batch);
    put_times(&times, r);
    rc = mc_record_check(r, err);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}
