/* bytes.c - products and convolutions of 8-bit integers over the loops of an instruction set; see bytes.h. */
#include "kernel/bytes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

/* Rows that are multiplied at a time: they and their sums stay in the second-level cache. */
enum { BLOCK = 48 };

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
    matrix->packed = mc_alloc_aligned(loops_of(runtime)->packed_bytes(p->K, p->N) + 1, 1);
    matrix->sums = mc_alloc_aligned((size_t)p->N + 1, sizeof *matrix->sums);
    return matrix->packed && matrix->sums ? MC_OK : mc_error_memory(err);
}

void mc_byte_matrix_finish(struct mc_byte_matrix *matrix)
{
    mc_free(matrix->packed);
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
    int16_t *wide;               /* depthwise: [taps, C] less the zero points */
    bool constant;               /* weights are packed for good */
    bool any_zero;               /* a filter has a zero point other than 0 */
    /* room of a thread */
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
    s->gathered = s->in_place || s->depthwise ? 0 : mc_align((size_t)(BLOCK * s->K));
    s->widened = mc_align(s->loops->room_bytes(BLOCK, s->K));
    s->products = mc_align((size_t)(BLOCK * conv->M) * sizeof(int32_t));
    s->rows8 = mc_align((size_t)(BLOCK * conv->M));
    s->pointers = mc_align((size_t)s->taps * sizeof(void *));
    s->room = s->gathered + s->widened + s->products + s->rows8 + s->pointers;
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
    s->packed = mc_alloc_aligned(s->depthwise ? 1 : (size_t)s->conv.groups, s->packed_bytes);
    s->wide = mc_alloc_aligned(s->depthwise ? count : 1, sizeof *s->wide);
    s->sums = mc_alloc_aligned(M + 1, sizeof *s->sums);
    s->zeros = mc_alloc_aligned(M + 1, sizeof *s->zeros);
    s->add = mc_alloc_aligned(M + 1, sizeof *s->add);
    if (!s->ordered || !s->packed || !s->wide || !s->sums || !s->zeros || !s->add) {
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
    mc_free(s->packed);
    mc_free(s->wide);
    mc_free(s->sums);
    mc_free(s->zeros);
    mc_free(s->add);
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

size_t mc_byte_convolver_room(const struct mc_byte_convolver *s)
{
    return turned_bytes(s) + (size_t)s->runtime.n_threads * s->room;
}

struct running {
    const struct mc_byte_convolver *s;
    const struct mc_byte_output *output;
    const uint8_t *x; /* channels last */
    uint8_t *turned;
    const uint8_t *given;
    uint8_t pad; /* as x has it */
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

/* Where tap 0 of an output lies along each axis. */
static void place_of(const struct mc_window *w, int64_t output, int64_t *at)
{
    for (int k = 2; k >= 0; k--) {
        at[k] = output % w->out[k] * w->stride[k] - w->begin[k];
        output /= w->out[k];
    }
}

/* The pixel at a position of an image; NULL outside. */
static const uint8_t *pixel(const struct running *r, int64_t image, int64_t z, int64_t y, int64_t x)
{
    const struct mc_window *w = &r->s->window;
    if (z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1] || x < 0 || x >= w->in[2]) return NULL;
    return r->x + (((image * w->in[0] + z) * w->in[1] + y) * w->in[2] + x) * r->s->conv.C;
}

/* What the taps of output `row` see, in the order of taps. */
static void find_taps(const struct running *r, int64_t row, const uint8_t **taps)
{
    const struct mc_window *w = &r->s->window;
    int64_t at[3];
    place_of(w, row % r->s->outputs, at);
    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++)
            for (int64_t k = 0; k < w->kernel[2]; k++)
                *taps++ = pixel(r, row / r->s->outputs, at[0] + i * w->dilation[0], at[1] + j * w->dilation[1],
                                at[2] + k * w->dilation[2]);
}

/* Channels of group g under the window of `row`, tap after tap. Taps that are neighbours in x are copied at once. */
static void gather(const struct running *r, const uint8_t *const *taps, int64_t g, uint8_t *to)
{
    const struct mc_byte_convolver *s = r->s;
    const int64_t c = s->c, C = s->conv.C;
    for (int64_t tap = 0, n; tap < s->taps; tap += n) {
        n = 1;
        if (!taps[tap]) {
            memset(to + tap * c, r->pad, (size_t)c);
            continue;
        }
        while (c == C && tap + n < s->taps && taps[tap + n] == taps[tap] + n * C) n++;
        memcpy(to + tap * c, taps[tap] + g * c, (size_t)(n * c));
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

static void put_bytes(const struct running *r, int64_t first, int64_t rows, const int32_t *c, uint8_t *bytes)
{
    const struct mc_byte_convolver *s = r->s;
    const struct mc_byte_output *output = r->output;
    const int64_t M = s->conv.M, P = s->outputs;
    for (int64_t i = 0; i < rows; i++)
        s->loops->requantize(M, c + i * M, s->add, output->factor, output->offset, &output->how,
                             s->conv.y_last ? output->y + (first + i) * M : bytes + i * M);
    for (int64_t at = first, n; at < first + rows && !s->conv.y_last; at += n) { /* image by image */
        n = P - at % P;
        if (n > first + rows - at) n = first + rows - at;
        uint8_t *const to = output->y + at / P * M * P + at % P;
        for (int64_t m = 0; m < M; m++)
            for (int64_t i = 0; i < n; i++) to[m * P + i] = bytes[(at - first + i) * M + m];
    }
}

static void multiply_group(const struct running *r, int64_t g, int64_t rows, const uint8_t *a, int64_t lda, int32_t *c,
                           void *widened)
{
    const struct mc_byte_convolver *s = r->s;
    const uint8_t flip = flip_a(s->conv.x_signed);
    const int64_t M = s->conv.M;
    s->loops->multiply(rows, s->K, 0, s->m, a, lda, flip, s->packed + (size_t)g * s->packed_bytes, c + g * s->m, M,
                       widened);
    for (int64_t i = 0; i < rows && s->any_zero; i++) {
        const int64_t sum = s->loops->sum(s->K, a + i * lda, flip);
        for (int64_t m = g * s->m; m < (g + 1) * s->m; m++) c[i * M + m] = wrap(c[i * M + m] - sum * s->zeros[m]);
    }
}

static void run_block(const struct running *r, int64_t first, int64_t rows, char *room)
{
    const struct mc_byte_convolver *s = r->s;
    uint8_t *const gathered = (uint8_t *)room;
    char *const widened = room + s->gathered;
    int32_t *const c = (int32_t *)(void *)(widened + s->widened);
    uint8_t *const bytes = (uint8_t *)widened + s->widened + s->products;
    const uint8_t **const taps = (const uint8_t **)(void *)(bytes + s->rows8);
    for (int64_t i = 0; i < rows && s->depthwise; i++) {
        find_taps(r, first + i, taps);
        s->loops->depthwise(s->conv.M, s->taps, taps, flip_a(s->conv.x_signed), r->x_zero, s->wide, c + i * s->conv.M);
    }
    for (int64_t g = 0; g < s->conv.groups && !s->depthwise; g++) {
        for (int64_t i = 0; i < rows && !s->in_place; i++) {
            find_taps(r, first + i, taps);
            gather(r, taps, g, gathered + i * s->K);
        }
        if (s->in_place)
            multiply_group(r, g, rows, r->x + first * s->conv.C + g * s->c, s->conv.C, c, widened);
        else
            multiply_group(r, g, rows, gathered, s->K, c, widened);
    }
    if (r->output->sums)
        put_sums(r, first, rows, c);
    else
        put_bytes(r, first, rows, c, bytes);
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
static void set_addends(struct mc_byte_convolver *s, int64_t x_zero, const int32_t *bias)
{
    for (int64_t m = 0; m < s->conv.M; m++) {
        const int64_t b = bias ? bias[m] : 0;
        s->add[m] = wrap(s->depthwise ? b : b - x_zero * s->sums[m] + s->K * x_zero * s->zeros[m]);
    }
}

void mc_byte_convolve(struct mc_byte_convolver *s, const void *x, const void *x_zero, const void *w, const void *w_zero,
                      const struct mc_byte_output *output, void *room)
{
    struct running r = {.s = s,
                        .output = output,
                        .x = x,
                        .given = x,
                        .turned = room,
                        .pad = x_zero ? *(const uint8_t *)x_zero : 0,
                        .x_zero = zero_of_a(x_zero, 0, s->conv.x_signed),
                        .room = (char *)room + turned_bytes(s),
                        .rows = s->conv.N * s->outputs,
                        .n_parts = s->runtime.n_threads};
    r.n_blocks = (r.rows + BLOCK - 1) / BLOCK;
    if (r.rows * s->conv.M * s->K / 32 < MC_PARALLEL_GRAIN) r.n_parts = 1;
    if (!s->constant) set_weights(s, w, w_zero);
    set_addends(s, r.x_zero, output->bias);
    if (turns_x(s)) {
        mc_parallel(s->conv.N * s->inputs, mc_parallel_grain(s->conv.C), turn_range, &r);
        r.x = r.turned;
    }
    mc_parallel(r.n_parts, 1, run_parts, &r);
}
