/* codebook.c - numbers of which few differ; see codebook.h. */
#include "code/codebook.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/bitstream.h"

/* An open hash table that is never more than a quarter full. */
enum { SLOTS = 1024 };

struct finder {
    uint64_t key[SLOTS];
    int16_t entry[SLOTS]; /* -1: free */
};

static inline size_t find_slot(const struct finder *finder, uint64_t key)
{
    size_t slot = (size_t)(key * 0x9E3779B97F4A7C15u >> 54);
    while (finder->entry[slot] >= 0 && finder->key[slot] != key) slot = (slot + 1) % SLOTS;
    return slot;
}

static void finder_init(struct finder *finder)
{
    memset(finder->entry, -1, sizeof finder->entry);
}

static inline int entry_of(struct finder *finder, struct mc_codebook *book, uint64_t key)
{
    const size_t slot = find_slot(finder, key);
    if (finder->entry[slot] < 0) {
        if (book->n == MC_CODEBOOK_MOST) return -1;
        finder->key[slot] = key;
        finder->entry[slot] = (int16_t)book->n;
        book->counts[book->n] = 0;
        book->entries[book->n++] = key;
    }
    return finder->entry[slot];
}

/* The element before is looked at first: most are zero. */
static inline __attribute__((always_inline)) bool find_all(struct mc_codebook *book, struct finder *finder,
                                                           const unsigned char *bytes, size_t n, int width)
{
    uint64_t last = 0;
    int entry = -1;
    for (size_t i = 0; i < n; i++) {
        const uint64_t x = mc_element_load(bytes + i * (size_t)width, width);
        if (entry < 0 || x != last) {
            entry = entry_of(finder, book, x);
            if (entry < 0) return false;
            last = x;
        }
        book->counts[entry]++;
    }
    return true;
}

/* --- order --- */

/* A number that is larger for larger elements: of floats the negative ones turned round. `n_bits` of it count. */
static uint64_t rank_of(uint64_t x, int n_bits, bool is_float)
{
    const uint64_t sign = (uint64_t)1 << (n_bits - 1), all = UINT64_MAX >> (64 - n_bits);
    return !is_float ? x : x & sign ? ~x & all : x | sign;
}

static uint64_t from_rank(uint64_t rank, int n_bits, bool is_float)
{
    const uint64_t sign = (uint64_t)1 << (n_bits - 1), all = UINT64_MAX >> (64 - n_bits);
    return !is_float ? rank : rank & sign ? rank ^ sign : ~rank & all;
}

struct ranked {
    uint64_t rank, entry;
    uint32_t count;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static void sort(struct mc_codebook *book, const struct mc_element_kind *kind)
{
    struct ranked all[MC_CODEBOOK_MOST];
    for (int i = 0; i < book->n; i++)
        all[i] = (struct ranked){rank_of(book->entries[i], 8 * kind->width, kind->exponent_bits > 0), book->entries[i],
                                 book->counts[i]};
    qsort(all, (size_t)book->n, sizeof *all, by_rank);
    for (int i = 0; i < book->n; i++) book->entries[i] = all[i].entry, book->counts[i] = all[i].count;
}

/* Low bits that are 0 in every entry. */
static int shared_zeroes(const struct mc_codebook *book, int width)
{
    uint64_t any = 0;
    int n = 0;
    for (int i = 0; i < book->n; i++) any |= book->entries[i];
    while (n < 8 * width - 1 && !(any >> n & 1)) n++;
    return n;
}

static struct mc_symbols stream_of(const struct mc_codebook *book, size_t n, const struct mc_element_kind *kind)
{
    return (struct mc_symbols){.n = n, .n_symbols = book->n, .n_columns = kind->columns, .pitch = kind->pitch};
}

bool mc_codebook_find(struct mc_codebook *book, const unsigned char *bytes, size_t n,
                      const struct mc_element_kind *kind)
{
    struct finder finder;
    bool few;
    finder_init(&finder);
    book->n = 0;
    switch (kind->width) {
    case 1:
        few = find_all(book, &finder, bytes, n, 1);
        break;
    case 2:
        few = find_all(book, &finder, bytes, n, 2);
        break;
    case 4:
        few = find_all(book, &finder, bytes, n, 4);
        break;
    default:
        few = find_all(book, &finder, bytes, n, 8);
    }
    if (!few) return false;
    sort(book, kind);
    uint32_t counts[256] = {0};
    memcpy(counts, book->counts, sizeof *counts * (size_t)book->n);
    const struct mc_symbols stream = stream_of(book, n, kind);
    const int entry_bits = 8 * kind->width - shared_zeroes(book, kind->width);
    book->cost = mc_symbols_cost(&stream, counts) + book->n * entry_bits / 8.0 + 4;
    return true;
}

/* --- the table: ascending ranks, each as its distance from the one before, in Golomb code --- */

static void write_table_by(struct mc_buf *out, const struct mc_codebook *book, int n_bits, int zeroes, bool is_float,
                           int plain_bits)
{
    struct mc_bit_writer bits = {.out = out};
    uint64_t last = 0;
    for (int i = 0; i < book->n; i++) {
        const uint64_t rank = rank_of(book->entries[i] >> zeroes, n_bits, is_float);
        if (i == 0) {
            mc_bits_write(&bits, rank & UINT32_MAX, n_bits < 32 ? n_bits : 32);
            if (n_bits > 32) mc_bits_write(&bits, rank >> 32, n_bits - 32);
        } else {
            const uint64_t gap = rank - last - 1;
            mc_bits_write_gamma(&bits, (uint32_t)(gap >> plain_bits));
            mc_bits_write(&bits, gap & (((uint64_t)1 << plain_bits) - 1), plain_bits);
        }
        last = rank;
    }
    mc_bits_flush(&bits);
}

static int write_table(struct mc_buf *out, const struct mc_codebook *book, const struct mc_element_kind *kind,
                       struct mc_error *err)
{
    const bool is_float = kind->exponent_bits > 0;
    const int zeroes = shared_zeroes(book, kind->width), n_bits = 8 * kind->width - zeroes;
    const int least = n_bits > 31 ? n_bits - 31 : 0; /* so that the rest is one number of 32 bits */
    struct mc_buf trial;
    size_t best_length = SIZE_MAX;
    int best = least;
    mc_buf_init(&trial, 64 * MC_CODEBOOK_MOST);
    for (int plain_bits = least; plain_bits <= n_bits && plain_bits < MC_BITS_MOST - 8; plain_bits++) {
        trial.length = 0;
        write_table_by(&trial, book, n_bits, zeroes, is_float, plain_bits);
        if (trial.length < best_length) best_length = trial.length, best = plain_bits;
    }
    const bool failed = trial.failed;
    mc_buf_finish(&trial);
    mc_byte_write(out, book->n - 1);
    mc_byte_write(out, zeroes | is_float << 6);
    mc_byte_write(out, best);
    write_table_by(out, book, n_bits, zeroes, is_float, best);
    return failed || out->failed ? mc_error_memory(err) : MC_OK;
}

static bool read_table(struct mc_bytes *in, struct mc_codebook *book, int width)
{
    const unsigned char *head = mc_bytes_take(in, 3);
    if (!head || head[1] >= 128) return false;
    const int zeroes = head[1] & 63, n_bits = 8 * width - zeroes, plain_bits = head[2];
    const bool is_float = head[1] >> 6;
    if (n_bits < 1 || plain_bits > n_bits || plain_bits >= MC_BITS_MOST - 8) return false;
    const uint64_t all = UINT64_MAX >> (64 - n_bits);
    struct mc_bit_reader bits = {in->at, mc_bytes_left(in), 0};
    uint64_t rank = mc_bits_read(&bits, n_bits < 32 ? n_bits : 32);
    if (n_bits > 32) rank |= mc_bits_read(&bits, n_bits - 32) << 32;
    book->n = head[0] + 1;
    for (int i = 0; i < book->n; i++) {
        if (i > 0) {
            uint32_t high;
            if (!mc_bits_read_gamma(&bits, &high)) return false;
            const uint64_t gap = (uint64_t)high << plain_bits | mc_bits_read(&bits, plain_bits);
            if ((uint64_t)high << plain_bits >> plain_bits != high || gap >= all - rank) return false;
            rank += gap + 1;
        }
        book->entries[i] = from_rank(rank, n_bits, is_float) << zeroes;
    }
    size_t length;
    return mc_bits_end(&bits, &length) && mc_bytes_take(in, length);
}

/* --- elements --- */

static inline __attribute__((always_inline)) void look_up(const struct finder *finder, const unsigned char *bytes,
                                                          size_t n, int width, uint8_t *symbols)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t x = mc_element_load(bytes + i * (size_t)width, width);
        symbols[i] = (uint8_t)finder->entry[find_slot(finder, x)];
    }
}

static void look_up_all(const struct mc_codebook *book, const unsigned char *bytes, size_t n, int width,
                        uint8_t *symbols)
{
    struct finder finder;
    finder_init(&finder);
    for (int i = 0; i < book->n; i++) {
        const size_t slot = find_slot(&finder, book->entries[i]);
        finder.key[slot] = book->entries[i];
        finder.entry[slot] = (int16_t)i;
    }
    switch (width) {
    case 1:
        look_up(&finder, bytes, n, 1, symbols);
        break;
    case 2:
        look_up(&finder, bytes, n, 2, symbols);
        break;
    case 4:
        look_up(&finder, bytes, n, 4, symbols);
        break;
    default:
        look_up(&finder, bytes, n, 8, symbols);
    }
}

int mc_codebook_encode(struct mc_buf *out, const struct mc_codebook *book, const unsigned char *bytes, size_t n,
                       const struct mc_element_kind *kind, enum mc_code_level level, struct mc_workspace *workspace,
                       struct mc_error *err)
{
    uint8_t *symbols = mc_workspace_room(workspace, MC_ROOM_SYMBOLS, n);
    if (!symbols) return mc_error_memory(err);
    look_up_all(book, bytes, n, kind->width, symbols);
    const struct mc_symbols stream = stream_of(book, n, kind);
    const int rc = write_table(out, book, kind, err);
    return rc < 0 ? rc : mc_symbols_encode(out, &stream, symbols, level, err);
}

static inline __attribute__((always_inline)) void put_entries(const struct mc_codebook *book, unsigned char *bytes,
                                                              size_t n, int width, const uint8_t *symbols)
{
    for (size_t i = 0; i < n; i++) mc_element_store(bytes + i * (size_t)width, width, book->entries[symbols[i]]);
}

int mc_codebook_decode(struct mc_bytes *in, unsigned char *bytes, size_t n, int width, struct mc_workspace *workspace,
                       struct mc_error *err)
{
    struct mc_codebook book;
    if (!read_table(in, &book, width)) return mc_code_broken(err, "a codebook");
    uint8_t *symbols = mc_workspace_room(workspace, MC_ROOM_SYMBOLS, n);
    if (!symbols) return mc_error_memory(err);
    const struct mc_symbols stream = {.n = n, .n_symbols = book.n};
    const int rc = mc_symbols_decode(in, &stream, symbols, err);
    if (rc < 0) return rc;
    switch (width) {
    case 1:
        put_entries(&book, bytes, n, 1, symbols);
        break;
    case 2:
        put_entries(&book, bytes, n, 2, symbols);
        break;
    case 4:
        put_entries(&book, bytes, n, 4, symbols);
        break;
    default:
        put_entries(&book, bytes, n, 8, symbols);
    }
    return MC_OK;
}
