/* picture.c - which format, and its limits; the readers are in files of their own. See picture.h. */
#include "image/picture.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config.h"
#include "image/picture_format.h"

/* A reader whose library was there when this was built, by MC_HAVE_…; or NULL. */
#define READER(have, decode) READER_OF(have, decode)
#define READER_OF(have, decode) READER_##have(decode)
#define READER_0(decode) NULL
#define READER_1(decode) decode

static const struct format {
    const char *magic;
    size_t length, at; /* of the magic */
    const char *name;
    mc_picture_decoder *decode; /* NULL: not built in */
} formats[] = {
    {"\x89PNG\r\n\x1a\n", 8, 0, "PNG", READER(MC_HAVE_PNG, mc_picture_png)},
    {"\xff\xd8\xff", 3, 0, "JPEG", READER(MC_HAVE_JPEG, mc_picture_jpeg)},
    {"BM", 2, 0, "BMP", mc_picture_bmp},
    {"P1", 2, 0, "PNM", mc_picture_pnm},
    {"P2", 2, 0, "PNM", mc_picture_pnm},
    {"P3", 2, 0, "PNM", mc_picture_pnm},
    {"P4", 2, 0, "PNM", mc_picture_pnm},
    {"P5", 2, 0, "PNM", mc_picture_pnm},
    {"P6", 2, 0, "PNM", mc_picture_pnm},
    {"II*\0", 4, 0, "TIFF", READER(MC_HAVE_TIFF, mc_picture_tiff)},
    {"MM\0*", 4, 0, "TIFF", READER(MC_HAVE_TIFF, mc_picture_tiff)},
    {"WEBP", 4, 8, "WebP", READER(MC_HAVE_WEBP, mc_picture_webp)},
    {"\0\0\0\x0cjP  \r\n\x87\n", 12, 0, "JPEG 2000", READER(MC_HAVE_JPEG2000, mc_picture_jpeg2000)},
    {"\xff\x4f\xff\x51", 4, 0, "JPEG 2000", READER(MC_HAVE_JPEG2000, mc_picture_jpeg2000)},
};

bool mc_picture_is_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp",  ".pnm", ".pbm", ".pgm",
                                          ".ppm", ".tif", ".tiff", ".webp", ".jp2", ".j2k"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < MC_COUNT(endings); i++)
        if (strcasecmp(ending, endings[i]) == 0) return true;
    return false;
}

int mc_picture_allocate(struct mc_picture *p, uint64_t height, uint64_t width, struct mc_error *err)
{
    if (height == 0 || width == 0 || height > MC_PICTURE_MAX_SIDE || width > MC_PICTURE_MAX_SIDE ||
        height * width > MC_PICTURE_MAX_PIXELS)
        return mc_error_set(err, MC_ERR_INPUT, "has %llu x %llu pixels, needs 1 to %d a side and at most %d in all",
                            (unsigned long long)width, (unsigned long long)height, MC_PICTURE_MAX_SIDE,
                            MC_PICTURE_MAX_PIXELS);
    *p = (struct mc_picture){.height = (int64_t)height, .width = (int64_t)width, .channels = 3};
    p->pixels = mc_alloc_aligned((size_t)(height * width), 3);
    return p->pixels ? MC_OK : mc_error_memory(err);
}

int mc_picture_library(const char *soname, const struct mc_library_symbol *symbols, size_t n, struct mc_error *err)
{
    return mc_library_open(soname, false, symbols, n, err) < 0 ? MC_ERR_UNSUPPORTED : MC_OK;
}

static void turn_grey(struct mc_picture *p)
{
    const int64_t n = p->height * p->width;
    for (int64_t i = 0; i < n; i++) {
        const unsigned char *const rgb = p->pixels + 3 * i;
        p->pixels[i] = (unsigned char)((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16);
    }
    p->channels = 1;
}

static const struct format *format_of(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < MC_COUNT(formats); i++) {
        const struct format *f = &formats[i];
        if (length >= f->at + f->length && memcmp(bytes + f->at, f->magic, f->length) == 0) return f;
    }
    return NULL;
}

int mc_picture_decode(struct mc_picture *picture, const void *bytes, size_t length, int channels, struct mc_error *err)
{
    const struct format *const format = format_of(bytes, length);
    *picture = (struct mc_picture){0};
    if (!format) return mc_error_set(err, MC_ERR_INPUT, "is no image of a format that is known here");
    if (!format->decode)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "this program was built without a reader for %s", format->name);
    const int rc = format->decode(picture, bytes, length, err);
    if (rc < 0) {
        mc_free(picture->pixels);
        *picture = (struct mc_picture){0};
        return rc;
    }
    if (channels == 1) turn_grey(picture);
    return MC_OK;
}
