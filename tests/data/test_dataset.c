/* test_dataset.c - roles, splits and folds on the embedded data set. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "data/data.h"

static struct mc_dataset *open_data(const char *spec)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_ok(mc_dataset_open(&d, spec, NULL, &err), err);
    return d;
}

/* No sample of the training source is in two roles; returns how many there are in all. */
static int64_t assert_disjoint(const struct mc_dataset *d)
{
    static const enum mc_role_of_data roles[] = {MC_DATA_TRAIN, MC_DATA_VALIDATION, MC_DATA_TEST};
    int64_t total = 0;
    char *seen = calloc((size_t)d->sources[0]->n_samples, 1);
    for (int r = 0; r < 3; r++) {
        if (d->from[roles[r]] != d->sources[0]) continue;
        total += d->n[roles[r]];
        for (int64_t i = 0; i < d->n[roles[r]]; i++) {
            assert_int_equal(seen[d->index[roles[r]][i]], 0);
            seen[d->index[roles[r]][i]] = 1;
        }
    }
    free(seen);
    return total;
}

static void test_roles_are_disjoint_and_have_their_sizes(void **state)
{
    struct mc_dataset *d = open_data("glyphs,train=200,test=50");
    assert_int_equal(d->n[MC_DATA_TRAIN], 180);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 20);
    assert_int_equal(d->n[MC_DATA_TEST], 50);
    assert_int_equal(d->n[MC_DATA_CALIBRATION], 180);
    assert_int_equal(assert_disjoint(d), 200);
    mc_dataset_destroy(d);
    d = open_data("glyphs,train=200,test=50,validation=60");
    assert_int_equal(d->n[MC_DATA_VALIDATION], 60);
    mc_dataset_destroy(d);
}

static void test_batches_do_not_depend_on_threads(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d = open_data("glyphs,train=300,test=10,seed=3");
    enum { N = 256, WIDTH = 28 * 28 };
    float *a = malloc(sizeof(float) * N * WIDTH), *b = malloc(sizeof(float) * N * WIDTH);
    int64_t labels_a[N], labels_b[N];
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, 5, N, a, labels_a, NULL, 1, &err), err);
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, 5, N, b, labels_b, NULL, 3, &err), err);
    assert_memory_equal(a, b, sizeof(float) * N * WIDTH);
    assert_memory_equal(labels_a, labels_b, sizeof labels_a);
    int64_t order[4] = {9, 8, 7, 6};
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, order, 1, 2, b, labels_b, NULL, 1, &err), err);
    assert_memory_equal(b, a + 3 * WIDTH, sizeof(float) * WIDTH);
    assert_memory_equal(b + WIDTH, a + 2 * WIDTH, sizeof(float) * WIDTH);
    free(a);
    free(b);
    mc_dataset_destroy(d);
}

static void test_glyphs_are_the_same_for_a_seed_and_differ_between_seeds(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *a = open_data("glyphs,train=20,test=5"), *b = open_data("glyphs,train=90,test=9"),
                      *c = open_data("glyphs,train=20,test=5,seed=1");
    float x[28 * 28], y[28 * 28];
    int64_t label_x, label_y;
    assert_ok(a->sources[0]->read(a->sources[0], 7, x, &label_x, NULL, &err), err);
    assert_ok(b->sources[0]->read(b->sources[0], 7, y, &label_y, NULL, &err), err);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(label_x, label_y);
    assert_ok(c->sources[0]->read(c->sources[0], 7, y, &label_y, NULL, &err), err);
    assert_memory_not_equal(x, y, sizeof x);
    assert_ok(a->sources[MC_DATA_TEST]->read(a->sources[MC_DATA_TEST], 0, y, &label_y, NULL, &err), err);
    assert_memory_not_equal(x, y, sizeof x);
    mc_dataset_destroy(a);
    mc_dataset_destroy(b);
    mc_dataset_destroy(c);
}

static void test_glyphs_cover_all_classes_with_ink_inside_the_range(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d = open_data("glyphs,train=500,test=5");
    int64_t counts[10] = {0};
    for (int64_t i = 0; i < 500; i++) {
        float x[28 * 28];
        int64_t label;
        double ink = 0;
        assert_ok(d->sources[0]->read(d->sources[0], i, x, &label, NULL, &err), err);
        assert_true(label >= 0 && label < 10);
        counts[label]++;
        for (int k = 0; k < 28 * 28; k++) {
            assert_true(x[k] >= 0 && x[k] <= 1);
            ink += x[k];
        }
        assert_true(ink > 8 && ink < 400);
    }
    for (int c = 0; c < 10; c++) assert_true(counts[c] > 25);
    mc_dataset_destroy(d);
}

static void test_folds_partition_and_are_stratified(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d = open_data("glyphs,train=200,test=5");
    char *held = calloc(200, 1);
    for (int f = 0; f < 5; f++) {
        struct mc_dataset *fold;
        assert_ok(mc_dataset_fold(&fold, d, 5, f, 1, &err), err);
        assert_int_equal(assert_disjoint(fold), 200);
        assert_int_equal(fold->n[MC_DATA_VALIDATION], 40);
        int64_t zeros = 0;
        for (int64_t i = 0; i < 40; i++) {
            const int64_t sample = fold->index[MC_DATA_VALIDATION][i];
            int64_t label;
            assert_int_equal(held[sample], 0);
            held[sample] = 1;
            assert_ok(d->sources[0]->read(d->sources[0], sample, NULL, &label, NULL, &err), err);
            zeros += label == 0;
        }
        assert_true(zeros >= 2 && zeros <= 7);
        mc_dataset_destroy(fold);
    }
    free(held);
    struct mc_dataset *fold;
    assert_int_equal(mc_dataset_fold(&fold, d, 5, 5, 1, &err), MC_ERR_USAGE);
    mc_dataset_destroy(d);
}

static void test_unknown_words_are_refused_with_the_nearest(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_int_equal(mc_dataset_open(&d, "glyps", NULL, &err), MC_ERR_USAGE);
    assert_string_equal(err.hint, "did you mean 'glyphs'?");
    assert_int_equal(mc_dataset_open(&d, "glyphs,tset=4", NULL, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "data 'glyphs,tset=4': data 'glyphs' has no option 'tset'");
    assert_int_equal(mc_dataset_open(&d, "mnist", NULL, &err), MC_ERR_USAGE);
    assert_int_equal(mc_dataset_open(&d, "glyphs:here", NULL, &err), MC_ERR_USAGE);
    assert_int_equal(mc_dataset_open(&d, "glyphs,train=0", NULL, &err), MC_ERR_USAGE);
    assert_int_equal(mc_dataset_open(&d, "mnist:/nowhere/at/all", NULL, &err), MC_ERR_INPUT);
}

static void test_images_of_any_kind_come_to_the_size_that_is_asked_for(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d = open_data("glyphs,train=20,test=4,resize=14x12"),
                      *cut = open_data("glyphs,train=20,test=4,crop=20"), *whole = open_data("glyphs,train=20,test=4");
    float x[28 * 28], y[28 * 28], z[28 * 28];
    double sum_x = 0, sum_y = 0;
    assert_int_equal(d->sample.dim[1], 14);
    assert_int_equal(d->sample.dim[2], 12);
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 1, 1, x, NULL, NULL, 1, &err), err);
    assert_ok(mc_dataset_read(whole, MC_DATA_TEST, NULL, 1, 1, y, NULL, NULL, 1, &err), err);
    assert_ok(mc_dataset_read(cut, MC_DATA_TEST, NULL, 1, 1, z, NULL, NULL, 1, &err), err);
    for (int i = 0; i < 14 * 12; i++) sum_x += x[i];
    for (int i = 0; i < 28 * 28; i++) sum_y += y[i];
    assert_true(sum_x / (14 * 12) > 0.9 * sum_y / (28 * 28) &&
                sum_x / (14 * 12) < 1.1 * sum_y / (28 * 28)); /* ink stays */
    assert_memory_equal(z, y + 4 * 28 + 4, 20 * sizeof *z);
    mc_dataset_destroy(d);
    mc_dataset_destroy(cut);
    mc_dataset_destroy(whole);
    assert_int_equal(mc_dataset_open(&d, "npz:packed.npz,resize=2", MC_DATA_FILES, &err), MC_ERR_USAGE);
}

static void test_roles_come_from_several_data_sets(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset
        *d = open_data("glyphs,train=40,test=10;validation=glyphs,train=15,seed=9;calibration=glyphs,seed=3,train=7"),
        *other = open_data("glyphs,train=15,seed=9");
    assert_int_equal(d->n[MC_DATA_TRAIN], 40);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 15);
    assert_int_equal(d->n[MC_DATA_TEST], 10);
    assert_int_equal(d->n[MC_DATA_CALIBRATION], 7);
    float x[28 * 28], y[28 * 28];
    assert_ok(mc_dataset_read(d, MC_DATA_VALIDATION, NULL, 4, 1, x, NULL, NULL, 1, &err), err);
    assert_ok(other->sources[0]->read(other->sources[0], 4, y, NULL, NULL, &err), err);
    assert_memory_equal(x, y, sizeof x);
    struct mc_dataset *fold;
    assert_int_equal(mc_dataset_fold(&fold, d, 3, 0, 1, &err), MC_ERR_USAGE);
    mc_dataset_destroy(d);
    mc_dataset_destroy(other);
    assert_int_equal(mc_dataset_open(&d, "test=glyphs", NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "no data set is named to train on"));
    assert_int_equal(mc_dataset_open(&d, "glyphs;test=glyphs;test=glyphs", NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "the test samples are named twice"));
    assert_int_equal(mc_dataset_open(&d, "glyphs,train=9;test=npz:plain.npz", MC_DATA_FILES, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "test samples: need the shape [1,28,28] of the training samples, have [2,2,3]"));
}

static void test_extremes_of_training_samples_become_0_and_1(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_ok(mc_dataset_open(&d, "npz:packed.npz,validation=0,normalize=minmax", MC_DATA_FILES, &err), err);
    float x[15], test[3];
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, 0, 5, x, NULL, NULL, 1, &err), err);
    float low = x[0], high = x[0];
    for (int i = 0; i < 15; i += 3) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    assert_true(low == 0 && high == 1);
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 0, 1, test, NULL, NULL, 1, &err), err);
    assert_true(test[0] > 1.6F && test[0] < 1.7F); /* 2.5 where training had 0 … 1.5 */
    mc_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_are_disjoint_and_have_their_sizes),
        cmocka_unit_test(test_batches_do_not_depend_on_threads),
        cmocka_unit_test(test_glyphs_are_the_same_for_a_seed_and_differ_between_seeds),
        cmocka_unit_test(test_glyphs_cover_all_classes_with_ink_inside_the_range),
        cmocka_unit_test(test_folds_partition_and_are_stratified),
        cmocka_unit_test(test_unknown_words_are_refused_with_the_nearest),
        cmocka_unit_test(test_images_of_any_kind_come_to_the_size_that_is_asked_for),
        cmocka_unit_test(test_roles_come_from_several_data_sets),
        cmocka_unit_test(test_extremes_of_training_samples_become_0_and_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
