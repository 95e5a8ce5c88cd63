/* test_picture.c - image files against what Pillow reads in them (expected.h). */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "base/file.h"
#include "config.h"
#include "expected.h"
#include "image/picture.h"

#define FILE_OF(have, file, name)                                                                                      \
    {                                                                                                                  \
        have, file, pixels_##name, grey_##name, sizeof pixels_##name, sizeof grey_##name                               \
    }

static const struct sample {
    bool built; /* is there a reader for it? */
    const char *name;
    const unsigned char *pixels, *grey;
    size_t n_pixels, n_grey;
} samples[] = {
    FILE_OF(MC_HAVE_PNG, "rgb.png", rgb_png),
    FILE_OF(MC_HAVE_PNG, "rgba.png", rgba_png),
    FILE_OF(MC_HAVE_PNG, "palette.png", palette_png),
    FILE_OF(MC_HAVE_PNG, "bits.png", bits_png),
    FILE_OF(MC_HAVE_PNG, "grey.png", grey_png),
    FILE_OF(MC_HAVE_PNG, "deep.png", grey_png),
    FILE_OF(MC_HAVE_JPEG, "photo.jpg", photo_jpg),
    FILE_OF(MC_HAVE_JPEG, "grey.jpg", grey_jpg),
    FILE_OF(true, "rgb.bmp", rgb_bmp),
    FILE_OF(true, "grey.bmp", grey_bmp),
    FILE_OF(true, "palette.bmp", palette_bmp),
    FILE_OF(true, "bits.bmp", bits_bmp),
    FILE_OF(true, "words_555.bmp", words_555_bmp),
    FILE_OF(true, "words_565.bmp", words_565_bmp),
    FILE_OF(true, "words_32.bmp", words_32_bmp),
    FILE_OF(true, "core.bmp", core_bmp),
    FILE_OF(true, "rgb.ppm", rgb_ppm),
    FILE_OF(true, "grey.pgm", grey_pgm),
    FILE_OF(true, "bits.pbm", bits_pbm),
    FILE_OF(true, "text.ppm", text_ppm),
    FILE_OF(true, "text.pgm", text_pgm),
    FILE_OF(true, "text.pbm", text_pbm),
    FILE_OF(true, "deep.ppm", deep_ppm),
    FILE_OF(MC_HAVE_TIFF, "rgb.tif", rgb_tif),
    FILE_OF(MC_HAVE_TIFF, "lzw.tif", lzw_tif),
    FILE_OF(MC_HAVE_TIFF, "deflate.tif", deflate_tif),
    FILE_OF(MC_HAVE_TIFF, "bits.tif", bits_tif),
    FILE_OF(MC_HAVE_WEBP, "exact.webp", exact_webp),
    FILE_OF(MC_HAVE_WEBP, "photo.webp", photo_webp),
    FILE_OF(MC_HAVE_JPEG2000, "photo.jp2", photo_jp2),
    FILE_OF(MC_HAVE_JPEG2000, "grey.j2k", grey_j2k),
};

static void open_sample(struct mc_file_view *file, const char *name)
{
    struct mc_error err = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/%s", MC_IMAGE_FILES, name);
    assert_ok(mc_file_open(file, path, 1 << 20, &err), err);
}

static int decode(const char *name, int channels, struct mc_picture *p, struct mc_error *err)
{
    struct mc_file_view file;
    open_sample(&file, name);
    const int rc = mc_picture_decode(p, file.data, file.length, channels, err);
    mc_file_close(&file);
    return rc;
}

static void assert_pixels(const char *name, int channels, const unsigned char *wanted, size_t n)
{
    struct mc_error err = {0};
    struct mc_picture p;
    if (decode(name, channels, &p, &err) < 0) fail_msg("%s: %s", name, err.text);
    assert_int_equal(p.channels, channels);
    assert_int_equal((size_t)(p.height * p.width * channels), n);
    for (size_t i = 0; i < n; i++)
        if (p.pixels[i] != wanted[i]) fail_msg("%s: byte %zu is %d, not %d", name, i, p.pixels[i], wanted[i]);
    mc_free(p.pixels);
}

static void test_every_file_is_what_pillow_reads(void **state)
{
    for (size_t i = 0; i < MC_COUNT(samples); i++) {
        const struct sample *const s = &samples[i];
        assert_true(mc_picture_is_name(s->name));
        if (!s->built) continue;
        assert_pixels(s->name, 3, s->pixels, s->n_pixels);
        assert_pixels(s->name, 1, s->grey, s->n_grey);
    }
}

static void assert_refused(const char *name, int status, const char *words)
{
    struct mc_error err = {0};
    struct mc_picture p;
    assert_int_equal(decode(name, 3, &p, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
    assert_null(p.pixels);
}

static void test_what_is_not_read_is_named(void **state)
{
    struct mc_picture p;
    assert_int_equal(mc_picture_decode(&p, "GIF89a", 6, 3, NULL), MC_ERR_INPUT);
    assert_refused("runs.bmp", MC_ERR_UNSUPPORTED, "is a BMP file with compression 1, which is not read");
    if (MC_HAVE_PNG) assert_refused("cut.png", MC_ERR_INPUT, "is a broken PNG file: ends early");
    if (MC_HAVE_JPEG) assert_refused("cut.jpg", MC_ERR_INPUT, "is a broken JPEG file");
    if (MC_HAVE_JPEG) assert_refused("cmyk.jpg", MC_ERR_UNSUPPORTED, "CMYK");
    for (size_t i = 0; i < MC_COUNT(samples); i++)
        if (!samples[i].built) assert_refused(samples[i].name, MC_ERR_UNSUPPORTED, "was built without a reader for");
}

/* However much of a file is missing; half of it is never enough. */
static void test_files_that_end_early_are_refused(void **state)
{
    for (size_t i = 0; i < MC_COUNT(samples); i++) {
        struct mc_file_view file;
        open_sample(&file, samples[i].name);
        for (size_t length = 0; length < file.length; length++) {
            unsigned char *const part = malloc(length + 1);
            struct mc_picture p;
            assert_non_null(part);
            memcpy(part, file.data, length);
            const int rc = mc_picture_decode(&p, part, length, 3, NULL);
            if (rc == MC_OK && length <= file.length / 2) fail_msg("%s: %zu bytes are enough", samples[i].name, length);
            mc_free(p.pixels);
            free(part);
        }
        mc_file_close(&file);
    }
}

#define BYTES(text) text, sizeof text - 1

/* 20,000 x 20,000 pixels and the like, before a file's end: over the limit, and not allocated. */
static void test_extents_meet_their_limit_before_memory(void **state)
{
    static const struct {
        bool built;
        const char *bytes;
        size_t length;
    } heads[] = {
        {MC_HAVE_PNG, BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x4e\x20\0\0\x4e\x20\x08\x02\0\0\0\x4d\x91\xd4\x13")},
        {true, BYTES("P6\n20000 20000\n255\nabc")},
        {true, BYTES("P1\n99999999999999999999 1\n0")},
        {true, BYTES("P5\n0 0\n255\n")},
        {true, BYTES("P5\n1 1\n65536\nab")},
        {true, BYTES("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\x4e\0\0\x20\x4e\0\0\1\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0"
                     "\0\0\0\0\0\0\0\0\0\0\0\0")},
        {true,
         BYTES("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\xff\0\0\0\x80\1\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0"
               "\0\0\0\0\0\0\0\0\0\0\0\0")},
    };
    for (size_t i = 0; i < MC_COUNT(heads); i++) {
        struct mc_picture p;
        if (!heads[i].built) continue;
        assert_int_equal(mc_picture_decode(&p, heads[i].bytes, heads[i].length, 3, NULL), MC_ERR_INPUT);
        assert_null(p.pixels);
    }
}

/* A JPEG 2000 file of 4 x 5 pixels that asks for much: its fields as OpenJPEG's encoder lays them out. */
static void test_greedy_codestreams_are_refused(void **state)
{
    static const struct {
        size_t at, and_at;
        unsigned char byte;
        const char *words;
    } changes[] = {
        {27, 31, 1, "has more tiles than it has bytes for"},
        {41, 41, 5, "of 5 components"},
        {51, 51, 2, "has too many layers"},
        {55, 56, 0, "its code blocks are too small"},
    };
    if (!MC_HAVE_JPEG2000) skip();
    for (size_t i = 0; i < MC_COUNT(changes); i++) {
        struct mc_error err = {0};
        struct mc_file_view file;
        struct mc_picture p;
        unsigned char bytes[1024];
        open_sample(&file, "grey.j2k");
        assert_true(file.length <= sizeof bytes);
        memcpy(bytes, file.data, file.length);
        bytes[changes[i].at] = bytes[changes[i].and_at] = changes[i].byte;
        if (mc_picture_decode(&p, bytes, file.length, 3, &err) == MC_OK) fail_msg("'%s' is read", changes[i].words);
        if (!strstr(err.text, changes[i].words)) fail_msg("'%s' lacks '%s'", err.text, changes[i].words);
        mc_file_close(&file);
    }
}

static int decode_and_free(void *context)
{
    struct mc_picture p;
    const int rc = decode(context, 3, &p, NULL);
    mc_free(p.pixels);
    return rc;
}

static void test_no_memory_is_said(void **state)
{
    static const char *const names[] = {"rgb.bmp", "rgb.ppm"};
    for (size_t i = 0; i < MC_COUNT(names); i++) alloc_fail_each(decode_and_free, (void *)(uintptr_t)names[i]);
    if (MC_HAVE_PNG) alloc_fail_each(decode_and_free, (void *)(uintptr_t) "rgb.png");
    if (MC_HAVE_TIFF) alloc_fail_each(decode_and_free, (void *)(uintptr_t) "rgb.tif");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file_is_what_pillow_reads),
        cmocka_unit_test(test_what_is_not_read_is_named),
        cmocka_unit_test(test_files_that_end_early_are_refused),
        cmocka_unit_test(test_extents_meet_their_limit_before_memory),
        cmocka_unit_test(test_greedy_codestreams_are_refused),
        cmocka_unit_test(test_no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
