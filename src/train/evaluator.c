/* evaluator.c - loss and metrics of a model over a role; see evaluator.h, and mc_evaluate in train.h. */
#include "train/evaluator.h"

#include "base/error.h"
#include "base/peers.h"

int mc_evaluator_init(struct mc_evaluator *e, const struct mc_model *model, const struct mc_dataset *data,
                      enum mc_role_of_data role, int64_t batch, const struct mc_fit_options *options,
                      struct mc_error *err)
{
    *e = (struct mc_evaluator){0};
    int rc = mc_predictor_init(&e->predictor, model, data, options->loss, options->head, NULL, 0, batch,
                               &options->runtime, err);
    if (rc < 0) return rc;
    const int64_t columns = e->predictor.binding.columns;
    rc = mc_loss_init(&e->loss, options, e->predictor.binding.loss, columns, data, false, err);
    if (rc == MC_OK) rc = mc_feed_init(&e->feed, data, role, e->loss.kind, columns, e->predictor.batch, options, err);
    static const enum mc_meter_kind kinds[] = {[MC_TASK_CLASSIFICATION] = MC_METER_CLASSES,
                                               [MC_TASK_LABELS] = MC_METER_LABELS,
                                               [MC_TASK_REGRESSION] = MC_METER_NUMBERS};
    if (rc == MC_OK) rc = mc_meter_init(&e->meter, kinds[data->task], columns, err);
    return rc;
}

void mc_evaluator_finish(struct mc_evaluator *e)
{
    mc_meter_finish(&e->meter);
    mc_feed_finish(&e->feed);
    mc_loss_finish(&e->loss);
    mc_predictor_finish(&e->predictor);
}

static int measure_batch(struct mc_evaluator *e, int64_t begin, int64_t n, struct mc_error *err)
{
    const float *scores;
    int rc = mc_feed_read(&e->feed, begin, n, mc_predictor_input(&e->predictor), err);
    if (rc == MC_OK) rc = mc_predictor_run(&e->predictor, n, &scores, err);
    if (rc < 0) return rc;
    struct mc_targets targets = mc_feed_targets(&e->feed);
    targets.weights = NULL; /* they are for training */
    mc_meter_add_loss(&e->meter, mc_loss_run(&e->loss, n, scores, &targets, 1, NULL));
    if (e->meter.kind == MC_METER_CLASSES)
        mc_meter_add_classes(&e->meter, scores, e->feed.labels, NULL, n);
    else if (e->meter.kind == MC_METER_LABELS)
        mc_meter_add_labels(&e->meter, scores, e->feed.numbers, NULL, n);
    else
        mc_meter_add_numbers(&e->meter, scores, e->feed.numbers, NULL, n);
    if (e->keep) mc_outcomes_add(e->keep, scores, e->feed.labels, e->feed.numbers, n);
    return MC_OK;
}

int mc_evaluator_run(struct mc_evaluator *e, struct mc_metrics *metrics, struct mc_error *err)
{
    const int64_t batch = e->predictor.batch;
    struct mc_peers *peers = mc_plan_runtime(e->predictor.plan)->peers;
    int64_t begin, end;
    int rc = mc_plan_refresh(e->predictor.plan, err);
    mc_meter_reset(&e->meter);
    const bool labelled = mc_dataset_is_labelled(e->feed.data, e->feed.role);
    mc_peers_share(peers, labelled ? e->feed.data->n[e->feed.role] : 0, &begin, &end);
    if (e->keep) e->keep->n = begin;
    for (; rc == MC_OK && begin < end; begin += batch)
        rc = measure_batch(e, begin, end - begin < batch ? end - begin : batch, err);
    if (rc == MC_OK) rc = mc_meter_gather(&e->meter, peers, err);
    if (rc == MC_OK && e->keep) rc = mc_outcomes_gather(e->keep, peers, err);
    if (rc == MC_OK) mc_meter_result(&e->meter, metrics);
    return rc;
}

int mc_evaluate(const struct mc_model *model, const struct mc_dataset *data, enum mc_role_of_data role, int64_t batch,
                enum mc_loss_kind loss, const char *head, const struct mc_runtime *runtime, struct mc_metrics *metrics,
                struct mc_error *err)
{
    const struct mc_fit_options options = {.loss = loss, .huber_delta = 1, .head = head, .runtime = *runtime};
    const int width = mc_runtime_enter(runtime);
    struct mc_evaluator evaluator = {0};
    int rc = mc_dataset_need_labels(data, role, "to measure by", err);
    if (rc == MC_OK) rc = mc_evaluator_init(&evaluator, model, data, role, batch, &options, err);
    if (rc == MC_OK) rc = mc_evaluator_run(&evaluator, metrics, err);
    mc_evaluator_finish(&evaluator);
    mc_runtime_leave(width);
    return rc;
}

/* An area for each class takes sorting all samples as often as there are classes. */
#define MOST_RANKS (INT64_C(1) << 24)

static int run_assessment(struct mc_evaluator *e, struct mc_assessment *a, struct mc_error *err)
{
    const int64_t n = e->feed.data->n[e->feed.role];
    int rc = mc_outcomes_init(&a->outcomes, e->meter.kind, e->meter.width, n, err);
    e->keep = &a->outcomes;
    if (rc == MC_OK) rc = mc_evaluator_run(e, &a->metrics, err);
    if (rc < 0) return rc;
    a->meter = e->meter;
    e->meter = (struct mc_meter){0};
    const bool ranked = a->outcomes.scores && a->meter.kind != MC_METER_NUMBERS && n * a->meter.width <= MOST_RANKS;
    return ranked ? mc_outcomes_mean_auc(&a->outcomes, NULL, &a->metrics.auc, err) : MC_OK;
}

int mc_assess(const struct mc_model *model, const struct mc_dataset *data, enum mc_role_of_data role, int64_t batch,
              enum mc_loss_kind loss, const char *head, const struct mc_runtime *runtime,
              struct mc_assessment *assessment, struct mc_error *err)
{
    const struct mc_fit_options options = {.loss = loss, .huber_delta = 1, .head = head, .runtime = *runtime};
    const int width = mc_runtime_enter(runtime);
    struct mc_evaluator evaluator = {0};
    *assessment = (struct mc_assessment){0};
    int rc = mc_dataset_need_labels(data, role, "to measure by", err);
    if (rc == MC_OK) rc = mc_evaluator_init(&evaluator, model, data, role, batch, &options, err);
    if (rc == MC_OK) rc = run_assessment(&evaluator, assessment, err);
    mc_evaluator_finish(&evaluator);
    mc_runtime_leave(width);
    return rc;
}
