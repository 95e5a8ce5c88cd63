/* teacher.c - the scores that a student is to imitate; see teacher.h. */
#include "train/teacher.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/archive.h"
#include "base/error.h"
#include "base/peers.h"
#include "base/rng.h"
#include "onnx/onnx.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int know_all(struct mc_teacher *t, const struct mc_fit_options *options, const struct mc_feed *feed,
                    struct mc_error *err)
{
    const int64_t n = feed->data->n[feed->role], K = t->columns;
    struct mc_peers *peers = options->runtime.peers;
    int64_t first, end;
    t->known = mc_alloc((size_t)n, (size_t)K * sizeof *t->known);
    if (!t->known) return mc_error_memory(err);
    mc_peers_share(peers, n, &first, &end);
    for (int64_t begin = first; begin < end; begin += t->predictor.batch) {
        const int64_t now = smaller(t->predictor.batch, end - begin);
        const float *scores;
        int rc = mc_dataset_read(feed->data, feed->role, NULL, begin, now, mc_predictor_input(&t->predictor), NULL,
                                 NULL, feed->n_threads, err);
        if (rc == MC_OK) rc = mc_predictor_run(&t->predictor, now, &scores, err);
        if (rc < 0) return rc;
        memcpy(t->known + begin * K, scores, (size_t)(now * K) * sizeof *scores);
        const struct mc_progress at = {
            .what = "teacher", .done = begin + now - first, .total = end - first, .loss = NAN};
        if (options->progress && !options->progress(options->progress_context, &at))
            return mc_error_set(err, MC_INTERRUPTED, "interrupted");
    }
    return mc_peers_gather(peers, t->known, n, (size_t)K * sizeof *t->known, err);
}

/* --- scores kept on disk --- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

/* Everything that the scores depend on: the model's file, which head, the data's name with its options, and the samples
 * as they reach the model. */
static int find_key(const struct mc_teacher *t, const struct mc_model *model, const struct mc_feed *feed, uint64_t *key,
                    struct mc_error *err)
{
    const int64_t n = feed->data->n[feed->role], size = mc_shape_count(&feed->data->sample);
    unsigned char *bytes;
    size_t length;
    int rc = mc_onnx_save_bytes(model, &bytes, &length, err);
    if (rc < 0) return rc;
    *key = hash_bytes(mc_hash("teacher's scores 1"), bytes, length);
    mc_free(bytes);
    const char *words[] = {t->predictor.binding.scores->name, feed->data->spec ? feed->data->spec : ""};
    for (size_t i = 0; i < MC_COUNT(words); i++) *key = hash_bytes(*key, words[i], strlen(words[i]) + 1);
    float *x = MC_NEW_ARRAY(float, size);
    if (!x) return mc_error_memory(err);
    for (int64_t i = 0; rc == MC_OK && i < n; i++) {
        rc = mc_dataset_read(feed->data, feed->role, NULL, i, 1, x, NULL, NULL, 1, err);
        if (rc == MC_OK) *key = hash_bytes(*key, x, (size_t)size * sizeof *x);
    }
    mc_free(x);
    return rc;
}

/* false: there is no such file, or it is not what it should be, and will be written anew. */
static bool load_scores(struct mc_teacher *t, const char *path, size_t bytes)
{
    struct mc_archive archive;
    if (mc_file_size(path) < 0 || mc_archive_open(&archive, path, bytes + 4096, 4, NULL) < 0) return false;
    t->known = mc_alloc(bytes, 1);
    const bool whole = t->known && mc_archive_get(&archive, "scores", t->known, bytes, NULL) == MC_OK;
    mc_archive_close(&archive);
    if (whole) return true;
    mc_free(t->known);
    t->known = NULL;
    return false;
}

/* Only the process of rank 0 looks, so that all do the same: they need not see the same disk. */
static int load_for_all(struct mc_teacher *t, const char *path, size_t bytes, struct mc_peers *peers,
                        struct mc_error *err)
{
    t->from_cache = mc_peers_leads(peers) && load_scores(t, path, bytes);
    int rc = mc_peers_send(peers, &t->from_cache, sizeof t->from_cache, err);
    if (rc < 0 || !t->from_cache) return rc;
    if (!t->known) t->known = mc_alloc(bytes, 1);
    return t->known ? mc_peers_send(peers, t->known, bytes, err) : mc_error_memory(err);
}

static int save_scores(const struct mc_teacher *t, const char *path, size_t bytes, struct mc_error *err)
{
    struct mc_archive_out out;
    mc_archive_create(&out, path, err);
    mc_archive_put(&out, t->known, bytes, err, "scores");
    const int rc = mc_archive_commit(&out, err);
    return rc < 0 ? mc_error_wrap(err, rc, "the teacher's scores") : MC_OK;
}

static int know_cached(struct mc_teacher *t, const struct mc_model *model, const struct mc_fit_options *options,
                       const struct mc_feed *feed, struct mc_error *err)
{
    const size_t bytes = (size_t)(feed->data->n[feed->role] * t->columns) * sizeof *t->known;
    const size_t room = strlen(options->teacher_cache) + sizeof ".0123456789abcdef.scores";
    uint64_t key;
    int rc = find_key(t, model, feed, &key, err);
    if (rc < 0) return rc;
    char *path = mc_alloc(room, 1);
    if (!path) return mc_error_memory(err);
    snprintf(path, room, "%s.%016" PRIx64 ".scores", options->teacher_cache, key);
    rc = load_for_all(t, path, bytes, options->runtime.peers, err);
    if (rc == MC_OK && !t->from_cache) {
        rc = know_all(t, options, feed, err);
        if (rc == MC_OK && mc_peers_leads(options->runtime.peers)) rc = save_scores(t, path, bytes, err);
    }
    mc_free(path);
    return rc;
}

/* The student's head, if the teacher has one of that name. */
static const char *own_head(const struct mc_fit_options *options, const struct mc_model *teacher)
{
    const struct mc_graph *graph = teacher->graph;
    for (int i = 0; options->head && i < graph->n_outputs; i++)
        if (strcmp(graph->outputs[i]->name, options->head) == 0) return options->head;
    return NULL;
}

int mc_teacher_init(struct mc_teacher *t, const struct mc_model *model, const struct mc_fit_options *options,
                    const struct mc_feed *feed, int64_t capacity, struct mc_error *err)
{
    *t = (struct mc_teacher){0};
    int rc = mc_predictor_init(&t->predictor, model, feed->data, feed->loss, own_head(options, model), NULL, 0, 0,
                               &options->runtime, err);
    if (rc < 0) return mc_error_wrap(err, rc, "teacher");
    t->columns = t->predictor.binding.columns;
    if (t->columns != feed->columns)
        return mc_error_set(err, MC_ERR_INPUT, "teacher: has %" PRId64 " scores, the student %" PRId64, t->columns,
                            feed->columns);
    t->scores = mc_alloc((size_t)capacity, (size_t)t->columns * sizeof *t->scores);
    if (!t->scores) return mc_error_memory(err);
    if (mc_feed_changes(feed)) return MC_OK;
    return options->teacher_cache ? know_cached(t, model, options, feed, err) : know_all(t, options, feed, err);
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
