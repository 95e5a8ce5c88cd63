/* highlow.c - numbers in two parts; see highlow.h. */
#include "code/highlow.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/bitstream.h"

/* The leading bits that are counted, from which fewer are made by adding up. */
enum { COUNTED_BITS = 16, MOST_VALUES = 255 };

/* Leading bits behind the exponent that are worth trying. */
enum { MANTISSA_TRIED = 4 };

/* What a leading part costs in the alphabet and the table of frequencies, about. */
enum { VALUE_BITS = 11 };

/* --- planning --- */

static inline int counted_bits(int width)
{
    return width == 1 ? 8 : COUNTED_BITS;
}

static inline __attribute__((always_inline)) void count_leading(uint32_t *counts, const unsigned char *bytes, size_t n,
                                                                int width, bool rotated)
{
    const int shift = 8 * width - counted_bits(width);
    for (size_t i = 0; i < n; i++) {
        const uint64_t x = mc_element_load(bytes + i * (size_t)width, width);
        counts[(rotated ? mc_element_rotate(x, width) : x) >> shift]++;
    }
}

static void count_elements(uint32_t *counts, const unsigned char *bytes, size_t n, int width, bool rotated)
{
    memset(counts, 0, sizeof *counts << counted_bits(width));
    switch (width) {
    case 1:
        count_leading(counts, bytes, n, 1, false);
        break;
    case 2:
        (rotated ? count_leading(counts, bytes, n, 2, true) : count_leading(counts, bytes, n, 2, false));
        break;
    case 4:
        (rotated ? count_leading(counts, bytes, n, 4, true) : count_leading(counts, bytes, n, 4, false));
        break;
    default:
        (rotated ? count_leading(counts, bytes, n, 8, true) : count_leading(counts, bytes, n, 8, false));
    }
}

/* Are the signs of floats so mixed that coding them gains nothing? */
static bool signs_are_mixed(const uint32_t *counts, int width, size_t n)
{
    const size_t half = (size_t)1 << (counted_bits(width) - 1);
    uint64_t negative = 0;
    for (size_t v = half; v < 2 * half; v++) negative += counts[v];
    return negative > n / 8 && negative < n - n / 8;
}

/* Which leading parts get a symbol, and what the whole costs. */
static void plan_values(struct mc_highlow *plan, const uint32_t *sums, size_t n, int width)
{
    const size_t n_parts = (size_t)1 << plan->high_bits;
    uint64_t least = n / 8192 + 1, escaped;
    int n_kept;
    for (;; least *= 2) {
        n_kept = 0;
        escaped = 0;
        for (size_t v = 0; v < n_parts; v++) {
            if (sums[v] >= least)
                n_kept++;
            else
                escaped += sums[v];
        }
        if (n_kept <= MOST_VALUES) break;
    }
    double bits = escaped ? (double)escaped * (log2((double)n / (double)escaped) + plan->high_bits) : 0;
    plan->n_values = 0;
    plan->escapes = escaped > 0;
    for (size_t v = 0; v < n_parts; v++) {
        if (sums[v] < least) continue;
        plan->values[plan->n_values++] = (uint16_t)v;
        bits += sums[v] * log2((double)n / sums[v]) + VALUE_BITS;
    }
    bits += (double)n * (8 * width - plan->high_bits);
    plan->cost = bits / 8 + 32;
}

static void halve(uint32_t *sums, size_t n)
{
    for (size_t v = 0; v < n / 2; v++) sums[v] = sums[2 * v] + sums[2 * v + 1];
}

int mc_highlow_plan(struct mc_highlow *plan, const unsigned char *bytes, size_t n, const struct mc_element_kind *kind,
                    struct mc_workspace *workspace, struct mc_error *err)
{
    const int width = kind->width, counted = counted_bits(width);
    uint32_t *counts = mc_workspace_room(workspace, MC_ROOM_COUNTS, sizeof *counts << COUNTED_BITS);
    if (!counts) return mc_error_memory(err);
    struct mc_highlow trial = {0};
    count_elements(counts, bytes, n, width, false);
    if (kind->exponent_bits > 0) trial.rotated = signs_are_mixed(counts, width, n);
    if (trial.rotated) count_elements(counts, bytes, n, width, true);
    const int fewest = kind->exponent_bits > 0 ? kind->exponent_bits + !trial.rotated : 8;
    const int most = width == 1 ? 8 : fewest + MANTISSA_TRIED < counted ? fewest + MANTISSA_TRIED : counted;
    plan->cost = INFINITY;
    for (trial.high_bits = counted; trial.high_bits >= fewest; trial.high_bits--) {
        if (trial.high_bits <= most) plan_values(&trial, counts, n, width);
        if (trial.high_bits <= most && trial.cost < plan->cost) *plan = trial;
        halve(counts, (size_t)1 << trial.high_bits);
    }
    return MC_OK;
}

/* --- encoding --- */

/* Fields of up to 32 bits into memory that is large enough. */
struct packer {
    unsigned char *at;
    uint64_t held;
    int n_held;
};

static inline void pack_bits(struct packer *p, uint64_t value, int n_bits)
{
    p->held |= value << p->n_held;
    p->n_held += n_bits;
    if (p->n_held < 32) return;
    mc_element_store(p->at, 4, p->held);
    p->at += 4;
    p->held >>= 32;
    p->n_held -= 32;
}

static void pack_end(struct packer *p)
{
    for (; p->n_held > 0; p->n_held -= 8, p->held >>= 8) *p->at++ = (unsigned char)p->held;
}

static inline __attribute__((always_inline)) void cut(const struct mc_highlow *plan, const unsigned char *bytes,
                                                      size_t n, int width, const uint8_t *symbol_of, uint8_t *symbols,
                                                      struct packer *low, struct mc_bit_writer *escaped)
{
    const int low_bits = 8 * width - plan->high_bits;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = mc_element_load(bytes + i * (size_t)width, width);
        if (plan->rotated) x = mc_element_rotate(x, width);
        const uint64_t high = low_bits == 64 ? 0 : x >> low_bits, rest = x & (((uint64_t)1 << low_bits) - 1);
        symbols[i] = symbol_of[high];
        if (symbols[i] == plan->n_values) mc_bits_write(escaped, high, plan->high_bits);
        if (low_bits > 32) {
            pack_bits(low, rest & UINT32_MAX, 32);
            pack_bits(low, rest >> 32, low_bits - 32);
        } else if (low_bits > 0) {
            pack_bits(low, rest, low_bits);
        }
    }
}

static void cut_all(const struct mc_highlow *plan, const unsigned char *bytes, size_t n, int width,
                    const uint8_t *symbol_of, uint8_t *symbols, struct packer *low, struct mc_bit_writer *escaped)
{
    switch (width) {
    case 1:
        cut(plan, bytes, n, 1, symbol_of, symbols, low, escaped);
        break;
    case 2:
        cut(plan, bytes, n, 2, symbol_of, symbols, low, escaped);
        break;
    case 4:
        cut(plan, bytes, n, 4, symbol_of, symbols, low, escaped);
        break;
    default:
        cut(plan, bytes, n, 8, symbol_of, symbols, low, escaped);
    }
    pack_end(low);
    mc_bits_flush(escaped);
}

static void write_alphabet(struct mc_buf *out, const struct mc_highlow *plan)
{
    struct mc_bit_writer bits = {.out = out};
    mc_byte_write(out, (plan->high_bits - 1) | plan->rotated << 4 | plan->escapes << 5);
    mc_byte_write(out, plan->n_values);
    for (int i = 0; i < plan->n_values; i++)
        mc_bits_write_gamma(&bits, (uint32_t)(plan->values[i] - (i ? plan->values[i - 1] + 1 : 0)));
    mc_bits_flush(&bits);
}

int mc_highlow_encode(struct mc_buf *out, const struct mc_highlow *plan, const unsigned char *bytes, size_t n,
                      const struct mc_element_kind *kind, enum mc_code_level level, struct mc_workspace *workspace,
                      struct mc_error *err)
{
    const int low_bits = 8 * kind->width - plan->high_bits;
    const size_t low_bytes = (n * (size_t)low_bits + 7) / 8;
    uint8_t *symbols = mc_workspace_room(workspace, MC_ROOM_SYMBOLS, n);
    /* the map of leading parts, and behind it the lower parts */
    uint8_t *symbol_of = mc_workspace_room(workspace, MC_ROOM_COUNTS, ((size_t)1 << COUNTED_BITS) + low_bytes + 8);
    if (!symbols || !symbol_of) return mc_error_memory(err);
    unsigned char *low_start = symbol_of + ((size_t)1 << COUNTED_BITS);
    struct packer low = {.at = low_start};
    struct mc_buf escaped;
    mc_buf_init(&escaped, 2 * n + 8);
    memset(symbol_of, plan->n_values, (size_t)1 << COUNTED_BITS);
    for (int i = 0; i < plan->n_values; i++) symbol_of[plan->values[i]] = (uint8_t)i;
    cut_all(plan, bytes, n, kind->width, symbol_of, symbols, &low, &(struct mc_bit_writer){.out = &escaped});

    const struct mc_symbols stream = {.n = n, .n_symbols = plan->n_values + plan->escapes};
    write_alphabet(out, plan);
    const int rc = mc_symbols_encode(out, &stream, symbols, level, err);
    mc_buf_append(out, low_start, low_bytes);
    mc_buf_append(out, escaped.data, escaped.length);
    const bool failed = escaped.failed || out->failed;
    mc_buf_finish(&escaped);
    return rc == MC_OK && failed ? mc_error_memory(err) : rc;
}

/* --- decoding --- */

static bool read_alphabet(struct mc_bytes *in, struct mc_highlow *plan)
{
    const unsigned char *head = mc_bytes_take(in, 2);
    if (!head || head[0] >= 64) return false;
    *plan = (struct mc_highlow){
        .high_bits = (head[0] & 15) + 1, .rotated = head[0] >> 4 & 1, .escapes = head[0] >> 5 & 1, .n_values = head[1]};
    struct mc_bit_reader bits = {in->at, mc_bytes_left(in), 0};
    uint64_t next = 0;
    size_t length;
    for (int i = 0; i < plan->n_values; i++) {
        uint32_t gap;
        if (!mc_bits_read_gamma(&bits, &gap)) return false;
        next += gap;
        if (next >> plan->high_bits != 0) return false;
        plan->values[i] = (uint16_t)next++;
    }
    return plan->n_values + plan->escapes > 0 && mc_bits_end(&bits, &length) && mc_bytes_take(in, length);
}

static inline __attribute__((always_inline)) void join(const struct mc_highlow *plan, unsigned char *bytes, size_t n,
                                                       int width, const uint8_t *symbols,
                                                       const struct mc_bit_reader *low, struct mc_bit_reader *escaped)
{
    const int low_bits = 8 * width - plan->high_bits;
    const uint64_t mask = ((uint64_t)1 << low_bits) - 1;
    size_t position = 0;
    for (size_t i = 0; i < n; i++, position += (size_t)low_bits) {
        uint64_t high = plan->values[symbols[i]];
        if (symbols[i] == plan->n_values) high = mc_bits_read(escaped, plan->high_bits);
        const uint64_t x = high << low_bits | (mc_bits_peek(low, position) & mask);
        mc_element_store(bytes + i * (size_t)width, width, plan->rotated ? mc_element_unrotate(x, width) : x);
    }
}

static void join_all(const struct mc_highlow *plan, unsigned char *bytes, size_t n, int width, const uint8_t *symbols,
                     const struct mc_bit_reader *low, struct mc_bit_reader *escaped)
{
    switch (width) {
    case 1:
        join(plan, bytes, n, 1, symbols, low, escaped);
        break;
    case 2:
        join(plan, bytes, n, 2, symbols, low, escaped);
        break;
    case 4:
        join(plan, bytes, n, 4, symbols, low, escaped);
        break;
    default:
        join(plan, bytes, n, 8, symbols, low, escaped);
    }
}

int mc_highlow_decode(struct mc_bytes *in, unsigned char *bytes, size_t n, int width, struct mc_workspace *workspace,
                      struct mc_error *err)
{
    struct mc_highlow plan;
    if (!read_alphabet(in, &plan)) return mc_code_broken(err, "an alphabet");
    const int low_bits = 8 * width - plan.high_bits;
    if (low_bits < 0 || low_bits > MC_BITS_MOST) return mc_code_broken(err, "an alphabet");
    uint8_t *symbols = mc_workspace_room(workspace, MC_ROOM_SYMBOLS, n);
    if (!symbols) return mc_error_memory(err);
    const struct mc_symbols stream = {.n = n, .n_symbols = plan.n_values + plan.escapes};
    const int rc = mc_symbols_decode(in, &stream, symbols, err);
    if (rc < 0) return rc;
    const size_t low_bytes = (n * (size_t)low_bits + 7) / 8;
    struct mc_bit_reader low = {in->at, low_bytes, 0};
    if (!mc_bytes_take(in, low_bytes)) return mc_code_broken(err, "lower parts");
    struct mc_bit_reader escaped = {in->at, mc_bytes_left(in), 0};
    size_t length;
    join_all(&plan, bytes, n, width, symbols, &low, &escaped);
    return mc_bits_end(&escaped, &length) && mc_bytes_take(in, length) ? MC_OK
                                                                       : mc_code_broken(err, "escaped leading parts");
}
