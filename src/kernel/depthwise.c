/* depthwise.c - the backend for convolutions with a filter for each channel, channels last; see depthwise.h. */
#include "kernel/depthwise.h"

#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

enum { MOST_SLICES = 8 }; /* of the images, whose sums are made apart */

struct depthwise {
    struct mc_depthwise job;
    struct mc_depthwise back; /* dx as a convolution of dy, where nothing strides */
    const struct mc_depthwise_loops *loops;
    struct mc_runtime runtime;
    float *turned; /* constant filters, [taps + 1, C]; NULL: turned in the workspace in each call */
    int64_t taps, n_slices;
};

static bool strides(const struct mc_depthwise *job)
{
    return job->window.stride[MC_DEPTHWISE_ROWS] != 1 || job->window.stride[MC_DEPTHWISE_COLUMNS] != 1;
}

static void depthwise_destroy(void *state)
{
    struct depthwise *s = state;
    if (!s) return;
    mc_block_destroy(s->turned);
    mc_free(s);
}

static bool depthwise_has_packed(const void *state)
{
    const struct depthwise *s = state;
    return s->turned != NULL;
}

/* Channels last, or with one position, where that says nothing. The last vector overlaps the one before where C is not
 * whole vectors: what is added would be added twice. */
static bool is_ours(const struct mc_convolution *conv, int64_t lanes)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || conv->groups != conv->C || conv->M != conv->C || w->rank > 2) return false;
    if (!conv->x_last && mc_window_inputs(w) != 1) return false;
    if (!conv->y_last && mc_window_outputs(w) != 1) return false;
    return conv->C >= lanes && !(conv->adds && conv->C % lanes != 0);
}

/* Without strides: outputs and inputs change places, and what was cut off before now pads. */
static struct mc_depthwise job_of_data(const struct mc_depthwise *job)
{
    struct mc_depthwise back = *job;
    for (int k = 0; k < MC_MAX_SPATIAL; k++) {
        back.window.in[k] = job->window.out[k];
        back.window.out[k] = job->window.in[k];
        back.window.begin[k] = mc_window_reach(&job->window, k) - 1 - job->window.begin[k];
    }
    return back;
}

/* w [C, taps] to [taps + 1, C], the last tap first if `reversed`, zeros at last. */
static const float *turn(const struct depthwise *s, const float *w, bool reversed, float *turned)
{
    for (int64_t tap = 0; tap < s->taps; tap++) {
        const int64_t to = reversed ? s->taps - 1 - tap : tap;
        for (int64_t c = 0; c < s->job.C; c++) turned[to * s->job.C + c] = w[c * s->taps + tap];
    }
    memset(turned + s->taps * s->job.C, 0, (size_t)s->job.C * sizeof *turned);
    return turned;
}

static int depthwise_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                            size_t *workspace_bytes, struct mc_error *err)
{
    const struct mc_depthwise_loops *loops = runtime->kernels->depthwise;
    *state = NULL;
    if (!is_ours(conv, loops->lanes)) return MC_OK;
    struct depthwise *s = MC_NEW(struct depthwise);
    if (!s) return mc_error_memory(err);
    s->job = (struct mc_depthwise){.N = conv->N,
                                   .C = conv->C,
                                   .window = mc_window_as_3d(&conv->window),
                                   .bounded = conv->bounded,
                                   .bounds = {conv->low, conv->high}};
    s->back = job_of_data(&s->job);
    s->loops = loops;
    s->runtime = *runtime;
    s->taps = mc_window_taps(&conv->window);
    s->n_slices = conv->N < MOST_SLICES ? conv->N : MOST_SLICES;
    const size_t n = (size_t)((s->taps + 1) * conv->C), sums = (size_t)s->n_slices * loops->sum_floats(&s->job);
    const size_t in_each_call = conv->weights && !conv->backward ? 0 : n;
    *workspace_bytes = (conv->backward && sums > n ? sums : in_each_call) * sizeof(float);
    if (conv->weights) {
        s->turned = mc_block_create(runtime->memory, n, sizeof *s->turned);
        if (!s->turned) {
            depthwise_destroy(s);
            return mc_error_memory(err);
        }
        turn(s, conv->weights, false, s->turned);
    }
    *state = s;
    return MC_OK;
}

/* --- running --- */

struct running {
    const struct depthwise *s;
    const struct mc_depthwise *job;
    const float *x, *w, *b, *z; /* or dy in the place of x */
    const float *dy;            /* beside x */
    float *y;                   /* or dx, or sums */
};

static void run_rows(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    r->s->loops->run(r->job, r->x, r->w, r->b, r->z, r->y, begin, end);
}

static void run_back_rows(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    r->s->loops->run_back(r->job, r->x, r->w, r->y, begin, end);
}

/* Rows of `width` positions among the threads. */
static void run(const struct running *r, int64_t rows, int64_t width, mc_range_fn *range)
{
    const int before = mc_runtime_enter(&r->s->runtime);
    mc_parallel(rows, mc_parallel_grain(width * r->job->C * (r->s->taps + 1) / 2), range, (void *)r);
    mc_runtime_leave(before);
}

static int depthwise_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                             void *workspace, struct mc_error *err)
{
    const struct depthwise *s = state;
    const float *turned = s->turned ? s->turned : turn(s, w, false, workspace);
    const struct running r = {.s = s, .job = &s->job, .x = x, .w = turned, .b = b, .z = z, .y = y};
    run(&r, s->job.N * s->job.window.out[MC_DEPTHWISE_ROWS], s->job.window.out[MC_DEPTHWISE_COLUMNS], run_rows);
    return MC_OK;
}

static int depthwise_backward_data(void *state, const void *dy, const void *w, void *dx, void *workspace,
                                   struct mc_error *err)
{
    const struct depthwise *s = state;
    const bool strided = strides(&s->job);
    const float *turned = turn(s, w, !strided, workspace);
    const struct running r = {.s = s, .job = strided ? &s->job : &s->back, .x = dy, .w = turned, .y = dx};
    run(&r, s->job.N * s->job.window.in[MC_DEPTHWISE_ROWS], s->job.window.in[MC_DEPTHWISE_COLUMNS],
        strided ? run_back_rows : run_rows);
    return MC_OK;
}

/* Each part of each slice. */
static void add_range(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct depthwise *s = r->s;
    const int64_t n = s->loops->n_parts(r->job);
    for (int64_t i = begin; i < end; i++) {
        const int64_t slice = i / n, from = s->job.N * slice / s->n_slices, to = s->job.N * (slice + 1) / s->n_slices;
        s->loops->add_up(r->job, r->x, r->dy, from, to, i % n, r->y + slice * (int64_t)s->loops->sum_floats(r->job));
    }
}

static int depthwise_backward_weights(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                                      struct mc_error *err)
{
    const struct depthwise *s = state;
    struct running r = {.s = s, .job = &s->job, .x = x, .dy = dy, .y = workspace};
    const int before = mc_runtime_enter(&s->runtime);
    mc_parallel(s->n_slices * s->loops->n_parts(&s->job), 1, add_range, &r);
    mc_runtime_leave(before);
    s->loops->gather(&s->job, s->n_slices, workspace, dw, db);
    return MC_OK;
}

const struct mc_convolver_backend mc_depthwise_backend = {
    .name = "depthwise",
    .finishes = true,
    .create = depthwise_create,
    .destroy = depthwise_destroy,
    .has_packed = depthwise_has_packed,
    .forward = depthwise_forward,
    .backward_data = depthwise_backward_data,
    .backward_weights = depthwise_backward_weights,
};
