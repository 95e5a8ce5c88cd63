/* segment.c - a run of elements; see segment.h. */
#include "code/segment.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/codebook.h"
#include "code/highlow.h"

/* The first byte: the method, the logarithm of the width, and of MC_METHOD_SPARSE whether the mask is a raster. */
enum { METHOD_BITS = 3, WIDTH_SHIFT = 3, RASTER_SHIFT = 5 };

enum { ZSTD_TRIED_LEVEL = 1, ZSTD_FAST_LEVEL = 9, ZSTD_BEST_LEVEL = 19 };

/* Fewer zeroes than one in so many are no reason for a mask. */
enum { SPARSE_SHARE = 64 };

const char *mc_method_name(enum mc_method method)
{
    static const char *const names[MC_METHODS] = {"raw", "zstd", "high-low", "codebook", "sparse"};
    return names[method];
}

static int log2_of(int width)
{
    return width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3;
}

struct coding {
    const struct mc_element_kind *kind;
    enum mc_code_level level;
    struct mc_workspace *workspace;
    double rival; /* bytes that another method took: what would certainly take more is not done */
};

static void put_head(struct mc_buf *out, enum mc_method method, int width, bool raster)
{
    mc_byte_write(out, (int)method | log2_of(width) << WIDTH_SHIFT | raster << RASTER_SHIFT);
}

/* --- masks: bit i % 8 of byte i / 8 says that element i is not zero --- */

static inline __attribute__((always_inline)) size_t part_zeroes(const unsigned char *bytes, size_t n, int width,
                                                                unsigned char *mask, unsigned char *values)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i += 8) {
        const size_t end = n - i < 8 ? n - i : 8;
        unsigned byte = 0;
        for (size_t k = 0; k < end; k++) {
            const uint64_t x = mc_element_load(bytes + (i + k) * (size_t)width, width);
            mc_element_store(values + kept * (size_t)width, width, x);
            kept += x != 0;
            byte |= (unsigned)(x != 0) << k;
        }
        mask[i / 8] = (unsigned char)byte;
    }
    return kept;
}

/* Mask and what it leaves; `values` has room for one element more than n. */
static size_t part_zeroes_of(const unsigned char *bytes, size_t n, int width, unsigned char *mask,
                             unsigned char *values)
{
    switch (width) {
    case 1:
        return part_zeroes(bytes, n, 1, mask, values);
    case 2:
        return part_zeroes(bytes, n, 2, mask, values);
    case 4:
        return part_zeroes(bytes, n, 4, mask, values);
    default:
        return part_zeroes(bytes, n, 8, mask, values);
    }
}

static uint64_t mask_word(const unsigned char *mask, size_t n_bytes)
{
    uint64_t word = 0;
    for (size_t b = 0; b < n_bytes; b++) word |= (uint64_t)mask[b] << 8 * b;
    return word;
}

static size_t count_mask(const unsigned char *mask, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < (n + 7) / 8; i += 8)
        count += (size_t)__builtin_popcountll(mask_word(mask + i, (n + 7) / 8 - i < 8 ? (n + 7) / 8 - i : 8));
    return count;
}

static inline __attribute__((always_inline)) void spread(unsigned char *bytes, size_t n, int width,
                                                         const unsigned char *mask, const unsigned char *values)
{
    memset(bytes, 0, n * (size_t)width);
    const size_t n_mask = (n + 7) / 8;
    for (size_t i = 0; i < n_mask; i += 8) {
        uint64_t word = n_mask - i >= 8 ? mc_element_load(mask + i, 8) : mask_word(mask + i, n_mask - i);
        for (; word != 0; word &= word - 1, values += width) {
            const size_t at = i * 8 + (size_t)__builtin_ctzll(word);
            memcpy(bytes + at * (size_t)width, values, (size_t)width);
        }
    }
}

static void spread_all(unsigned char *bytes, size_t n, int width, const unsigned char *mask,
                       const unsigned char *values)
{
    switch (width) {
    case 1:
        spread(bytes, n, 1, mask, values);
        break;
    case 2:
        spread(bytes, n, 2, mask, values);
        break;
    case 4:
        spread(bytes, n, 4, mask, values);
        break;
    default:
        spread(bytes, n, 8, mask, values);
    }
}

/* --- encoding --- */

/* What can be done without a mask; nothing if it cannot be shorter than the rival. */
static int encode_dense(struct mc_buf *out, const unsigned char *bytes, size_t n, const struct coding *c,
                        enum mc_method *method, struct mc_error *err)
{
    struct mc_codebook book;
    struct mc_highlow plan;
    const int width = c->kind->width;
    if (n == 0) {
        put_head(out, *method = MC_METHOD_RAW, width, false);
        return MC_OK;
    }
    const bool few = mc_codebook_find(&book, bytes, n, c->kind);
    int rc = mc_highlow_plan(&plan, bytes, n, c->kind, c->workspace, err);
    if (rc < 0) return rc;
    const double raw = (double)n * width;
    const bool strong = few && c->level == MC_CODE_BEST; /* costs are those of the fast coder */
    if (!strong && fmin(few ? book.cost : INFINITY, fmin(plan.cost, raw)) > 1.02 * c->rival) return MC_OK;
    if (few && book.cost <= fmin(plan.cost, raw)) {
        put_head(out, *method = MC_METHOD_CODEBOOK, width, false);
        return mc_codebook_encode(out, &book, bytes, n, c->kind, c->level, c->workspace, err);
    }
    if (plan.cost < raw) {
        put_head(out, *method = MC_METHOD_HIGHLOW, width, false);
        return mc_highlow_encode(out, &plan, bytes, n, c->kind, c->level, c->workspace, err);
    }
    put_head(out, *method = MC_METHOD_RAW, width, false);
    mc_buf_append(out, bytes, n * (size_t)width);
    return MC_OK;
}

/* One byte of the mask for eight elements; at MC_CODE_BEST also one symbol an element, which knows rows. */
static int encode_mask(struct mc_buf *out, const unsigned char *mask, size_t n, const struct coding *c,
                       struct mc_error *err)
{
    const struct mc_symbols by_eight = {.n = (n + 7) / 8, .n_symbols = 256};
    const size_t start = out->length;
    put_head(out, MC_METHOD_SPARSE, c->kind->width, false);
    int rc = mc_symbols_encode(out, &by_eight, mask, c->level, err);
    if (rc < 0 || c->level != MC_CODE_BEST || c->kind->columns == 0) return rc;
    const struct mc_symbols one_by_one = {
        .n = n, .n_symbols = 2, .n_columns = c->kind->columns, .pitch = c->kind->pitch};
    uint8_t *present = mc_workspace_room(c->workspace, MC_ROOM_SYMBOLS, n);
    struct mc_buf raster;
    if (!present) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) present[i] = mask[i / 8] >> i % 8 & 1;
    mc_buf_init(&raster, out->ceiling);
    put_head(&raster, MC_METHOD_SPARSE, c->kind->width, true);
    rc = mc_symbols_encode(&raster, &one_by_one, present, c->level, err);
    if (rc == MC_OK && raster.length < out->length - start) {
        out->length = start;
        mc_buf_append(out, raster.data, raster.length);
    }
    mc_buf_finish(&raster);
    return rc;
}

/* Mask and the rest; nothing where zeroes are too few to try. */
static int encode_sparse(struct mc_buf *out, const unsigned char *bytes, size_t n, const struct coding *c,
                         struct mc_error *err)
{
    const size_t width = (size_t)c->kind->width;
    unsigned char *mask = mc_workspace_room(c->workspace, MC_ROOM_MASK, (n + 7) / 8);
    unsigned char *values = mc_workspace_room(c->workspace, MC_ROOM_VALUES, (n + 1) * width);
    if (!mask || !values) return mc_error_memory(err);
    const size_t kept = part_zeroes_of(bytes, n, c->kind->width, mask, values);
    if (n - kept <= n / SPARSE_SHARE) return MC_OK;
    const int rc = encode_mask(out, mask, n, c, err);
    if (rc < 0) return rc;
    struct mc_element_kind kind = *c->kind;
    kind.columns = kind.pitch = 0;
    const struct coding inner = {&kind, c->level, c->workspace, INFINITY};
    enum mc_method method;
    return encode_dense(out, values, kept, &inner, &method, err);
}

/* zstd knows what repeats: tried fast, and in earnest where it comes near. */
static int encode_zstd(struct mc_buf *out, const unsigned char *bytes, size_t length, const struct coding *c,
                       size_t rival, struct mc_error *err)
{
    put_head(out, MC_METHOD_ZSTD, 1, false);
    int rc = mc_zstd_encode(out, bytes, length, ZSTD_TRIED_LEVEL, err);
    if (rc < 0 || out->length > rival + rival / (c->kind->exponent_bits > 0 ? 16 : 2)) return rc;
    out->length = 0;
    put_head(out, MC_METHOD_ZSTD, 1, false);
    return mc_zstd_encode(out, bytes, length, c->level == MC_CODE_BEST ? ZSTD_BEST_LEVEL : ZSTD_FAST_LEVEL, err);
}

struct choice {
    struct mc_buf best, trial;
    enum mc_method method;
};

static void keep_shorter(struct choice *choice, enum mc_method method)
{
    if (choice->trial.length > 0 && choice->trial.length < choice->best.length) {
        const struct mc_buf shorter = choice->trial;
        choice->trial = choice->best;
        choice->best = shorter;
        choice->method = method;
    }
    choice->trial.length = 0;
}

static int choose(struct choice *choice, const unsigned char *bytes, size_t length, struct coding *c,
                  struct mc_error *err)
{
    const size_t n = length / (size_t)c->kind->width;
    enum mc_method method = MC_METHOD_SPARSE;
    int rc = encode_sparse(&choice->best, bytes, n, c, err);
    const bool is_sparse = choice->best.length > 0;
    choice->method = MC_METHOD_SPARSE;
    if (is_sparse) c->rival = (double)choice->best.length;
    if (rc == MC_OK) rc = encode_dense(is_sparse ? &choice->trial : &choice->best, bytes, n, c, &method, err);
    if (!is_sparse) choice->method = method;
    keep_shorter(choice, method);
    if (rc == MC_OK) rc = encode_zstd(&choice->trial, bytes, length, c, choice->best.length, err);
    keep_shorter(choice, MC_METHOD_ZSTD);
    return rc;
}

int mc_segment_encode(struct mc_buf *out, const unsigned char *bytes, size_t length, const struct mc_element_kind *kind,
                      enum mc_code_level level, struct mc_workspace *workspace, enum mc_method *method,
                      struct mc_error *err)
{
    struct mc_element_kind fitting = *kind;
    if (length % (size_t)kind->width != 0) fitting = (struct mc_element_kind){.width = 1};
    if (fitting.columns > 65536) fitting.columns = fitting.pitch = 65536;
    if (fitting.columns == 0) fitting.pitch = 0;
    if (fitting.columns > 0 && (fitting.pitch == 0 || fitting.pitch > fitting.columns)) fitting.pitch = 1;
    struct coding coding = {&fitting, level, workspace, INFINITY};
    struct choice choice = {0};
    mc_buf_init(&choice.best, 4 * length + 65536);
    mc_buf_init(&choice.trial, 4 * length + 65536);
    int rc = choose(&choice, bytes, length, &coding, err);
    if (rc == MC_OK && (choice.best.failed || choice.trial.failed)) rc = mc_error_memory(err);
    if (rc == MC_OK) {
        mc_byte_write(out, choice.best.data[0]);
        mc_varint_write(out, length);
        mc_buf_append(out, choice.best.data + 1, choice.best.length - 1);
        if (method) *method = choice.method;
        if (out->failed) rc = mc_error_memory(err);
    }
    mc_buf_finish(&choice.best);
    mc_buf_finish(&choice.trial);
    return rc;
}

/* --- decoding --- */

static int decode_dense(struct mc_bytes *in, enum mc_method method, unsigned char *bytes, size_t n, int width,
                        struct mc_workspace *workspace, struct mc_error *err)
{
    const unsigned char *raw;
    switch (method) {
    case MC_METHOD_RAW:
        raw = mc_bytes_take(in, n * (size_t)width);
        if (!raw) return mc_code_broken(err, "raw bytes");
        if (n > 0) memcpy(bytes, raw, n * (size_t)width);
        return MC_OK;
    case MC_METHOD_ZSTD:
        return mc_zstd_decode(in, bytes, n * (size_t)width, err);
    case MC_METHOD_HIGHLOW:
        return mc_highlow_decode(in, bytes, n, width, workspace, err);
    case MC_METHOD_CODEBOOK:
        return mc_codebook_decode(in, bytes, n, width, workspace, err);
    default:
        return mc_error_set(err, MC_ERR_INPUT, "there is no method %d here", (int)method);
    }
}

static int decode_mask(struct mc_bytes *in, unsigned char *mask, size_t n, bool raster, struct mc_workspace *workspace,
                       struct mc_error *err)
{
    const size_t n_bytes = (n + 7) / 8;
    int rc;
    if (!raster) {
        const struct mc_symbols by_eight = {.n = n_bytes, .n_symbols = 256};
        rc = mc_symbols_decode(in, &by_eight, mask, err);
        if (rc < 0) return rc;
        return n % 8 == 0 || mask[n_bytes - 1] >> n % 8 == 0 ? MC_OK : mc_code_broken(err, "a mask");
    }
    const struct mc_symbols one_by_one = {.n = n, .n_symbols = 2};
    uint8_t *present = mc_workspace_room(workspace, MC_ROOM_SYMBOLS, n);
    if (!present) return mc_error_memory(err);
    rc = mc_symbols_decode(in, &one_by_one, present, err);
    if (rc < 0) return rc;
    memset(mask, 0, n_bytes);
    for (size_t i = 0; i < n; i++) mask[i / 8] |= (unsigned char)(present[i] << i % 8);
    return MC_OK;
}

static int decode_sparse(struct mc_bytes *in, unsigned char *bytes, size_t n, int width, bool raster,
                         struct mc_workspace *workspace, struct mc_error *err)
{
    unsigned char *mask = mc_workspace_room(workspace, MC_ROOM_MASK, (n + 7) / 8);
    if (!mask) return mc_error_memory(err);
    int rc = decode_mask(in, mask, n, raster, workspace, err);
    if (rc < 0) return rc;
    const size_t kept = count_mask(mask, n);
    const unsigned char *head = mc_bytes_take(in, 1);
    unsigned char *values = mc_workspace_room(workspace, MC_ROOM_VALUES, kept * (size_t)width);
    if (!values) return mc_error_memory(err);
    if (!head || *head >> WIDTH_SHIFT != log2_of(width)) return mc_code_broken(err, "values");
    rc = decode_dense(in, (enum mc_method)(*head & ((1 << METHOD_BITS) - 1)), values, kept, width, workspace, err);
    if (rc == MC_OK) spread_all(bytes, n, width, mask, values);
    return rc;
}

int mc_segment_decode(struct mc_bytes *in, unsigned char *bytes, size_t room, size_t *length,
                      struct mc_workspace *workspace, struct mc_error *err)
{
    const unsigned char *head = mc_bytes_take(in, 1);
    if (!head || *head >> (RASTER_SHIFT + 1) != 0 || !mc_varint_read_size(in, room, length) || *length == 0)
        return mc_code_broken(err, "a segment");
    const enum mc_method method = (enum mc_method)(*head & ((1 << METHOD_BITS) - 1));
    const bool raster = *head >> RASTER_SHIFT & 1;
    const int width = 1 << (*head >> WIDTH_SHIFT & 3);
    if (*length % (size_t)width != 0 || (raster && method != MC_METHOD_SPARSE)) return mc_code_broken(err, "a segment");
    const size_t n = *length / (size_t)width;
    return method == MC_METHOD_SPARSE ? decode_sparse(in, bytes, n, width, raster, workspace, err)
                                      : decode_dense(in, method, bytes, n, width, workspace, err);
}
