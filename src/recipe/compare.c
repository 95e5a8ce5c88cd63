/* compare.c - two models side by side; see mc_model_compare in compress.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "metric/paired.h"
#include "prune/probe.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "recipe/measure.h"
#include "run/plan.h"
#include "train/train.h"

void mc_compare_init(struct mc_compare *compare)
{
    *compare = (struct mc_compare){.samples = 8, .draws = 1000, .confidence = 0.95};
}

static int check(const struct mc_compare *how, struct mc_error *err)
{
    if (how->samples < 1)
        return mc_error_set(err, MC_ERR_USAGE, "samples: needs at least 1, has %lld", (long long)how->samples);
    if (!(how->confidence > 0 && how->confidence < 1))
        return mc_error_set(err, MC_ERR_USAGE, "confidence: needs a number in (0, 1), has %g", how->confidence);
    if (how->draws < 1 || how->draws > 1000000)
        return mc_error_set(err, MC_ERR_USAGE, "draws: needs 1 to 1000000, has %d", how->draws);
    return MC_OK;
}

struct comparison {
    const struct mc_model *models[2];
    const struct mc_compare *how;
    const struct mc_context *context;
    struct mc_runtime runtime;
    struct mc_record *record, *of[2];
};

/* --- outputs --- */

/* Largest absolute difference of two tensors of numbers, and the largest number of the first. false: they are not of
 * one type and shape. */
static bool compare_tensors(const struct mc_tensor *a, const struct mc_tensor *b, double *difference, double *largest)
{
    *difference = *largest = 0;
    if (a->dtype != b->dtype || !mc_shape_equal(&a->shape, &b->shape) || a->dtype == MC_STRING) return false;
    const int64_t n = mc_tensor_count(a);
    for (int64_t i = 0; i < n; i++) {
        const double x = mc_tensor_get_f64(a, i), y = mc_tensor_get_f64(b, i);
        if (isnan(x) && isnan(y)) continue;
        const double d = x == y ? 0 : fabs(x - y); /* infinities are equal */
        if (!(d <= *difference)) *difference = d;
        if (!(fabs(x) <= *largest)) *largest = fabs(x);
    }
    return true;
}

static void put_output(const struct comparison *c, int i, const struct mc_tensor *a, const struct mc_tensor *b)
{
    double difference, largest;
    struct mc_record *entry = mc_record_append_object(mc_record_array(c->record, "output_differences"));
    mc_record_set_text(entry, "output", mc_model_output_name(c->models[0], i));
    if (!a || !b || !compare_tensors(a, b, &difference, &largest)) {
        mc_record_set_text(entry, "why", "the two are not tensors of one type and shape");
        return;
    }
    mc_record_set_num(entry, "max_difference", difference);
    mc_record_set_num(entry, "max_output", largest);
}

/* Why the two could not be run on the same inputs; that is no failure. */
static int put_why(const struct comparison *c, const char *why)
{
    mc_record_set_text(c->record, "outputs_why", why);
    return MC_OK;
}

static bool inputs_agree(struct mc_plan *a, struct mc_plan *b)
{
    if (mc_plan_n_inputs(a) != mc_plan_n_inputs(b)) return false;
    for (int i = 0; i < mc_plan_n_inputs(a); i++) {
        const struct mc_tensor *x = mc_plan_input(a, i), *y = mc_plan_input(b, i);
        if (!x || !y || x->dtype != y->dtype || !mc_shape_equal(&x->shape, &y->shape)) return false;
    }
    return true;
}

static int run_both(struct mc_plan *a, struct mc_plan *b, uint64_t seed, struct mc_error *err)
{
    int rc = mc_probe_inputs(a, seed, err);
    for (int i = 0; rc == MC_OK && i < mc_plan_n_inputs(a); i++)
        memcpy(mc_plan_input(b, i)->data, mc_plan_input(a, i)->data, mc_tensor_bytes(mc_plan_input(a, i)));
    if (rc == MC_OK) rc = mc_plan_run(a, err);
    return rc == MC_OK ? mc_plan_run(b, err) : rc;
}

/* Both on the same random inputs. */
static int compare_at_random(const struct comparison *c, struct mc_error *err)
{
    const struct mc_plan_options options = {.dims = {.batch = c->how->samples}, .runtime = &c->runtime};
    struct mc_plan *plans[2] = {NULL};
    struct mc_error why = {0};
    int rc = mc_plan_create(&plans[0], c->models[0], &options, &why);
    if (rc == MC_OK) rc = mc_plan_create(&plans[1], c->models[1], &options, &why);
    if (rc == MC_OK && !inputs_agree(plans[0], plans[1]))
        rc = mc_error_set(&why, MC_ERR_INPUT, "the models have inputs of other types or shapes");
    if (rc == MC_OK) rc = run_both(plans[0], plans[1], c->runtime.seed, &why);
    for (int i = 0; rc == MC_OK && i < mc_model_n_outputs(c->models[0]) && i < mc_model_n_outputs(c->models[1]); i++)
        put_output(c, i, mc_plan_output(plans[0], i), mc_plan_output(plans[1], i));
    mc_plan_destroy(plans[0]);
    mc_plan_destroy(plans[1]);
    if (rc == MC_ERR_SYSTEM) {
        if (err) *err = why;
        return rc;
    }
    return rc < 0 ? put_why(c, why.text) : MC_OK;
}

static void release(struct mc_item **items, int n)
{
    for (int i = 0; items && i < n; i++) mc_item_release(items[i]);
    mc_free(items);
}

/* Both on inputs that were given; here a model that cannot be run is a failure. */
static int compare_on_inputs(const struct comparison *c, struct mc_error *err)
{
    const int n[2] = {mc_model_n_outputs(c->models[0]), mc_model_n_outputs(c->models[1])};
    struct mc_item **outputs[2] = {MC_NEW_ARRAY(struct mc_item *, n[0] + 1), MC_NEW_ARRAY(struct mc_item *, n[1] + 1)};
    int rc = outputs[0] && outputs[1] ? MC_OK : mc_error_memory(err);
    for (int m = 0; rc == MC_OK && m < 2; m++) {
        rc = mc_model_run_items(c->models[m], c->context, c->how->inputs, c->how->n_inputs, outputs[m], err);
        if (rc < 0) mc_error_wrap(err, rc, "%s model", m ? "second" : "first");
    }
    for (int i = 0; rc == MC_OK && i < n[0] && i < n[1]; i++) {
        const struct mc_item *a = outputs[0][i], *b = outputs[1][i];
        put_output(c, i, a->kind == MC_ITEM_TENSOR ? a->tensor : NULL, b->kind == MC_ITEM_TENSOR ? b->tensor : NULL);
    }
    release(outputs[0], n[0]);
    release(outputs[1], n[1]);
    return rc;
}

/* --- answers --- */

static void put_shares(const struct comparison *c, const struct mc_outcomes *a, const struct mc_outcomes *b,
                       struct mc_record *paired)
{
    struct mc_mcnemar m;
    struct mc_interval i;
    mc_mcnemar(&m, a, b);
    mc_paired_shares(&m, c->how->confidence, &i);
    mc_record_set_num(paired, "agreement", mc_paired_agreement(a, b));
    mc_record_set_int(paired, "both_right", m.both);
    mc_record_set_int(paired, "only_first_right", m.only_first);
    mc_record_set_int(paired, "only_second_right", m.only_second);
    mc_record_set_int(paired, "neither_right", m.neither);
    mc_record_set_num(paired, "mcnemar_p", m.p_exact);
    mc_record_set_num(paired, "mcnemar_mid_p", m.p_mid);
    mc_record_set_num(paired, "accuracy_difference", i.difference);
    mc_record_set_num(paired, "accuracy_difference_low", i.low);
    mc_record_set_num(paired, "accuracy_difference_high", i.high);
}

/* The difference of each metric with its bootstrap interval. */
static int put_differences(const struct comparison *c, struct mc_outcomes *a, struct mc_outcomes *b,
                           struct mc_record *paired, struct mc_error *err)
{
    static const char *const names[] = {"accuracy", "precision", "recall", "f1",  "auc",
                                        "loss",     "mse",       "rmse",   "mae", "r2"};
    struct mc_record *list = mc_record_array(paired, "differences");
    for (size_t i = 0; i < MC_COUNT(names); i++) {
        const struct mc_figure *figure;
        const char *rest;
        struct mc_interval interval;
        int rc = mc_figure_find(&figure, &rest, names[i], err);
        if (rc == MC_OK && !(figure->of_kinds >> a->kind & 1)) continue;
        if (rc == MC_OK)
            rc = mc_paired_bootstrap(a, b, figure, -1, c->how->draws, c->runtime.seed, c->how->confidence, &interval,
                                     err);
        if (rc == MC_OK) rc = mc_context_report(c->context, "comparing", (int64_t)i + 1, (int64_t)MC_COUNT(names), err);
        if (rc < 0) return rc;
        if (isnan(interval.difference)) continue;
        struct mc_record *entry = mc_record_append_object(list);
        mc_record_set_text(entry, "metric", names[i]);
        mc_record_set_num(entry, "difference", interval.difference);
        mc_record_set_num(entry, "low", interval.low);
        mc_record_set_num(entry, "high", interval.high);
    }
    return MC_OK;
}

static int put_paired(const struct comparison *c, struct mc_outcomes *a, struct mc_outcomes *b, struct mc_error *err)
{
    int rc = mc_paired_check(a, b, err);
    if (rc < 0) return rc;
    struct mc_record *paired = mc_record_object(c->record, "paired");
    mc_record_set_int(paired, "samples", a->n);
    mc_record_set_num(paired, "confidence", c->how->confidence);
    if (a->kind != MC_METER_NUMBERS) put_shares(c, a, b, paired);
    return put_differences(c, a, b, paired, err);
}

static int compare_on_data(const struct comparison *c, const struct mc_dataset *data, enum mc_role_of_data role,
                           struct mc_error *err)
{
    struct mc_assessment found[2] = {0};
    int rc = MC_OK;
    mc_measure_data(data, mc_record_object(c->record, "data"));
    mc_record_set_text(c->record, "role", mc_data_role_name(role));
    if (data->n[role] == 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s' has no %s samples", data->spec, mc_data_role_name(role));
    for (int m = 0; rc == MC_OK && m < 2; m++) {
        rc =
            mc_assess(c->models[m], data, role, c->how->batch, MC_LOSS_AUTO, c->how->head, &c->runtime, &found[m], err);
        if (rc < 0) mc_error_wrap(err, rc, "%s model", m ? "second" : "first");
        if (rc == MC_OK) mc_measure_assessment(&found[m], data, c->of[m]);
    }
    if (rc == MC_OK) rc = put_paired(c, &found[0].outcomes, &found[1].outcomes, err);
    for (int m = 0; m < 2; m++) mc_assessment_finish(&found[m]);
    return rc;
}

/* --- the whole --- */

static int compare_models(const struct comparison *c, const struct mc_dataset *data, enum mc_role_of_data role,
                          struct mc_error *err)
{
    int rc = MC_OK;
    for (int m = 0; rc == MC_OK && m < 2; m++) {
        if (c->models[m]->path) mc_record_set_text(c->of[m], "model", mc_path_name(c->models[m]->path));
        rc = mc_measure_model(c->models[m], &c->runtime, MC_MEASURE_ALL, c->of[m], err);
    }
    if (rc == MC_OK) rc = c->how->n_inputs > 0 ? compare_on_inputs(c, err) : compare_at_random(c, err);
    if (rc == MC_OK && data) rc = compare_on_data(c, data, role, err);
    return rc == MC_OK ? mc_record_check(c->record, err) : rc;
}

int mc_model_compare(const struct mc_model *first, const struct mc_model *second, const struct mc_compare *how,
                     const struct mc_context *context, struct mc_record **record, struct mc_error *err)
{
    struct comparison c = {.how = how, .context = context};
    struct mc_flat flat[2] = {{0}};
    struct mc_dataset *data = NULL;
    enum mc_role_of_data role = MC_DATA_TEST;
    int rc = check(how, err);
    if (rc == MC_OK) rc = mc_context_runtime(context, &c.runtime, err);
    if (rc == MC_OK) rc = mc_data_role_find(how->role, &role, err);
    if (rc == MC_OK) rc = mc_flat_init(&flat[0], first, err);
    if (rc == MC_OK) rc = mc_flat_init(&flat[1], second, err);
    if (rc == MC_OK && how->data) rc = mc_dataset_open(&data, how->data, NULL, err);
    if (rc == MC_OK) rc = mc_record_create(&c.record, err);
    if (rc == MC_OK) {
        c.models[0] = flat[0].model;
        c.models[1] = flat[1].model;
        mc_record_begin(c.record, "compress compare");
        mc_context_record(&c.runtime, c.runtime.seed, c.record);
        c.of[0] = mc_record_object(c.record, "first");
        c.of[1] = mc_record_object(c.record, "second");
        rc = compare_models(&c, data, role, err);
    }
    mc_dataset_destroy(data);
    mc_flat_finish(&flat[0]);
    mc_flat_finish(&flat[1]);
    if (rc == MC_OK)
        *record = c.record;
    else
        mc_record_destroy(c.record);
    return rc;
}
