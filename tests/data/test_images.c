/* test_images.c - PNG and JPEG files that Pillow wrote, against what Pillow reads (expected.h), and folders of them. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config.h"
#include "data/data.h"
#include "data/picture.h"
#include "expected.h"

static int decode(const char *name, int channels, struct mc_picture *p, struct mc_error *err)
{
    char path[600];
    struct mc_file_view file;
    snprintf(path, sizeof path, "%s/%s", MC_DATA_FILES, name);
    assert_ok(mc_file_open(&file, path, 1 << 20, err), *err);
    const int rc = mc_picture_decode(p, file.data, file.length, channels, err);
    mc_file_close(&file);
    return rc;
}

static void assert_pixels(const char *name, int channels, const unsigned char *wanted, size_t n, int tolerance)
{
    struct mc_error err = {0};
    struct mc_picture p;
    if (decode(name, channels, &p, &err) < 0) fail_msg("%s: %s", name, err.text);
    assert_int_equal((size_t)(p.height * p.width * channels), n);
    for (size_t i = 0; i < n; i++)
        if (abs(p.pixels[i] - wanted[i]) > tolerance)
            fail_msg("%s: byte %zu is %d, not %d", name, i, p.pixels[i], wanted[i]);
    mc_free(p.pixels);
}

#define ASSERT_BOTH(file, name, tolerance)                                                                             \
    do {                                                                                                               \
        assert_pixels(file, 3, pixels_##name, sizeof pixels_##name, tolerance);                                        \
        assert_pixels(file, 1, grey_##name, sizeof grey_##name, tolerance);                                            \
    } while (0)

/* libpng rounds the weights of grey another way than Pillow. */
static void test_png_of_every_kind_is_what_pillow_reads(void **state)
{
    if (!MC_HAVE_PNG) skip();
    ASSERT_BOTH("rgb.png", rgb_png, 1);
    ASSERT_BOTH("rgba.png", rgba_png, 1);
    ASSERT_BOTH("palette.png", palette_png, 1);
    ASSERT_BOTH("bits.png", bits_png, 0);
    ASSERT_BOTH("grey.png", grey_png, 0);
    assert_pixels("rgb.png", 3, pixels_rgb_png, sizeof pixels_rgb_png, 0);
    assert_pixels("deep.png", 1, grey_grey_png, sizeof grey_grey_png, 0);
}

/* The grey of a coloured JPEG is its luma here, of the converted colours there. */
static void test_jpeg_is_what_pillow_reads(void **state)
{
    if (!MC_HAVE_JPEG) skip();
    ASSERT_BOTH("photo.jpg", photo_jpg, 2);
    ASSERT_BOTH("grey.jpg", grey_jpg, 1);
}

static void assert_refused(const char *name, int status, const char *words)
{
    struct mc_error err = {0};
    struct mc_picture p;
    assert_int_equal(decode(name, 3, &p, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
    assert_null(p.pixels);
}

static void test_broken_pictures_are_refused(void **state)
{
    assert_refused("table.csv", MC_ERR_INPUT, "is neither a PNG nor a JPEG file");
    if (MC_HAVE_PNG) assert_refused("cut.png", MC_ERR_INPUT, "is a broken PNG file: ends early");
    if (MC_HAVE_JPEG) assert_refused("cut.jpg", MC_ERR_INPUT, "is a broken JPEG file");
    if (MC_HAVE_JPEG) assert_refused("cmyk.jpg", MC_ERR_UNSUPPORTED, "CMYK");
}

/* A header of 20,000 x 20,000 pixels before the end of the file: over the limit, and not allocated. */
static void test_extents_meet_their_limit_before_memory(void **state)
{
    if (!MC_HAVE_PNG) skip();
    struct mc_error err = {0};
    struct mc_picture p;
    unsigned char head[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x4e\x20\0\0\x4e\x20\x08\x02\0\0\0\x4d\x91\xd4\x13";
    assert_int_equal(mc_picture_decode(&p, head, sizeof head - 1, 3, &err), MC_ERR_INPUT);
    assert_null(p.pixels);
}

/* --- folders --- */

static void copy_file(void **state, const char *from, const char *to)
{
    struct mc_error err = {0};
    struct mc_file_view file;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", MC_DATA_FILES, from);
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
    copy_file(state, "table.csv", "ant/notes.txt");
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
        cmocka_unit_test(test_png_of_every_kind_is_what_pillow_reads),
        cmocka_unit_test(test_jpeg_is_what_pillow_reads),
        cmocka_unit_test(test_broken_pictures_are_refused),
        cmocka_unit_test(test_extents_meet_their_limit_before_memory),
        IN_SCRATCH(test_folders_are_classes_in_order_of_names),
        IN_SCRATCH(test_roles_have_folders),
        IN_SCRATCH(test_an_image_of_another_size_or_broken_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
