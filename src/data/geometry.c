/* geometry.c - images to one size; see geometry.h. */
#include "data/geometry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- options --- */

/* "a" or "axb"; *b is 0 for the first. */
static bool read_sides(const char *text, int64_t *a, int64_t *b)
{
    char *end;
    *a = strtol(text, &end, 10);
    *b = 0;
    if (end == text || *a < 1 || *a > MC_GEOMETRY_MAX_SIDE) return false;
    if (!*end) return true;
    if (*end != 'x') return false;
    text = end + 1;
    *b = strtol(text, &end, 10);
    return end != text && !*end && *b >= 1 && *b <= MC_GEOMETRY_MAX_SIDE;
}

static int refuse(const char *option, const char *text, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs N or HEIGHTxWIDTH of 1 to %d pixels, has '%s'",
                        option, MC_GEOMETRY_MAX_SIDE, text);
}

int mc_geometry_read(struct mc_geometry *g, const struct mc_spec *spec, struct mc_error *err)
{
    const char *resize = mc_spec_text(spec, "resize"), *crop = mc_spec_text(spec, "crop");
    *g = (struct mc_geometry){0};
    int64_t a = 0, b = 0;
    if (resize) {
        if (!read_sides(resize, &a, &b)) return refuse("resize", resize, err);
        if (b)
            g->height = a, g->width = b;
        else
            g->shorter = a;
    }
    if (!crop) {
        g->crop_height = g->crop_width = g->shorter;
        return MC_OK;
    }
    if (!read_sides(crop, &a, &b)) return refuse("crop", crop, err);
    g->crop_height = a;
    g->crop_width = b ? b : a;
    return MC_OK;
}

bool mc_geometry_is_none(const struct mc_geometry *g)
{
    return !g->shorter && !g->height && !g->crop_height;
}

/* --- extents --- */

/* What resizing alone makes of [H, W]. */
static void resized(const struct mc_geometry *g, int64_t H, int64_t W, int64_t *h, int64_t *w)
{
    *h = g->height ? g->height : H;
    *w = g->height ? g->width : W;
    if (!g->shorter) return;
    *h = H <= W ? g->shorter : g->shorter * H / W;
    *w = W <= H ? g->shorter : g->shorter * W / H;
}

int mc_geometry_extents(const struct mc_geometry *g, int64_t H, int64_t W, int64_t *h, int64_t *w, struct mc_error *err)
{
    resized(g, H, W, h, w);
    if (g->crop_height > *h || g->crop_width > *w)
        return mc_error_set(err, MC_ERR_INPUT, "%lld x %lld pixels cannot be cut out of %lld x %lld",
                            (long long)g->crop_width, (long long)g->crop_height, (long long)*w, (long long)*h);
    if (g->crop_height) {
        *h = g->crop_height;
        *w = g->crop_width;
    }
    return MC_OK;
}

/* --- resizing --- */

/* For each of `n_out` positions, which inputs it is made of and by what weights. */
struct taps {
    int64_t most; /* weights kept for each */
    int64_t *first, *n;
    float *weights; /* [n_out, most] */
};

static void finish_taps(struct taps *t)
{
    mc_free(t->first);
    mc_free(t->n);
    mc_free(t->weights);
}

static bool make_taps(struct taps *t, int64_t n_in, int64_t n_out)
{
    const double scale = (double)n_in / (double)n_out, support = scale > 1 ? scale : 1;
    t->most = (int64_t)ceil(support) * 2 + 1;
    t->first = MC_NEW_ARRAY(int64_t, n_out);
    t->n = MC_NEW_ARRAY(int64_t, n_out);
    t->weights = mc_alloc((size_t)n_out, (size_t)t->most * sizeof *t->weights);
    if (!t->first || !t->n || !t->weights) return false;
    for (int64_t i = 0; i < n_out; i++) {
        const double centre = ((double)i + 0.5) * scale;
        const int64_t low = (int64_t)(centre - support + 0.5), high = (int64_t)(centre + support + 0.5);
        const int64_t first = low > 0 ? low : 0, last = high < n_in ? high : n_in;
        float *weights = t->weights + i * t->most;
        double sum = 0;
        for (int64_t k = first; k < last; k++) {
            const double distance = fabs(((double)k + 0.5 - centre) / support);
            sum += distance < 1 ? 1 - distance : 0;
        }
        for (int64_t k = first; k < last; k++) {
            const double distance = fabs(((double)k + 0.5 - centre) / support);
            weights[k - first] = (float)((distance < 1 ? 1 - distance : 0) / sum);
        }
        t->first[i] = first;
        t->n[i] = last - first;
    }
    return true;
}

/* [rows, n_in] to [rows, n_out]. */
static void resize_rows(const struct taps *t, int64_t rows, int64_t n_in, int64_t n_out, const float *x, float *y)
{
    for (int64_t r = 0; r < rows; r++, x += n_in, y += n_out)
        for (int64_t i = 0; i < n_out; i++) {
            const float *from = x + t->first[i], *weights = t->weights + i * t->most;
            float sum = 0;
            for (int64_t k = 0; k < t->n[i]; k++) sum += from[k] * weights[k];
            y[i] = sum;
        }
}

/* [C, n_in, width] to [C, n_out, width]. */
static void resize_columns(const struct taps *t, int64_t C, int64_t n_in, int64_t n_out, int64_t width, const float *x,
                           float *y)
{
    memset(y, 0, (size_t)(C * n_out * width) * sizeof *y);
    for (int64_t c = 0; c < C; c++, x += n_in * width)
        for (int64_t i = 0; i < n_out; i++, y += width)
            for (int64_t k = 0; k < t->n[i]; k++) {
                const float weight = t->weights[i * t->most + k], *from = x + (t->first[i] + k) * width;
                for (int64_t w = 0; w < width; w++) y[w] += weight * from[w];
            }
}

static int resize(int64_t C, int64_t H, int64_t W, const float *x, int64_t h, int64_t w, float *y, struct mc_error *err)
{
    struct taps across = {0}, down = {0};
    float *narrow = mc_alloc_aligned((size_t)(C * H * w), sizeof *narrow);
    const bool ready = narrow && make_taps(&across, W, w) && make_taps(&down, H, h);
    if (ready) {
        resize_rows(&across, C * H, W, w, x, narrow);
        resize_columns(&down, C, H, h, w, narrow, y);
    }
    finish_taps(&across);
    finish_taps(&down);
    mc_free(narrow);
    return ready ? MC_OK : mc_error_memory(err);
}

/* The middle of [C, H, W]; an odd rest goes below and to the right. */
static void crop(int64_t C, int64_t H, int64_t W, const float *x, int64_t h, int64_t w, float *y)
{
    const int64_t top = (H - h) / 2, left = (W - w) / 2;
    for (int64_t c = 0; c < C; c++)
        for (int64_t i = 0; i < h; i++)
            memcpy(y + (c * h + i) * w, x + (c * H + top + i) * W + left, (size_t)w * sizeof *y);
}

int mc_geometry_apply(const struct mc_geometry *g, int64_t C, int64_t H, int64_t W, const float *x, float *y,
                      struct mc_error *err)
{
    int64_t whole_h, whole_w, h, w;
    int rc = mc_geometry_extents(g, H, W, &h, &w, err);
    if (rc < 0) return rc;
    resized(g, H, W, &whole_h, &whole_w);
    if (whole_h == H && whole_w == W) {
        crop(C, H, W, x, h, w, y);
        return MC_OK;
    }
    if (whole_h == h && whole_w == w) return resize(C, H, W, x, h, w, y, err);
    float *whole = mc_alloc_aligned((size_t)(C * whole_h * whole_w), sizeof *whole);
    rc = whole ? resize(C, H, W, x, whole_h, whole_w, whole, err) : mc_error_memory(err);
    if (rc == MC_OK) crop(C, whole_h, whole_w, whole, h, w, y);
    mc_free(whole);
    return rc;
}
