/* feed.c - samples of a role in the order of an epoch; see feed.h. */
#include "train/feed.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MOST_SHIFT = 2 }; /* pixels */

int mc_feed_init(struct mc_feed *feed, const struct mc_dataset *data, enum mc_role_of_data role, enum mc_loss_kind loss,
                 int64_t columns, int64_t capacity, const struct mc_fit_options *options, struct mc_error *err)
{
    *feed = (struct mc_feed){
        .data = data,
        .role = role,
        .loss = loss,
        .seed = options->seed,
        .shift = options->augment_shift,
        .n_threads = options->runtime.n_threads,
        .columns = columns,
        .order = MC_NEW_ARRAY(int64_t, data->n[role]),
        .labels = MC_NEW_ARRAY(int64_t, capacity),
    };
    if (feed->shift && data->sample.rank != 3)
        return mc_error_set(err, MC_ERR_USAGE, "shifting needs images [C, H, W], the data's samples have %d dimensions",
                            data->sample.rank);
    const bool numbers = mc_loss_takes_numbers(loss, data->task);
    if (numbers) feed->numbers = mc_alloc((size_t)capacity, (size_t)columns * sizeof *feed->numbers);
    feed->spare = MC_NEW_ARRAY(float, mc_shape_count(&data->sample));
    if (!feed->order || !feed->labels || !feed->spare || (numbers && !feed->numbers)) return mc_error_memory(err);
    for (int64_t i = 0; i < data->n[role]; i++) feed->order[i] = i;
    return MC_OK;
}

void mc_feed_finish(struct mc_feed *feed)
{
    mc_free(feed->order);
    mc_free(feed->labels);
    mc_free(feed->numbers);
    mc_free(feed->spare);
    *feed = (struct mc_feed){0};
}

void mc_feed_shuffle(struct mc_feed *feed, int64_t epoch)
{
    struct mc_rng rng;
    const int64_t n = feed->data->n[feed->role];
    mc_rng_init(&rng, feed->seed, mc_hash("shuffle") + (uint64_t)epoch);
    for (int64_t i = 0; i < n; i++) feed->order[i] = i;
    mc_rng_shuffle(&rng, feed->order, (size_t)n);
    feed->epoch = epoch;
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* The border repeats the nearest pixel: right whatever value the background was scaled to. */
static void shift_image(const struct mc_shape *shape, float *x, float *spare, int64_t down, int64_t right)
{
    const int64_t C = shape->dim[0], H = shape->dim[1], W = shape->dim[2];
    memcpy(spare, x, (size_t)(C * H * W) * sizeof *x);
    for (int64_t c = 0; c < C; c++)
        for (int64_t h = 0; h < H; h++) {
            const float *from = spare + (c * H + clamp(h - down, H)) * W;
            float *to = x + (c * H + h) * W;
            for (int64_t w = 0; w < W; w++) to[w] = from[clamp(w - right, W)];
        }
}

/* Each sample draws from a stream of its own, so that batch size and threads do not matter. */
static void shift_batch(const struct mc_feed *feed, int64_t begin, int64_t n, float *x)
{
    const struct mc_shape *shape = &feed->data->sample;
    const int64_t size = mc_shape_count(shape), per_epoch = feed->data->n[feed->role];
    for (int64_t i = 0; i < n; i++) {
        struct mc_rng rng;
        const uint64_t sample = (uint64_t)(feed->epoch * per_epoch + feed->order[begin + i]);
        mc_rng_init(&rng, feed->seed, mc_hash("shift") + sample);
        const int64_t down = (int64_t)mc_rng_below(&rng, 2 * MOST_SHIFT + 1) - MOST_SHIFT;
        const int64_t right = (int64_t)mc_rng_below(&rng, 2 * MOST_SHIFT + 1) - MOST_SHIFT;
        shift_image(shape, x + i * size, feed->spare, down, right);
    }
}

/* Probabilities have to be some, or the loss would have no least value. */
static int check_numbers(const struct mc_feed *feed, int64_t begin, int64_t n, struct mc_error *err)
{
    const bool sums = feed->loss == MC_LOSS_CROSS_ENTROPY || feed->loss == MC_LOSS_KL;
    if (!feed->numbers || (!sums && feed->loss != MC_LOSS_BCE)) return MC_OK;
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
    const int rc = mc_dataset_read(feed->data, feed->role, feed->order, begin, n, x, classes ? feed->labels : NULL,
                                   classes ? NULL : feed->numbers, feed->n_threads, err);
    if (rc < 0) return rc;
    if (feed->shift) shift_batch(feed, begin, n, x);
    if (classes && feed->numbers) {
        memset(feed->numbers, 0, (size_t)(n * feed->columns) * sizeof *feed->numbers);
        for (int64_t i = 0; i < n; i++) feed->numbers[i * feed->columns + feed->labels[i]] = 1;
        return MC_OK;
    }
    return check_numbers(feed, begin, n, err);
}
