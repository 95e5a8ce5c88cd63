/* test_cifar10.c - batches made here: which role has which, plain and gzipped, broken in each way. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/data.h"

enum { RECORD = 3073, PER_BATCH = 4 };

/* Record r of batch b has class (b + r) % 10 and every pixel b * 10 + r, the first of green 255. */
static void write_batch(void **state, const char *name, int b, size_t lose)
{
    unsigned char *bytes = malloc(PER_BATCH * RECORD);
    for (int r = 0; r < PER_BATCH; r++) {
        unsigned char *record = bytes + r * RECORD;
        memset(record, b * 10 + r, RECORD);
        record[0] = (unsigned char)((b + r) % 10);
        record[1 + 1024] = 255;
    }
    const size_t length = PER_BATCH * RECORD - lose;
    if (strstr(name, ".gz")) {
        gzFile f = gzopen(scratch_path(state, name), "wb");
        assert_int_equal(gzwrite(f, bytes, (unsigned)length), (int)length);
        assert_int_equal(gzclose(f), Z_OK);
    } else {
        scratch_file(state, name, bytes, length);
    }
    free(bytes);
}

static void write_all(void **state)
{
    for (int b = 1; b <= 5; b++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin%s", b, b % 2 ? ".gz" : "");
        write_batch(state, name, b, 0);
    }
}

static int open_folder(void **state, struct mc_dataset **d, const char *options, struct mc_error *err)
{
    char spec[600];
    snprintf(spec, sizeof spec, "cifar10:%s%s", scratch_path(state, ""), options);
    return mc_dataset_open(d, spec, NULL, err);
}

static void assert_refused(void **state, const char *options, int status, const char *words)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_int_equal(open_folder(state, &d, options, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
}

static void test_batches_go_to_the_roles_that_are_said(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[3 * 32 * 32];
    int64_t label;
    write_all(state);
    assert_ok(open_folder(state, &d, ",train_batches=1-2+4,validation_batches=3,test_batches=5", &err), err);
    assert_int_equal(d->n[MC_DATA_TRAIN], 12);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 4);
    assert_int_equal(d->n[MC_DATA_TEST], 4);
    assert_int_equal(d->n_classes, 10);
    assert_string_equal(d->class_names[6], "frog");
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 2, 1, x, &label, NULL, 1, &err), err);
    assert_int_equal(label, 7);
    assert_true(x[0] == 52.0F / 255 && x[1024] == 1 && x[1025] == x[0]);
    assert_ok(mc_dataset_read(d, MC_DATA_VALIDATION, NULL, 0, 1, x, &label, NULL, 1, &err), err);
    assert_int_equal(label, 3);
    mc_dataset_destroy(d);
    /* what is not tested on is trained on */
    assert_ok(open_folder(state, &d, ",test_batches=5,validation=6", &err), err);
    assert_int_equal(d->n[MC_DATA_TRAIN], 10);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 6);
    mc_dataset_destroy(d);
}

static void test_normalization_learns_from_training_samples_by_channel(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    static float x[8 * 3 * 1024];
    write_all(state);
    assert_ok(open_folder(state, &d, ",train_batches=1-2,test_batches=5,validation=0,normalize=train", &err), err);
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, 0, 8, x, NULL, NULL, 2, &err), err);
    for (int c = 0; c < 3; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 8; i++)
            for (int k = 0; k < 1024; k++) {
                const double v = x[(i * 3 + c) * 1024 + k];
                sum += v;
                squares += v * v;
            }
        assert_true(sum / 8192 < 1e-5 && sum / 8192 > -1e-5);
        assert_true(squares / 8192 > 0.9999 && squares / 8192 < 1.0001);
    }
    /* of 8 images with the levels 10 … 13 and 20 … 23 */
    assert_true(d->normalizer.mean[0] * 255 > 16.4999 && d->normalizer.mean[0] * 255 < 16.5001);
    assert_true(d->normalizer.mean[1] > d->normalizer.mean[0]); /* one white pixel of green */
    mc_dataset_destroy(d);
    assert_ok(open_folder(state, &d, ",test_batches=5,mean=0.5+0+0,std=0.5", &err), err);
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 0, 1, x, NULL, NULL, 1, &err), err);
    assert_true(x[1024] == 2 && x[0] < -0.6F);
    mc_dataset_destroy(d);
}

static void test_what_cannot_be_is_refused(void **state)
{
    write_all(state);
    assert_refused(state, "", MC_ERR_INPUT, "no file 'test_batch.bin' or 'test_batch.bin.gz'");
    assert_refused(state, ",test_batches=6", MC_ERR_USAGE, "needs batches such as 1-4, 1+3, 5 or test, has '6'");
    assert_refused(state, ",test_batches=5-4", MC_ERR_USAGE, "has '5-4'");
    assert_refused(state, ",test_batches=1+", MC_ERR_USAGE, "has '1+'");
    assert_refused(state, ",test_batches=1+1", MC_ERR_USAGE, "has '1+1'");
    assert_refused(state, ",test_batches=5,train_batches=1-5", MC_ERR_USAGE, "has another role already");
    assert_refused(state, ",test_batches=1-5", MC_ERR_USAGE, "no batch is left");
    assert_refused(state, ",test_batches=5,mean=1+2", MC_ERR_USAGE, "needs 1 or 3 numbers, has 2");
    assert_refused(state, ",test_batches=5,mean=1,normalize=train", MC_ERR_USAGE, "exclude each other");
    assert_refused(state, ",test_batches=5,normalize=much", MC_ERR_USAGE, "needs train or minmax");
    write_batch(state, "data_batch_2.bin", 2, 5);
    assert_refused(state, ",test_batches=5", MC_ERR_INPUT, "needs records of 3073 bytes, has 12287 bytes");
    unsigned char wrong[RECORD] = {10};
    scratch_file(state, "data_batch_2.bin", wrong, sizeof wrong);
    assert_refused(state, ",test_batches=5", MC_ERR_INPUT, "record 0: needs a class below 10, has 10");
}

static void test_a_gzip_stream_that_is_cut_is_refused(void **state)
{
    static unsigned char bytes[1 << 16];
    write_all(state);
    FILE *f = fopen(scratch_path(state, "data_batch_1.bin.gz"), "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    scratch_file(state, "data_batch_1.bin.gz", bytes, n - 9);
    assert_refused(state, ",test_batches=5", MC_ERR_INPUT, "data_batch_1.bin.gz'");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_batches_go_to_the_roles_that_are_said),
        IN_SCRATCH(test_normalization_learns_from_training_samples_by_channel),
        IN_SCRATCH(test_what_cannot_be_is_refused),
        IN_SCRATCH(test_a_gzip_stream_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
