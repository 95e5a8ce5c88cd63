/* bytes.c - products and convolutions of 8-bit integers over the loops of an instruction set; see bytes.h. */
#include "kernel/bytes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

/* Rows that are multiplied at a time: they and their sums stay in the second-level cache. BEYOND: what may be read of
 * arrays behind their end. */
enum { BLOCK = 48, BEYOND = 64 };

static const struct mc_byte_loops *loops_of(const struct mc_runtime *runtime)
{
    return runtime->kernels->bytes;
}

/* a is unsigned inside, b signed. */
static uint8_t flip_a(bool is_signed)
{
    return is_signed ? 0x80 : 0;
}

static uint8_t flip_b(bool is_signed)
{
    return is_signed ? 0 : 0x80;
}

static int32_t zero_of_a(const void *zeros, int64_t i, bool is_signed)
{
    return zeros ? ((const uint8_t *)zeros)[i] ^ flip_a(is_signed) : flip_a(is_signed);
}

static int32_t zero_of_b(const void *zeros, int64_t i, bool is_signed)
{
    return (int8_t)((zeros ? ((const uint8_t *)zeros)[i] : 0) ^ flip_b(is_signed));
}

static int32_t wrap(int64_t v)
{
    return (int32_t)(uint32_t)(uint64_t)v;
}

/* --- matrices --- */

int mc_byte_matrix_init(struct mc_byte_matrix *matrix, const struct mc_byte_product *p,
                        const struct mc_runtime *runtime, struct mc_error *err)
{
    *matrix = (struct mc_byte_matrix){.p = *p};
    matrix->packed = mc_block_create(runtime->memory, loops_of(runtime)->packed_bytes(p->K, p->N) + 1, 1);
    matrix->sums = mc_alloc_aligned((size_t)p->N + 1, sizeof *matrix->sums);
    return matrix->packed && matrix->sums ? MC_OK : mc_error_memory(err);
}

void mc_byte_matrix_finish(struct mc_byte_matrix *matrix)
{
    mc_block_destroy(matrix->packed);
    mc_free(matrix->sums);
    *matrix = (struct mc_byte_matrix){0};
}

void mc_byte_matrix_pack(struct mc_byte_matrix *matrix, const void *b, const struct mc_runtime *runtime)
{
    const struct mc_byte_product *p = &matrix->p;
    loops_of(runtime)->pack(p->K, p->N, b, p->N, 1, flip_b(p->b_signed), matrix->packed, matrix->sums);
}

size_t mc_byte_multiply_room(const struct mc_byte_product *p, int64_t rows, const struct mc_runtime *runtime)
{
    return (size_t)runtime->n_threads * mc_align(loops_of(runtime)->room_bytes(rows < BLOCK ? rows : BLOCK, p->K));
}

/* Blocks of rows, each in shares of columns where there are few. */
struct product {
    const struct mc_byte_matrix *matrix;
    const struct mc_byte_loops *loops;
    const struct mc_byte_zeros *zeros;
    const uint8_t *a;
    int32_t *c;
    char *room;
    size_t room_bytes;
    int64_t rows, n_blocks, n_shares, n_parts;
};

/* Take the zero points into account. */
static void correct(const struct product *r, int64_t row, int64_t first, int64_t n)
{
    const struct mc_byte_product *p = &r->matrix->p;
    const struct mc_byte_zeros *z = r->zeros;
    const int64_t a_zero = zero_of_a(z->a, z->each_row ? row : 0, p->a_signed);
    int32_t *const c = r->c + row * p->N;
    int64_t sum = 0;
    if (z->each_column || zero_of_b(z->b, 0, p->b_signed))
        sum = r->loops->sum(p->K, r->a + row * p->K, flip_a(p->a_signed)) - p->K * a_zero;
    for (int64_t i = first; i < first + n && (a_zero || sum); i++)
        c[i] = wrap(c[i] - a_zero * r->matrix->sums[i] - sum * zero_of_b(z->b, z->each_column ? i : 0, p->b_signed));
}

static void multiply_parts(void *context, int64_t begin, int64_t end)
{
    const struct product *r = context;
    const struct mc_byte_product *p = &r->matrix->p;
    const int64_t n = r->n_blocks * r->n_shares, vectors = (p->N + r->loops->lanes - 1) / r->loops->lanes;
    for (int64_t part = begin; part < end; part++)
        for (int64_t i = n * part / r->n_parts; i < n * (part + 1) / r->n_parts; i++) {
            const int64_t row = i / r->n_shares * BLOCK, share = i % r->n_shares;
            const int64_t rows = r->rows - row < BLOCK ? r->rows - row : BLOCK;
            const int64_t first = vectors * share / r->n_shares * r->loops->lanes;
            const int64_t last = vectors * (share + 1) / r->n_shares * r->loops->lanes;
            const int64_t width = (last < p->N ? last : p->N) - first;
            if (width <= 0) continue;
            r->loops->multiply(rows, p->K, first, width, r->a + row * p->K, p->K, flip_a(p->a_signed),
                               r->matrix->packed, r->c + row * p->N + first, p->N,
                               r->room + (size_t)part * r->room_bytes);
            for (int64_t m = row; m < row + rows; m++) correct(r, m, first, width);
        }
}

void mc_byte_multiply(const struct mc_byte_matrix *matrix, int64_t rows, const void *a,
                      const struct mc_byte_zeros *zeros, int32_t *c, void *room, const struct mc_runtime *runtime)
{
    struct product r = {.matrix = matrix,
                        .loops = loops_of(runtime),
                        .zeros = zeros,
                        .a = a,
                        .c = c,
                        .room = room,
                        .room_bytes = mc_byte_multiply_room(&matrix->p, rows, runtime) / (size_t)runtime->n_threads,
                        .rows = rows,
                        .n_blocks = (rows + BLOCK - 1) / BLOCK,
                        .n_parts = runtime->n_threads};
    if (rows == 0) return;
    r.n_shares = (r.n_parts + r.n_blocks - 1) / r.n_blocks;
    const int64_t work = rows * matrix->p.N * matrix->p.K / 32;
    if (work < MC_PARALLEL_GRAIN) r.n_parts = 1;
    mc_parallel(r.n_parts, 1, multiply_parts, &r);
}

/* --- convolutions --- */

struct mc_byte_convolver {
    struct mc_byte_convolution conv;
    struct mc_runtime runtime;
    const struct mc_byte_loops *loops;
    struct mc_window window;                /* of three axes */
    int64_t inputs, outputs, taps, c, m, K; /* c, m: of a group; K: c taps */
    bool depthwise, in_place;               /* in_place: a pixel is a row */
    uint8_t *ordered;                       /* weights [M, taps, c] */
    char *packed;                           /* of each group */
    size_t packed_bytes;
    int32_t *sums, *zeros, *add; /* of each filter: of its weights; its zero point; what is added to its products */
    float *factor, *offset;      /* of this run; like `add` to whole vectors */
    int16_t *wide;               /* depthwise: [taps, C] less the zero points */
    void *quads;                 /* or as the loops want them, where there are no zero points; NULL: they do not */
    bool constant;               /* weights are packed for good */
    bool any_zero;               /* a filter has a zero point other than 0 */
    /* room of a thread */
    int64_t pitch; /* of a gathered row: whole groups */
    size_t gathered, widened, products, rows8, pointers, room;
};

/* [M, c, taps] as [M, taps, c], packed. */
static void set_weights(struct mc_byte_convolver *s, const uint8_t *w, const void *w_zero)
{
    const struct mc_byte_convolution *conv = &s->conv;
    const uint8_t flip = flip_b(conv->w_signed);
    s->any_zero = false;
    for (int64_t i = 0; i < conv->M; i++) {
        s->zeros[i] = zero_of_b(w_zero, conv->w_zero_each ? i : 0, conv->w_signed);
        s->any_zero |= s->zeros[i] != 0;
        for (int64_t k = 0; k < s->K; k++) s->ordered[i * s->K + k] = w[i * s->K + k % s->c * s->taps + k / s->c];
    }
    if (s->depthwise) {
        for (int64_t i = 0; i < conv->M * s->taps; i++)
            s->wide[i] =
                (int16_t)((int8_t)(s->ordered[i % conv->M * s->taps + i / conv->M] ^ flip) - s->zeros[i % conv->M]);
        for (int64_t i = 0; i < conv->M; i++) {
            s->sums[i] = 0;
            for (int64_t k = 0; k < s->taps; k++) s->sums[i] += (int8_t)(s->ordered[i * s->taps + k] ^ flip);
        }
        if (s->quads) s->loops->pack_quads(conv->M, s->taps, s->ordered, flip, s->quads);
        return;
    }
    for (int64_t g = 0; g < conv->groups; g++)
        s->loops->pack(s->K, s->m, s->ordered + g * s->m * s->K, 1, s->K, flip, s->packed + (size_t)g * s->packed_bytes,
                       s->sums + g * s->m);
}

static void set_geometry(struct mc_byte_convolver *s)
{
    const struct mc_byte_convolution *conv = &s->conv;
    s->window = mc_window_as_3d(&conv->window);
    s->inputs = mc_window_inputs(&conv->window);
    s->outputs = mc_window_outputs(&conv->window);
    s->taps = mc_window_taps(&conv->window);
    s->c = conv->C / conv->groups;
    s->m = conv->M / conv->groups;
    s->K = s->c * s->taps;
    s->depthwise = s->c == 1 && s->m == 1 && conv->groups > 1;
    s->in_place = mc_window_is_identity(&conv->window);
    s->pitch = (s->K + s->loops->group - 1) / s->loops->group * s->loops->group;
    s->gathered = s->in_place || s->depthwise ? 0 : mc_align((size_t)(BLOCK * s->pitch));
    s->widened = mc_align(s->loops->room_bytes(BLOCK, s->K));
    s->products = mc_align((size_t)(BLOCK * conv->M) * sizeof(int32_t));
    s->rows8 = mc_align((size_t)(BLOCK * conv->M));
    s->pointers = mc_align((size_t)s->taps * (sizeof(void *) + sizeof(int64_t)));
    s->room = s->gathered + s->widened + s->products + s->rows8 + s->pointers;
}

/* n numbers that are read to whole vectors; what becomes of those beyond is thrown away, but they are defined. */
static void *create_lanes(size_t n, size_t size)
{
    char *const lanes = mc_alloc_aligned(n + BEYOND, size);
    if (lanes) memset(lanes + n * size, 0, BEYOND * size);
    return lanes;
}

int mc_byte_convolver_create(struct mc_byte_convolver **convolver, const struct mc_byte_convolution *convolution,
                             const struct mc_runtime *runtime, struct mc_error *err)
{
    struct mc_byte_convolver *s = MC_NEW(struct mc_byte_convolver);
    if (!s) return mc_error_memory(err);
    s->conv = *convolution;
    s->runtime = *runtime;
    s->loops = loops_of(runtime);
    set_geometry(s);
    const size_t M = (size_t)s->conv.M, count = M * (size_t)s->K;
    s->packed_bytes = mc_align(s->loops->packed_bytes(s->K, s->m));
    s->ordered = mc_alloc_aligned(count + 1, 1);
    s->packed = mc_block_create(runtime->memory, s->depthwise ? 1 : (size_t)s->conv.groups, s->packed_bytes);
    s->wide = mc_alloc_aligned(s->depthwise ? count : 1, sizeof *s->wide);
    if (s->depthwise && s->loops->depthwise_quads && M >= 16)
        s->quads = mc_block_create(runtime->memory, s->loops->quads_bytes(s->conv.M, s->taps), 1);
    s->sums = mc_alloc_aligned(M + 1, sizeof *s->sums);
    s->zeros = mc_alloc_aligned(M + 1, sizeof *s->zeros);
    s->add = create_lanes(M, sizeof *s->add);
    s->factor = create_lanes(M, sizeof *s->factor);
    s->offset = create_lanes(M, sizeof *s->offset);
    if (!s->ordered || !s->packed || !s->wide || !s->sums || !s->zeros || !s->add || !s->factor || !s->offset) {
        mc_byte_convolver_destroy(s);
        return mc_error_memory(err);
    }
    s->constant = s->conv.weights != NULL;
    if (s->constant) {
        set_weights(s, s->conv.weights, s->conv.w_zero);
        s->conv.weights = s->conv.w_zero = NULL; /* may go */
        mc_free(s->ordered);
        s->ordered = NULL;
    }
    *convolver = s;
    return MC_OK;
}

void mc_byte_convolver_destroy(struct mc_byte_convolver *s)
{
    if (!s) return;
    mc_free(s->ordered);
    mc_block_destroy(s->packed);
    mc_free(s->wide);
    mc_block_destroy(s->quads);
    mc_free(s->sums);
    mc_free(s->zeros);
    mc_free(s->add);
    mc_free(s->factor);
    mc_free(s->offset);
    mc_free(s);
}

static bool turns_x(const struct mc_byte_convolver *s)
{
    return !s->conv.x_last && s->conv.C > 1 && s->inputs > 1;
}

static size_t turned_bytes(const struct mc_byte_convolver *s)
{
    return turns_x(s) ? mc_align((size_t)(s->conv.N * s->conv.C * s->inputs)) : 0;
}

/* What padding looks like: all channels of a pixel. */
static size_t outside_bytes(const struct mc_byte_convolver *s)
{
    return mc_align((size_t)s->conv.C);
}

size_t mc_byte_convolver_room(const struct mc_byte_convolver *s)
{
    return turned_bytes(s) + outside_bytes(s) + (size_t)s->runtime.n_threads * s->room;
}

struct running {
    const struct mc_byte_convolver *s;
    const struct mc_byte_output *output;
    struct mc_byte_rounding rounding;
    bool by_quads;    /* depthwise */
    const uint8_t *x; /* channels last */
    uint8_t *turned;
    const uint8_t *given;
    const uint8_t *outside;
    int32_t x_zero;
    char *room;
    int64_t rows, n_blocks, n_parts;
};

/* Positions [begin, end) of all images from channels first to channels last. */
static void turn_range(void *context, int64_t begin, int64_t end)
{
    enum { TILE = 32 };
    const struct running *r = context;
    const int64_t C = r->s->conv.C, inputs = r->s->inputs;
    for (int64_t at = begin, n; at < end; at += n) {
        const int64_t image = at / inputs, p = at % inputs;
        n = inputs - p < TILE ? inputs - p : TILE;
        if (n > end - at) n = end - at;
        for (int64_t c = 0; c < C; c++) {
            const uint8_t *const from = r->given + (image * C + c) * inputs + p;
            for (int64_t i = 0; i < n; i++) r->turned[(at + i) * C + c] = from[i];
        }
    }
}

/* An output: its image, and where it lies along each axis. */
struct place {
    int64_t image, at[3];
};

static struct place place_of(const struct running *r, int64_t row)
{
    struct place p;
    for (int k = 2; k >= 0; k--) {
        p.at[k] = row % r->s->window.out[k];
        row /= r->s->window.out[k];
    }
    p.image = row;
    return p;
}

static void next_place(const struct running *r, struct place *p)
{
    for (int k = 2; k >= 0; k--) {
        if (++p->at[k] < r->s->window.out[k]) return;
        p->at[k] = 0;
    }
    p->image++;
}

/* The pixels that lie along the last axis where taps i and j along the first two are; NULL outside. */
static const uint8_t *line(const struct running *r, const struct place *p, int64_t i, int64_t j)
{
    const struct mc_window *w = &r->s->window;
    const int64_t z = mc_window_at(w, 0, p->at[0], i), y = mc_window_at(w, 1, p->at[1], j);
    if (z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1]) return NULL;
    return r->x + ((p->image * w->in[0] + z) * w->in[1] + y) * w->in[2] * r->s->conv.C;
}

/* What the taps of an output see, in the order of taps, and how far from what they see at the next along the last
 * axis. True if all of them are inside along that axis. */
static bool find_taps(const struct running *r, const struct place *p, const uint8_t **taps, int64_t *steps)
{
    const struct mc_window *w = &r->s->window;
    const int64_t C = r->s->conv.C, first = mc_window_at(w, 2, p->at[2], 0);
    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++) {
            const uint8_t *const from = line(r, p, i, j);
            for (int64_t k = 0; k < w->kernel[2]; k++) {
                const int64_t x = first + k * w->dilation[2];
                const bool inside = from && x >= 0 && x < w->in[2];
                *taps++ = inside ? from + x * C : r->outside;
                *steps++ = inside ? w->stride[2] * C : 0;
            }
        }
    return first >= 0 && first + mc_window_reach(w, 2) <= w->in[2];
}

/* Few bytes are copied as two halves that overlap. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, int64_t n)
{
    if (n >= 16 && n <= 32) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8 && n < 16) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else {
        memcpy(to, from, (size_t)n);
    }
}

/* Channels of group g under the window of an output, tap after tap; neighbours along the last axis at once. */
static void gather(const struct running *r, const struct place *p, const uint8_t *const *lines, int64_t g, uint8_t *to)
{
    const struct mc_byte_convolver *s = r->s;
    const struct mc_window *w = &s->window;
    const int64_t c = s->c, C = s->conv.C, first = mc_window_at(w, 2, p->at[2], 0), taps = w->kernel[2];
    const bool whole = c == C && w->dilation[2] == 1 && first >= 0 && first + taps <= w->in[2];
    uint8_t *const end = to + s->pitch;
    for (int64_t i = 0; i < w->kernel[0] * w->kernel[1]; i++) {
        const uint8_t *const from = lines[i];
        if (from && whole) {
            copy_bytes(to, from + first * C, taps * c);
            to += taps * c;
            continue;
        }
        for (int64_t k = 0; k < taps; k++, to += c) {
            const int64_t x = first + k * w->dilation[2];
            memcpy(to, from && x >= 0 && x < w->in[2] ? from + x * C + g * c : r->outside, (size_t)c);
        }
    }
    while (to < end) *to++ = 0;
}

/* All rows of a block. */
static void gather_block(const struct running *r, int64_t first, int64_t rows, int64_t g, const uint8_t **lines,
                         uint8_t *to)
{
    const struct mc_window *w = &r->s->window;
    struct place place = place_of(r, first);
    for (int64_t m = 0; m < rows; m++, next_place(r, &place), to += r->s->pitch) {
        for (int64_t i = 0; i < w->kernel[0] * w->kernel[1] && (m == 0 || place.at[2] == 0); i++)
            lines[i] = line(r, &place, i / w->kernel[1], i % w->kernel[1]);
        gather(r, &place, lines, g, to);
    }
}

/* From the products of a block, [rows, M], to what is wanted of them. */
static void put_sums(const struct running *r, int64_t first, int64_t rows, const int32_t *c)
{
    const struct mc_byte_convolver *s = r->s;
    const int64_t M = s->conv.M, P = s->outputs;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = first + i;
        int32_t *const to = r->output->sums + (s->conv.y_last ? row * M : row / P * M * P + row % P);
        for (int64_t m = 0; m < M; m++) to[s->conv.y_last ? m : m * P] = wrap((int64_t)c[i * M + m] + s->add[m]);
    }
}

/* Bytes of a block, [rows, M], to where y has channels first: image by image. */
static void turn_bytes(const struct running *r, int64_t first, int64_t rows, const uint8_t *bytes)
{
    const int64_t M = r->s->conv.M, P = r->s->outputs;
    for (int64_t at = first, n; at < first + rows; at += n) {
        n = P - at % P;
        if (n > first + rows - at) n = first + rows - at;
        uint8_t *const to = r->output->y + at / P * M * P + at % P;
        for (int64_t m = 0; m < M; m++)
            for (int64_t i = 0; i < n; i++) to[m * P + i] = bytes[(at - first + i) * M + m];
    }
}

static void put_bytes(const struct running *r, int64_t first, int64_t rows, const int32_t *c, uint8_t *bytes)
{
    const struct mc_byte_convolver *s = r->s;
    const int64_t M = s->conv.M;
    for (int64_t i = 0; i < rows; i++)
        s->loops->requantize(M, c + i * M, s->add, s->factor, r->rounding.offset, &r->rounding.how,
                             s->conv.y_last ? r->output->y + (first + i) * M : bytes + i * M);
    if (!s->conv.y_last) turn_bytes(r, first, rows, bytes);
}

static void multiply_group(const struct running *r, int64_t g, int64_t rows, int64_t K, const uint8_t *a, int64_t lda,
                           int32_t *c, void *widened)
{
    const struct mc_byte_convolver *s = r->s;
    const uint8_t flip = flip_a(s->conv.x_signed);
    const int64_t M = s->conv.M;
    s->loops->multiply(rows, K, 0, s->m, a, lda, flip, s->packed + (size_t)g * s->packed_bytes, c + g * s->m, M,
                       widened);
    for (int64_t i = 0; i < rows && s->any_zero; i++) {
        const int64_t sum = s->loops->sum(s->K, a + i * lda, flip);
        for (int64_t m = g * s->m; m < (g + 1) * s->m; m++) c[i * M + m] = wrap(c[i * M + m] - sum * s->zeros[m]);
    }
}

static void multiply_rounded(const struct running *r, int64_t g, int64_t rows, int64_t K, const uint8_t *a, int64_t lda,
                             uint8_t *y, void *widened)
{
    const struct mc_byte_convolver *s = r->s;
    const int64_t at = g * s->m;
    const struct mc_byte_rounding rounding = {.add = s->add + at,
                                              .factor = s->factor + at,
                                              .offset = r->rounding.offset ? s->offset + at : NULL,
                                              .how = r->rounding.how};
    s->loops->multiply_rounded(rows, K, 0, s->m, a, lda, flip_a(s->conv.x_signed),
                               s->packed + (size_t)g * s->packed_bytes, &rounding, y + at, s->conv.M, widened);
}

static void put(const struct running *r, int64_t first, int64_t rows, const int32_t *c, uint8_t *bytes)
{
    if (r->output->sums)
        put_sums(r, first, rows, c);
    else
        put_bytes(r, first, rows, c, bytes);
}

/* How many outputs there are from this one on, at most `most`, along the last axis with all taps inside along it. */
static int64_t run_of(const struct mc_window *w, const struct place *p, int64_t most)
{
    const int64_t line = w->out[2] - p->at[2];
    const int64_t room = w->in[2] - mc_window_at(w, 2, p->at[2], 0) - mc_window_reach(w, 2);
    const int64_t n = room / w->stride[2] + 1;
    return n < most ? (n < line ? n : line) : most < line ? most : line;
}

static void run_depthwise(const struct running *r, int64_t first, int64_t rows, int32_t *c, uint8_t *bytes, void *room)
{
    const struct mc_byte_convolver *s = r->s;
    const uint8_t flip = flip_a(s->conv.x_signed);
    const int64_t M = s->conv.M;
    const uint8_t **const taps = room;
    int64_t *const steps = (int64_t *)room + s->taps;
    uint8_t *const y = s->conv.y_last ? r->output->y + first * M : bytes;
    struct place place = place_of(r, first);
    for (int64_t i = 0, n; i < rows; i += n) {
        n = find_taps(r, &place, taps, steps) ? run_of(&s->window, &place, rows - i) : 1;
        if (r->by_quads) {
            s->loops->depthwise_quads(n, M, s->taps, taps, steps, flip, s->quads, &r->rounding, y + i * M, M);
        } else {
            n = 1;
            s->loops->depthwise(M, s->taps, taps, flip, r->x_zero, s->wide, c);
            put(r, first + i, 1, c, bytes);
        }
        place.at[2] += n - 1;
        next_place(r, &place);
    }
    if (r->by_quads && !s->conv.y_last) turn_bytes(r, first, rows, bytes);
}

static void run_block(const struct running *r, int64_t first, int64_t rows, char *room)
{
    const struct mc_byte_convolver *s = r->s;
    uint8_t *const gathered = (uint8_t *)room;
    char *const widened = room + s->gathered;
    int32_t *const c = (int32_t *)(void *)(widened + s->widened);
    uint8_t *const bytes = (uint8_t *)widened + s->widened + s->products;
    if (s->depthwise) {
        run_depthwise(r, first, rows, c, bytes, bytes + s->rows8);
        return;
    }
    const bool rounds = !r->output->sums && !s->any_zero;
    uint8_t *const y = s->conv.y_last && rounds ? r->output->y + first * s->conv.M : bytes;
    for (int64_t g = 0; g < s->conv.groups; g++) {
        if (!s->in_place) gather_block(r, first, rows, g, (const uint8_t **)(void *)(bytes + s->rows8), gathered);
        const int64_t K = s->in_place ? s->K : s->pitch, lda = s->in_place ? s->conv.C : s->pitch;
        const uint8_t *const a = s->in_place ? r->x + first * s->conv.C + g * s->c : gathered;
        if (rounds)
            multiply_rounded(r, g, rows, K, a, lda, y, widened);
        else
            multiply_group(r, g, rows, K, a, lda, c, widened);
    }
    if (!rounds)
        put(r, first, rows, c, bytes);
    else if (!s->conv.y_last)
        turn_bytes(r, first, rows, bytes);
}

static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    for (int64_t part = begin; part < end; part++)
        for (int64_t i = r->n_blocks * part / r->n_parts; i < r->n_blocks * (part + 1) / r->n_parts; i++)
            run_block(r, i * BLOCK, r->rows - i * BLOCK < BLOCK ? r->rows - i * BLOCK : BLOCK,
                      r->room + (size_t)part * r->s->room);
}

/* What each filter's products lack: what zero points take away, and the bias. */
static void set_addends(struct mc_byte_convolver *s, bool by_quads, int64_t x_zero, const int32_t *bias)
{
    for (int64_t m = 0; m < s->conv.M; m++) {
        const int64_t b = bias ? bias[m] : 0;
        s->add[m] = wrap(s->depthwise && !by_quads ? b : b - x_zero * s->sums[m] + s->K * x_zero * s->zeros[m]);
    }
}

static void set_rounding(struct mc_byte_convolver *s, const struct mc_byte_output *output,
                         struct mc_byte_rounding *rounding)
{
    const size_t bytes = (size_t)s->conv.M * sizeof(float);
    memcpy(s->factor, output->factor, bytes);
    if (output->offset) memcpy(s->offset, output->offset, bytes);
    *rounding = (struct mc_byte_rounding){
        .add = s->add, .factor = s->factor, .offset = output->offset ? s->offset : NULL, .how = output->how};
}

void mc_byte_convolve(struct mc_byte_convolver *s, const void *x, const void *x_zero, const void *w, const void *w_zero,
                      const struct mc_byte_output *output, void *room)
{
    uint8_t *const outside = (uint8_t *)room + turned_bytes(s);
    struct running r = {.s = s,
                        .output = output,
                        .x = x,
                        .given = x,
                        .turned = room,
                        .outside = outside,
                        .x_zero = zero_of_a(x_zero, 0, s->conv.x_signed),
                        .room = (char *)outside + outside_bytes(s),
                        .rows = s->conv.N * s->outputs,
                        .n_parts = s->runtime.n_threads};
    memset(outside, x_zero ? *(const uint8_t *)x_zero : 0, (size_t)s->conv.C);
    r.n_blocks = (r.rows + BLOCK - 1) / BLOCK;
    if (r.rows * s->conv.M * s->K / 32 < MC_PARALLEL_GRAIN) r.n_parts = 1;
    if (!s->constant) set_weights(s, w, w_zero);
    r.by_quads = s->quads && !s->any_zero && !output->sums;
    set_addends(s, r.by_quads, r.x_zero, output->bias);
    if (!output->sums) set_rounding(s, output, &r.rounding);
    if (turns_x(s)) {
        mc_parallel(s->conv.N * s->inputs, mc_parallel_grain(s->conv.C), turn_range, &r);
        r.x = r.turned;
    }
    mc_parallel(r.n_parts, 1, run_parts, &r);
}
