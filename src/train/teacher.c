/* teacher.c - the scores that a student is to imitate; see teacher.h. */
#include "train/teacher.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int know_all(struct mc_teacher *t, const struct mc_fit_options *options, const struct mc_feed *feed,
                    struct mc_error *err)
{
    const int64_t n = feed->data->n[feed->role], K = t->columns;
    t->known = mc_alloc((size_t)n, (size_t)K * sizeof *t->known);
    if (!t->known) return mc_error_memory(err);
    for (int64_t begin = 0; begin < n; begin += t->predictor.batch) {
        const int64_t now = smaller(t->predictor.batch, n - begin);
        const float *scores;
        int rc = mc_dataset_read(feed->data, feed->role, NULL, begin, now, mc_predictor_input(&t->predictor), NULL,
                                 NULL, feed->n_threads, err);
        if (rc == MC_OK) rc = mc_predictor_run(&t->predictor, now, &scores, err);
        if (rc < 0) return rc;
        memcpy(t->known + begin * K, scores, (size_t)(now * K) * sizeof *scores);
        const struct mc_progress at = {.what = "teacher", .done = begin + now, .total = n, .loss = NAN};
        if (options->progress && !options->progress(options->progress_context, &at))
            return mc_error_set(err, MC_INTERRUPTED, "interrupted");
    }
    return MC_OK;
}

/* The student's head, if the teacher has one of that name. */
static const char *own_head(const struct mc_fit_options *options)
{
    const struct mc_graph *graph = options->teacher->graph;
    for (int i = 0; options->head && i < graph->n_outputs; i++)
        if (strcmp(graph->outputs[i]->name, options->head) == 0) return options->head;
    return NULL;
}

int mc_teacher_init(struct mc_teacher *t, const struct mc_fit_options *options, const struct mc_feed *feed,
                    int64_t capacity, struct mc_error *err)
{
    *t = (struct mc_teacher){0};
    int rc = mc_predictor_init(&t->predictor, options->teacher, feed->data, feed->loss, own_head(options), 0,
                               &options->runtime, err);
    if (rc < 0) return mc_error_wrap(err, rc, "teacher");
    t->columns = t->predictor.binding.columns;
    if (t->columns != feed->columns)
        return mc_error_set(err, MC_ERR_INPUT, "teacher: has %" PRId64 " scores, the student %" PRId64, t->columns,
                            feed->columns);
    t->scores = mc_alloc((size_t)capacity, (size_t)t->columns * sizeof *t->scores);
    if (!t->scores) return mc_error_memory(err);
    return feed->shift ? MC_OK : know_all(t, options, feed, err);
}

void mc_teacher_finish(struct mc_teacher *t)
{
    mc_predictor_finish(&t->predictor);
    mc_free(t->known);
    mc_free(t->scores);
    *t = (struct mc_teacher){0};
}

static int compute(struct mc_teacher *t, const struct mc_feed *feed, int64_t n, const float *x, struct mc_error *err)
{
    const int64_t K = t->columns, size = mc_shape_count(&feed->data->sample);
    for (int64_t begin = 0; begin < n; begin += t->predictor.batch) {
        const int64_t now = smaller(t->predictor.batch, n - begin);
        const float *scores;
        memcpy(mc_predictor_input(&t->predictor), x + begin * size, (size_t)(now * size) * sizeof *x);
        const int rc = mc_predictor_run(&t->predictor, now, &scores, err);
        if (rc < 0) return rc;
        memcpy(t->scores + begin * K, scores, (size_t)(now * K) * sizeof *scores);
    }
    return MC_OK;
}

int mc_teacher_scores(struct mc_teacher *t, const struct mc_feed *feed, int64_t begin, int64_t n, const float *x,
                      const float **scores, struct mc_error *err)
{
    const int64_t K = t->columns;
    *scores = t->scores;
    if (!t->known) return compute(t, feed, n, x, err);
    for (int64_t i = 0; i < n; i++)
        memcpy(t->scores + i * K, t->known + feed->order[begin + i] * K, (size_t)K * sizeof *t->scores);
    return MC_OK;
}
