/* bmp.c - Windows and OS/2 bitmaps; see picture.h.
 *
 * A header of 14 bytes, which says where the pixels begin; one that describes them, whose length tells its version; a
 * palette, or masks of which bits of a pixel are its red, green and blue; rows of whole 32-bit words, the lowest row
 * first unless the height is negative. All numbers begin with their lowest byte. Run lengths are not read.
 */
#include "base/error.h"
#include "image/picture_format.h"

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40, MASKS = 3 };
enum { COMPRESSION_NONE = 0, COMPRESSION_MASKS = 3, COMPRESSION_MASKS_ALPHA = 6 };

struct bitmap {
    const unsigned char *bytes;
    size_t length;
    uint32_t header, pixels, width, height, bits, compression, colours;
    bool top_first;
    uint32_t mask[MASKS];
    const unsigned char *palette;
    uint32_t palette_step;
    uint64_t row_bytes;
    struct mc_error *err;
};

static uint32_t get_16(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get_32(const unsigned char *at)
{
    return get_16(at) | get_16(at + 2) << 16;
}

static int broken(const struct bitmap *b, const char *why)
{
    return mc_error_set(b->err, MC_ERR_INPUT, "is a broken BMP file: %s", why);
}

static int read_header(struct bitmap *b)
{
    if (b->length < FILE_HEADER + CORE_HEADER) return broken(b, "ends early");
    const unsigned char *const at = b->bytes + FILE_HEADER;
    b->pixels = get_32(b->bytes + 10);
    b->header = get_32(at);
    if (b->header != CORE_HEADER && b->header < INFO_HEADER) return broken(b, "its header is of an unknown kind");
    if (b->header > b->length - FILE_HEADER) return broken(b, "ends early");
    if (b->header == CORE_HEADER) {
        b->width = get_16(at + 4);
        b->height = get_16(at + 6);
        b->bits = get_16(at + 10);
        return MC_OK;
    }
    b->width = get_32(at + 4);
    b->height = get_32(at + 8);
    b->top_first = b->height >> 31;
    if (b->top_first) b->height = 0U - b->height;
    b->bits = get_16(at + 14);
    b->compression = get_32(at + 16);
    b->colours = get_32(at + 32);
    return MC_OK;
}

static int check_kind(const struct bitmap *b)
{
    const bool masked = b->compression == COMPRESSION_MASKS || b->compression == COMPRESSION_MASKS_ALPHA;
    if (b->compression != COMPRESSION_NONE && !masked)
        return mc_error_set(b->err, MC_ERR_UNSUPPORTED, "is a BMP file with compression %u, which is not read",
                            b->compression);
    const bool small = b->bits == 1 || b->bits == 2 || b->bits == 4 || b->bits == 8;
    const bool words = b->bits == 16 || b->bits == 32;
    if (masked ? !words : !small && !words && b->bits != 24)
        return broken(b, "its bits a pixel are of no known number");
    return MC_OK;
}

/* Masks stand in newer headers, and behind an older one. */
static int read_masks(struct bitmap *b)
{
    static const uint32_t usual[2][MASKS] = {{0x7c00, 0x3e0, 0x1f}, {0xff0000, 0xff00, 0xff}};
    const unsigned char *const at = b->bytes + FILE_HEADER + INFO_HEADER;
    const bool given = b->compression != COMPRESSION_NONE;
    if (given && b->length < FILE_HEADER + INFO_HEADER + 4 * MASKS) return broken(b, "ends early");
    for (int i = 0; i < MASKS; i++) {
        b->mask[i] = given ? get_32(at + 4 * i) : usual[b->bits == 32][i];
        if (b->mask[i] == 0) return broken(b, "a colour has no bits");
    }
    return MC_OK;
}

static int find_palette(struct bitmap *b)
{
    const uint32_t most = 1U << b->bits;
    if (b->colours == 0 || b->colours > most) b->colours = most;
    b->palette = b->bytes + FILE_HEADER + b->header;
    b->palette_step = b->header == CORE_HEADER ? 3 : 4;
    const size_t left = b->length - FILE_HEADER - b->header;
    return b->colours * b->palette_step > left ? broken(b, "its palette ends early") : MC_OK;
}

static int find_rows(struct bitmap *b)
{
    b->row_bytes = ((uint64_t)b->width * b->bits + 31) / 32 * 4;
    if (b->height == 0 || b->width == 0) return MC_OK; /* which is refused with its extents */
    if (b->pixels > b->length || b->row_bytes > (b->length - b->pixels) / b->height) return broken(b, "ends early");
    return MC_OK;
}

/* Palettes and pixels of 24 bits have blue first. */
static void put_bgr(unsigned char *to, const unsigned char *bgr)
{
    for (int i = 0; i < 3; i++) to[i] = bgr[2 - i];
}

/* Cut off where the others round, as all readers of such files do. */
static unsigned char masked(uint32_t pixel, uint32_t mask)
{
    const uint32_t lowest = mask & (0U - mask);
    return (unsigned char)((pixel & mask) / lowest * (uint64_t)255 / (mask / lowest));
}

static int read_row(const struct bitmap *b, const unsigned char *row, unsigned char *to)
{
    for (uint32_t x = 0; x < b->width; x++, to += 3) {
        if (b->bits <= 8) {
            const uint32_t at = x * b->bits, shift = 8 - b->bits - at % 8;
            const uint32_t colour = row[at / 8] >> shift & ((1U << b->bits) - 1);
            if (colour >= b->colours) return broken(b, "a pixel has a colour that is not in its palette");
            put_bgr(to, b->palette + colour * b->palette_step);
        } else if (b->bits == 24) {
            put_bgr(to, row + 3 * (size_t)x);
        } else {
            const uint32_t pixel = b->bits == 16 ? get_16(row + 2 * (size_t)x) : get_32(row + 4 * (size_t)x);
            for (int i = 0; i < MASKS; i++) to[i] = masked(pixel, b->mask[i]);
        }
    }
    return MC_OK;
}

int mc_picture_bmp(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct bitmap b = {.bytes = bytes, .length = length, .err = err};
    int rc = read_header(&b);
    if (rc == MC_OK) rc = check_kind(&b);
    if (rc == MC_OK && b.bits <= 8) rc = find_palette(&b);
    if (rc == MC_OK && (b.bits == 16 || b.bits == 32)) rc = read_masks(&b);
    if (rc == MC_OK) rc = find_rows(&b);
    if (rc == MC_OK) rc = mc_picture_allocate(picture, b.height, b.width, err);
    for (uint32_t y = 0; rc == MC_OK && y < b.height; y++) {
        const uint32_t row = b.top_first ? y : b.height - 1 - y;
        rc = read_row(&b, bytes + b.pixels + row * b.row_bytes, picture->pixels + (size_t)y * b.width * 3);
    }
    return rc;
}
