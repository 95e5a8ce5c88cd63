/* measure.c - the figures of a model; see measure.h. */
#include "recipe/measure.h"

#include <math.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/packed_file.h"
#include "graph/cost.h"
#include "onnx/onnx.h"
#include "prune/probe.h"
#include "recipe/flat.h"
#include "recipe/histogram.h"
#include "recipe/measure_graph.h"
#include "run/bench.h"

#define LATENCY_SECONDS 0.3
#define TURNS_SECONDS 0.6
enum { ZSTD_LEVEL = 9, TIMED_RUNS = 5, PROBE_SEED = 1 };
enum { ZSTD_19_MOST = 4 << 20 }; /* bytes: of more, level 19 takes more than a second or two */

/* --- bytes --- */

/* Piece by piece, so that the file need not be in memory: as long as in one, but for some bytes of a large one. */
static int put_zstd(const struct mc_file_view *file, int level, const char *key, struct mc_record *into,
                    struct mc_error *err)
{
    static const size_t piece = 1 << 20;
    const size_t room = ZSTD_CStreamOutSize();
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    void *packed = mc_alloc_aligned(room, 1);
    int rc = zstd && packed ? MC_OK : mc_error_memory(err);
    int64_t n = 0;
    if (rc == MC_OK) {
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setPledgedSrcSize(zstd, file->length);
    }
    for (size_t at = 0, left = 1; rc == MC_OK && left > 0; at += piece) {
        const bool last = file->length - at <= piece;
        ZSTD_inBuffer in = {file->data + at, last ? file->length - at : piece, 0};
        do {
            ZSTD_outBuffer out = {packed, room, 0};
            left = ZSTD_compressStream2(zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left)) rc = mc_error_set(err, MC_ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(left));
            n += (int64_t)out.pos;
        } while (rc == MC_OK && (last ? left > 0 : in.pos < in.size));
        mc_file_forget(file);
        if (!last) left = 1;
    }
    if (rc == MC_OK) mc_record_set_int(into, key, n);
    mc_free(packed);
    ZSTD_freeCCtx(zstd);
    return rc;
}

/* Of the file with sparse initializers, where they are shorter. */
static int put_sparse(const struct mc_model *model, struct mc_record *into, struct mc_error *err)
{
    struct mc_model *copy = NULL;
    size_t length;
    int rc = mc_model_clone(&copy, model, true, err);
    if (rc == MC_OK) rc = mc_onnx_store_sparse(copy, err);
    if (rc == MC_OK) rc = mc_onnx_save_size(copy, &length, err);
    if (rc == MC_OK) mc_record_set_int(into, "bytes_sparse", (int64_t)length);
    mc_model_destroy(copy);
    return rc;
}

static int put_packed(const struct mc_file_view *file, struct mc_record *into, struct mc_error *err)
{
    size_t packed;
    const int rc = mc_container_size(file, mc_packed_level(MC_PACK_AUTO, file->length), &packed, err);
    if (rc == MC_OK) mc_record_set_int(into, "bytes_packed", (int64_t)packed);
    return rc;
}

/* What other programs and the container make of the file: it is written where it needs no memory. */
static int put_compressed(const struct mc_model *model, struct mc_record *into, struct mc_error *err)
{
    struct mc_file_out out = {0};
    struct mc_file_view file = {0};
    size_t length;
    int rc = put_sparse(model, into, err);
    if (rc == MC_OK) rc = mc_file_scratch(&out, err);
    if (rc == MC_OK) rc = mc_onnx_save_into(model, &out, &length, err);
    if (rc == MC_OK) rc = mc_file_view_scratch(&file, &out, err);
    if (rc == MC_OK) rc = put_zstd(&file, ZSTD_LEVEL, "bytes_zstd", into, err);
    if (rc == MC_OK && length <= ZSTD_19_MOST) rc = put_zstd(&file, 19, "bytes_zstd_19", into, err);
    if (rc == MC_OK) rc = put_packed(&file, into, err);
    mc_file_close(&file);
    mc_file_abort(&out);
    return rc;
}

static int put_bytes(const struct mc_model *model, bool packed, struct mc_record *into, struct mc_error *err)
{
    size_t length;
    const int rc = mc_onnx_save_size(model, &length, err);
    if (rc == MC_ERR_UNSUPPORTED) return MC_OK; /* over 2 GiB: no such file */
    if (rc < 0) return rc;
    mc_record_set_int(into, "bytes", (int64_t)length);
    return packed ? put_compressed(model, into, err) : MC_OK;
}

/* --- time --- */

static int run_plan(void *context, struct mc_error *err)
{
    return mc_plan_run(context, err);
}

/* The shortest time that each node took in a few runs, by node id. */
static int time_nodes(const struct mc_model *model, struct mc_plan *plan, int64_t **node_ns, struct mc_error *err)
{
    *node_ns = MC_NEW_ARRAY(int64_t, model->n_node_ids);
    if (!*node_ns) return mc_error_memory(err);
    mc_plan_time(plan, true);
    for (int run = 0; run < TIMED_RUNS; run++) {
        const int rc = mc_plan_run(plan, err);
        if (rc < 0) return rc;
        for (int i = 0; i < mc_plan_n_steps(plan); i++) {
            int64_t *known = &(*node_ns)[mc_plan_step_node(plan, i)->id];
            const int64_t ns = mc_plan_step_ns(plan, i);
            if (*known == 0 || ns < *known) *known = ns;
        }
    }
    return MC_OK;
}

void mc_measure_memory(const struct mc_plan *plan, struct mc_record *into)
{
    if (!mc_plan_allocates(plan)) mc_record_set_int(into, "activation_bytes", (int64_t)mc_plan_bytes(plan));
}

/* For a batch of one on one thread: threads that wait for each other on a busy machine would be what is measured.
 * *plan NULL: the model cannot be run, which is no failure. */
static int plan_single(struct mc_plan **plan, const struct mc_model *model, const struct mc_runtime *runtime,
                       struct mc_error *err)
{
    struct mc_runtime single = *runtime;
    single.n_threads = 1;
    const struct mc_plan_options options = {.dims = {.batch = 1}, .runtime = &single};
    struct mc_error why = {0};
    *plan = NULL;
    int rc = mc_plan_create(plan, model, &options, &why);
    if (rc == MC_OK) rc = mc_probe_inputs(*plan, PROBE_SEED, &why);
    if (rc == MC_OK) return MC_OK;
    mc_plan_destroy(*plan);
    *plan = NULL;
    if (rc != MC_ERR_SYSTEM) return MC_OK;
    if (err) *err = why;
    return rc;
}

int mc_measure_turns(const struct mc_model *original, const struct mc_model *model, const struct mc_runtime *runtime,
                     struct mc_record *into, struct mc_error *err)
{
    struct mc_flat flat;
    struct mc_plan *before = NULL, *after = NULL;
    double ratio;
    int rc = mc_flat_init(&flat, model, err);
    if (rc < 0) return rc;
    rc = plan_single(&before, original, runtime, err);
    if (rc == MC_OK) rc = plan_single(&after, flat.model, runtime, err);
    if (before && after && mc_bench_turns(run_plan, before, after, TURNS_SECONDS, &ratio, NULL) == MC_OK)
        mc_record_set_num(into, "latency_ratio", ratio);
    mc_plan_destroy(after);
    mc_plan_destroy(before);
    mc_flat_finish(&flat);
    return rc;
}

/* A model that cannot be run has no latency; that is no failure here. */
static int put_latency(const struct mc_model *model, const struct mc_runtime *runtime, int64_t **node_ns,
                       struct mc_record *into, struct mc_error *err)
{
    struct mc_plan *plan;
    struct mc_bench_times times;
    int rc = plan_single(&plan, model, runtime, err);
    if (plan && mc_bench_repeat(run_plan, plan, LATENCY_SECONDS, &times, NULL) == MC_OK) {
        mc_record_set_num(into, "latency_ms", times.median_ms);
        mc_measure_memory(plan, into);
        rc = time_nodes(model, plan, node_ns, err);
    }
    mc_plan_destroy(plan);
    return rc;
}

/* --- layers --- */

static void put_counts(int64_t parameters, int64_t nonzeros, struct mc_record *into)
{
    mc_record_set_int(into, "parameters", parameters);
    mc_record_set_int(into, "nonzeros", nonzeros);
    mc_record_set_num(into, "sparsity", parameters ? 1 - (double)nonzeros / (double)parameters : 0);
}

/* For a batch of 1, if that settles it; and with open dimensions as expressions, if it has any. */
static void put_shape(const struct mc_facts *facts, const struct mc_outlines *outlines, const struct mc_value *v,
                      struct mc_record *into)
{
    char shape[256] = "";
    struct mc_buf text;
    if (facts->of[v->id].dtype != MC_UNDEFINED && !facts->of[v->id].open)
        mc_record_set_text(into, "shape", mc_shape_text(&facts->of[v->id].shape, shape, sizeof shape));
    if (outlines->of[v->id].rank < 0) return;
    mc_buf_init(&text, 4096);
    mc_outline_print(outlines, v, &text);
    if (!text.failed && strcmp(text.data, shape) != 0) mc_record_set_text(into, "symbolic_shape", text.data);
    mc_buf_finish(&text);
}

static void put_layer(const struct mc_node_cost *cost, const struct mc_facts *facts, const struct mc_outlines *outlines,
                      const int64_t *node_ns, bool weights, struct mc_record *layers)
{
    const struct mc_node *node = cost->node;
    const struct mc_value *output = node->n_outputs ? node->outputs[0] : NULL;
    struct mc_record *layer = mc_record_append_object(layers);
    mc_record_set_text(layer, "layer", mc_node_label(node));
    mc_record_set_text(layer, "operator", node->type);
    if (output) put_shape(facts, outlines, output, layer);
    put_counts(cost->parameters, cost->nonzeros, layer);
    if (cost->known) mc_record_set_int(layer, "macs", cost->cost.macs);
    mc_record_set_int(layer, "bytes", cost->parameter_bytes);
    if (cost->known) mc_record_set_int(layer, "bytes_moved", cost->cost.bytes_read + cost->cost.bytes_written);
    if (node_ns && node_ns[node->id]) mc_record_set_num(layer, "time_ms", (double)node_ns[node->id] * 1e-6);
    if (weights) mc_measure_weights(node, layer);
}

/* A layer is a node that has parameters of its own or multiplies. */
static void put_layers(const struct mc_model_cost *cost, const struct mc_facts *facts,
                       const struct mc_outlines *outlines, const int64_t *node_ns, bool weights, struct mc_record *into)
{
    struct mc_record *layers = mc_record_array(into, "layers");
    for (int i = 0; i < cost->n_nodes; i++)
        if (cost->nodes[i].parameters > 0 || cost->nodes[i].cost.macs > 0)
            put_layer(&cost->nodes[i], facts, outlines, node_ns, weights, layers);
}

/* --- all of it --- */

int mc_measure_model(const struct mc_model *model, const struct mc_runtime *runtime, enum mc_measuring what,
                     struct mc_record *into, struct mc_error *err)
{
    const struct mc_dims dims = {.batch = 1};
    struct mc_facts facts = {0};
    struct mc_outlines outlines = {0};
    struct mc_model_cost cost = {0};
    struct mc_flat flat;
    int64_t *node_ns = NULL;
    int rc = mc_flat_init(&flat, model, err);
    if (rc < 0) return rc;
    rc = mc_model_facts(&facts, flat.model, &dims, true, err);
    if (rc == MC_OK) rc = mc_model_outlines(&outlines, flat.model, err);
    if (rc == MC_OK) rc = mc_model_cost_create(&cost, flat.model, &facts, err);
    if (rc < 0) goto done;
    put_counts(cost.parameters, cost.nonzeros, into);
    if (cost.n_unknown == 0) mc_record_set_int(into, "macs", cost.cost.macs);
    rc = put_bytes(model, what >= MC_MEASURE_SIZES, into, err);
    if (rc == MC_OK && what >= MC_MEASURE_ALL) rc = put_latency(flat.model, runtime, &node_ns, into, err);
    if (rc == MC_OK) put_layers(&cost, &facts, &outlines, node_ns, what >= MC_MEASURE_SIZES, into);
done:
    mc_free(node_ns);
    mc_model_cost_finish(&cost);
    mc_outlines_finish(&outlines);
    mc_facts_finish(&facts);
    mc_flat_finish(&flat);
    return rc;
}

/* --- metrics --- */

enum { MOST_CONFUSED = 100 };

static void put_known(struct mc_record *into, const char *key, double value)
{
    if (!isnan(value)) mc_record_set_num(into, key, value);
}

static void put_averages(struct mc_record *into, const char *name, const struct mc_averages *a)
{
    char key[32];
    snprintf(key, sizeof key, "%s_micro", name);
    mc_record_set_num(into, key, a->micro);
    snprintf(key, sizeof key, "%s_weighted", name);
    mc_record_set_num(into, key, a->weighted);
}

static void put_decisions(const struct mc_metrics *m, const struct mc_meter *meter, struct mc_record *into)
{
    mc_record_set_num(into, "accuracy", m->accuracy);
    mc_record_set_num(into, "accuracy_low", m->accuracy_low);
    mc_record_set_num(into, "accuracy_high", m->accuracy_high);
    if (meter->kind == MC_METER_CLASSES && meter->width > MC_TOP) mc_record_set_num(into, "top5", m->top);
    mc_record_set_num(into, "precision", m->precision);
    mc_record_set_num(into, "recall", m->recall);
    mc_record_set_num(into, "f1", m->f1);
    put_averages(into, "precision", &m->precisions);
    put_averages(into, "recall", &m->recalls);
    put_averages(into, "f1", &m->f1s);
    put_known(into, "auc", m->auc);
}

static void put_errors(double mse, double rmse, double mae, double r2, struct mc_record *into)
{
    mc_record_set_num(into, "mse", mse);
    mc_record_set_num(into, "rmse", rmse);
    mc_record_set_num(into, "mae", mae);
    mc_record_set_num(into, "r2", r2);
}

static const char *group_name(const struct mc_dataset *data, int64_t k, char digits[32])
{
    if (data->class_names) return data->class_names[k];
    snprintf(digits, 32, "%lld", (long long)k);
    return digits;
}

static void put_group(struct mc_assessment *a, int64_t k, struct mc_record *entry)
{
    struct mc_group_metrics g;
    double auc = NAN;
    mc_meter_group(&a->meter, k, &g);
    if (a->meter.kind == MC_METER_NUMBERS) {
        put_errors(g.mse, g.rmse, g.mae, g.r2, entry);
        return;
    }
    mc_record_set_int(entry, "samples", g.n_samples);
    mc_record_set_num(entry, "precision", g.precision);
    mc_record_set_num(entry, "recall", g.recall);
    mc_record_set_num(entry, "f1", g.f1);
    if (!isnan(a->metrics.auc) && mc_outcomes_auc(&a->outcomes, k, NULL, &auc, NULL) == MC_OK)
        put_known(entry, "auc", auc);
}

static void put_groups(struct mc_assessment *a, const struct mc_dataset *data, struct mc_record *into)
{
    static const char *const keys[][2] = {
        [MC_METER_CLASSES] = {"per_class", "class"},
        [MC_METER_LABELS] = {"per_label", "label"},
        [MC_METER_NUMBERS] = {"per_target", "target"},
    };
    char digits[32];
    if (a->meter.kind == MC_METER_NUMBERS && a->meter.width == 1) return;
    struct mc_record *list = mc_record_array(into, keys[a->meter.kind][0]);
    for (int64_t k = 0; k < a->meter.width; k++) {
        struct mc_record *entry = mc_record_append_object(list);
        mc_record_set_text(entry, keys[a->meter.kind][1], group_name(data, k, digits));
        put_group(a, k, entry);
    }
}

static void put_confusion(const struct mc_meter *meter, struct mc_record *into)
{
    const int64_t K = meter->width;
    if (meter->kind != MC_METER_CLASSES || K > MOST_CONFUSED) return;
    struct mc_record *rows = mc_record_array(into, "confusion");
    for (int64_t k = 0; k < K; k++) {
        struct mc_record *row = mc_record_append_array(rows);
        for (int64_t j = 0; j < K; j++) mc_record_append_int(row, meter->confusion[k * K + j]);
    }
}

void mc_measure_assessment(struct mc_assessment *a, const struct mc_dataset *data, struct mc_record *into)
{
    const struct mc_metrics *m = &a->metrics;
    if (m->n_samples == 0) return;
    mc_record_set_int(into, "samples", m->n_samples);
    mc_record_set_num(into, "loss", m->loss);
    if (m->classification)
        put_decisions(m, &a->meter, into);
    else
        put_errors(m->mse, m->rmse, m->mae, m->r2, into);
    put_groups(a, data, into);
    put_confusion(&a->meter, into);
}

/* --- data --- */

static void put_numbers(const double *numbers, int64_t n, const char *key, struct mc_record *into)
{
    struct mc_record *list = mc_record_array(into, key);
    for (int64_t i = 0; i < n; i++) mc_record_append_num(list, numbers[i]);
}

/* What became of the columns of a table. */
static void put_columns(const struct mc_source *source, struct mc_record *into)
{
    if (source->n_columns == 0) return;
    struct mc_record *columns = mc_record_array(into, "columns");
    for (int i = 0; i < source->n_columns; i++) {
        const struct mc_column *column = &source->columns[i];
        struct mc_record *entry = mc_record_append_object(columns);
        mc_record_set_text(entry, "column", column->name);
        mc_record_set_int(entry, "missing", column->n_missing);
        if (column->n_categories == 0) {
            if (column->n_missing) mc_record_set_num(entry, "fill", column->fill);
            continue;
        }
        struct mc_record *categories = mc_record_array(entry, "categories");
        for (int64_t k = 0; k < column->n_categories; k++) mc_record_append_text(categories, column->categories[k]);
    }
}

void mc_measure_data(const struct mc_dataset *data, struct mc_record *into)
{
    mc_record_set_text(into, "name", data->spec);
    for (int i = 0; i < MC_DATA_ROLES; i++)
        mc_record_set_int(into, mc_data_role_name((enum mc_role_of_data)i), data->n[i]);
    if (data->task == MC_TASK_CLASSIFICATION)
        mc_record_set_int(into, "classes", data->n_classes);
    else
        mc_record_set_int(into, data->task == MC_TASK_LABELS ? "labels" : "targets", data->n_targets);
    if (data->weight_scale > 0) mc_record_set_bool(into, "weighted", true);
    if (data->class_names) {
        const int64_t n = data->task == MC_TASK_CLASSIFICATION ? data->n_classes : data->n_targets;
        struct mc_record *names = mc_record_array(into, "class_names");
        for (int64_t i = 0; i < n; i++) mc_record_append_text(names, data->class_names[i]);
    }
    if (data->normalizer.n_groups > 0) {
        struct mc_record *normalize = mc_record_object(into, "normalize");
        put_numbers(data->normalizer.mean, data->normalizer.n_groups, "mean", normalize);
        put_numbers(data->normalizer.deviation, data->normalizer.n_groups, "std", normalize);
    }
    put_columns(data->sources[MC_DATA_TRAIN], into);
}
