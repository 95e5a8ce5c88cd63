/* test_mnist.c - IDX files made here: plain, gzipped, broken in each way. */
#include "scratch.h"

#include <string.h>
#include <zlib.h>

#include "data/data.h"

enum { N = 6, SIDE = 2 };

/* Write an IDX file of `n` items of `extent` bytes each (images: extent SIDE*SIDE, three dimensions). */
static const char *write_idx(void **state, const char *name, int n, bool images, size_t lose)
{
    unsigned char bytes[256] = {0, 0, 8, images ? 3 : 1, 0, 0, 0, (unsigned char)n};
    size_t length = 8;
    if (images) {
        bytes[11] = bytes[15] = SIDE;
        length = 16;
        for (int i = 0; i < n * SIDE * SIDE; i++) bytes[length++] = (unsigned char)(i * 10);
    } else {
        for (int i = 0; i < n; i++) bytes[length++] = (unsigned char)(i % 3);
    }
    if (!strstr(name, ".gz")) return scratch_file(state, name, bytes, length - lose);
    const char *path = scratch_path(state, name);
    gzFile f = gzopen(path, "wb");
    assert_int_equal(gzwrite(f, bytes, (unsigned)(length - lose)), (int)(length - lose));
    assert_int_equal(gzclose(f), Z_OK);
    return path;
}

static void write_all(void **state, int n_labels, size_t lose)
{
    write_idx(state, "train-images-idx3-ubyte.gz", N, true, lose);
    write_idx(state, "train-labels-idx1-ubyte", n_labels, false, 0);
    write_idx(state, "t10k-images-idx3-ubyte", 3, true, 0);
    write_idx(state, "t10k-labels-idx1-ubyte.gz", 3, false, 0);
}

static int open_folder(void **state, struct mc_dataset **d, const char *options, struct mc_error *err)
{
    char spec[600];
    snprintf(spec, sizeof spec, "mnist:%s%s", scratch_path(state, ""), options);
    return mc_dataset_open(d, spec, NULL, err);
}

static void test_plain_and_gzipped_files_are_read(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    write_all(state, N, 0);
    assert_ok(open_folder(state, &d, ",validation=2", &err), err);
    assert_int_equal(d->n[MC_DATA_TRAIN], 4);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 2);
    assert_int_equal(d->n[MC_DATA_TEST], 3);
    assert_int_equal(d->n_classes, 3);
    assert_int_equal(d->sample.rank, 3);
    float x[SIDE * SIDE];
    int64_t label;
    assert_ok(d->sources[0]->read(d->sources[0], 4, x, &label, NULL, &err), err);
    assert_int_equal(label, 1);
    assert_true(x[2] > 0.7058f && x[2] < 0.7060f); /* 180 / 255 */
    assert_null(strstr(d->spec, "/"));
    mc_dataset_destroy(d);
    assert_ok(open_folder(state, &d, ",mean=0.5,std=0.25", &err), err);
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 0, 1, x, &label, NULL, 1, &err), err);
    assert_true(x[0] == -2);
    mc_dataset_destroy(d);
}

static void test_labels_of_another_number_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    write_all(state, N - 1, 0);
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "needs 6 labels, one for each image, has 5"));
}

static void test_short_files_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    write_all(state, N, 1);
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "ends early: needs 24 bytes of data, has 23"));
}

static void test_promises_of_a_header_are_not_believed(void **state)
{
    static const unsigned char huge[20] = {0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1};
    static const unsigned char beyond[20] = {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    struct mc_error err = {0};
    struct mc_dataset *d;
    write_all(state, N, 0);
    remove(scratch_path(state, "train-images-idx3-ubyte.gz"));
    scratch_file(state, "train-images-idx3-ubyte", huge, sizeof huge);
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "ends early"));
    scratch_file(state, "train-images-idx3-ubyte", beyond, sizeof beyond);
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "has extents"));
    scratch_file(state, "train-images-idx3-ubyte", "not idx", 7);
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "is not an IDX file"));
    remove(scratch_path(state, "train-images-idx3-ubyte"));
    assert_int_equal(open_folder(state, &d, "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "no file 'train-images-idx3-ubyte'"));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_plain_and_gzipped_files_are_read),
        IN_SCRATCH(test_labels_of_another_number_are_refused),
        IN_SCRATCH(test_short_files_are_refused),
        IN_SCRATCH(test_promises_of_a_header_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
