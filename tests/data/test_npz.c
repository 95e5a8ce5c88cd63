/* test_npz.c - archives that numpy 2.4.6 wrote (tests/reference/data_files.py), arrays in files of their own, and what
 * is broken. */
#include "scratch.h"

#include <string.h>

#include "base/file.h"
#include "data/data.h"
#include "data/zip.h"

static int open_spec(struct mc_dataset **d, const char *spec, struct mc_error *err)
{
    return mc_dataset_open(d, spec, MC_DATA_FILES, err);
}

static void assert_refused(const char *spec, int status, const char *words)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_int_equal(open_spec(&d, spec, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
}

static void test_bytes_and_integers_are_images_and_classes(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[12];
    int64_t label;
    assert_ok(open_spec(&d, "npz:plain.npz,split=0,validation=0", &err), err);
    assert_int_equal(d->n_classes, 3);
    assert_int_equal(d->sample.rank, 3);
    assert_int_equal(d->sample.dim[2], 3);
    const struct mc_source *s = d->sources[MC_DATA_TRAIN];
    assert_ok(s->read(s, 0, x, &label, NULL, &err), err);
    assert_int_equal(label, 0);
    assert_true(x[0] == 127.0F / 255); /* the pattern's first byte */
    assert_ok(s->read(s, 3, x, &label, NULL, &err), err);
    assert_int_equal(label, 2);
    mc_dataset_destroy(d);
    assert_ok(open_spec(&d, "npz:plain.npz,scale=1,classes=5", &err), err);
    assert_int_equal(d->n_classes, 5);
    assert_ok(d->sources[0]->read(d->sources[0], 0, x, NULL, NULL, &err), err);
    assert_true(x[0] == 127);
    mc_dataset_destroy(d);
}

static void test_deflated_floats_are_numbers_and_test_arrays_the_test_samples(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[3], t[2];
    assert_ok(open_spec(&d, "npz:packed.npz,validation=0", &err), err);
    assert_int_equal(d->task, MC_TASK_REGRESSION);
    assert_int_equal(d->n_targets, 2);
    assert_int_equal(d->n[MC_DATA_TRAIN], 5);
    assert_int_equal(d->n[MC_DATA_TEST], 2);
    const struct mc_source *s = d->sources[MC_DATA_TRAIN];
    assert_ok(s->read(s, 4, x, NULL, t, &err), err);
    assert_true(x[0] == 1.5F && x[2] == 1.75F && t[0] == 8 && t[1] == 9);
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 1, 1, x, NULL, t, 1, &err), err);
    assert_true(x[1] == 2.5F && t[0] == 1);
    mc_dataset_destroy(d);
    /* arrays under other names: those of the test samples as if to train on */
    assert_ok(open_spec(&d, "npz:packed.npz,x=x_test,y=y_test", &err), err);
    assert_int_equal(d->sources[MC_DATA_TRAIN]->n_samples, 2);
    mc_dataset_destroy(d);
}

static void test_bools_are_labels_and_samples_have_weights(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[2], t[3];
    assert_ok(open_spec(&d, "npz:labels.npz,split=0,validation=0", &err), err);
    assert_int_equal(d->task, MC_TASK_LABELS);
    assert_int_equal(d->n_targets, 3);
    const struct mc_source *s = d->sources[MC_DATA_TRAIN];
    assert_ok(s->read(s, 1, x, NULL, t, &err), err);
    assert_true(t[0] == 0 && t[1] == 1 && t[2] == 1);
    assert_true(s->weights[2] == 4);
    assert_true(d->weight_scale == 0.5); /* the mean of 1, 1 and 4 is 2 */
    mc_dataset_destroy(d);
    assert_refused("npz:labels.npz,weight=y", MC_ERR_INPUT, "array sample_weight: needs a shape [3], has [3,3]");
}

static void test_arrays_in_files_of_their_own(void **state)
{
    static const unsigned char header[] = "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': "
                                          "(2, 1), }           \n";
    struct mc_error err = {0};
    struct mc_dataset *d;
    unsigned char file[10 + 70 + 8];
    char spec[600];
    float x, t;
    memcpy(file, header, 80);
    memcpy(file + 80, (float[]){3, 4}, 8);
    scratch_file(state, "x.npy", file, sizeof file);
    scratch_file(state, "other.npy", file, sizeof file);
    snprintf(spec, sizeof spec, "npy:%s,y=other.npy,split=0,validation=0", scratch_path(state, ""));
    assert_ok(mc_dataset_open(&d, spec, NULL, &err), err);
    assert_ok(d->sources[0]->read(d->sources[0], 1, &x, NULL, &t, &err), err);
    assert_true(x == 4 && t == 4);
    mc_dataset_destroy(d);
    snprintf(spec, sizeof spec, "npy:%s", scratch_path(state, ""));
    assert_int_equal(mc_dataset_open(&d, spec, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "has no array 'y'"));
    int64_t label = 5;
    snprintf(spec, sizeof spec, "npy:%s,unlabelled=1,split=0,validation=0", scratch_path(state, ""));
    assert_ok(mc_dataset_open(&d, spec, NULL, &err), err);
    assert_ok(d->sources[0]->read(d->sources[0], 1, &x, &label, NULL, &err), err);
    assert_true(x == 4 && label == 0 && d->n[MC_DATA_TRAIN] == 2);
    assert_false(mc_dataset_is_labelled(d, MC_DATA_TRAIN) || mc_dataset_has_targets(d));
    mc_dataset_destroy(d);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    assert_refused("npz:absent.npz", MC_ERR_INPUT, "absent.npz");
    assert_refused("npz:table.csv", MC_ERR_INPUT, "is not a ZIP archive");
    assert_refused("npz:plain.npz,x=z", MC_ERR_INPUT, "has no array 'z'");
    assert_refused("npz:plain.npz,x=y", MC_ERR_INPUT, "array x: needs a shape [N, …]");
    assert_refused("npz:plain.npz,y=x", MC_ERR_INPUT, "array y: needs a shape [4] or [4, T]");
    assert_refused("npz:plain.npz,classes=2", MC_ERR_INPUT, "sample 1: needs a class from 0 to 1, has 2");
    assert_refused("npz:packed.npz,x_test=y_test", MC_ERR_INPUT, "test samples: need the shape [3]");
    assert_refused("npz:strings.npz", MC_ERR_UNSUPPORTED, "element type '<U1' is not supported");
    assert_refused("npz:plain.npz,label=1", MC_ERR_USAGE, "has no option 'label'");
}

/* Every byte of a small archive in turn made another: it is refused, or says what it said. */
static void test_no_byte_of_an_archive_is_trusted(void **state)
{
    struct mc_error err = {0};
    struct mc_file_view view;
    unsigned char copy[4096];
    assert_ok(mc_file_open(&view, MC_DATA_FILES "/plain.npz", sizeof copy, &err), err);
    const size_t length = view.length;
    memcpy(copy, view.data, length);
    mc_file_close(&view);
    int refused = 0;
    char spec[600];
    const char *path = scratch_path(state, "a.npz");
    snprintf(spec, sizeof spec, "npz:%s", path);
    for (size_t i = 0; i < length; i++) {
        struct mc_dataset *d;
        copy[i] ^= 0x55;
        assert_ok(mc_file_save(path, copy, length, true, &err), err);
        if (mc_dataset_open(&d, spec, NULL, NULL) < 0)
            refused++;
        else
            mc_dataset_destroy(d);
        copy[i] ^= 0x55;
    }
    assert_true(refused > (int)length / 2);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_integers_are_images_and_classes),
        cmocka_unit_test(test_deflated_floats_are_numbers_and_test_arrays_the_test_samples),
        cmocka_unit_test(test_bools_are_labels_and_samples_have_weights),
        IN_SCRATCH(test_arrays_in_files_of_their_own),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        IN_SCRATCH(test_no_byte_of_an_archive_is_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
