/* fourier.c - see fourier.h. */
#include "kernel/fourier.h"

#include <math.h>

#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif

struct transform {
    int64_t n;
    const double *roots; /* e^(±2 pi i j / n) */
    double *terms;       /* of one sum */
};

static int64_t smallest_factor(int64_t n)
{
    for (int64_t p = 2; p * p <= n; p++)
        if (n % p == 0) return p;
    return n;
}

/* The transform of every stride-th number, n of them: p transforms of n / p, put together. */
static void divide(const struct transform *t, int64_t n, const double *in, int64_t stride, double *out)
{
    if (n == 1) {
        out[0] = in[0];
        out[1] = in[1];
        return;
    }
    const int64_t p = smallest_factor(n), m = n / p, step = t->n / n;
    for (int64_t r = 0; r < p; r++) divide(t, m, in + 2 * r * stride, stride * p, out + 2 * r * m);
    for (int64_t k = 0; k < m; k++) {
        for (int64_t r = 0; r < p; r++) {
            const double *x = out + 2 * (r * m + k), *w = t->roots + 2 * (r * k * step % t->n);
            t->terms[2 * r] = x[0] * w[0] - x[1] * w[1];
            t->terms[2 * r + 1] = x[0] * w[1] + x[1] * w[0];
        }
        for (int64_t q = 0; q < p; q++) {
            double re = 0, im = 0;
            for (int64_t r = 0; r < p; r++) {
                const double *x = t->terms + 2 * r, *w = t->roots + 2 * (q * r % p * (t->n / p));
                re += x[0] * w[0] - x[1] * w[1];
                im += x[0] * w[1] + x[1] * w[0];
            }
            out[2 * (q * m + k)] = re;
            out[2 * (q * m + k) + 1] = im;
        }
    }
}

int64_t mc_fourier_room(int64_t n)
{
    return 4 * n;
}

void mc_fourier_init(int64_t n, bool inverse, double *room)
{
    for (int64_t j = 0; j < n; j++) {
        const double angle = (inverse ? 2 : -2) * M_PI * (double)j / (double)n;
        room[2 * j] = cos(angle);
        room[2 * j + 1] = sin(angle);
    }
}

void mc_fourier(int64_t n, const double *in, double *out, double *room)
{
    const struct transform t = {.n = n, .roots = room, .terms = room + 2 * n};
    if (n > 0) divide(&t, n, in, 1, out);
}

/* --- in float32 --- */

struct single {
    int64_t n;
    const float *roots; /* e^(±2 pi i j / n) */
    float *terms;       /* of one prime */
};

/* y[q] = sum over r of x[r] root^(q r) for p numbers, a prime of them, `pace` apart. */
static void transform_prime(const struct single *t, int64_t p, const float *x, int64_t pace, float *y)
{
    for (int64_t q = 0; q <= p / 2; q++) {
        float even[2] = {x[0], x[1]}, odd[2] = {0, 0};
        for (int64_t r = 1; r <= p / 2; r++) {
            const float *a = x + 2 * r * pace, *b = x + 2 * (p - r) * pace;
            const float *w = t->roots + 2 * (q * r % p * (t->n / p));
            if (p == 2) {
                even[0] += w[0] * a[0];
                even[1] += w[0] * a[1];
                continue;
            }
            even[0] += w[0] * (a[0] + b[0]);
            even[1] += w[0] * (a[1] + b[1]);
            odd[0] -= w[1] * (a[1] - b[1]);
            odd[1] += w[1] * (a[0] - b[0]);
        }
        for (int part = 0; part < 2; part++) {
            y[2 * q + part] = even[part] + odd[part];
            if (q > 0 && p > 2) y[2 * (p - q) + part] = even[part] - odd[part];
        }
    }
}

/* The transform of x goes to every stride-th place of `out`. */
static void divide_single(const struct single *t, int64_t n, float *x, float *spare, float *out, int64_t stride)
{
    if (n == 1) {
        out[0] = x[0];
        out[1] = x[1];
        return;
    }
    const int64_t p = smallest_factor(n), m = n / p, step = t->n / n;
    for (int64_t i = 0; i < m; i++) {
        float *y = t->terms;
        transform_prime(t, p, x + 2 * i, m, y);
        for (int64_t q = 0; q < p; q++) {
            const float *w = t->roots + 2 * (q * i * step % t->n);
            spare[2 * (q * m + i)] = y[2 * q] * w[0] - y[2 * q + 1] * w[1];
            spare[2 * (q * m + i) + 1] = y[2 * q] * w[1] + y[2 * q + 1] * w[0];
        }
    }
    for (int64_t q = 0; q < p; q++)
        divide_single(t, m, spare + 2 * q * m, x + 2 * q * m, out + 2 * q * stride, stride * p);
}

void mc_fourier_init_single(int64_t n, bool inverse, float *room)
{
    for (int64_t j = 0; j < n; j++) {
        const double angle = (inverse ? 2 : -2) * M_PI * (double)j / (double)n;
        room[2 * j] = (float)cos(angle);
        room[2 * j + 1] = (float)sin(angle);
    }
}

void mc_fourier_single(int64_t n, float *in, float *out, float *room)
{
    const struct single t = {.n = n, .roots = room, .terms = room + 4 * n};
    if (n > 0) divide_single(&t, n, in, room + 2 * n, out, 1);
}
