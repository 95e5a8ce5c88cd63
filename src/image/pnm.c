/* pnm.c - the portable bitmap, greymap and pixmap (PBM, PGM, PPM; P1 to P6); see picture.h.
 *
 * A header of numbers in text, between which there is white space and comments from # to the end of a line, then the
 * values, as text too (P1 to P3) or as bits, bytes or pairs of bytes (P4 to P6).
 */
#include "base/error.h"
#include "image/picture_format.h"

struct reading {
    const unsigned char *at, *end;
    int kind; /* 1 … 6, the digit after the P */
    uint32_t width, height, most;
    struct mc_error *err;
};

static int broken(struct reading *r, const char *why)
{
    return mc_error_set(r->err, MC_ERR_INPUT, "is a broken PNM file: %s", why);
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reading *r)
{
    bool comment = false;
    for (; r->at < r->end && (comment || is_blank(*r->at) || *r->at == '#'); r->at++)
        comment = comment ? *r->at != '\n' && *r->at != '\r' : *r->at == '#';
}

/* The next number; one digit alone if it is a bit, of which the next may follow at once. */
static int read_number(struct reading *r, bool is_bit, uint32_t *number)
{
    skip_blanks(r);
    if (r->at == r->end) return broken(r, "ends early");
    if (*r->at < '0' || *r->at > '9') return broken(r, "needs a number");
    for (*number = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9' && *number < 1000000;) {
        *number = *number * 10 + (uint32_t)(*r->at++ - '0');
        if (is_bit) break;
    }
    return MC_OK;
}

static bool is_text(const struct reading *r)
{
    return r->kind <= 3;
}

static bool is_bits(const struct reading *r)
{
    return r->kind == 1 || r->kind == 4;
}

static uint32_t channels_of(const struct reading *r)
{
    return r->kind == 3 || r->kind == 6 ? 3 : 1;
}

static int read_header(struct reading *r)
{
    r->kind = r->at[1] - '0';
    r->at += 2;
    r->most = 1;
    int rc = read_number(r, false, &r->width);
    if (rc == MC_OK) rc = read_number(r, false, &r->height);
    if (rc == MC_OK && !is_bits(r)) rc = read_number(r, false, &r->most);
    if (rc < 0) return rc;
    if (r->most < 1 || r->most > 65535) return broken(r, "the largest value needs to be 1 to 65535");
    if (r->at == r->end || !is_blank(*r->at)) return broken(r, "needs white space behind its header");
    r->at++;
    return MC_OK;
}

static uint64_t row_bytes(const struct reading *r)
{
    if (is_bits(r)) return (r->width + 7) / 8;
    return (uint64_t)r->width * channels_of(r) * (r->most > 255 ? 2 : 1);
}

/* The next value of a row of bits, bytes or pairs of them that begins at r->at. */
static uint32_t stored(const struct reading *r, uint32_t i)
{
    if (is_bits(r)) return r->at[i / 8] >> (7 - i % 8) & 1;
    return r->most > 255 ? (uint32_t)r->at[2 * i] << 8 | r->at[2 * i + 1] : r->at[i];
}

static int read_row(struct reading *r, unsigned char *to)
{
    const uint32_t channels = channels_of(r), n = r->width * channels;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t value;
        const int rc = is_text(r) ? read_number(r, is_bits(r), &value) : MC_OK;
        if (rc < 0) return rc;
        if (!is_text(r)) value = stored(r, i);
        if (is_bits(r)) value = value == 0; /* 1 is black */
        const unsigned char level = mc_picture_level(value, r->most);
        for (uint32_t k = channels; k <= 3; k++) *to++ = level; /* thrice if it is grey */
    }
    if (!is_text(r)) r->at += row_bytes(r);
    return MC_OK;
}

int mc_picture_pnm(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct reading r = {.at = bytes, .end = bytes + length, .err = err};
    int rc = read_header(&r);
    if (rc < 0) return rc;
    const uint64_t least = is_text(&r) ? (uint64_t)r.width * channels_of(&r) : row_bytes(&r);
    if (r.height && least > (uint64_t)(r.end - r.at) / r.height) return broken(&r, "ends early");
    rc = mc_picture_allocate(picture, r.height, r.width, err);
    for (uint32_t i = 0; rc == MC_OK && i < r.height; i++) rc = read_row(&r, picture->pixels + (size_t)i * r.width * 3);
    return rc;
}
