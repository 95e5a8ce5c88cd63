/* test_augment.c - each way does what it says, for every draw. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"

enum { C = 2, H = 6, W = 5, SIZE = C * H * W };

static const struct mc_shape image = {.rank = 3, .dim = {C, H, W}};

static struct mc_augment parse(const char *text)
{
    struct mc_error err = {0};
    struct mc_augment a = {0};
    assert_ok(mc_augment_add(&a, text, &image, &err), err);
    return a;
}

/* Element (c, h, w) is 1 + its number, so that 0 is never one of them. */
static void fill(float *x)
{
    for (int i = 0; i < SIZE; i++) x[i] = (float)(i + 1);
}

static float at(int c, int h, int w)
{
    return (float)((c * H + h) * W + w + 1);
}

static void apply(const char *text, uint64_t stream, const double *mean, float *x)
{
    const struct mc_augment a = parse(text);
    struct mc_rng rng;
    float spare[SIZE];
    mc_rng_init(&rng, 7, stream);
    fill(x);
    mc_augment_apply(&a, &image, &rng, mean, x, spare);
}

/* Is the image the old one moved by (down, right), `outside` of it what is given or, NAN, the nearest pixel? */
static bool is_moved(const float *x, int down, int right, bool repeat)
{
    for (int c = 0; c < C; c++)
        for (int h = 0; h < H; h++)
            for (int w = 0; w < W; w++) {
                int i = h - down, k = w - right;
                const bool inside = i >= 0 && i < H && k >= 0 && k < W;
                i = i < 0 ? 0 : i >= H ? H - 1 : i;
                k = k < 0 ? 0 : k >= W ? W - 1 : k;
                if (x[(c * H + h) * W + w] != (inside || repeat ? at(c, i, k) : 0)) return false;
            }
    return true;
}

static void assert_moves(const char *way, int most, bool repeat)
{
    int seen[7][7] = {{0}}, kinds = 0;
    for (uint64_t stream = 0; stream < 400; stream++) {
        float x[SIZE];
        int found = 0;
        apply(way, stream, NULL, x);
        for (int down = -most; down <= most && !found; down++)
            for (int right = -most; right <= most && !found; right++) {
                found = is_moved(x, down, right, repeat);
                if (found) kinds += seen[down + 3][right + 3]++ == 0;
            }
        assert_int_equal(found, 1);
    }
    assert_int_equal(kinds, (2 * most + 1) * (2 * most + 1));
}

static void test_crop_and_shift_reach_every_offset_and_no_other(void **state)
{
    assert_moves("crop:2", 2, false);
    assert_moves("shift:1", 1, true);
}

static void test_flip_mirrors_about_half_of_the_samples(void **state)
{
    int flipped = 0;
    for (uint64_t stream = 0; stream < 400; stream++) {
        float x[SIZE];
        apply("flip", stream, NULL, x);
        const bool mirrored = x[0] == at(0, 0, W - 1);
        for (int i = 0; i < SIZE; i++) assert_true(x[i] == at(i / W / H, i / W % H, mirrored ? W - 1 - i % W : i % W));
        flipped += mirrored;
    }
    assert_true(flipped > 160 && flipped < 240);
}

static void test_cutout_sets_one_square_to_the_mean(void **state)
{
    static const double mean[C] = {-1, -2};
    for (uint64_t stream = 0; stream < 200; stream++) {
        float x[SIZE];
        int rows[H] = {0}, columns[W] = {0}, cut = 0;
        apply("cutout:3", stream, mean, x);
        for (int h = 0; h < H; h++)
            for (int w = 0; w < W; w++) {
                const bool gone = x[h * W + w] == -1;
                assert_true(gone || x[h * W + w] == at(0, h, w));
                assert_true((x[(H + h) * W + w] == -2) == gone);
                rows[h] += gone;
                columns[w] += gone;
                cut += gone;
            }
        int n_rows = 0, n_columns = 0;
        for (int h = 0; h < H; h++) n_rows += rows[h] > 0;
        for (int w = 0; w < W; w++) n_columns += columns[w] > 0;
        assert_int_equal(cut, n_rows * n_columns);
        assert_true(n_rows >= 2 && n_rows <= 3 && n_columns >= 2 && n_columns <= 3);
    }
}

/* The middle of a square stays where it is; a ramp that is turned is a ramp again. */
static void test_rotation_turns_about_the_middle(void **state)
{
    const struct mc_shape square = {.rank = 3, .dim = {1, 9, 9}};
    struct mc_error err = {0};
    struct mc_augment a = {0};
    assert_ok(mc_augment_add(&a, "rotate:20", &square, &err), err);
    double largest = 0;
    for (uint64_t stream = 0; stream < 100; stream++) {
        float x[81], spare[81];
        struct mc_rng rng;
        mc_rng_init(&rng, 1, stream);
        for (int i = 0; i < 81; i++) x[i] = (float)(i % 9);
        mc_augment_apply(&a, &square, &rng, NULL, x, spare);
        const double down = x[5 * 9 + 4] - x[4 * 9 + 4], right = x[4 * 9 + 5] - x[4 * 9 + 4];
        assert_true(fabs(x[4 * 9 + 4] - 4.0) < 1e-5);
        assert_true(fabs(down * down + right * right - 1) < 1e-5);
        const double angle = fabs(atan2(down, right)) * 57.29577951308232;
        assert_true(angle <= 20.001);
        if (angle > largest) largest = angle;
    }
    assert_true(largest > 18);
}

/* Mean 1/2, variance 1/(4 (2 a + 1)). */
static void test_beta_has_its_mean_and_variance(void **state)
{
    static const double shapes[] = {0.2, 1, 3};
    for (int s = 0; s < 3; s++) {
        enum { N = 20000 };
        struct mc_rng rng;
        double sum = 0, squares = 0;
        mc_rng_init(&rng, 3, (uint64_t)s);
        for (int i = 0; i < N; i++) {
            const double b = mc_augment_beta(&rng, shapes[s]);
            assert_true(b >= 0 && b <= 1);
            sum += b;
            squares += b * b;
        }
        const double mean = sum / N, variance = squares / N - mean * mean;
        assert_true(fabs(mean - 0.5) < 0.01);
        assert_true(fabs(variance * 4 * (2 * shapes[s] + 1) - 1) < 0.03);
    }
}

static void assert_refused(const char *text, const struct mc_shape *shape, const char *words)
{
    struct mc_error err = {0};
    struct mc_augment a = {0};
    assert_int_equal(mc_augment_add(&a, text, shape, &err), MC_ERR_USAGE);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
}

static void test_what_cannot_be_is_refused(void **state)
{
    const struct mc_shape vector = {.rank = 1, .dim = {4}};
    struct mc_error err = {0};
    struct mc_augment a = {0};
    assert_refused("crop:", &image, "'crop' needs an integer from 1 to 1024, has ''");
    assert_refused("crop:1.5", &image, "has '1.5'");
    assert_refused("flip:1", &image, "'flip' takes no number, has '1'");
    assert_refused("flip+", &image, "has ''");
    assert_refused("mixup:0", &image, "from 0.001 to 100, has '0'");
    assert_refused("flip", &vector, "'flip' needs images [C, H, W], the data's samples have 1 dimensions");
    assert_refused("flip+flip+flip+flip+flip+flip+flip+flip+flip", &image, "at most 8");
    assert_int_equal(mc_augment_add(&a, "fip", &image, &err), MC_ERR_USAGE);
    assert_string_equal(err.hint, "did you mean 'flip'?");
    const struct mc_augment usual = parse("crop+mixup"), said = parse("crop:4+mixup:0.2");
    assert_true(usual.steps[0].amount == said.steps[0].amount && usual.mixup == said.mixup);
    assert_ok(mc_augment_add(&a, "mixup:0.4", &vector, &err), err);
    assert_true(a.mixup == 0.4 && a.n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop_and_shift_reach_every_offset_and_no_other),
        cmocka_unit_test(test_flip_mirrors_about_half_of_the_samples),
        cmocka_unit_test(test_cutout_sets_one_square_to_the_mean),
        cmocka_unit_test(test_rotation_turns_about_the_middle),
        cmocka_unit_test(test_beta_has_its_mean_and_variance),
        cmocka_unit_test(test_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
