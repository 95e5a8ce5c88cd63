/* test_images.c - folders of the files of tests/image. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../image/expected.h"
#include "base/file.h"
#include "config.h"
#include "data/data.h"

static void copy_file(void **state, const char *from, const char *to)
{
    struct mc_error err = {0};
    struct mc_file_view file;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", MC_IMAGE_FILES, from);
    assert_ok(mc_file_open(&file, path, 1 << 20, &err), err);
    scratch_file(state, to, file.data, file.length);
    mc_file_close(&file);
}

static void make_folder(void **state, const char *name)
{
    assert_int_equal(mkdir(scratch_path(state, name), 0777), 0);
}

static int open_images(void **state, struct mc_dataset **d, const char *folder, const char *options,
                       struct mc_error *err)
{
    char spec[700];
    snprintf(spec, sizeof spec, "images:%s%s", scratch_path(state, folder), options);
    return mc_dataset_open(d, spec, NULL, err);
}

static void test_folders_are_classes_in_order_of_names(void **state)
{
    if (!MC_HAVE_PNG) skip();
    struct mc_error err = {0};
    struct mc_dataset *d;
    make_folder(state, "zebra");
    make_folder(state, "ant");
    make_folder(state, "ant/deeper");
    copy_file(state, "rgb.png", "zebra/1.png");
    copy_file(state, "rgba.png", "ant/deeper/2.PNG");
    copy_file(state, "grey.png", "ant/3.png");
    copy_file(state, "text.ppm", "ant/notes.txt");
    assert_ok(open_images(state, &d, "", ",split=0,validation=0", &err), err);
    assert_int_equal(d->sources[0]->n_samples, 3);
    assert_string_equal(d->class_names[0], "ant");
    assert_string_equal(d->class_names[1], "zebra");
    float x[3 * 5 * 4], again[3 * 5 * 4];
    int64_t label;
    assert_ok(d->sources[0]->read(d->sources[0], 2, x, &label, NULL, &err), err);
    assert_int_equal(label, 1);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 20; k++) assert_true(x[c * 20 + k] == pixels_rgb_png[k * 3 + c] / 255.0F);
    assert_ok(d->sources[0]->read(d->sources[0], 2, again, &label, NULL, &err), err); /* now it is kept */
    assert_memory_equal(x, again, sizeof x);
    mc_dataset_destroy(d);
    assert_ok(open_images(state, &d, "", ",split=0,channels=1,resize=3x2", &err), err);
    assert_int_equal(mc_shape_count(&d->sample), 6);
    mc_dataset_destroy(d);
}

static void test_roles_have_folders(void **state)
{
    if (!MC_HAVE_PNG || !MC_HAVE_JPEG) skip();
    static const char *const folders[] = {"train", "train/a", "train/b", "val", "val/b", "test", "test/b"};
    struct mc_error err = {0};
    struct mc_dataset *d;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) make_folder(state, folders[i]);
    copy_file(state, "rgb.png", "train/a/1.png");
    copy_file(state, "rgb.png", "train/b/1.png");
    copy_file(state, "rgba.png", "val/b/1.png");
    copy_file(state, "photo.jpg", "test/b/1.jpg");
    assert_int_equal(open_images(state, &d, "", "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "test samples: need the shape [3,5,4] of the training samples, have [3,17,11]"));
    assert_ok(open_images(state, &d, "", ",resize=4", &err), err);
    assert_int_equal(d->n[MC_DATA_TRAIN], 2);
    assert_int_equal(d->n[MC_DATA_VALIDATION], 1);
    assert_int_equal(d->n[MC_DATA_TEST], 1);
    float x[48];
    int64_t label;
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 0, 1, x, &label, NULL, 1, &err), err);
    assert_int_equal(label, 1); /* b, as among the training samples */
    mc_dataset_destroy(d);
    make_folder(state, "test/c");
    copy_file(state, "rgb.png", "test/c/1.png");
    assert_int_equal(open_images(state, &d, "", ",resize=4", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "class 'c' is not among the training samples'"));
}

static void test_an_image_of_another_size_or_broken_is_named(void **state)
{
    if (!MC_HAVE_PNG || !MC_HAVE_JPEG) skip();
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[3 * 17 * 11];
    make_folder(state, "a");
    make_folder(state, "b");
    copy_file(state, "rgb.png", "a/1.png");
    copy_file(state, "photo.jpg", "b/2.jpg");
    copy_file(state, "cut.jpg", "b/3.jpg");
    assert_ok(open_images(state, &d, "", ",split=0,validation=0", &err), err);
    assert_int_equal(d->sources[0]->read(d->sources[0], 1, x, NULL, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "b/2.jpg': has 11 x 17 pixels, the first image has 4 x 5"));
    assert_string_equal(err.hint, "resize=N brings all to one size");
    assert_int_equal(d->sources[0]->read(d->sources[0], 2, x, NULL, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "b/3.jpg': is a broken JPEG file"));
    mc_dataset_destroy(d);
    assert_int_equal(open_images(state, &d, "a", "", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "needs 2 to 65536 folders, one a class, has 0"));
    assert_int_equal(open_images(state, &d, "", ",resize=0", &err), MC_ERR_USAGE);
    assert_int_equal(open_images(state, &d, "", ",crop=9", &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "9 x 9 pixels cannot be cut out of 4 x 5"));
    assert_int_equal(open_images(state, &d, "", ",channels=2", &err), MC_ERR_USAGE);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_folders_are_classes_in_order_of_names),
        IN_SCRATCH(test_roles_have_folders),
        IN_SCRATCH(test_an_image_of_another_size_or_broken_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
