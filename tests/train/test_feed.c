/* test_feed.c - the order of samples, their targets, and shifting. */
#include <string.h>

#include "toy.h"
#include "train/feed.h"

enum { N = 20 };

/* Sample i is (i, i + 0.5), its class i % 3. */
static void numbered(struct toy *toy)
{
    toy_create(toy, N, 2, 3, 0);
    for (int i = 0; i < N; i++) {
        toy->x[2 * i] = (float)i;
        toy->x[2 * i + 1] = (float)i + 0.5F;
        toy->labels[i] = i % 3;
    }
}

static void init(struct mc_feed *feed, const struct toy *toy, enum mc_loss_kind loss, uint64_t seed, bool shift)
{
    struct mc_error err = {0};
    struct mc_fit_options o = toy_options(1, 1, 1);
    o.seed = seed;
    assert_ok(mc_feed_init(feed, &toy->data, MC_DATA_TRAIN, loss, 3, N, &o, &err), err);
    assert_ok(mc_feed_augment(feed, shift ? "shift:2" : NULL, &err), err);
}

static void test_each_epoch_has_every_sample_once_with_its_label(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    numbered(&toy);
    init(&feed, &toy, MC_LOSS_CROSS_ENTROPY, 1, false);
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[N] = {0}, in_place = 0;
        mc_feed_shuffle(&feed, epoch);
        for (int begin = 0; begin < N; begin += 7) { /* the last batch is short */
            const int n = N - begin < 7 ? N - begin : 7;
            float x[14];
            assert_ok(mc_feed_read(&feed, begin, n, x, &err), err);
            for (int i = 0; i < n; i++) {
                const int sample = (int)x[2 * i];
                assert_true(x[2 * i + 1] == x[2 * i] + 0.5F);
                assert_int_equal(feed.labels[i], sample % 3);
                seen[sample]++;
                in_place += sample == begin + i;
            }
        }
        for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
        assert_true(in_place < N / 2);
    }
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

/* A loss of probabilities says which sample has none. */
static void test_targets_that_are_no_probabilities_are_refused(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    float x[2 * N];
    toy_create(&toy, 4, 2, 0, 3);
    for (int i = 0; i < 12; i++) toy.targets[i] = 0.25F + 0.25F * (float)(i % 3 == 0);
    init(&feed, &toy, MC_LOSS_CROSS_ENTROPY, 1, false);
    assert_ok(mc_feed_read(&feed, 0, 4, x, &err), err);
    toy.targets[7] = 0.5F;
    assert_int_equal(mc_feed_read(&feed, 0, 4, x, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "sample 2 of train: needs targets that sum to 1, has 1.25");
    mc_feed_finish(&feed);
    init(&feed, &toy, MC_LOSS_BCE, 1, false);
    assert_ok(mc_feed_read(&feed, 0, 4, x, &err), err);
    toy.targets[3] = -0.5F;
    assert_int_equal(mc_feed_read(&feed, 0, 4, x, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "sample 1 of train: needs targets in [0, 1], has -0.5");
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

static void test_order_depends_on_seed_and_epoch_alone(void **state)
{
    struct toy toy;
    struct mc_feed a, b, c;
    numbered(&toy);
    init(&a, &toy, MC_LOSS_CROSS_ENTROPY, 1, false);
    init(&b, &toy, MC_LOSS_CROSS_ENTROPY, 1, false);
    init(&c, &toy, MC_LOSS_CROSS_ENTROPY, 2, false);
    mc_feed_shuffle(&a, 0);
    mc_feed_shuffle(&a, 5); /* whatever came before */
    mc_feed_shuffle(&b, 5);
    mc_feed_shuffle(&c, 5);
    assert_memory_equal(a.order, b.order, N * sizeof *a.order);
    assert_true(memcmp(a.order, c.order, N * sizeof *a.order) != 0);
    mc_feed_shuffle(&b, 6);
    assert_true(memcmp(a.order, b.order, N * sizeof *a.order) != 0);
    mc_feed_finish(&a);
    mc_feed_finish(&b);
    mc_feed_finish(&c);
    toy_destroy(&toy);
}

static void test_classes_become_one_hot_numbers_for_squared_error(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    float x[2 * N];
    numbered(&toy);
    init(&feed, &toy, MC_LOSS_MSE, 1, false);
    assert_ok(mc_feed_read(&feed, 0, N, x, &err), err);
    assert_ok(mc_feed_read(&feed, 1, 2, x, &err), err); /* what was there before is gone */
    const float wanted[] = {0, 1, 0, 0, 0, 1};
    assert_memory_equal(feed.numbers, wanted, sizeof wanted);
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

/* One image of 4x5 with a different number in each pixel; each shifted one must be the image moved by at most two, its
 * border repeated. */
static bool is_shift(const float *x, int down, int right)
{
    for (int h = 0; h < 4; h++)
        for (int w = 0; w < 5; w++) {
            int from_h = h - down, from_w = w - right;
            from_h = from_h < 0 ? 0 : from_h > 3 ? 3 : from_h;
            from_w = from_w < 0 ? 0 : from_w > 4 ? 4 : from_w;
            if (x[h * 5 + w] != (float)(from_h * 5 + from_w)) return false;
        }
    return true;
}

static void test_images_shift_by_at_most_two_pixels_and_repeat_their_border(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    int seen[5][5] = {{0}};
    toy_create(&toy, N, 20, 3, 0);
    for (int i = 0; i < N * 20; i++) toy.x[i] = (float)(i % 20);
    toy.data.sample = (struct mc_shape){.rank = 3, .dim = {1, 4, 5}};
    init(&feed, &toy, MC_LOSS_CROSS_ENTROPY, 1, true);
    for (int epoch = 0; epoch < 20; epoch++) {
        float x[20 * N];
        mc_feed_shuffle(&feed, epoch);
        assert_ok(mc_feed_read(&feed, 0, N, x, &err), err);
        for (int i = 0; i < N; i++) {
            int found = 0;
            for (int down = -2; down <= 2; down++)
                for (int right = -2; right <= 2; right++)
                    if (is_shift(x + 20 * i, down, right)) {
                        seen[down + 2][right + 2]++;
                        found++;
                    }
            assert_int_equal(found, 1);
        }
    }
    for (int i = 0; i < 25; i++) assert_true(seen[i / 5][i % 5] > 2); /* 16 on average */
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

/* What a sample becomes depends on seed, epoch and sample, not on the batch that it is in. */
static void test_shifts_do_not_depend_on_the_batch(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    float whole[20 * N], parts[20 * N];
    toy_create(&toy, N, 20, 3, 0);
    for (int i = 0; i < N * 20; i++) toy.x[i] = (float)i;
    toy.data.sample = (struct mc_shape){.rank = 3, .dim = {1, 4, 5}};
    init(&feed, &toy, MC_LOSS_CROSS_ENTROPY, 1, true);
    mc_feed_shuffle(&feed, 1);
    assert_ok(mc_feed_read(&feed, 0, N, whole, &err), err);
    assert_ok(mc_feed_read(&feed, 0, 3, parts, &err), err);
    assert_ok(mc_feed_read(&feed, 3, N - 3, parts + 60, &err), err);
    assert_memory_equal(whole, parts, sizeof whole);
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

/* The targets of a mixture are those of its samples in the same shares. */
static void assert_mixes(enum mc_loss_kind loss)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_feed feed;
    float x[2 * N];
    int mixed = 0;
    numbered(&toy);
    init(&feed, &toy, loss, 1, false);
    assert_ok(mc_feed_augment(&feed, "mixup:1", &err), err);
    assert_true(mc_feed_changes(&feed));
    assert_null(mc_feed_targets(&feed).labels);
    mc_feed_shuffle(&feed, 0);
    assert_ok(mc_feed_read(&feed, 0, N, x, &err), err);
    for (int i = 0; i < N; i++) {
        const float *t = feed.numbers + 3 * i, share = feed.shares[i];
        const double own = (double)feed.order[i], other = ((double)x[2 * i] - share * own) / (1 - share);
        assert_true(t[0] + t[1] + t[2] > 0.9999F && t[0] + t[1] + t[2] < 1.0001F);
        assert_int_equal(feed.labels[i], feed.order[i] % 3);
        if (share > 0.9F) continue;
        assert_true(other > -0.01 && other < N - 0.99);
        assert_int_equal((int64_t)(other + 0.5) % 3, feed.others[i]);
        assert_true(t[feed.labels[i]] >= share - 1e-6F && t[feed.others[i]] >= 1 - share - 1e-6F);
        mixed++;
    }
    assert_true(mixed > N / 2);
    mc_feed_finish(&feed);
    toy_destroy(&toy);
}

static void test_mixup_mixes_targets_like_samples(void **state)
{
    assert_mixes(MC_LOSS_MSE);
    assert_mixes(MC_LOSS_CROSS_ENTROPY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_epoch_has_every_sample_once_with_its_label),
        cmocka_unit_test(test_targets_that_are_no_probabilities_are_refused),
        cmocka_unit_test(test_order_depends_on_seed_and_epoch_alone),
        cmocka_unit_test(test_classes_become_one_hot_numbers_for_squared_error),
        cmocka_unit_test(test_images_shift_by_at_most_two_pixels_and_repeat_their_border),
        cmocka_unit_test(test_shifts_do_not_depend_on_the_batch),
        cmocka_unit_test(test_mixup_mixes_targets_like_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
