/* bench.c - time per batch on random inputs; see compress.h. */
#include "run/bench.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "data/loader.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "run/limits.h"
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
    if (bench->bfloat16 && !bench->train)
        return mc_error_set(err, MC_ERR_USAGE, "precision: training is timed in another one, not inference");
    if (bench->per_node && bench->train)
        return mc_error_set(err, MC_ERR_USAGE, "nodes are timed in inference, not in training");
    return MC_OK;
}

/* Training changes parameters: it is timed on a copy. */
static int time_training(const struct mc_model *model, const struct mc_bench *bench, const struct mc_runtime *runtime,
                         struct mc_bench_times *times, struct mc_error *err)
{
    struct mc_runtime own = *runtime;
    struct mc_model *copy;
    int rc = mc_model_clone(&copy, model, false, err);
    if (rc < 0) return rc;
    own.bfloat16 = bench->bfloat16;
    rc = mc_bench_train(copy, bench->batch, bench->seconds, &own, times, err);
    mc_model_destroy(copy);
    return rc;
}

static int time_model(const struct mc_model *model, const struct mc_bench *bench, const struct mc_runtime *runtime,
                      struct mc_bench_times *times, struct mc_bench_nodes *nodes, struct mc_error *err)
{
    if (bench->train) return time_training(model, bench, runtime, times, err);
    const struct mc_dims dims = {.batch = bench->batch};
    return mc_bench_infer(model, &dims, bench->seconds, runtime, times, bench->per_node ? nodes : NULL, err);
}

static void put_times(const struct mc_bench_times *times, struct mc_record *record)
{
    mc_record_set_int(record, "runs", times->n_steps);
    mc_record_set_num(record, "median_ms", times->median_ms);
    mc_record_set_num(record, "best_ms", times->best_ms);
    mc_record_set_num(record, "worst_ms", times->worst_ms);
}

/* The share of what is possible: the time that the nearer of the two roofs allows, over the time taken. */
static double share_of_limit(const struct mc_bench_node *node, const struct mc_limits *limits)
{
    const double seconds = node->best_ms * 1e-3,
                 bytes = (double)node->cost.bytes_read + (double)node->cost.bytes_written;
    const double by_work = (double)node->cost.flops * 1e-9 / limits->gflops, by_traffic = bytes * 1e-9 / limits->gbytes;
    return (by_work > by_traffic ? by_work : by_traffic) / seconds;
}

static void put_node(const struct mc_bench_node *node, double total_ms, const struct mc_limits *limits,
                     struct mc_record *nodes)
{
    struct mc_record *entry = mc_record_append_object(nodes);
    const struct mc_value *output = node->node->outputs[0];
    const double seconds = node->best_ms * 1e-3,
                 bytes = (double)node->cost.bytes_read + (double)node->cost.bytes_written;
    char text[256];
    mc_record_set_text(entry, "node", *node->node->name || !output ? node->node->name : output->name);
    mc_record_set_text(entry, "operator", node->type);
    if (node->shape.rank >= 0) mc_record_set_text(entry, "shape", mc_shape_text(&node->shape, text, sizeof text));
    mc_record_set_num(entry, "time_ms", node->best_ms);
    mc_record_set_num(entry, "time_share", total_ms > 0 ? node->best_ms / total_ms : 0);
    mc_record_set_int(entry, "macs", node->cost.macs);
    mc_record_set_num(entry, "bytes_moved", bytes);
    if (seconds <= 0) return;
    mc_record_set_num(entry, "gflops", (double)node->cost.flops * 1e-9 / seconds);
    mc_record_set_num(entry, "gbytes", bytes * 1e-9 / seconds);
    mc_record_set_num(entry, "limit_share", share_of_limit(node, limits));
}

static int put_nodes(const struct mc_bench_nodes *nodes, const struct mc_runtime *runtime, struct mc_record *record,
                     struct mc_error *err)
{
    struct mc_limits limits;
    const int rc = mc_limits_measure(&limits, runtime, err);
    if (rc < 0) return rc;
    struct mc_record *entry = mc_record_object(record, "limits");
    mc_record_set_num(entry, "gflops", limits.gflops);
    mc_record_set_num(entry, "gbytes", limits.gbytes);
    struct mc_record *list = mc_record_array(record, "nodes");
    double total_ms = 0;
    for (int i = 0; i < nodes->n; i++) total_ms += nodes->of[i].best_ms;
    for (int i = 0; i < nodes->n; i++) put_node(&nodes->of[i], total_ms, &limits, list);
    return MC_OK;
}

/* --- reading --- */

struct loading {
    struct mc_loader *loader;
    int64_t n, begin, batch; /* samples of the role, the next to be read, in one batch */
    int64_t n_read, ns;      /* samples and time of all batches: single ones may have been read ahead */
    struct mc_batch into;
};

/* One batch of the present epoch; what does not fill one is left out. */
static int load_batch(void *context, struct mc_error *err)
{
    struct loading *l = context;
    if (l->begin + l->batch > l->n) l->begin = 0;
    const int64_t start = mc_clock_ns();
    const int rc = mc_loader_read(l->loader, l->begin, l->batch, &l->into, err);
    l->ns += mc_clock_ns() - start;
    l->begin += l->batch;
    l->n_read += l->batch;
    return rc;
}

static int time_loading(const struct mc_dataset *data, int64_t batch, double seconds, const struct mc_runtime *runtime,
                        struct mc_bench_times *times, double *per_second, struct mc_error *err)
{
    const int64_t n = data->n[MC_DATA_TRAIN];
    if (n < batch)
        return mc_error_set(err, MC_ERR_INPUT, "'%s' has %lld training samples, a batch %lld", data->spec, (long long)n,
                            (long long)batch);
    struct loading l = {.n = n, .batch = batch};
    l.into.x = mc_alloc((size_t)batch, (size_t)mc_shape_count(&data->sample) * sizeof *l.into.x);
    int64_t *order = MC_NEW_ARRAY(int64_t, n);
    int rc = l.into.x && order ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; order && i < n; i++) order[i] = i;
    if (rc == MC_OK)
        rc = mc_loader_create(&l.loader, data, MC_DATA_TRAIN, &data->augment, runtime->seed, batch, runtime->n_threads,
                              err);
    if (rc == MC_OK) mc_loader_begin(l.loader, order, 0);
    if (rc == MC_OK) rc = mc_bench_repeat(load_batch, &l, seconds, times, err);
    *per_second = l.ns > 0 ? 1e9 * (double)l.n_read / (double)l.ns : 0;
    mc_loader_destroy(l.loader);
    mc_free(l.into.x);
    mc_free(order);
    return rc;
}

static int put_loading(const struct mc_bench *bench, const struct mc_runtime *runtime, struct mc_record *record,
                       struct mc_error *err)
{
    struct mc_dataset *data;
    struct mc_bench_times times;
    double per_second = 0;
    int rc = mc_dataset_open(&data, bench->data, NULL, err);
    if (rc < 0) return rc;
    rc = time_loading(data, bench->batch, bench->seconds, runtime, &times, &per_second, err);
    if (rc == MC_OK) {
        struct mc_record *loading = mc_record_object(record, "loading");
        mc_record_set_text(loading, "name", data->spec);
        put_times(&times, loading);
        mc_record_set_num(loading, "samples_per_second", per_second);
    }
    mc_dataset_destroy(data);
    return rc;
}

int mc_model_bench(const struct mc_model *model, const struct mc_bench *bench, const struct mc_context *context,
                   struct mc_record **record, struct mc_error *err)
{
    struct mc_runtime runtime;
    struct mc_bench_times times;
    struct mc_bench_nodes nodes = {0};
    struct mc_record *r = NULL;
    struct mc_flat flat = {0};
    int rc = check(bench, err);
    if (rc == MC_OK) rc = mc_context_runtime(context, &runtime, err);
    if (rc == MC_OK) rc = mc_flat_init(&flat, model, err);
    if (rc == MC_OK) rc = time_model(flat.model, bench, &runtime, &times, &nodes, err);
    if (rc == MC_OK) rc = mc_record_create(&r, err);
    if (rc < 0) goto done;
    mc_record_begin(r, "compress bench");
    mc_context_record(&runtime, runtime.seed, r);
    if (model->path) mc_record_set_text(r, "model", mc_path_name(model->path));
    mc_record_set_text(r, "kind", bench->train ? "train" : "inference");
    if (bench->train) mc_record_set_text(r, "train_precision", bench->bfloat16 ? "bfloat16" : "float32");
    mc_record_set_int(r, "batch", bench->batch);
    put_times(&times, r);
    if (bench->per_node) rc = put_nodes(&nodes, &runtime, r, err);
    if (rc == MC_OK && bench->data) rc = put_loading(bench, &runtime, r, err);
    if (rc == MC_OK) rc = mc_record_check(r, err);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
done:
    mc_bench_nodes_finish(&nodes);
    mc_flat_finish(&flat);
    return rc;
}
