/* symbols.c - bytes from a small alphabet; see symbols.h. */
#include "code/symbols.h"

#include <math.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/bitstream.h"
#include "code/rans.h"
#include "code/raster.h"

/* The first byte of a code. */
enum coder { CODER_CONSTANT, CODER_FLAT, CODER_RANS, CODER_RASTER, CODER_ZSTD };

enum { ZSTD_TRIED_LEVEL = 1, ZSTD_FAST_LEVEL = 9, ZSTD_BEST_LEVEL = 19 };

int mc_code_broken(struct mc_error *err, const char *what)
{
    return mc_error_set(err, MC_ERR_INPUT, "the code of %s does not fit", what);
}

static int bits_of(int n_symbols)
{
    int n_bits = 0;
    while (n_symbols > 1 << n_bits) n_bits++;
    return n_bits;
}

static void count_all(uint32_t count[256], const uint8_t *values, size_t n)
{
    /* four tables: runs of one value would wait for their own increments */
    uint32_t part[4][256] = {{0}};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) part[k][values[i + (size_t)k]]++;
    for (; i < n; i++) part[0][values[i]]++;
    for (int s = 0; s < 256; s++) count[s] = part[0][s] + part[1][s] + part[2][s] + part[3][s];
}

static int most_frequent(const uint32_t count[256])
{
    int best = 0;
    for (int s = 1; s < 256; s++)
        if (count[s] > count[best]) best = s;
    return best;
}

/* --- zstd --- */

int mc_zstd_encode(struct mc_buf *out, const void *bytes, size_t n, int level, struct mc_error *err)
{
    const size_t bound = ZSTD_compressBound(n);
    void *frame = mc_alloc_aligned(bound, 1);
    if (!frame) return mc_error_memory(err);
    const size_t length = ZSTD_compress(frame, bound, bytes, n, level);
    int rc = MC_OK;
    if (ZSTD_isError(length)) {
        rc = mc_error_set(err, MC_ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(length));
    } else {
        mc_varint_write(out, length);
        mc_buf_append(out, frame, length);
        if (out->failed) rc = mc_error_memory(err);
    }
    mc_free(frame);
    return rc;
}

int mc_zstd_decode(struct mc_bytes *in, void *bytes, size_t n, struct mc_error *err)
{
    struct mc_bytes frame;
    if (!mc_bytes_read_block(in, &frame)) return mc_code_broken(err, "zstd");
    const size_t length = ZSTD_decompress(bytes, n, frame.at, mc_bytes_left(&frame));
    if (ZSTD_isError(length) && ZSTD_getErrorCode(length) == ZSTD_error_memory_allocation) return mc_error_memory(err);
    return length == n ? MC_OK : mc_code_broken(err, "zstd");
}

/* --- each coder --- */

static void write_flat(struct mc_buf *out, const struct mc_symbols *symbols, const uint8_t *values)
{
    struct mc_bit_writer bits = {.out = out};
    const int n_bits = bits_of(symbols->n_symbols);
    mc_byte_write(out, CODER_FLAT);
    for (size_t i = 0; i < symbols->n; i++) mc_bits_write(&bits, values[i], n_bits);
    mc_bits_flush(&bits);
}

static bool read_flat(struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values)
{
    struct mc_bit_reader bits = {in->at, mc_bytes_left(in), 0};
    const int n_bits = bits_of(symbols->n_symbols);
    size_t length;
    for (size_t i = 0; i < symbols->n; i++) values[i] = (uint8_t)mc_bits_read(&bits, n_bits);
    return mc_bits_end(&bits, &length) && mc_bytes_take(in, length);
}

static int write_rans(struct mc_buf *out, const struct mc_symbols *symbols, const uint8_t *values,
                      const uint32_t count[256], struct mc_error *err)
{
    uint16_t frequency[256];
    struct mc_bit_writer bits = {.out = out};
    struct mc_buf code;
    mc_rans_normalize(count, frequency);
    mc_byte_write(out, CODER_RANS);
    for (int s = 0; s < symbols->n_symbols; s++) mc_bits_write_gamma(&bits, frequency[s]);
    mc_bits_flush(&bits);
    mc_buf_init(&code, 2 * symbols->n + 64);
    const bool done = mc_rans_encode(&code, values, symbols->n, frequency);
    if (done) {
        mc_varint_write(out, code.length);
        mc_buf_append(out, code.data, code.length);
    }
    mc_buf_finish(&code);
    return done && !out->failed ? MC_OK : mc_error_memory(err);
}

static bool read_rans(struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values)
{
    struct mc_bit_reader bits = {in->at, mc_bytes_left(in), 0};
    struct mc_bytes code;
    uint16_t frequency[256] = {0};
    uint32_t sum = 0;
    size_t length;
    for (int s = 0; s < symbols->n_symbols; s++) {
        uint32_t f;
        if (!mc_bits_read_gamma(&bits, &f) || f > MC_RANS_SCALE - sum) return false;
        frequency[s] = (uint16_t)f;
        sum += f;
    }
    return sum == MC_RANS_SCALE && mc_bits_end(&bits, &length) && mc_bytes_take(in, length) &&
           mc_bytes_read_block(in, &code) &&
           mc_rans_decode(values, symbols->n, code.at, mc_bytes_left(&code), frequency);
}

static int write_raster(struct mc_buf *out, const struct mc_symbols *symbols, const uint8_t *values, int background,
                        struct mc_error *err)
{
    const struct mc_raster raster = {.n = symbols->n,
                                     .n_symbols = symbols->n_symbols,
                                     .background = background,
                                     .n_columns = symbols->n_columns,
                                     .pitch = symbols->pitch};
    struct mc_buf code;
    mc_buf_init(&code, 4 * symbols->n + 64);
    const bool done = mc_raster_encode(&code, &raster, values);
    if (done) {
        mc_byte_write(out, CODER_RASTER);
        mc_byte_write(out, background);
        mc_varint_write(out, raster.n_columns);
        mc_varint_write(out, raster.pitch);
        mc_varint_write(out, code.length);
        mc_buf_append(out, code.data, code.length);
    }
    mc_buf_finish(&code);
    return done && !out->failed ? MC_OK : mc_error_memory(err);
}

static int read_raster(struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values, struct mc_error *err)
{
    struct mc_bytes code;
    const unsigned char *background = mc_bytes_take(in, 1);
    size_t n_columns, pitch;
    if (!background || *background >= symbols->n_symbols || symbols->n_symbols < 2 ||
        !mc_varint_read_size(in, MC_RASTER_MOST_COLUMNS, &n_columns) || n_columns == 0 ||
        !mc_varint_read_size(in, n_columns, &pitch) || pitch == 0 || !mc_bytes_read_block(in, &code))
        return mc_code_broken(err, "a raster");
    const struct mc_raster raster = {.n = symbols->n,
                                     .n_symbols = symbols->n_symbols,
                                     .background = *background,
                                     .n_columns = (uint32_t)n_columns,
                                     .pitch = (uint32_t)pitch};
    const int done = mc_raster_decode(&raster, values, code.at, mc_bytes_left(&code));
    return done < 0 ? mc_error_memory(err) : done ? MC_OK : mc_code_broken(err, "a raster");
}

/* --- which one --- */

double mc_symbols_cost(const struct mc_symbols *symbols, const uint32_t count[256])
{
    double total = 0, bits = 0;
    int n_used = 0;
    for (int s = 0; s < 256; s++) total += count[s];
    for (int s = 0; s < 256; s++) {
        if (count[s] == 0) continue;
        n_used++;
        bits += count[s] * log2(total / count[s]) + 9; /* and what its frequency takes */
    }
    const double flat = total * bits_of(symbols->n_symbols);
    bits += symbols->n_symbols + 8 * 18;
    return n_used <= 1 ? 2 : 1 + fmin(bits, flat) / 8;
}

/* Put the candidate in the place of the best so far if it is shorter. */
static void keep_shorter(struct mc_buf *best, struct mc_buf *candidate)
{
    if (!candidate->failed && (best->length == 0 || candidate->length < best->length)) {
        const struct mc_buf shorter = *candidate;
        *candidate = *best;
        *best = shorter;
    }
    candidate->length = 0;
}

/* zstd finds what repeats, which the others do not see: tried fast, and then in earnest if it is near. */
static int try_zstd(struct mc_buf *best, struct mc_buf *candidate, const uint8_t *values, size_t n,
                    enum mc_code_level level, struct mc_error *err)
{
    mc_byte_write(candidate, CODER_ZSTD);
    int rc = mc_zstd_encode(candidate, values, n, ZSTD_TRIED_LEVEL, err);
    if (rc < 0) return rc;
    const bool near = candidate->length < best->length + best->length / 8;
    keep_shorter(best, candidate);
    if (!near) return MC_OK;
    mc_byte_write(candidate, CODER_ZSTD);
    rc = mc_zstd_encode(candidate, values, n, level == MC_CODE_BEST ? ZSTD_BEST_LEVEL : ZSTD_FAST_LEVEL, err);
    keep_shorter(best, candidate);
    return rc;
}

static int encode_best(struct mc_buf *best, struct mc_buf *candidate, const struct mc_symbols *symbols,
                       const uint8_t *values, const uint32_t count[256], enum mc_code_level level, struct mc_error *err)
{
    int rc = write_rans(best, symbols, values, count, err);
    if (rc == MC_OK) write_flat(candidate, symbols, values);
    keep_shorter(best, candidate);
    if (rc == MC_OK && level == MC_CODE_BEST && symbols->n_columns > 0) {
        rc = write_raster(candidate, symbols, values, most_frequent(count), err);
        keep_shorter(best, candidate);
    }
    return rc == MC_OK ? try_zstd(best, candidate, values, symbols->n, level, err) : rc;
}

int mc_symbols_encode(struct mc_buf *out, const struct mc_symbols *symbols, const uint8_t *values,
                      enum mc_code_level level, struct mc_error *err)
{
    uint32_t count[256];
    struct mc_buf best, candidate;
    count_all(count, values, symbols->n);
    if (symbols->n == 0) return MC_OK;
    const int common = most_frequent(count);
    if (count[common] == symbols->n) {
        mc_byte_write(out, CODER_CONSTANT);
        mc_byte_write(out, common);
        return out->failed ? mc_error_memory(err) : MC_OK;
    }
    mc_buf_init(&best, out->ceiling);
    mc_buf_init(&candidate, out->ceiling);
    const int rc = encode_best(&best, &candidate, symbols, values, count, level, err);
    if (rc == MC_OK) mc_buf_append(out, best.data, best.length);
    const bool failed = best.failed || candidate.failed || out->failed;
    mc_buf_finish(&best);
    mc_buf_finish(&candidate);
    return rc == MC_OK && failed ? mc_error_memory(err) : rc;
}

static int read_by(int coder, struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values,
                   struct mc_error *err)
{
    const unsigned char *constant;
    switch (coder) {
    case CODER_CONSTANT:
        constant = mc_bytes_take(in, 1);
        if (!constant) return mc_code_broken(err, "a constant");
        memset(values, *constant, symbols->n);
        return MC_OK;
    case CODER_FLAT:
        return read_flat(in, symbols, values) ? MC_OK : mc_code_broken(err, "flat symbols");
    case CODER_RANS:
        return read_rans(in, symbols, values) ? MC_OK : mc_code_broken(err, "rANS symbols");
    case CODER_RASTER:
        return read_raster(in, symbols, values, err);
    case CODER_ZSTD:
        return mc_zstd_decode(in, values, symbols->n, err);
    default:
        return mc_error_set(err, MC_ERR_INPUT, "there is no coder %d of symbols", coder);
    }
}

static uint8_t largest(const uint8_t *values, size_t n)
{
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++) most = values[i] > most ? values[i] : most;
    return most;
}

int mc_symbols_decode(struct mc_bytes *in, const struct mc_symbols *symbols, uint8_t *values, struct mc_error *err)
{
    if (symbols->n == 0) return MC_OK;
    const unsigned char *coder = mc_bytes_take(in, 1);
    if (!coder) return mc_code_broken(err, "symbols");
    const int rc = read_by(*coder, in, symbols, values, err);
    if (rc < 0 || symbols->n_symbols == 256) return rc;
    return largest(values, symbols->n) < symbols->n_symbols ? MC_OK : mc_code_broken(err, "symbols");
}
