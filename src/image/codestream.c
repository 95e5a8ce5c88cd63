/* codestream.c - the headers of a JPEG 2000 codestream; see codestream.h.
 *
 * Markers of two bytes, each but the first with its length: those of the main header, then tiles, each with a length,
 * markers of its own and its data.
 */
#include "image/codestream.h"

#include <string.h>

#include "base/error.h"

enum { SOC = 0xff4f, SIZ = 0xff51, COD = 0xff52, COC = 0xff53, SOT = 0xff90, SOD = 0xff93, EOC = 0xffd9 };

/* TILE_BYTES: a tile takes at least so many. The others are the least area of a code block and of a precinct, as
 * exponents of 2. */
enum { MAX_COMPONENTS = 4, MAX_LAYERS = 256, MAX_TILES = 16384, TILE_BYTES = 14, LEAST_BLOCK = 8, LEAST_PRECINCT = 10 };

struct stream {
    const unsigned char *at, *end;
    size_t length;
    struct mc_error *err;
};

static uint32_t get_16(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_32(const unsigned char *at)
{
    return get_16(at) << 16 | get_16(at + 2);
}

static size_t left(const struct stream *s)
{
    return (size_t)(s->end - s->at);
}

static int broken(const struct stream *s, const char *why)
{
    return mc_error_set(s->err, MC_ERR_INPUT, "is a broken JPEG 2000 file: %s", why);
}

/* Go to the contents of the first box "jp2c", which may end with the file. */
static int open_boxes(struct stream *s)
{
    while (left(s) >= 8) {
        const bool wide = get_32(s->at) == 1;
        const size_t header = wide ? 16 : 8;
        if (wide && (left(s) < 16 || get_32(s->at + 8) != 0)) break;
        const size_t stated = get_32(s->at + (wide ? 12 : 0)), n = stated ? stated : left(s);
        if (n < header || n > left(s)) break;
        if (memcmp(s->at + 4, "jp2c", 4) == 0) {
            s->end = s->at + n;
            s->at += header;
            return MC_OK;
        }
        s->at += n;
    }
    return broken(s, "has no codestream");
}

static uint64_t pieces(uint32_t from, uint32_t to, uint32_t step)
{
    return to > from ? ((uint64_t)to - from + step - 1) / step : 0;
}

/* Extents, tiles and components: at[0] is the first byte behind the length. */
static int check_size(const struct stream *s, const unsigned char *at, size_t n)
{
    if (n < 36) return broken(s, "ends early");
    const uint32_t tile_width = get_32(at + 18), tile_height = get_32(at + 22);
    if (tile_width == 0 || tile_height == 0) return broken(s, "its tiles are empty");
    const uint64_t columns = pieces(get_32(at + 26), get_32(at + 2), tile_width);
    const uint64_t rows = pieces(get_32(at + 30), get_32(at + 6), tile_height);
    if (columns > MAX_TILES || rows > MAX_TILES || columns * rows > MAX_TILES ||
        columns * rows > s->length / TILE_BYTES)
        return broken(s, "has more tiles than it has bytes for");
    if (get_16(at + 34) > MAX_COMPONENTS)
        return mc_error_set(s->err, MC_ERR_UNSUPPORTED, "is a JPEG 2000 file of %u components, %d are read",
                            get_16(at + 34), MAX_COMPONENTS);
    return MC_OK;
}

/* What COD and COC say alike, from the number of levels on: code blocks, and the precincts of each resolution. */
static int check_coding(const struct stream *s, bool precincts, const unsigned char *at, size_t n)
{
    if (n < 5) return broken(s, "ends early");
    const size_t resolutions = (size_t)at[0] + 1;
    if (at[1] + 2 + at[2] + 2 < LEAST_BLOCK) return broken(s, "its code blocks are too small");
    if (!precincts) return MC_OK;
    if (n < 5 + resolutions) return broken(s, "ends early");
    for (size_t i = 0; i < resolutions; i++)
        if ((at[5 + i] & 15) + (at[5 + i] >> 4) < LEAST_PRECINCT) return broken(s, "its precincts are too small");
    return MC_OK;
}

static int check_marker(const struct stream *s, uint32_t marker, const unsigned char *at, size_t n)
{
    if (marker == SIZ) return check_size(s, at, n);
    if (marker == COD) {
        if (n < 5) return broken(s, "ends early");
        if (get_16(at + 2) > MAX_LAYERS) return broken(s, "has too many layers");
        return check_coding(s, at[0] & 1, at + 5, n - 5);
    }
    if (marker == COC) return n < 2 ? broken(s, "ends early") : check_coding(s, at[1] & 1, at + 2, n - 2);
    return MC_OK;
}

/* Markers up to one of these two, which is not passed. */
static int check_markers(struct stream *s, uint32_t last, uint32_t or_last)
{
    for (;;) {
        if (left(s) < 2) return broken(s, "ends early");
        const uint32_t marker = get_16(s->at);
        if (marker == last || marker == or_last) return MC_OK;
        if (marker < 0xff00 || left(s) < 4) return broken(s, "needs a marker");
        const size_t n = get_16(s->at + 2);
        if (n < 2 || n + 2 > left(s)) return broken(s, "a marker ends early");
        const int rc = check_marker(s, marker, s->at + 4, n - 2);
        if (rc < 0) return rc;
        s->at += n + 2;
    }
}

/* A part of a tile: SOT, its length of 10, the tile's number, the length of the part from SOT on, which is 0 where it
 * goes to the end. */
static int check_part(struct stream *s)
{
    if (left(s) < TILE_BYTES) return broken(s, "a tile ends early");
    const size_t stated = get_32(s->at + 6), n = stated ? stated : left(s);
    if (n < TILE_BYTES || n > left(s)) return broken(s, "a tile ends early");
    struct stream part = {.at = s->at + 12, .end = s->at + n, .length = s->length, .err = s->err};
    s->at += n;
    return check_markers(&part, SOD, SOD);
}

int mc_codestream_check(const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct stream s = {.at = bytes, .end = bytes + length, .length = length, .err = err};
    int rc = bytes[0] == 0xff ? MC_OK : open_boxes(&s);
    if (rc < 0) return rc;
    if (left(&s) < 4 || get_16(s.at) != SOC || get_16(s.at + 2) != SIZ) return broken(&s, "has no sizes");
    s.at += 2;
    rc = check_markers(&s, SOT, EOC);
    while (rc == MC_OK && left(&s) >= 2 && get_16(s.at) == SOT) rc = check_part(&s);
    return rc;
}
