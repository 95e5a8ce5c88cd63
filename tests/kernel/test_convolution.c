/* test_convolution.c - every backend against the defining sum, in all passes, on awkward geometries. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "config.h"
#include "kernel/convolution.h"

struct geometry {
    const char *name;
    int64_t N, C, M, groups;
    struct mc_window w; /* `out` is filled in */
};

static const struct geometry geometries[] = {
    {"plain", 2, 3, 5, 1, {2, {7, 6}, {0}, {3, 3}, {1, 1}, {1, 1}, {0}, {0}}},
    {"padded", 3, 4, 6, 1, {2, {5, 8}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"strided, uneven pads", 2, 3, 4, 1, {2, {9, 7}, {0}, {3, 2}, {2, 3}, {1, 1}, {0, 1}, {2, 0}}},
    {"dilated", 1, 2, 3, 1, {2, {11, 10}, {0}, {3, 3}, {1, 2}, {2, 3}, {2, 1}, {1, 3}}},
    {"pads beyond the kernel", 1, 2, 2, 1, {2, {3, 3}, {0}, {2, 2}, {1, 1}, {1, 1}, {3, 0}, {0, 4}}},
    {"one tap", 2, 5, 7, 1, {2, {6, 5}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"one tap, strided", 2, 5, 7, 1, {2, {6, 5}, {0}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},
    {"one tap, strided, beyond the scratchpad", 8, 4, 8, 1, {2, {8, 8}, {0}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},
    {"16 to 32 channels", 2, 16, 32, 1, {2, {8, 8}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"channels no multiple of 8", 2, 13, 21, 1, {2, {8, 8}, {0}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}}},
    {"whole image", 4, 3, 6, 1, {2, {4, 5}, {0}, {4, 5}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"groups", 2, 6, 9, 3, {2, {5, 5}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"depthwise", 2, 8, 8, 8, {2, {6, 7}, {0}, {3, 3}, {2, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"depthwise, two each", 2, 3, 6, 3, {2, {6, 7}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"one axis", 3, 4, 5, 1, {1, {17}, {0}, {5}, {2}, {1}, {2}, {1}}},
    {"one axis, dilated", 2, 4, 4, 2, {1, {17}, {0}, {3}, {1}, {4}, {0}, {3}}},
    {"ones behind", 2, 3, 4, 1, {3, {19, 1, 1}, {0}, {5, 1, 1}, {2, 1, 1}, {1, 1, 1}, {2, 0, 0}, {1, 0, 0}}},
    {"nothing but ones", 2, 3, 4, 1, {2, {1, 1}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"one input, padded", 2, 3, 4, 1, {2, {1, 6}, {0}, {1, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"three axes", 2, 3, 4, 1, {3, {4, 5, 6}, {0}, {2, 3, 3}, {1, 2, 1}, {1, 1, 2}, {1, 1, 0}, {0, 1, 2}}},
    {"one image, many threads", 1, 3, 4, 1, {2, {23, 19}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"many strips", 2, 8, 3, 1, {2, {64, 65}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"no images", 0, 3, 4, 1, {2, {5, 5}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
};

/* All operands and gradients in double; n elements each. */
struct arrays {
    int64_t nx, nw, nb, ny;
    double *x, *w, *b, *y, *dy, *dx, *dw, *db;
};

static double *random_array(int64_t n, uint64_t stream)
{
    struct mc_rng rng;
    double *a = MC_NEW_ARRAY(double, n);
    mc_rng_init(&rng, 7, stream);
    for (int64_t i = 0; i < n; i++) a[i] = (float)mc_rng_range(&rng, -1, 1);
    return a;
}

static void arrays_init(struct arrays *a, const struct mc_convolution *c)
{
    a->nx = c->N * c->C * mc_window_inputs(&c->window);
    a->nw = c->M * (c->C / c->groups) * mc_window_taps(&c->window);
    a->nb = c->M;
    a->ny = c->N * c->M * mc_window_outputs(&c->window);
    a->x = random_array(a->nx, 1);
    a->w = random_array(a->nw, 2);
    a->b = random_array(a->nb, 3);
    a->dy = random_array(a->ny, 4);
    a->y = MC_NEW_ARRAY(double, a->ny);
    a->dx = MC_NEW_ARRAY(double, a->nx);
    a->dw = MC_NEW_ARRAY(double, a->nw);
    a->db = MC_NEW_ARRAY(double, a->nb);
}

static void arrays_finish(struct arrays *a)
{
    double *all[] = {a->x, a->w, a->b, a->y, a->dy, a->dx, a->dw, a->db};
    for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
}

/* One product of the sum: output at, input at, weight at. */
static void meet(struct arrays *a, int64_t y, int64_t x, int64_t w)
{
    a->y[y] += a->w[w] * a->x[x];
    a->dx[x] += a->w[w] * a->dy[y];
    a->dw[w] += a->x[x] * a->dy[y];
}

/* Every output position against every tap. */
static void sum_window(struct arrays *a, const struct mc_window *w, int64_t y, int64_t x, int64_t f)
{
    for (int64_t o = 0; o < mc_window_outputs(w); o++) {
        for (int64_t t = 0; t < mc_window_taps(w); t++) {
            const int64_t od[3] = {o / w->out[2] / w->out[1], o / w->out[2] % w->out[1], o % w->out[2]};
            const int64_t td[3] = {t / w->kernel[2] / w->kernel[1], t / w->kernel[2] % w->kernel[1], t % w->kernel[2]};
            int64_t at = 0;
            bool inside = true;
            for (int k = 0; k < 3; k++) {
                const int64_t i = od[k] * w->stride[k] - w->begin[k] + td[k] * w->dilation[k];
                inside = inside && i >= 0 && i < w->in[k];
                at = at * w->in[k] + i;
            }
            if (inside) meet(a, y + o, x + at, f + t);
        }
    }
}

/* The defining sum and its derivatives. */
static void arrays_compute(struct arrays *a, const struct mc_convolution *c)
{
    const struct mc_window w = mc_window_as_3d(&c->window);
    const int64_t in = mc_window_inputs(&w), out = mc_window_outputs(&w), taps = mc_window_taps(&w);
    const int64_t C = c->C / c->groups, M = c->M / c->groups;
    for (int64_t n = 0; n < c->N; n++) {
        for (int64_t m = 0; m < c->M; m++) {
            const int64_t y = (n * c->M + m) * out;
            for (int64_t o = 0; o < out; o++) {
                a->y[y + o] = c->has_bias ? a->b[m] : 0;
                a->db[m] += a->dy[y + o];
            }
            for (int64_t i = 0; i < C; i++) sum_window(a, &w, y, (n * c->C + m / M * C + i) * in, (m * C + i) * taps);
        }
    }
}

/* --- in the backend's type and order --- */

/* n images of [channels, positions], or [positions, channels] if `last`. */
static void *to_backend(const double *from, enum mc_dtype dtype, int64_t count, int64_t channels, int64_t positions,
                        bool last)
{
    void *to = mc_alloc_aligned((size_t)count + 16, sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        const int64_t image = i / (channels * positions), c = i / positions % channels, p = i % positions;
        const int64_t at = last ? (image * positions + p) * channels + c : i;
        if (dtype == MC_FLOAT)
            ((float *)to)[at] = (float)from[i];
        else
            ((double *)to)[at] = from[i];
    }
    return to;
}

static void expect(const struct geometry *g, const char *what, const double *expected, const void *found,
                   enum mc_dtype dtype, int64_t count, int64_t channels, int64_t positions, bool last)
{
    const double tolerance = dtype == MC_FLOAT ? 2e-5 : 1e-12;
    double most = 1;
    for (int64_t i = 0; i < count; i++) most = fabs(expected[i]) > most ? fabs(expected[i]) : most;
    for (int64_t i = 0; i < count; i++) {
        const int64_t image = i / (channels * positions), c = i / positions % channels, p = i % positions;
        const int64_t at = last ? (image * positions + p) * channels + c : i;
        const double value = dtype == MC_FLOAT ? (double)((const float *)found)[at] : ((const double *)found)[at];
        if (!(fabs(value - expected[i]) <= tolerance * most))
            fail_msg("%s: %s[%lld] is %.9g, expected %.9g", g->name, what, (long long)i, value, expected[i]);
    }
}

/* A buffer of NaN, so that what is not written shows. */
static void *nan_array(int64_t n)
{
    void *a = mc_alloc_aligned((size_t)n + 16, sizeof(double));
    memset(a, 0xff, ((size_t)n + 16) * sizeof(double));
    return a;
}

static void run_passes(const struct geometry *g, const struct mc_convolution *conv, const struct arrays *a,
                       const struct mc_runtime *runtime, const char *backend)
{
    struct mc_error err = {0};
    const int64_t in = mc_window_inputs(&conv->window), out = mc_window_outputs(&conv->window);
    void *x = to_backend(a->x, conv->dtype, a->nx, conv->C, in, conv->x_last);
    void *w = to_backend(a->w, conv->dtype, a->nw, 1, 1, false), *b = to_backend(a->b, conv->dtype, a->nb, 1, 1, false);
    void *dy = to_backend(a->dy, conv->dtype, a->ny, conv->M, out, conv->y_last);
    void *y = nan_array(a->ny), *dx = nan_array(a->nx), *dw = nan_array(a->nw), *db = nan_array(a->nb);
    struct mc_convolution c = *conv;
    if (!c.backward) c.weights = w;
    struct mc_convolver *convolver;
    assert_ok(mc_convolver_create(&convolver, &c, runtime, &err), err);
    if (backend) assert_string_equal(mc_convolver_name(convolver), backend);
    void *workspace = mc_alloc_aligned(mc_convolver_workspace_bytes(convolver), 1);
    memset(workspace, 0xff, mc_convolver_workspace_bytes(convolver));
    const void *bias = c.has_bias ? b : NULL;
    for (int repeat = 0; repeat < 2; repeat++)
        assert_ok(mc_convolver_forward(convolver, x, w, bias, NULL, y, workspace, &err), err);
    expect(g, "y", a->y, y, c.dtype, a->ny, c.M, out, c.y_last);
    if (c.backward) {
        void *grad_b = c.has_bias ? db : NULL;
        assert_ok(mc_convolver_backward_data(convolver, dy, w, dx, workspace, &err), err);
        assert_ok(mc_convolver_backward_weights(convolver, x, dy, dw, grad_b, workspace, &err), err);
        expect(g, "dx", a->dx, dx, c.dtype, a->nx, c.C, in, c.x_last);
        expect(g, "dw", a->dw, dw, c.dtype, a->nw, 1, 1, false);
        if (c.has_bias) expect(g, "db", a->db, db, c.dtype, a->nb, 1, 1, false);
        memset(db, 0xff, (size_t)a->nb * sizeof(float));
        assert_ok(mc_convolver_backward_weights(convolver, x, dy, NULL, grad_b, workspace, &err), err);
        if (c.has_bias) expect(g, "db alone", a->db, db, c.dtype, a->nb, 1, 1, false);
    }
    mc_convolver_destroy(convolver);
    void *all[] = {x, w, b, dy, y, dx, dw, db, workspace};
    for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
}

/* y = min(max(y + z, low), high), with z apart from y and in its place. */
static void run_finished(const struct geometry *g, const struct mc_convolution *conv, const struct arrays *a,
                         const struct mc_runtime *runtime, const char *backend)
{
    struct mc_error err = {0};
    const int64_t in = mc_window_inputs(&conv->window), out = mc_window_outputs(&conv->window);
    double *finished = MC_NEW_ARRAY(double, a->ny), most = 1;
    for (int64_t i = 0; i < a->ny; i++) most = fmax(most, fabs(a->y[i]));
    for (int adds = 0; adds < 2; adds++)
        for (int bounded = !adds; bounded < 2; bounded++) {
            struct mc_convolution c = *conv;
            void *x = to_backend(a->x, c.dtype, a->nx, c.C, in, c.x_last);
            void *w = to_backend(a->w, c.dtype, a->nw, 1, 1, false), *b = to_backend(a->b, c.dtype, a->nb, 1, 1, false);
            void *z = to_backend(a->dy, c.dtype, a->ny, c.M, out, c.y_last), *y = nan_array(a->ny);
            c.weights = w;
            c.adds = adds;
            c.bounded = bounded;
            c.low = (float)(-0.25 * most);
            c.high = (float)(0.9 * most);
            for (int64_t i = 0; i < a->ny; i++) {
                finished[i] = a->y[i] + (adds ? a->dy[i] : 0);
                if (bounded) finished[i] = fmin(fmax(finished[i], (double)c.low), (double)c.high);
            }
            struct mc_convolver *convolver;
            assert_ok(mc_convolver_create(&convolver, &c, runtime, &err), err);
            if (backend) assert_string_equal(mc_convolver_name(convolver), backend);
            void *workspace = mc_alloc_aligned(mc_convolver_workspace_bytes(convolver), 1);
            const void *bias = c.has_bias ? b : NULL;
            assert_ok(mc_convolver_forward(convolver, x, w, bias, z, y, workspace, &err), err);
            expect(g, "finished y", finished, y, c.dtype, a->ny, c.M, out, c.y_last);
            assert_ok(mc_convolver_forward(convolver, x, w, bias, z, z, workspace, &err), err);
            expect(g, "finished y in the place of z", finished, z, c.dtype, a->ny, c.M, out, c.y_last);
            mc_convolver_destroy(convolver);
            void *all[] = {x, w, b, z, y, workspace};
            for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
        }
    mc_free(finished);
}

static struct mc_convolution convolution_of(const struct geometry *g)
{
    struct mc_convolution c = {.dtype = MC_FLOAT, .N = g->N, .C = g->C, .M = g->M, .groups = g->groups, .window = g->w};
    struct mc_window *w = &c.window;
    for (int k = 0; k < w->rank; k++)
        w->out[k] = (w->in[k] + w->begin[k] + w->end[k] - mc_window_reach(w, k)) / w->stride[k] + 1;
    return c;
}

static struct mc_convolution convolution_like(const struct geometry *g, const struct mc_convolution *like)
{
    struct mc_convolution c = convolution_of(g);
    c.dtype = like->dtype;
    c.has_bias = like->has_bias;
    c.backward = like->backward;
    c.x_last = like->x_last;
    c.y_last = like->y_last;
    return c;
}

static void check_one(const struct geometry *g, const struct mc_convolution *like, const struct mc_runtime *runtime,
                      const char *backend)
{
    const struct mc_convolution c = convolution_like(g, like);
    struct arrays a;
    arrays_init(&a, &c);
    arrays_compute(&a, &c);
    run_passes(g, &c, &a, runtime, backend);
    if (c.dtype == MC_FLOAT && !c.backward) run_finished(g, &c, &a, runtime, backend);
    arrays_finish(&a);
}

static void check(const struct mc_convolution *like, const struct mc_runtime *runtime, const char *backend)
{
    for (size_t i = 0; i < MC_COUNT(geometries); i++) check_one(&geometries[i], like, runtime, backend);
}

static void test_im2col_agrees_with_the_sum_in_every_type_and_pass(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct mc_runtime runtime;
        mc_runtime_init(&runtime, threads, MC_CPU_AVX512);
        runtime.use_onednn = false;
        check(&(struct mc_convolution){.dtype = MC_FLOAT, .has_bias = true, .backward = true}, &runtime, "im2col");
        check(&(struct mc_convolution){.dtype = MC_DOUBLE, .has_bias = true, .backward = true}, &runtime, "im2col");
        check(&(struct mc_convolution){.dtype = MC_DOUBLE, .backward = true}, &runtime, "im2col");
        check(&(struct mc_convolution){.dtype = MC_FLOAT, .has_bias = true}, &runtime, "im2col");
    }
}

static void test_double_precision_is_computed_whatever_the_runtime_prefers(void **state)
{
    (void)state;
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 2, MC_CPU_AVX512);
    check(&(struct mc_convolution){.dtype = MC_DOUBLE, .has_bias = true, .backward = true}, &runtime, "im2col");
}

#if MC_HAVE_ONEDNN
static void test_onednn_agrees_with_the_sum_in_every_pass(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct mc_runtime runtime;
        mc_runtime_init(&runtime, threads, MC_CPU_AVX512);
        runtime.use_onednn = true;
        check(&(struct mc_convolution){.dtype = MC_FLOAT, .has_bias = true, .backward = true}, &runtime, NULL);
        check(&(struct mc_convolution){.dtype = MC_FLOAT, .backward = true}, &runtime, NULL);
        check(&(struct mc_convolution){.dtype = MC_FLOAT, .has_bias = true}, &runtime, NULL);
    }
}

#endif

/* Tiles that reach beyond the image, channels that fill no vector, blocks and panels that are not full, several images,
 * uneven and no padding, more threads than blocks. The last are small images of many channels, which get small tiles.
 */
static const struct geometry for_winograd[] = {
    {"whole tiles", 1, 16, 16, 1, {2, {8, 8}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"cut tiles", 2, 13, 21, 1, {2, {9, 15}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"no pads", 1, 12, 40, 1, {2, {10, 13}, {0}, {3, 3}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"uneven pads", 3, 17, 33, 1, {2, {11, 7}, {0}, {3, 3}, {1, 1}, {1, 1}, {2, 0}, {0, 2}}},
    {"several panels", 1, 24, 150, 1, {2, {12, 12}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"several blocks", 2, 48, 16, 1, {2, {37, 29}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"small tiles", 1, 130, 120, 1, {2, {7, 7}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"small tiles, odd channels", 1, 131, 139, 1, {2, {6, 6}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
};

/* Every kernel and stride that has code of its own, and others; padding on all sides, more than the kernel, none;
 * channels that are no whole vectors, images that fit one slice and not. */
static const struct geometry for_depthwise[] = {
    {"3x3", 2, 32, 32, 32, {2, {9, 15}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"3x3, strided", 3, 32, 32, 32, {2, {10, 15}, {0}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}},
    {"3x3, odd channels", 11, 37, 37, 37, {2, {7, 7}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"5x5", 2, 24, 24, 24, {2, {12, 13}, {0}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}}},
    {"5x5, strided", 2, 49, 49, 49, {2, {14, 13}, {0}, {5, 5}, {2, 2}, {1, 1}, {1, 2}, {2, 1}}},
    {"7x7", 1, 48, 48, 48, {2, {14, 11}, {0}, {7, 7}, {1, 1}, {1, 1}, {3, 3}, {3, 3}}},
    {"7x7, strided", 1, 20, 20, 20, {2, {15, 16}, {0}, {7, 7}, {2, 2}, {1, 1}, {3, 3}, {3, 3}}},
    {"one position", 9, 40, 40, 40, {2, {1, 1}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"two by two, strided", 9, 33, 33, 33, {2, {2, 2}, {0}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}},
    {"uneven", 2, 16, 16, 16, {2, {9, 8}, {0}, {2, 3}, {3, 1}, {1, 2}, {0, 2}, {2, 1}}},
    {"strides of one axis", 2, 17, 17, 17, {2, {9, 8}, {0}, {3, 3}, {1, 3}, {2, 1}, {1, 0}, {1, 0}}},
    {"pads beyond the kernel", 2, 16, 16, 16, {2, {3, 4}, {0}, {3, 3}, {1, 1}, {1, 1}, {4, 5}, {3, 4}}},
    {"pads beyond the kernel, strided", 2, 16, 16, 16, {2, {3, 4}, {0}, {3, 3}, {2, 2}, {1, 1}, {4, 5}, {3, 4}}},
    {"inputs that nothing meets", 2, 16, 16, 16, {2, {8, 9}, {0}, {3, 3}, {4, 4}, {1, 1}, {0, 0}, {0, 0}}},
    {"one axis", 3, 19, 19, 19, {1, {40}, {0}, {31}, {1}, {1}, {15}, {15}}},
    {"one axis, strided and dilated", 3, 16, 16, 16, {1, {40}, {0}, {9}, {2}, {3}, {5}, {7}}},
    {"images of many bytes", 2, 16, 16, 16, {2, {64, 65}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
};

/* Panels of all widths, the last of which overlap; blocks that are not full, cut across lines and along them; a single
 * position; padding on one side, on both and beyond the kernel; lines too short for the product. */
static const struct geometry for_implicit[] = {
    {"one vector", 1, 3, 16, 1, {2, {5, 5}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"overlapping", 2, 7, 17, 1, {2, {4, 9}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"two panels", 1, 33, 80, 1, {2, {13, 13}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"uneven panels", 1, 40, 107, 1, {2, {3, 3}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"one position", 1, 50, 200, 1, {2, {1, 1}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"weights beyond the cache", 1, 520, 530, 1, {2, {4, 5}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"many blocks", 1, 150, 24, 1, {1, {3000}, {0}, {1}, {1}, {1}, {0}, {0}}},
    {"three axes, one tap", 2, 5, 18, 1, {3, {3, 4, 5}, {0}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}}},
    {"five by five", 3, 1, 20, 1, {2, {28, 28}, {0}, {5, 5}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {"seven by seven, strided", 2, 3, 64, 1, {2, {61, 57}, {0}, {7, 7}, {2, 2}, {1, 1}, {3, 3}, {3, 3}}},
    {"one tap, strided", 2, 24, 33, 1, {2, {15, 14}, {0}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},
    {"short lines", 2, 40, 48, 1, {2, {14, 14}, {0}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}},
    {"short lines, one image", 1, 96, 130, 1, {2, {9, 7}, {0}, {3, 2}, {1, 1}, {1, 1}, {1, 0}, {1, 2}}},
    {"dilated", 2, 5, 17, 1, {2, {23, 21}, {0}, {3, 3}, {1, 2}, {2, 3}, {2, 1}, {1, 3}}},
    {"pads beyond the kernel", 2, 2, 16, 1, {2, {3, 3}, {0}, {2, 2}, {1, 1}, {1, 1}, {3, 0}, {0, 4}}},
    {"pads beyond the input", 1, 3, 16, 1, {2, {2, 2}, {0}, {3, 5}, {2, 3}, {1, 1}, {4, 6}, {3, 7}}},
    {"blocks of lines", 1, 64, 18, 1, {2, {50, 45}, {0}, {3, 3}, {2, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {"blocks along lines", 2, 48, 18, 1, {1, {3000}, {0}, {9}, {3}, {1}, {4}, {4}}},
    {"whole image", 4, 30, 60, 1, {2, {4, 5}, {0}, {4, 5}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
};

/* Forward, for constant weights: y channels last, x too (`sides` 1), or not (2), or one after the other (3). */
static void check_on_every_instruction_set(const struct geometry *g, size_t n, int sides, const char *backend)
{
    for (size_t i = 0; i < n; i++) {
        struct mc_convolution c =
            convolution_like(&g[i], &(struct mc_convolution){.dtype = MC_FLOAT, .has_bias = i % 2, .y_last = true});
        struct arrays a;
        arrays_init(&a, &c);
        arrays_compute(&a, &c);
        for (int k = 0; k < 3 * 3 * 2; k++) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, 1 + k % 3, (enum mc_cpu)(k / 3 % 3));
            c.x_last = k < 9;
            if (!(sides & (c.x_last ? 1 : 2))) continue;
            run_passes(&g[i], &c, &a, &runtime, backend);
            run_finished(&g[i], &c, &a, &runtime, backend);
        }
        arrays_finish(&a);
    }
}

static void test_winograd_agrees_with_the_sum_on_every_instruction_set(void **state)
{
    (void)state;
    check_on_every_instruction_set(for_winograd, MC_COUNT(for_winograd), 1, "Winograd");
}

/* Derivatives too, of weights that change, in batches of `images` at least. */
static void check_training_on_every_instruction_set(const struct geometry *g, size_t n, int64_t images,
                                                    const char *backend)
{
    for (size_t i = 0; i < n; i++) {
        const struct mc_convolution like = {
            .dtype = MC_FLOAT, .has_bias = i % 2, .backward = true, .x_last = true, .y_last = true};
        struct mc_convolution c = convolution_like(&g[i], &like);
        struct arrays a;
        if (c.N < images) c.N = images;
        if (mc_window_outputs(&c.window) == 1) c.y_last = false; /* which says nothing there */
        arrays_init(&a, &c);
        arrays_compute(&a, &c);
        for (int k = 0; k < 3; k++) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, 1 + k, (enum mc_cpu)k);
            run_passes(&g[i], &c, &a, &runtime, backend);
        }
        arrays_finish(&a);
    }
}

/* In batches that are worth packing the weights. */
static void test_winograd_agrees_in_every_pass_of_training(void **state)
{
    (void)state;
    check_training_on_every_instruction_set(for_winograd, MC_COUNT(for_winograd), 32, "Winograd");
}

static void test_depthwise_agrees_with_the_sum_on_every_instruction_set(void **state)
{
    (void)state;
    check_on_every_instruction_set(for_depthwise, MC_COUNT(for_depthwise), 1, NULL);
    check_training_on_every_instruction_set(for_depthwise, MC_COUNT(for_depthwise), 1, "depthwise");
}

static void test_implicit_gemm_agrees_with_the_sum_on_every_instruction_set(void **state)
{
    (void)state;
    check_on_every_instruction_set(for_implicit, MC_COUNT(for_implicit), 3, "implicit GEMM");
}

static void test_every_backend_takes_channels_last_on_either_side(void **state)
{
    (void)state;
    for (int sides = 1; sides <= 3; sides++) {
        for (int onednn = 0; onednn < 2; onednn++) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, 2, MC_CPU_AVX512);
            runtime.use_onednn = onednn;
            const struct mc_convolution like = {
                .dtype = MC_FLOAT, .has_bias = true, .backward = true, .x_last = sides & 1, .y_last = sides & 2};
            check(&like, &runtime, NULL);
        }
    }
}

/* The same bytes in every run with as many threads. */
static void test_results_repeat_bit_for_bit(void **state)
{
    (void)state;
    struct mc_error err = {0};
    for (int onednn = 0; onednn < 2; onednn++) {
        struct mc_runtime runtime;
        mc_runtime_init(&runtime, 2, MC_CPU_AVX512);
        runtime.use_onednn = onednn;
        struct mc_convolution c = convolution_of(&geometries[7]);
        c.N = 9;
        c.backward = c.has_bias = true;
        struct arrays a;
        arrays_init(&a, &c);
        float *x = to_backend(a.x, MC_FLOAT, a.nx, 1, 1, false), *dy = to_backend(a.dy, MC_FLOAT, a.ny, 1, 1, false);
        float *dw[2];
        for (int run = 0; run < 2; run++) {
            struct mc_convolver *convolver;
            assert_ok(mc_convolver_create(&convolver, &c, &runtime, &err), err);
            void *workspace = mc_alloc_aligned(mc_convolver_workspace_bytes(convolver), 1);
            float *db = nan_array(a.nb);
            dw[run] = nan_array(a.nw);
            assert_ok(mc_convolver_backward_weights(convolver, x, dy, dw[run], db, workspace, &err), err);
            mc_free(db);
            mc_free(workspace);
            mc_convolver_destroy(convolver);
        }
        assert_memory_equal(dw[0], dw[1], (size_t)a.nw * sizeof(float));
        void *all[] = {x, dy, dw[0], dw[1]};
        for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
        arrays_finish(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_im2col_agrees_with_the_sum_in_every_type_and_pass),
        cmocka_unit_test(test_double_precision_is_computed_whatever_the_runtime_prefers),
#if MC_HAVE_ONEDNN
        cmocka_unit_test(test_onednn_agrees_with_the_sum_in_every_pass),
#endif
        cmocka_unit_test(test_winograd_agrees_with_the_sum_on_every_instruction_set),
        cmocka_unit_test(test_winograd_agrees_in_every_pass_of_training),
        cmocka_unit_test(test_depthwise_agrees_with_the_sum_on_every_instruction_set),
        cmocka_unit_test(test_implicit_gemm_agrees_with_the_sum_on_every_instruction_set),
        cmocka_unit_test(test_every_backend_takes_channels_last_on_either_side),
        cmocka_unit_test(test_results_repeat_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
