/* sparse_convolution.c - the backend of convolutions with sparse weights; see sparse.h.
 *
 * An image is copied into planes that have its padding, one for each phase of its stride, so that what a tap sees at
 * consecutive positions lies one after the other, across the ends of lines: positions between the lines are computed
 * too and left out of y.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/copy.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/sparse.h"

enum {
    MOST_PHASES = 16, /* of strides */
    LEAST_ZEROS = 4,  /* weights for each that is not zero, where it cannot be measured */
    TRIALS = 5,       /* runs of which the shortest counts */
};

struct sparse_convolution {
    struct mc_convolution conv; /* window of three axes */
    struct mc_sparse_blocks blocks;
    int32_t *offsets; /* of each k: where what its tap sees of its channel begins */
    const struct mc_sparse_loops *loops;
    struct mc_runtime runtime;
    int64_t phase[3], n_phases, plane; /* extents of a plane; planes of a channel; floats of one */
    int64_t positions;                 /* from the first output to the last, those between lines too */
    size_t image;                      /* floats of the planes */
};

static int64_t plane_at(const struct sparse_convolution *s, int64_t a, int64_t b, int64_t c)
{
    return (a * s->phase[1] + b) * s->phase[2] + c;
}

/* Where what the tap sees begins. */
static int64_t offset_of(const struct sparse_convolution *s, int64_t channel, const int64_t *tap)
{
    const struct mc_window *w = &s->conv.window;
    int64_t phase = 0, at[3];
    for (int k = 0; k < 3; k++) {
        const int64_t reach = tap[k] * w->dilation[k];
        phase = phase * w->stride[k] + reach % w->stride[k];
        at[k] = reach / w->stride[k];
    }
    return (channel * s->n_phases + phase) * s->plane + plane_at(s, at[0], at[1], at[2]);
}

/* In the order of the dense product: k = tap C + channel. */
static void fill_rows(const struct mc_convolution *c, struct mc_sparse_rows *rows)
{
    const float *weights = c->weights;
    const int64_t taps = mc_window_taps(&c->window);
    int64_t n = 0;
    for (int64_t m = 0; m < c->M; m++) {
        for (int64_t k = 0; k < taps * c->C; k++)
            mc_sparse_rows_add(rows, &n, weights[(m * c->C + k % c->C) * taps + k / c->C], k);
        rows->start[m + 1] = n;
    }
}

static void fill_offsets(struct sparse_convolution *s)
{
    const int64_t C = s->conv.C, *kernel = s->conv.window.kernel;
    for (int64_t k = 0; k < mc_window_taps(&s->conv.window) * C; k++) {
        const int64_t t = k / C, tap[3] = {t / kernel[2] / kernel[1], t / kernel[2] % kernel[1], t % kernel[2]};
        s->offsets[k] = (int32_t)offset_of(s, k % C, tap);
    }
}

static bool is_ours(const struct mc_convolution *c)
{
    if (c->dtype != MC_FLOAT || c->backward || !c->weights || c->groups != 1) return false;
    int64_t phases = 1;
    for (int k = 0; k < c->window.rank; k++) {
        if (c->window.stride[k] > MOST_PHASES) return false;
        phases *= c->window.stride[k];
    }
    return phases <= MOST_PHASES && mc_sparse_may_pay(c->weights, c->M * c->C * mc_window_taps(&c->window));
}

static bool lay_out(struct sparse_convolution *s)
{
    const struct mc_window *w = &s->conv.window;
    s->n_phases = s->plane = 1;
    for (int k = 0; k < 3; k++) {
        const int64_t covered = (w->out[k] - 1) * w->stride[k] + mc_window_reach(w, k);
        s->phase[k] = (covered + w->stride[k] - 1) / w->stride[k];
        s->n_phases *= w->stride[k];
        s->plane *= s->phase[k];
    }
    s->positions = plane_at(s, w->out[0] - 1, w->out[1] - 1, w->out[2] - 1) + 1;
    s->image = (size_t)(s->conv.C * s->n_phases * s->plane + s->loops->most);
    return s->image <= INT32_MAX;
}

static void sparse_destroy(void *state)
{
    struct sparse_convolution *s = state;
    if (!s) return;
    mc_sparse_blocks_finish(&s->blocks);
    mc_free(s->offsets);
    mc_free(s);
}

/* --- running --- */

struct running {
    const struct sparse_convolution *s;
    const float *x; /* of one image */
    float *y, *planes;
};

/* Inputs of a line that lie side by side in a plane: `n` of them, every stride-th from `first` on, from column `at` on.
 */
struct piece {
    int64_t first, n, at;
};

static struct piece piece_of(const struct sparse_convolution *s, int64_t phase)
{
    const struct mc_window *w = &s->conv.window;
    const int64_t stride = w->stride[2], begin = w->begin[2];
    /* inputs i with (i + begin) % stride == phase, from the first that is not before the line */
    struct piece p = {.first = ((phase - begin) % stride + stride) % stride};
    p.at = (p.first + begin) / stride;
    p.n = p.first < w->in[2] ? (w->in[2] - p.first + stride - 1) / stride : 0;
    if (p.n > s->phase[2] - p.at) p.n = s->phase[2] - p.at;
    return p;
}

/* memcpy of lines so short that calling it takes longer. */
static inline void copy_line(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
    for (; i < n; i++) to[i] = from[i];
}

/* A piece of the line (a, h) of channels [begin, end). */
static void fill_piece(const struct running *r, int64_t begin, int64_t end, int64_t a, int64_t h, struct piece p,
                       float *to)
{
    const struct sparse_convolution *s = r->s;
    const struct mc_window *w = &s->conv.window;
    const int64_t C = s->conv.C, apart = s->n_phases * s->plane, stride = w->stride[2];
    const int64_t from = (a * w->in[1] + h) * w->in[2] + p.first;
    if (s->conv.x_last) {
        mc_transpose_floats(to + begin * apart, apart, r->x + from * C + begin, stride * C, p.n, end - begin);
        return;
    }
    for (int64_t c = begin; c < end; c++) {
        const float *line = r->x + c * mc_window_inputs(w) + from;
        if (stride == 1)
            memcpy(to + c * apart, line, (size_t)p.n * sizeof *line);
        else
            for (int64_t i = 0; i < p.n; i++) to[c * apart + i] = line[i * stride];
    }
}

/* The plane of a channel that lies first, where there is one phase: by itself, so that it stays in a first-level cache
 * while lines are copied over its zeros. */
static void fill_plane(const struct running *r, int64_t channel)
{
    const struct sparse_convolution *s = r->s;
    const struct mc_window *w = &s->conv.window;
    const int64_t columns = mc_least(w->in[2], s->phase[2] - w->begin[2]);
    const float *x = r->x + channel * mc_window_inputs(w);
    float *const plane = r->planes + channel * s->plane;
    memset(plane, 0, (size_t)s->plane * sizeof *plane);
    for (int64_t a = w->begin[0]; a < w->begin[0] + w->in[0]; a++)
        for (int64_t h = w->begin[1]; h < w->begin[1] + w->in[1]; h++, x += w->in[2])
            if (a < s->phase[0] && h < s->phase[1]) copy_line(plane + plane_at(s, a, h, w->begin[2]), x, columns);
}

/* Channels [begin, end) into their planes. */
static void fill_planes(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct sparse_convolution *s = r->s;
    const struct mc_window *w = &s->conv.window;
    const int64_t apart = s->n_phases * s->plane;
    if (s->n_phases == 1 && !s->conv.x_last) {
        for (int64_t c = begin; c < end; c++) fill_plane(r, c);
        return;
    }
    memset(r->planes + begin * apart, 0, (size_t)((end - begin) * apart) * sizeof *r->planes);
    for (int64_t a = 0; a < w->in[0]; a++) {
        for (int64_t h = 0; h < w->in[1]; h++) {
            const int64_t pa = a + w->begin[0], ph = h + w->begin[1];
            if (pa / w->stride[0] >= s->phase[0] || ph / w->stride[1] >= s->phase[1]) continue;
            const int64_t phase = pa % w->stride[0] * w->stride[1] + ph % w->stride[1];
            for (int64_t k = 0; k < w->stride[2]; k++) {
                const struct piece p = piece_of(s, k);
                float *to = r->planes + (phase * w->stride[2] + k) * s->plane +
                            plane_at(s, pa / w->stride[0], ph / w->stride[1], p.at);
                if (p.n > 0) fill_piece(r, begin, end, a, h, p, to);
            }
        }
    }
}

static void pack_inputs(const void *context, int64_t k, int64_t n, int64_t first, int64_t n_positions, int64_t width,
                        float *panel)
{
    const struct running *r = context;
    (void)n_positions; /* planes reach beyond their last */
    r->s->loops->gather(n, r->s->offsets + k, r->planes + first, width, panel);
}

/* Outputs [at, at + n) of the rows [m, to), from where they lie in a tile. */
static void put_outputs(const struct running *r, int64_t m, int64_t to, int64_t at, int64_t n, int64_t width,
                        const float *tile)
{
    const struct mc_convolution *c = &r->s->conv;
    const int64_t outputs = mc_window_outputs(&c->window);
    if (c->y_last) {
        mc_transpose_floats(r->y + at * c->M + m, c->M, tile, width, to - m, n);
        return;
    }
    for (int64_t row = m; row < to; row++) copy_line(r->y + row * outputs + at, tile + (row - m) * width, n);
}

/* Outputs among positions [first, first + n) of the rows [m, to). */
static void put_tile(const void *context, int64_t m, int64_t to, int64_t first, int64_t n, int64_t width,
                     const float *tile)
{
    const struct running *r = context;
    const struct sparse_convolution *s = r->s;
    const struct mc_window *w = &s->conv.window;
    for (int64_t p = first; p < first + n;) {
        const int64_t c = p % s->phase[2], b = p / s->phase[2] % s->phase[1], a = p / s->phase[2] / s->phase[1];
        const int64_t left = first + n - p, line = s->phase[2] - c;
        const int64_t whole = w->out[2] - c < left ? w->out[2] - c : left;
        if (b < w->out[1] && a < w->out[0] && whole > 0)
            put_outputs(r, m, to, (a * w->out[1] + b) * w->out[2] + c, whole, width, tile + (p - first));
        p += line < left ? line : left;
    }
}

static int sparse_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                          void *workspace, struct mc_error *err)
{
    (void)w, (void)z, (void)err; /* the convolver adds z */
    const struct sparse_convolution *s = state;
    const int64_t inputs = s->conv.C * mc_window_inputs(&s->conv.window);
    struct running r = {.s = s, .planes = workspace};
    const struct mc_sparse_ends ends = {&r, r.planes, pack_inputs, put_tile};
    float *const rooms = r.planes + (s->image + 15) / 16 * 16;
    const int before = mc_runtime_enter(&s->runtime);
    memset(r.planes + s->image - s->loops->most, 0, (size_t)s->loops->most * sizeof(float));
    for (int64_t n = 0; n < s->conv.N; n++) {
        r.x = (const float *)x + n * inputs;
        r.y = (float *)y + n * s->conv.M * mc_window_outputs(&s->conv.window);
        mc_parallel(s->conv.C, mc_parallel_grain(inputs / s->conv.C), fill_planes, &r);
        mc_sparse_blocks_run(&s->blocks, s->loops, s->positions, b, &ends, rooms, s->runtime.n_threads);
    }
    mc_runtime_leave(before);
    return MC_OK;
}

/* --- measuring --- */

/* The shortest of some runs on zeros; INT64_MAX if there was no memory to try. */
static int64_t time_of(const struct mc_convolver_backend *backend, void *state, const struct mc_convolution *c,
                       size_t workspace_bytes)
{
    const size_t x_floats = (size_t)(c->N * c->C * mc_window_inputs(&c->window));
    const size_t y_floats = (size_t)(c->N * c->M * mc_window_outputs(&c->window));
    float *x = mc_alloc_aligned(x_floats, sizeof *x), *y = mc_alloc_aligned(y_floats, sizeof *y);
    float *b = MC_NEW_ARRAY(float, c->M);
    void *workspace = mc_alloc_aligned(workspace_bytes, 1);
    int64_t best = INT64_MAX;
    if (x) memset(x, 0, x_floats * sizeof *x);
    if (y) memset(y, 0, y_floats * sizeof *y);
    for (int trial = 0; x && y && b && workspace && trial < TRIALS; trial++) {
        const int64_t start = mc_clock_ns();
        if (backend->forward(state, x, c->weights, b, y, y, workspace, NULL) < 0) break;
        const int64_t took = mc_clock_ns() - start;
        if (took < best) best = took;
    }
    mc_free(workspace);
    mc_free(b);
    mc_free(y);
    mc_free(x);
    return best;
}

/* Is it faster than the dense product, which gives the same bits? */
static int is_faster(struct sparse_convolution *s, const struct mc_convolution *c, size_t workspace_bytes, bool *faster,
                     struct mc_error *err)
{
    void *dense = NULL;
    size_t dense_bytes = 0;
    *faster = false;
    const int rc = mc_implicit_backend.create(&dense, c, &s->runtime, &dense_bytes, err);
    /* others round in another way, and which bits come out is not to depend on the clock */
    if (rc == MC_OK && !dense)
        *faster = mc_sparse_nonzeros(c->weights, c->M * c->C * mc_window_taps(&c->window)) * LEAST_ZEROS <=
                  c->M * c->C * mc_window_taps(&c->window);
    if (rc < 0 || !dense) return rc;
    const int64_t own = time_of(&mc_sparse_backend, s, c, workspace_bytes);
    *faster = own < time_of(&mc_implicit_backend, dense, c, dense_bytes);
    mc_implicit_backend.destroy(dense);
    return MC_OK;
}

/* Are so few non-zeros to each input that it does not pay to lay inputs side by side, and do those of one line of taps
 * stay in a first-level cache where they are? */
static bool is_read_in_place(const struct sparse_convolution *s, int64_t nonzeros, int64_t K)
{
    enum { LINE_BYTES = 64, LINES = 5 }; /* of the cache, for the positions at a time */
    return nonzeros < s->loops->few * K && s->conv.C * LINES * LINE_BYTES <= mc_cache_bytes();
}

static int make_blocks(struct sparse_convolution *s, struct mc_error *err)
{
    const struct mc_convolution *c = &s->conv;
    const int64_t K = c->C * mc_window_taps(&c->window);
    struct mc_sparse_rows rows;
    s->offsets = MC_NEW_ARRAY(int32_t, K);
    if (!s->offsets) return mc_error_memory(err);
    fill_offsets(s);
    int rc = mc_sparse_rows_init(&rows, c->M, mc_sparse_nonzeros(c->weights, c->M * K), s->runtime.memory, err);
    if (rc < 0) return rc;
    fill_rows(c, &rows);
    const int32_t *in_place = is_read_in_place(s, rows.start[c->M], K) ? s->offsets : NULL;
    rc = mc_sparse_blocks_init(&s->blocks, &rows, K, s->positions, s->loops, in_place, s->runtime.memory, err);
    mc_sparse_rows_finish(&rows);
    return rc;
}

static int sparse_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                         size_t *workspace_bytes, struct mc_error *err)
{
    *state = NULL;
    if (!is_ours(conv)) return MC_OK;
    struct sparse_convolution *s = MC_NEW(struct sparse_convolution);
    if (!s) return mc_error_memory(err);
    s->conv = *conv;
    s->conv.window = mc_window_as_3d(&conv->window);
    s->runtime = *runtime;
    s->loops = runtime->kernels->sparse;
    bool faster = false;
    int rc = lay_out(s) ? make_blocks(s, err) : MC_OK;
    if (rc == MC_OK && s->offsets) {
        const size_t rooms = mc_sparse_blocks_room(&s->blocks) * (size_t)runtime->n_threads;
        const size_t bytes = ((s->image + 15) / 16 * 16 + rooms) * sizeof(float);
        rc = is_faster(s, conv, bytes, &faster, err);
        *workspace_bytes = bytes;
    }
    if (rc == MC_OK && faster)
        *state = s;
    else
        sparse_destroy(s);
    return rc;
}

static bool sparse_has_packed(const void *state)
{
    (void)state;
    return true;
}

const struct mc_convolver_backend mc_sparse_backend = {
    .name = "sparse",
    .create = sparse_create,
    .destroy = sparse_destroy,
    .has_packed = sparse_has_packed,
    .forward = sparse_forward,
};
