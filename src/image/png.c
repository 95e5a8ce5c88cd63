/* png.c - PNG by libpng; see picture.h.
 *
 * libpng leaves by longjmp: whatever is used after that lives in struct reading, whose address the caller took.
 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "image/picture_format.h"

/* Deflate makes at most so much of a byte: extents that would need more are a lie. */
enum { MOST_DEFLATED = 1032, MAX_CHUNKS = 1000, MAX_CHUNK_BYTES = 1 << 23 };

struct reading {
    png_structp png;
    png_infop info;
    const unsigned char *at;
    size_t left;
    png_bytep *rows;
    struct mc_picture *picture;
    struct mc_error *err;
    char text[128];
};

static void on_error(png_structp png, png_const_charp text)
{
    struct reading *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void give_bytes(png_structp png, png_bytep to, size_t n)
{
    struct reading *r = png_get_io_ptr(png);
    if (n > r->left) png_error(png, "ends early");
    memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
}

/* Everything to 8 bits of red, green, blue. */
static void set_transforms(struct reading *r)
{
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    png_set_strip_alpha(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

static int prepare(struct reading *r)
{
    png_set_user_limits(r->png, MC_PICTURE_MAX_SIDE, MC_PICTURE_MAX_SIDE);
    png_set_chunk_cache_max(r->png, MAX_CHUNKS);
    png_set_chunk_malloc_max(r->png, MAX_CHUNK_BYTES);
    png_set_read_fn(r->png, r, give_bytes);
    png_read_info(r->png, r->info);
    const uint64_t height = png_get_image_height(r->png, r->info), width = png_get_image_width(r->png, r->info);
    if (height * png_get_rowbytes(r->png, r->info) / MOST_DEFLATED > r->left) png_error(r->png, "ends early");
    const int rc = mc_picture_allocate(r->picture, height, width, r->err);
    if (rc < 0) return rc;
    set_transforms(r);
    if (png_get_rowbytes(r->png, r->info) != width * 3) png_error(r->png, "pixels of an unknown kind");
    r->rows = MC_NEW_ARRAY(png_bytep, height);
    if (!r->rows) return mc_error_memory(r->err);
    for (uint64_t i = 0; i < height; i++) r->rows[i] = r->picture->pixels + i * width * 3;
    return MC_OK;
}

static int read_all(struct reading *r)
{
    if (setjmp(png_jmpbuf(r->png))) return mc_error_set(r->err, MC_ERR_INPUT, "is a broken PNG file: %s", r->text);
    const int rc = prepare(r);
    if (rc < 0) return rc;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return MC_OK;
}

int mc_picture_png(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct reading r = {.at = bytes, .left = length, .picture = picture, .err = err};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    if (r.png) r.info = png_create_info_struct(r.png);
    const int rc = r.info ? read_all(&r) : mc_error_memory(err);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    mc_free(r.rows);
    return rc;
}
