/* sample.c - GridSample (ONNX opset 16, 20): values of x [N, C, in…] at the places that grid [N, out…, r] names; and
 * AffineGrid (20), which names them. Spatial Transformer Networks: Jaderberg et al. 2015.
 *
 * -1 and 1 are the outer edges of the input, or with align_corners the centres of its outermost elements.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/cubic.h"
#include "op/outline.h"

enum { SPATIAL = MC_MAX_RANK - 2 };
enum mode { NEAREST, LINEAR, CUBIC };
enum padding { ZEROS, BORDER, REFLECTION };

struct sampler {
    enum mode mode;
    enum padding padding;
    bool corners;
    int r;
    const struct mc_tensor *x, *grid, *dy;
    struct mc_tensor *y, *dx, *d_grid;
    int64_t strides[SPATIAL]; /* within a plane of x */
};

static int read_modes(const struct mc_node *node, struct sampler *s, struct mc_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const older[] = {"nearest", "bilinear",
                                                                                         "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const int padding = mc_node_choice(node, "padding_mode", paddings, 3, ZEROS);
    int mode = mc_node_choice(node, "mode", modes, 3, LINEAR);
    if (mode < 0) mode = mc_node_choice(node, "mode", older, 3, -1);
    if (mode < 0 || padding < 0)
        return mc_error_set(err, MC_ERR_INPUT, "attribute '%s' has a value that is none of its",
                            mode < 0 ? "mode" : "padding_mode");
    s->mode = (enum mode)mode;
    s->padding = (enum padding)padding;
    s->corners = mc_node_int(node, "align_corners", 0) != 0;
    return MC_OK;
}

static int sample_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct sampler s;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 3, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 1, in[1], in[0]->shape.rank, in[0]->shape.rank, err);
    if (rc == MC_OK) rc = read_modes(node, &s, err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[0]->shape, *grid = &in[1]->shape;
    const int r = x->rank - 2;
    if (grid->dim[0] != x->dim[0] || grid->dim[r + 1] != r)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %d coordinates for each of %" PRId64 " samples",
                            node->inputs[1]->name, r, x->dim[0]);
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = *x};
    for (int k = 0; k < r; k++) {
        out[0].shape.dim[2 + k] = grid->dim[1 + k];
        if (x->dim[2 + k] == 0 && mc_shape_count(grid) > 0)
            return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': has nothing to sample", node->inputs[0]->name);
    }
    return MC_OK;
}

static void sample_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    mc_outline_same(s, node, in, out);
    if (in[1]->rank != in[0]->rank) out[0] = mc_outline_of_rank(in[0]->rank);
    for (int k = 2; k < in[0]->rank && in[1]->rank == in[0]->rank; k++) out[0].dim[k] = in[1]->dim[k - 1];
}

/* Mirrored at both ends until it lies in [low, high]. */
static double reflect(double v, double low, double high)
{
    const double span = high - low;
    if (span <= 0 || !isfinite(v)) return low;
    double off = fmod(fabs(v - low), 2 * span);
    if (off > span) off = 2 * span - off;
    return low + off;
}

static int64_t clamp(double v, int64_t extent)
{
    return !(v > 0) ? 0 : v >= (double)extent ? extent - 1 : (int64_t)v;
}

static double low_edge(const struct sampler *s)
{
    return s->corners ? 0 : -0.5;
}

static double high_edge(const struct sampler *s, int64_t extent)
{
    return (double)extent - (s->corners ? 1 : 0.5);
}

/* A coordinate of the grid in elements of an axis, brought back where that is asked for. */
static double place(const struct sampler *s, double v, int64_t extent)
{
    const double low = low_edge(s), high = high_edge(s, extent), n = (double)extent;
    double x = s->corners ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2;
    if (s->mode == NEAREST) x = nearbyint(x);
    if ((x >= low && x <= high) || s->mode == CUBIC) return x; /* cubic: its elements are brought back instead */
    if (s->padding == BORDER) return fmin(fmax(x, 0), n - 1);
    return s->padding == REFLECTION ? reflect(x, low, high) : x;
}

/* The element that stands for index i of an axis; -1: zero does. */
static int64_t index_of(const struct sampler *s, double i, int64_t extent)
{
    if (i >= 0 && i < (double)extent) return (int64_t)i;
    if (s->padding == ZEROS || isnan(i)) return -1;
    if (s->padding == BORDER) return clamp(i, extent);
    return clamp(reflect(i, low_edge(s), high_edge(s, extent)), extent);
}

/* Along an axis: up to four elements, their weights, and how those change with the place. */
struct taps {
    int n;
    int64_t index[4];
    double weight[4], slope[4];
};

static void find_taps(const struct sampler *s, double x, int64_t extent, struct taps *t)
{
    const double floor_x = floor(x), f = x - floor_x, a = -0.75;
    if (s->mode == NEAREST) {
        *t = (struct taps){.n = 1, .index = {index_of(s, x, extent)}, .weight = {1}};
        return;
    }
    if (s->mode == LINEAR)
        *t = (struct taps){.n = 2, .weight = {1 - f, f}, .slope = {-1, 1}};
    else
        *t = (struct taps){.n = 4,
                           .weight = {mc_cubic(f + 1, a), mc_cubic(f, a), mc_cubic(1 - f, a), mc_cubic(2 - f, a)},
                           .slope = {mc_cubic_slope(f + 1, a), mc_cubic_slope(f, a), -mc_cubic_slope(1 - f, a),
                                     -mc_cubic_slope(2 - f, a)}};
    for (int i = 0; i < t->n; i++) t->index[i] = index_of(s, floor_x + i - (s->mode == CUBIC), extent);
}

/* The sum over all combinations of taps of axes k and on. */
static double blend(const struct sampler *s, const struct taps *taps, int k, int64_t at)
{
    if (k == s->r) return mc_tensor_get_f64(s->x, at);
    double sum = 0;
    for (int i = 0; i < taps[k].n; i++)
        if (taps[k].index[i] >= 0)
            sum += taps[k].weight[i] * blend(s, taps, k + 1, at + taps[k].index[i] * s->strides[k]);
    return sum;
}

/* Of point p, along all axes; the grid names the last one first. */
static int64_t coordinate(const struct sampler *s, int64_t p, int k)
{
    return p * s->r + s->r - 1 - k;
}

static void find_all_taps(const struct sampler *s, int64_t p, struct taps *taps)
{
    const struct mc_shape *x = &s->x->shape;
    for (int k = 0; k < s->r; k++)
        find_taps(s, place(s, mc_tensor_get_f64(s->grid, coordinate(s, p, k)), x->dim[2 + k]), x->dim[2 + k], &taps[k]);
}

static void sample_range(void *context, int64_t begin, int64_t end)
{
    const struct sampler *s = context;
    const struct mc_shape *x = &s->x->shape;
    const int64_t points = mc_shape_span(&s->grid->shape, 1, s->r + 1), C = x->dim[1];
    const int64_t plane = mc_shape_span(x, 2, x->rank);
    struct taps taps[SPATIAL];
    for (int64_t p = begin; p < end; p++) {
        const int64_t n = p / points;
        find_all_taps(s, p, taps);
        for (int64_t c = 0; c < C; c++)
            mc_tensor_set_f64(s->y, (n * C + c) * points + p % points, blend(s, taps, 0, (n * C + c) * plane));
    }
}

static int sample_forward(struct mc_step *step, struct mc_error *err)
{
    struct sampler s = {.r = step->in[0]->shape.rank - 2, .x = step->in[0], .grid = step->in[1], .y = step->out[0]};
    int64_t strides[MC_MAX_RANK];
    const int rc = read_modes(step->node, &s, err);
    if (rc < 0) return rc;
    mc_strides(&s.x->shape, strides);
    for (int k = 0; k < s.r; k++) s.strides[k] = strides[2 + k];
    mc_parallel(mc_shape_span(&s.grid->shape, 0, s.r + 1), mc_parallel_grain(64 * s.x->shape.dim[1]), sample_range, &s);
    return MC_OK;
}

/* How far the place goes when the coordinate does: not at all where it is held at a border, backwards where it is
 * reflected an odd number of times. */
static double place_slope(const struct sampler *s, double v, int64_t extent)
{
    const double low = low_edge(s), high = high_edge(s, extent), n = (double)extent, span = high - low;
    const double factor = (s->corners ? n - 1 : n) / 2, x = s->corners ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2;
    if (s->mode == NEAREST) return 0;
    if ((x >= low && x <= high) || s->mode == CUBIC || s->padding == ZEROS) {
        if (s->padding != BORDER || s->mode == CUBIC || (x >= 0 && x <= n - 1)) return factor;
        return 0;
    }
    if (s->padding == BORDER || span <= 0 || !isfinite(x)) return 0;
    const bool mirrored = fmod(fabs(x - low), 2 * span) > span;
    return (x < low) != mirrored ? -factor : factor;
}

/* One output's gradient g: to every element that it is made of, and to the place along every axis. */
static void blend_back(const struct sampler *s, const struct taps *taps, int64_t start, double g, double *by_place)
{
    int64_t n = 1;
    for (int k = 0; k < s->r; k++) n *= taps[k].n;
    for (int64_t i = 0; i < n; i++) {
        int chosen[SPATIAL];
        int64_t at = start, left = i;
        double weight = 1;
        bool inside = true;
        for (int k = 0; k < s->r; k++) {
            chosen[k] = (int)(left % taps[k].n);
            left /= taps[k].n;
            inside &= taps[k].index[chosen[k]] >= 0;
            at += taps[k].index[chosen[k]] * s->strides[k];
            weight *= taps[k].weight[chosen[k]];
        }
        if (!inside) continue;
        if (s->dx) mc_tensor_set_f64(s->dx, at, mc_tensor_get_f64(s->dx, at) + g * weight);
        for (int k = 0; k < s->r && s->d_grid; k++) {
            double slope = g * mc_tensor_get_f64(s->x, at) * taps[k].slope[chosen[k]];
            for (int j = 0; j < s->r; j++) slope *= j == k ? 1 : taps[j].weight[chosen[j]];
            by_place[k] += slope;
        }
    }
}

/* Points of one sample add to the same elements. */
static void sample_range_back(void *context, int64_t begin, int64_t end)
{
    const struct sampler *s = context;
    const struct mc_shape *x = &s->x->shape;
    const int64_t points = mc_shape_span(&s->grid->shape, 1, s->r + 1), C = x->dim[1];
    const int64_t plane = mc_shape_span(x, 2, x->rank);
    struct taps taps[SPATIAL];
    for (int64_t p = begin * points; p < end * points; p++) {
        const int64_t n = p / points;
        double by_place[SPATIAL] = {0};
        find_all_taps(s, p, taps);
        for (int64_t c = 0; c < C; c++)
            blend_back(s, taps, (n * C + c) * plane, mc_tensor_get_f64(s->dy, (n * C + c) * points + p % points),
                       by_place);
        for (int k = 0; k < s->r && s->d_grid; k++) {
            const int64_t at = coordinate(s, p, k);
            mc_tensor_set_f64(s->d_grid, at,
                              by_place[k] * place_slope(s, mc_tensor_get_f64(s->grid, at), x->dim[2 + k]));
        }
    }
}

static int sample_backward(struct mc_step *step, struct mc_error *err)
{
    struct sampler s = {.r = step->in[0]->shape.rank - 2,
                        .x = step->in[0],
                        .grid = step->in[1],
                        .dy = step->grad_out[0],
                        .dx = step->grad_in[0],
                        .d_grid = step->grad_in[1]};
    int64_t strides[MC_MAX_RANK];
    const int rc = read_modes(step->node, &s, err);
    if (rc < 0) return rc;
    if (s.dx) mc_zero(s.dx);
    mc_strides(&s.x->shape, strides);
    for (int k = 0; k < s.r; k++) s.strides[k] = strides[2 + k];
    mc_parallel(s.x->shape.dim[0], mc_parallel_grain(128 * mc_tensor_count(s.dy)), sample_range_back, &s);
    return MC_OK;
}

const struct mc_op mc_op_grid_sample_16 = {
    .domain = "",
    .type = "GridSample",
    .since = 16,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .widens = true,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .shape = sample_shape,
    .outline = sample_outline,
    .forward = sample_forward,
    .backward = sample_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

/* --- AffineGrid: theta [N, r, r + 1], size (N, C, extents…) to grid [N, extents…, r] --- */

static int affine_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    int64_t size[5];
    int n = 0, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 3, 3, err);
    if (rc == MC_OK) rc = mc_need_ints(node, 1, in[1], size, 5, &n, err);
    if (rc < 0) return rc;
    const struct mc_shape *theta = &in[0]->shape;
    const int r = n - 2;
    if (n < 4 || theta->dim[1] != r || theta->dim[2] != r + 1 || theta->dim[0] != size[0])
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': %d extents do not go with the matrices",
                            node->inputs[1]->name, n);
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = {.rank = r + 2}};
    out[0].shape.dim[0] = size[0];
    for (int k = 0; k < r; k++) {
        if (size[2 + k] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': an extent of %" PRId64, node->inputs[1]->name,
                                size[2 + k]);
        out[0].shape.dim[1 + k] = size[2 + k];
    }
    out[0].shape.dim[r + 1] = r;
    return MC_OK;
}

/* Where point p of the grid [N, extents…, r] lies, and a 1 behind. */
static void grid_place(const struct mc_step *step, const struct mc_shape *grid, int64_t p, double place[4])
{
    const int r = grid->rank - 2;
    const bool corners = mc_node_int(step->node, "align_corners", 0) != 0;
    int64_t left = p % mc_shape_span(grid, 1, r + 1);
    for (int k = r - 1; k >= 0; k--) { /* the last axis is x, the first coordinate */
        const int64_t extent = grid->dim[1 + k], i = left % extent;
        left /= extent;
        place[r - 1 - k] = corners ? (extent > 1 ? -1 + 2 * (double)i / (double)(extent - 1) : -1)
                                   : (2 * (double)i + 1) / (double)extent - 1;
    }
    place[r] = 1;
}

static int affine_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *theta = step->in[0];
    struct mc_tensor *y = step->out[0];
    const int r = y->shape.rank - 2;
    const int64_t points = mc_shape_span(&y->shape, 0, r + 1), of_sample = mc_shape_span(&y->shape, 1, r + 1);
    for (int64_t p = 0; p < points; p++) {
        double at[4];
        grid_place(step, &y->shape, p, at);
        for (int a = 0; a < r; a++) {
            double sum = 0;
            for (int b = 0; b <= r; b++) sum += at[b] * mc_tensor_get_f64(theta, (p / of_sample * r + a) * (r + 1) + b);
            mc_tensor_set_f64(y, p * r + a, sum);
        }
    }
    return MC_OK;
}

static int affine_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct mc_tensor *to = step->grad_in[0];
    const int r = dy->shape.rank - 2;
    const int64_t of_sample = mc_shape_span(&dy->shape, 1, r + 1);
    mc_zero(to);
    for (int64_t n = 0; n < dy->shape.dim[0]; n++) {
        double sums[3][4] = {{0}};
        for (int64_t p = n * of_sample; p < (n + 1) * of_sample; p++) {
            double at[4];
            grid_place(step, &dy->shape, p, at);
            for (int i = 0; i < r * (r + 1); i++)
                sums[i / (r + 1)][i % (r + 1)] += mc_tensor_get_f64(dy, p * r + i / (r + 1)) * at[i % (r + 1)];
        }
        for (int i = 0; i < r * (r + 1); i++)
            mc_tensor_set_f64(to, n * r * (r + 1) + i, sums[i / (r + 1)][i % (r + 1)]);
    }
    return MC_OK;
}

const struct mc_op mc_op_affine_grid_20 = {
    .domain = "",
    .type = "AffineGrid",
    .since = 20,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .widens = true,
    .grad_inputs = 1,
    .shape = affine_shape,
    .forward = affine_forward,
    .backward = affine_backward,
    .others = "a shape",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
