/* raster.h - the strong code of symbols that lie in rows: mixed predictions from what is around each.
 *
 * One symbol, the background (zero weights, most of the time), is coded by a decision of its own, as DeepCABAC does
 * (Wiedemann et al., 2019), with contexts that know how much of it row, column and neighbours have; then which of the
 * others it is, bit by bit.
 */
#ifndef MC_CODE_RASTER_H
#define MC_CODE_RASTER_H

#include "base/buf.h"

/* Longest row. */
enum { MC_RASTER_MOST_COLUMNS = 65536 };

struct mc_raster {
    size_t n;           /* symbols */
    int n_symbols;      /* 2 to 256: the symbols are 0 to n_symbols - 1 */
    int background;     /* one of them */
    uint32_t n_columns; /* 1 to MC_RASTER_MOST_COLUMNS */
    uint32_t pitch;     /* 1 to n_columns: symbols this far apart in a row are neighbours as well: of one kernel, or
                           in one column of an image */
};

/* Append the code; false without memory. */
bool mc_raster_encode(struct mc_buf *out, const struct mc_raster *raster, const uint8_t *symbols);
/* Decode from exactly these bytes: 1, 0 if they are not what the encoder makes, -1 without memory. */
int mc_raster_decode(const struct mc_raster *raster, uint8_t *symbols, const unsigned char *bytes, size_t length);

#endif
