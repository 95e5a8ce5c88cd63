/* feed.c - samples of a role in the order of an epoch; see feed.h. */
#include "train/feed.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

int mc_feed_init(struct mc_feed *feed, const struct mc_dataset *data, enum mc_role_of_data role, enum mc_loss_kind loss,
                 int64_t columns, int64_t capacity, const struct mc_fit_options *options, struct mc_error *err)
{
    *feed = (struct mc_feed){
        .data = data,
        .role = role,
        .loss = loss,
        .seed = options->seed,
        .n_threads = options->runtime.n_threads,
        .columns = columns,
        .capacity = capacity,
        .order = MC_NEW_ARRAY(int64_t, data->n[role]),
        .labels = MC_NEW_ARRAY(int64_t, capacity),
        .others = MC_NEW_ARRAY(int64_t, capacity),
        .shares = MC_NEW_ARRAY(float, capacity),
    };
    const bool numbers = mc_loss_takes_numbers(loss, data->task), weighted = data->from[role]->weights != NULL;
    if (weighted) feed->weights = MC_NEW_ARRAY(float, capacity);
    if (numbers) feed->numbers = mc_alloc((size_t)capacity, (size_t)columns * sizeof *feed->numbers);
    if (!feed->order || !feed->labels || !feed->others || !feed->shares || (numbers && !feed->numbers) ||
        (weighted && !feed->weights))
        return mc_error_memory(err);
    for (int64_t i = 0; i < data->n[role]; i++) feed->order[i] = i;
    const int rc =
        mc_loader_create(&feed->loader, data, role, &feed->augment, feed->seed, capacity, feed->n_threads, err);
    if (rc == MC_OK) mc_loader_begin(feed->loader, feed->order, 0);
    return rc;
}

void mc_feed_finish(struct mc_feed *feed)
{
    mc_loader_destroy(feed->loader);
    mc_free(feed->order);
    mc_free(feed->labels);
    mc_free(feed->others);
    mc_free(feed->shares);
    mc_free(feed->weights);
    mc_free(feed->numbers);
    *feed = (struct mc_feed){0};
}

int mc_feed_augment(struct mc_feed *feed, const char *text, struct mc_error *err)
{
    int rc = MC_OK;
    feed->augment = text ? (struct mc_augment){0} : feed->data->augment;
    if (text && strcmp(text, "none") != 0) rc = mc_augment_add(&feed->augment, text, &feed->data->sample, err);
    feed->mixes = feed->augment.mixup > 0;
    if (rc < 0 || !feed->mixes || feed->numbers) return rc;
    feed->numbers = mc_alloc((size_t)feed->capacity, (size_t)feed->columns * sizeof *feed->numbers);
    return feed->numbers ? MC_OK : mc_error_memory(err);
}

struct mc_targets mc_feed_targets(const struct mc_feed *feed)
{
    return (struct mc_targets){
        .labels = feed->mixes ? NULL : feed->labels, .numbers = feed->numbers, .weights = feed->weights};
}

bool mc_feed_changes(const struct mc_feed *feed)
{
    return !mc_augment_is_none(&feed->augment);
}

void mc_feed_shuffle(struct mc_feed *feed, int64_t epoch)
{
    struct mc_rng rng;
    const int64_t n = feed->data->n[feed->role];
    mc_loader_begin(feed->loader, feed->order, epoch);
    mc_rng_init(&rng, feed->seed, mc_hash("shuffle") + (uint64_t)epoch);
    for (int64_t i = 0; i < n; i++) feed->order[i] = i;
    mc_rng_shuffle(&rng, feed->order, (size_t)n);
}

/* Classes as distributions: all of one, or of two that were mixed. */
static void spread_classes(struct mc_feed *feed, int64_t n)
{
    const int64_t K = feed->columns;
    memset(feed->numbers, 0, (size_t)(n * K) * sizeof *feed->numbers);
    for (int64_t i = 0; i < n; i++) {
        feed->numbers[i * K + feed->labels[i]] += feed->shares[i];
        feed->numbers[i * K + feed->others[i]] += 1 - feed->shares[i];
    }
}

/* Probabilities have to be some, or the loss would have no least value. */
static int check_numbers(const struct mc_feed *feed, int64_t begin, int64_t n, struct mc_error *err)
{
    const bool sums = feed->loss == MC_LOSS_CROSS_ENTROPY || feed->loss == MC_LOSS_KL;
    if (!feed->numbers || !mc_dataset_is_labelled(feed->data, feed->role) || (!sums && feed->loss != MC_LOSS_BCE))
        return MC_OK;
    for (int64_t i = 0; i < n; i++) {
        const float *t = feed->numbers + i * feed->columns;
        double sum = 0;
        for (int64_t c = 0; c < feed->columns; c++) {
            sum += (double)t[c];
            if (!(t[c] >= 0 && t[c] <= 1))
                return mc_error_set(err, MC_ERR_INPUT, "sample %" PRId64 " of %s: needs targets in [0, 1], has %g",
                                    feed->order[begin + i], mc_data_role_name(feed->role), (double)t[c]);
        }
        if (sums && fabs(sum - 1) > 1e-3)
            return mc_error_set(err, MC_ERR_INPUT, "sample %" PRId64 " of %s: needs targets that sum to 1, has %g",
                                feed->order[begin + i], mc_data_role_name(feed->role), sum);
    }
    return MC_OK;
}

int mc_feed_read(struct mc_feed *feed, int64_t begin, int64_t n, float *x, struct mc_error *err)
{
    const bool classes = feed->data->task == MC_TASK_CLASSIFICATION;
    const struct mc_batch batch = {.x = x,
                                   .labels = classes ? feed->labels : NULL,
                                   .others = classes ? feed->others : NULL,
                                   .shares = classes ? feed->shares : NULL,
                                   .targets = classes ? NULL : feed->numbers,
                                   .weights = feed->weights};
    const int rc = mc_loader_read(feed->loader, begin, n, &batch, err);
    if (rc < 0) return rc;
    if (!classes) return check_numbers(feed, begin, n, err);
    if (feed->numbers) spread_classes(feed, n);
    return MC_OK;
}
