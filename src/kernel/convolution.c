/* convolution.c - chooses the backend of a convolution; see convolution.h. */
#include "kernel/convolution.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config.h"
#include "kernel/copy.h"
#include "kernel/parallel.h"

struct mc_convolver {
    const struct mc_convolver_backend *backend;
    void *state;
    struct mc_convolution conv;
    struct mc_runtime runtime;
    bool empty;                /* no output at all: nothing to compute, gradients are zero */
    bool turns_x, turns_y;     /* for a backend that knows channels first only */
    size_t x_offset, y_offset; /* of the turned ones in the workspace */
    bool finishes;             /* for a backend that does not */
    size_t sum_offset;         /* of what it makes, where y is what is added */
    size_t workspace_bytes;
    size_t size, x_bytes, w_bytes, b_bytes, y_bytes;
};

bool mc_convolver_wants_last(enum mc_dtype dtype, const struct mc_runtime *runtime)
{
    return dtype == MC_FLOAT && runtime->channels_last;
}

/* --- making ready --- */

static int try_backend(struct mc_convolver *c, const struct mc_convolver_backend *backend,
                       const struct mc_runtime *runtime, struct mc_error *err)
{
    const int rc = backend->create(&c->state, &c->conv, runtime, &c->workspace_bytes, err);
    if (c->state) c->backend = backend;
    return rc;
}

/* The first that has the convolution. */
static const struct mc_convolver_backend *const backends[] = {
    &mc_winograd_backend, &mc_depthwise_backend, &mc_bfloat_backend, &mc_sparse_backend, &mc_implicit_backend,
#if MC_HAVE_ONEDNN
    &mc_onednn_backend,
#endif
    &mc_im2col_backend};

static int choose_backend(struct mc_convolver *c, const struct mc_runtime *runtime, struct mc_error *err)
{
    int rc = c->empty ? try_backend(c, &mc_im2col_backend, runtime, err) : MC_OK;
    for (size_t i = 0; i < MC_COUNT(backends) && rc == MC_OK && !c->backend; i++)
        rc = try_backend(c, backends[i], runtime, err);
    return rc;
}

static size_t reserve(struct mc_convolver *c, size_t bytes)
{
    const size_t offset = mc_align(c->workspace_bytes);
    c->workspace_bytes = offset + bytes;
    return offset;
}

int mc_convolver_create(struct mc_convolver **convolver, const struct mc_convolution *convolution,
                        const struct mc_runtime *runtime, struct mc_error *err)
{
    struct mc_convolver *c = MC_NEW(struct mc_convolver);
    if (!c) return mc_error_memory(err);
    c->conv = *convolution;
    c->runtime = *runtime;
    c->conv.window = mc_window_without_ones(&convolution->window); /* SIMD code runs along the last axis */
    const struct mc_window *w = &c->conv.window;
    c->size = c->conv.dtype == MC_FLOAT ? sizeof(float) : sizeof(double);
    c->x_bytes = (size_t)(c->conv.N * c->conv.C * mc_window_inputs(w)) * c->size;
    c->w_bytes = (size_t)(c->conv.M * (c->conv.C / c->conv.groups) * mc_window_taps(w)) * c->size;
    c->b_bytes = (size_t)c->conv.M * c->size;
    c->y_bytes = (size_t)(c->conv.N * c->conv.M * mc_window_outputs(w)) * c->size;
    c->empty = c->y_bytes == 0;
    assert(c->conv.dtype == MC_FLOAT || (!c->conv.adds && !c->conv.bounded));
    const int rc = choose_backend(c, runtime, err);
    if (rc < 0) {
        mc_convolver_destroy(c);
        return rc;
    }
    c->turns_x = c->backend->channels_first && c->conv.x_last;
    c->turns_y = c->backend->channels_first && c->conv.y_last;
    if (c->turns_x) c->x_offset = reserve(c, c->x_bytes);
    if (c->turns_y) c->y_offset = reserve(c, c->y_bytes);
    c->finishes = !c->backend->finishes && (c->conv.adds || c->conv.bounded);
    if (c->finishes && c->conv.adds) c->sum_offset = reserve(c, c->y_bytes);
    *convolver = c;
    return MC_OK;
}

void mc_convolver_destroy(struct mc_convolver *c)
{
    if (!c) return;
    if (c->backend) c->backend->destroy(c->state);
    mc_free(c);
}

const char *mc_convolver_name(const struct mc_convolver *c)
{
    return c->backend->name;
}

bool mc_convolver_has_packed(const struct mc_convolver *c)
{
    return c->backend->has_packed && c->backend->has_packed(c->state);
}

size_t mc_convolver_workspace_bytes(const struct mc_convolver *c)
{
    return c->workspace_bytes;
}

/* --- running --- */

static void turn(const struct mc_convolver *c, void *to, const void *from, int64_t channels, int64_t positions,
                 bool to_last)
{
    mc_turn_channels(to, from, c->conv.N, channels, positions, c->size, to_last);
}

/* x or dy as the backend wants it. */
static const void *turned_x(const struct mc_convolver *c, const void *x, char *workspace)
{
    if (!c->turns_x) return x;
    turn(c, workspace + c->x_offset, x, c->conv.C, mc_window_inputs(&c->conv.window), false);
    return workspace + c->x_offset;
}

static const void *turned_dy(const struct mc_convolver *c, const void *dy, char *workspace)
{
    if (!c->turns_y) return dy;
    turn(c, workspace + c->y_offset, dy, c->conv.M, mc_window_outputs(&c->conv.window), false);
    return workspace + c->y_offset;
}

struct finishing {
    const struct mc_convolution *conv;
    const float *from, *z;
    float *y;
};

static void finish_range(void *context, int64_t begin, int64_t end)
{
    const struct finishing *f = context;
    const float low = f->conv->bounded ? f->conv->low : -INFINITY, high = f->conv->bounded ? f->conv->high : INFINITY;
    for (int64_t i = begin; i < end; i++) {
        const float sum = f->z ? f->from[i] + f->z[i] : f->from[i], most = sum < low ? low : sum;
        f->y[i] = most > high ? high : most;
    }
}

/* In double precision nothing is merged (op/fused.h), and so there is nothing to finish. */
static void finish(const struct mc_convolver *c, const void *from, const void *z, void *y)
{
    struct finishing f = {.conv = &c->conv, .from = from, .z = z, .y = y};
    const int before = mc_runtime_enter(&c->runtime);
    mc_parallel((int64_t)(c->y_bytes / c->size), MC_PARALLEL_GRAIN, finish_range, &f);
    mc_runtime_leave(before);
}

int mc_convolver_forward(struct mc_convolver *c, const void *x, const void *w, const void *b, const void *z, void *y,
                         void *workspace, struct mc_error *err)
{
    if (c->empty) return MC_OK;
    if (!c->conv.adds) z = NULL;
    void *sum = c->finishes && z == y ? (char *)workspace + c->sum_offset : y;
    void *to = c->turns_y ? (char *)workspace + c->y_offset : sum;
    const int rc = c->backend->forward(c->state, turned_x(c, x, workspace), w, b, z, to, workspace, err);
    if (to != sum) turn(c, sum, to, c->conv.M, mc_window_outputs(&c->conv.window), true);
    if (c->finishes) finish(c, sum, z, y);
    return rc;
}

int mc_convolver_backward_data(struct mc_convolver *c, const void *dy, const void *w, void *dx, void *workspace,
                               struct mc_error *err)
{
    if (c->empty) {
        memset(dx, 0, c->x_bytes);
        return MC_OK;
    }
    void *to = c->turns_x ? (char *)workspace + c->x_offset : dx;
    const int rc = c->backend->backward_data(c->state, turned_dy(c, dy, workspace), w, to, workspace, err);
    if (to != dx) turn(c, dx, to, c->conv.C, mc_window_inputs(&c->conv.window), true);
    return rc;
}

int mc_convolver_backward_weights(struct mc_convolver *c, const void *x, const void *dy, void *dw, void *db,
                                  void *workspace, struct mc_error *err)
{
    if (c->empty) {
        if (dw) memset(dw, 0, c->w_bytes);
        if (db) memset(db, 0, c->b_bytes);
        return MC_OK;
    }
    return c->backend->backward_weights(c->state, turned_x(c, x, workspace), turned_dy(c, dy, workspace), dw, db,
                                        workspace, err);
}
