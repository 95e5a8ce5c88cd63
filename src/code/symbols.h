/* symbols.h - a row of bytes from a small alphabet, by the coder that makes least of it.
 *
 * docs/container.md has the format.
 */
#ifndef MC_CODE_SYMBOLS_H
#define MC_CODE_SYMBOLS_H

#include "code/varint.h"

/* How hard to try. */
enum mc_code_level { MC_CODE_FAST, MC_CODE_BEST };

struct mc_symbols {
    size_t n;
    int n_symbols; /* 1 to 256 */
    /* For the strong coder, which is tried at MC_CODE_BEST: how long rows are, and what lies next to each other in
     * one; n_columns 0: the symbols lie in no rows, do not try. */
    uint32_t n_columns, pitch;
};

/* Bytes that coding these will take at MC_CODE_FAST, about. */
double mc_symbols_cost(const struct mc_symbols *symbols, const uint32_t count[256]);

/* Append the code of values[0 … n - 1]. MC_ERR_SYSTEM without memory. */
int mc_symbols_encode(struct mc_buf *out, const struct mc_symbols *symbols, const uint8_t *values,
                      enum mc_code_level level, struct mc_error *err);
/* Decode, and take the code off the bytes; of `symbols` only n and n_symbols are looked at. MC_ERR_INPUT if it is no
 * code of that many symbols. */
int mc_symbols_decode(struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values, struct mc_error *err);

/* Bytes compressed by zstd, as a length and a frame; and back, where it must give exactly n bytes. */
int mc_zstd_encode(struct mc_buf *out, const void *bytes, size_t n, int level, struct mc_error *err);
int mc_zstd_decode(struct mc_bytes *in, void *bytes, size_t n, struct mc_error *err);

/* What is said of a code that does not fit. */
int mc_code_broken(struct mc_error *err, const char *what);

#endif
