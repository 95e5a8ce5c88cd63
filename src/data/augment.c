/* augment.c - samples changed at random; see augment.h. */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/suggest.h"

/* --- what a specification says --- */

enum { MIXUP = -1 };

static const struct {
    const char *name;
    int kind;
    double usual, low, high; /* of the amount; 0: it takes none */
    bool whole;
} ways[] = {
    {"crop", MC_AUGMENT_CROP, 4, 1, 1024, true},     {"flip", MC_AUGMENT_FLIP, 0, 0, 0, false},
    {"shift", MC_AUGMENT_SHIFT, 2, 1, 1024, true},   {"rotate", MC_AUGMENT_ROTATE, 15, 1e-3, 180, false},
    {"cutout", MC_AUGMENT_CUTOUT, 8, 1, 1024, true}, {"mixup", MIXUP, 0.2, 1e-3, 100, false},
};

static int find_way(const char *name, size_t *way, struct mc_error *err)
{
    const char *names[MC_COUNT(ways)];
    for (*way = 0; *way < MC_COUNT(ways); ++*way) {
        if (strcmp(ways[*way].name, name) == 0) return MC_OK;
        names[*way] = ways[*way].name;
    }
    mc_error_set(err, MC_ERR_USAGE,
                 "augment: needs crop:N, flip, shift:N, rotate:DEGREES, cutout:N or mixup:ALPHA, has '%s'", name);
    const char *nearest = mc_suggest(name, names, MC_COUNT(ways));
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return MC_ERR_USAGE;
}

static int read_amount(size_t way, const char *text, double *amount, struct mc_error *err)
{
    const double low = ways[way].low, high = ways[way].high;
    char *end;
    *amount = ways[way].usual;
    if (!text) return MC_OK;
    if (high == 0)
        return mc_error_set(err, MC_ERR_USAGE, "augment: '%s' takes no number, has '%s'", ways[way].name, text);
    *amount = strtod(text, &end);
    if (end != text && !*end && *amount >= low && *amount <= high && (!ways[way].whole || *amount == floor(*amount)))
        return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "augment: '%s' needs %s from %g to %g, has '%s'", ways[way].name,
                        ways[way].whole ? "an integer" : "a number", low, high, text);
}

/* One way, "name" or "name:amount". */
static int add_way(struct mc_augment *a, char *word, const struct mc_shape *sample, struct mc_error *err)
{
    char *colon = strchr(word, ':');
    if (colon) *colon++ = '\0';
    size_t way = 0;
    double amount = 0;
    int rc = find_way(word, &way, err);
    if (rc == MC_OK) rc = read_amount(way, colon, &amount, err);
    if (rc < 0) return rc;
    if (ways[way].kind == MIXUP) {
        a->mixup = amount;
        return MC_OK;
    }
    if (sample->rank != 3)
        return mc_error_set(err, MC_ERR_USAGE,
                            "augment: '%s' needs images [C, H, W], the data's samples have %d dimensions", word,
                            sample->rank);
    if (a->n == MC_AUGMENT_MAX)
        return mc_error_set(err, MC_ERR_USAGE, "augment: at most %d ways are taken", MC_AUGMENT_MAX);
    a->steps[a->n++] = (struct mc_augment_step){(enum mc_augment_kind)ways[way].kind, amount};
    return MC_OK;
}

int mc_augment_add(struct mc_augment *a, const char *text, const struct mc_shape *sample, struct mc_error *err)
{
    char *copy = mc_strdup(text);
    int rc = copy ? MC_OK : mc_error_memory(err);
    for (char *word = copy; rc == MC_OK && word;) {
        char *next = strchr(word, '+');
        if (next) *next++ = '\0';
        rc = add_way(a, word, sample, err);
        word = next;
    }
    mc_free(copy);
    return rc;
}

bool mc_augment_is_none(const struct mc_augment *a)
{
    return a->n == 0 && a->mixup == 0;
}

/* --- the ways --- */

struct image {
    int64_t C, H, W;
    float *x, *spare;
};

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* A whole number in [-most, most]. */
static int64_t draw_offset(struct mc_rng *rng, int64_t most)
{
    return (int64_t)mc_rng_below(rng, (uint64_t)(2 * most + 1)) - most;
}

static void keep(const struct image *m)
{
    memcpy(m->spare, m->x, (size_t)(m->C * m->H * m->W) * sizeof *m->x);
}

/* Row h, column w of the new image are row h - down, column w - right of the old. */
static void move(const struct image *m, int64_t down, int64_t right, bool repeat)
{
    keep(m);
    for (int64_t c = 0; c < m->C; c++)
        for (int64_t h = 0; h < m->H; h++) {
            float *to = m->x + (c * m->H + h) * m->W;
            const bool inside = h - down >= 0 && h - down < m->H;
            if (!repeat && !inside) {
                memset(to, 0, (size_t)m->W * sizeof *to);
                continue;
            }
            const float *from = m->spare + (c * m->H + clamp(h - down, m->H)) * m->W;
            for (int64_t w = 0; w < m->W; w++) {
                const int64_t k = w - right;
                to[w] = k >= 0 && k < m->W ? from[k] : repeat ? from[clamp(k, m->W)] : 0;
            }
        }
}

static void flip(const struct image *m)
{
    for (int64_t r = 0; r < m->C * m->H; r++) {
        float *row = m->x + r * m->W;
        for (int64_t i = 0, k = m->W - 1; i < k; i++, k--) {
            const float swap = row[i];
            row[i] = row[k];
            row[k] = swap;
        }
    }
}

static float bilinear(const float *plane, int64_t H, int64_t W, double y, double x)
{
    const double top = floor(y), left = floor(x), below = y - top, beside = x - left;
    const int64_t h0 = clamp((int64_t)top, H), h1 = clamp((int64_t)top + 1, H);
    const int64_t w0 = clamp((int64_t)left, W), w1 = clamp((int64_t)left + 1, W);
    const double a = plane[h0 * W + w0] * (1 - beside) + plane[h0 * W + w1] * beside;
    const double b = plane[h1 * W + w0] * (1 - beside) + plane[h1 * W + w1] * beside;
    return (float)(a * (1 - below) + b * below);
}

static void rotate(const struct image *m, double degrees)
{
    const double angle = degrees * 3.14159265358979323846 / 180, s = sin(angle), c = cos(angle);
    const double middle_y = (double)(m->H - 1) / 2, middle_x = (double)(m->W - 1) / 2;
    keep(m);
    for (int64_t h = 0; h < m->H; h++)
        for (int64_t w = 0; w < m->W; w++) {
            const double dy = (double)h - middle_y, dx = (double)w - middle_x;
            const double y = middle_y + c * dy - s * dx, x = middle_x + s * dy + c * dx;
            for (int64_t k = 0; k < m->C; k++)
                m->x[(k * m->H + h) * m->W + w] = bilinear(m->spare + k * m->H * m->W, m->H, m->W, y, x);
        }
}

static void cut_out(const struct image *m, struct mc_rng *rng, int64_t side, const double *mean)
{
    const int64_t top = (int64_t)mc_rng_below(rng, (uint64_t)m->H) - side / 2;
    const int64_t left = (int64_t)mc_rng_below(rng, (uint64_t)m->W) - side / 2;
    for (int64_t c = 0; c < m->C; c++)
        for (int64_t h = top > 0 ? top : 0; h < top + side && h < m->H; h++)
            for (int64_t w = left > 0 ? left : 0; w < left + side && w < m->W; w++)
                m->x[(c * m->H + h) * m->W + w] = mean ? (float)mean[c] : 0;
}

void mc_augment_apply(const struct mc_augment *a, const struct mc_shape *sample, struct mc_rng *rng, const double *mean,
                      float *x, float *spare)
{
    const struct image m = {sample->dim[0], sample->dim[1], sample->dim[2], x, spare};
    for (int i = 0; i < a->n; i++) {
        const double amount = a->steps[i].amount;
        int64_t down, right;
        switch (a->steps[i].kind) {
        case MC_AUGMENT_CROP:
        case MC_AUGMENT_SHIFT:
            down = draw_offset(rng, (int64_t)amount);
            right = draw_offset(rng, (int64_t)amount);
            move(&m, down, right, a->steps[i].kind == MC_AUGMENT_SHIFT);
            break;
        case MC_AUGMENT_FLIP:
            if (mc_rng_below(rng, 2)) flip(&m);
            break;
        case MC_AUGMENT_ROTATE:
            rotate(&m, mc_rng_range(rng, -amount, amount));
            break;
        case MC_AUGMENT_CUTOUT:
            cut_out(&m, rng, (int64_t)amount, mean);
            break;
        }
    }
}

/* --- mixup --- */

/* Gamma(a, 1): Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); below 1 by the power of a
 * uniform number that raises a by 1. */
static double gamma_variate(struct mc_rng *rng, double a)
{
    const double boost = a < 1 ? pow(1 - mc_rng_uniform(rng), 1 / a) : 1;
    const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double z = mc_rng_normal(rng), v = (1 + c * z) * (1 + c * z) * (1 + c * z);
        if (v > 0 && log(1 - mc_rng_uniform(rng)) < z * z / 2 + d - d * v + d * log(v)) return boost * d * v;
    }
}

double mc_augment_beta(struct mc_rng *rng, double a)
{
    const double x = gamma_variate(rng, a), y = gamma_variate(rng, a);
    return x + y > 0 ? x / (x + y) : 0.5;
}
