/* tiff.c - TIFF by libtiff, which is opened when the first such file is read; see picture.h.
 *
 * The first image of a file, as the library's own conversion to red, green, blue and alpha gives it: colours are
 * multiplied by an alpha that is not already in them.
 */
#include <string.h>

#include <tiffio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "image/picture_format.h"

#define SONAME "libtiff.so.6"

enum { MAX_MEMORY = 1 << 28 }; /* of one allocation of the library's */

struct library {
    __typeof__(&TIFFOpenOptionsAlloc) options_alloc;
    __typeof__(&TIFFOpenOptionsFree) options_free;
    __typeof__(&TIFFOpenOptionsSetMaxSingleMemAlloc) set_most;
    __typeof__(&TIFFOpenOptionsSetErrorHandlerExtR) set_error;
    __typeof__(&TIFFOpenOptionsSetWarningHandlerExtR) set_warning;
    __typeof__(&TIFFClientOpenExt) open;
    __typeof__(&TIFFGetField) get;
    __typeof__(&TIFFReadRGBAImageOriented) read;
    __typeof__(&TIFFClose) close;
};

static int open_library(struct library *l, struct mc_error *err)
{
    const struct mc_library_symbol symbols[] = {
        {"TIFFOpenOptionsAlloc", &l->options_alloc},
        {"TIFFOpenOptionsFree", &l->options_free},
        {"TIFFOpenOptionsSetMaxSingleMemAlloc", &l->set_most},
        {"TIFFOpenOptionsSetErrorHandlerExtR", &l->set_error},
        {"TIFFOpenOptionsSetWarningHandlerExtR", &l->set_warning},
        {"TIFFClientOpenExt", &l->open},
        {"TIFFGetField", &l->get},
        {"TIFFReadRGBAImageOriented", &l->read},
        {"TIFFClose", &l->close},
    };
    return mc_picture_library(SONAME, symbols, MC_COUNT(symbols), err);
}

/* --- the file --- */

struct reading {
    const unsigned char *bytes;
    uint64_t length, at;
    char text[128]; /* the first complaint */
};

static tmsize_t give_bytes(thandle_t handle, void *to, tmsize_t wanted)
{
    struct reading *r = handle;
    const uint64_t left = r->at < r->length ? r->length - r->at : 0;
    const uint64_t n = (uint64_t)wanted < left ? (uint64_t)wanted : left;
    if (n) memcpy(to, r->bytes + r->at, n);
    r->at += n;
    return (tmsize_t)n;
}

static tmsize_t take_bytes(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle, (void)from, (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    struct reading *r = handle;
    r->at = offset + (whence == SEEK_CUR ? r->at : whence == SEEK_END ? r->length : 0);
    return r->at;
}

static toff_t size_of(thandle_t handle)
{
    const struct reading *r = handle;
    return r->length;
}

static int close_file(thandle_t handle)
{
    (void)handle;
    return 0;
}

static int on_error(TIFF *tiff, void *context, const char *module, const char *format, va_list list)
{
    struct reading *r = context;
    (void)tiff, (void)module;
    if (!*r->text) vsnprintf(r->text, sizeof r->text, format, list);
    return 1; /* and nobody else is told */
}

static int on_warning(TIFF *tiff, void *context, const char *module, const char *format, va_list list)
{
    (void)tiff, (void)context, (void)module, (void)format, (void)list;
    return 1;
}

static TIFF *open_file(const struct library *l, struct reading *r)
{
    TIFFOpenOptions *const options = l->options_alloc();
    if (!options) return NULL;
    l->set_most(options, MAX_MEMORY);
    l->set_error(options, on_error, r);
    l->set_warning(options, on_warning, r);
    /* m: it is not mapped */
    TIFF *const tiff = l->open("", "rm", r, give_bytes, take_bytes, seek, close_file, size_of, NULL, NULL, options);
    l->options_free(options);
    return tiff;
}

/* --- the pixels --- */

static int read_pixels(const struct library *l, TIFF *tiff, struct reading *r, struct mc_picture *p,
                       struct mc_error *err)
{
    uint32_t width = 0, height = 0;
    if (!l->get(tiff, TIFFTAG_IMAGEWIDTH, &width) || !l->get(tiff, TIFFTAG_IMAGELENGTH, &height))
        return mc_error_set(err, MC_ERR_INPUT, "is a TIFF file without a width or a height");
    const int rc = mc_picture_allocate(p, height, width, err);
    if (rc < 0) return rc;
    const size_t n = (size_t)width * height;
    uint32_t *const raster = MC_NEW_ARRAY(uint32_t, n);
    if (!raster) return mc_error_memory(err);
    const bool read = l->read(tiff, width, height, raster, ORIENTATION_TOPLEFT, 1);
    for (size_t i = 0; read && i < n; i++) {
        p->pixels[3 * i] = TIFFGetR(raster[i]);
        p->pixels[3 * i + 1] = TIFFGetG(raster[i]);
        p->pixels[3 * i + 2] = TIFFGetB(raster[i]);
    }
    mc_free(raster);
    return read ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "is a TIFF file that cannot be read: %s", r->text);
}

int mc_picture_tiff(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct reading r = {.bytes = bytes, .length = length};
    struct library l;
    int rc = open_library(&l, err);
    if (rc < 0) return rc;
    TIFF *const tiff = open_file(&l, &r);
    if (!tiff) return mc_error_set(err, MC_ERR_INPUT, "is a broken TIFF file: %s", r.text);
    rc = read_pixels(&l, tiff, &r, picture, err);
    l.close(tiff);
    return rc;
}
