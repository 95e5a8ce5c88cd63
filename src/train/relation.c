/* relation.c - losses between features of a student and of a teacher; see relation.h. */
#include "train/relation.h"

#include <math.h>

/* --- attention --- */

size_t mc_attention_work(int64_t size)
{
    return 3 * (size_t)size;
}

/* The map of one sample into q; its norm before it was divided by that. 0: nothing but zeros. */
static double attention_map(int64_t channels, int64_t size, const float *a, double *q)
{
    double squares = 0;
    for (int64_t i = 0; i < size; i++) q[i] = 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < size; i++) q[i] += (double)a[c * size + i] * (double)a[c * size + i];
    for (int64_t i = 0; i < size; i++) squares += q[i] * q[i];
    const double norm = sqrt(squares);
    for (int64_t i = 0; i < size && norm > 0; i++) q[i] /= norm;
    return norm;
}

double mc_attention_loss(int64_t n, int64_t size, int64_t s_channels, const float *s, int64_t t_channels,
                         const float *t, double weight, float *ds, double *work)
{
    double *q = work, *p = work + size, *d = work + 2 * size, sum = 0;
    for (int64_t r = 0; r < n; r++, s += s_channels * size, t += t_channels * size) {
        const double norm = attention_map(s_channels, size, s, q);
        double along = 0;
        attention_map(t_channels, size, t, p);
        for (int64_t i = 0; i < size; i++) {
            const double e = q[i] - p[i];
            sum += e * e / (double)size;
            d[i] = 2 * weight * e / (double)size;
            along += d[i] * q[i];
        }
        if (!ds) continue;
        for (int64_t c = 0; norm > 0 && c < s_channels; c++)
            for (int64_t i = 0; i < size; i++)
                ds[c * size + i] += (float)((d[i] - along * q[i]) / norm * 2 * (double)s[c * size + i]);
        ds += s_channels * size;
    }
    return sum;
}

/* --- distances and angles --- */

size_t mc_relation_work(int64_t n)
{
    return (size_t)(3 * n * n + 4 * n);
}

static double huber(double e, double *slope)
{
    *slope = e > 1 ? 1 : e < -1 ? -1 : e;
    return fabs(e) <= 1 ? e * e / 2 : fabs(e) - 0.5;
}

/* All distances into d [n, n]; the mean of those that are not 0. */
static double distances(int64_t n, int64_t width, const float *x, double *d, int64_t *n_apart)
{
    double sum = 0;
    *n_apart = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double squares = 0;
            for (int64_t k = 0; k < width; k++) {
                const double e = (double)x[i * width + k] - (double)x[j * width + k];
                squares += e * e;
            }
            d[i * n + j] = sqrt(squares);
            sum += d[i * n + j];
            *n_apart += squares > 0;
        }
    return *n_apart ? sum / (double)*n_apart : 1;
}

double mc_distance_loss(int64_t n, int64_t s_width, const float *s, int64_t t_width, const float *t, double weight,
                        float *ds, double *work)
{
    double *a = work, *b = work + n * n, *slope = work + 2 * n * n, sum = 0, through_mean = 0;
    int64_t n_apart, ignored;
    const double mean = distances(n, s_width, s, a, &n_apart), t_mean = distances(n, t_width, t, b, &ignored);
    for (int64_t i = 0; i < n * n; i++) {
        sum += huber(a[i] / mean - b[i] / t_mean, &slope[i]);
        through_mean += slope[i] * a[i];
    }
    /* d/da of a / mean: the distance itself, and the mean that all have a part in */
    const double scale = weight / (double)n / mean, shared = n_apart ? through_mean / (mean * (double)n_apart) : 0;
    for (int64_t i = 0; ds && i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            if (a[i * n + j] == 0) continue;
            const double pull = 2 * scale * (slope[i * n + j] - shared) / a[i * n + j]; /* pairs stand here twice */
            for (int64_t k = 0; k < s_width; k++)
                ds[i * s_width + k] += (float)(pull * ((double)s[i * s_width + k] - (double)s[j * s_width + k]));
        }
    return sum / (double)n;
}

static double dot(int64_t n, const float *a, const float *b)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += (double)a[k] * (double)b[k];
    return sum;
}

/* All products of two points; whatever lies between three of them follows from these. */
static void products(int64_t n, int64_t width, const float *x, double *g)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) g[i * n + j] = g[j * n + i] = dot(width, x + i * width, x + j * width);
}

/* Distances from point i by the products; 0 for points that are one. */
static void lengths_from(int64_t n, const double *g, int64_t i, double *length)
{
    for (int64_t j = 0; j < n; j++) {
        const double squares = g[i * n + i] + g[j * n + j] - 2 * g[i * n + j];
        length[j] = squares > 1e-12 * (g[i * n + i] + g[j * n + j]) ? sqrt(squares) : 0;
    }
}

/* The cosine at point i between the directions to j and to m. */
static double cosine(int64_t n, const double *g, const double *length, int64_t i, int64_t j, int64_t m)
{
    if (length[j] == 0 || length[m] == 0) return 0;
    return (g[j * n + m] - g[i * n + j] - g[i * n + m] + g[i * n + i]) / (length[j] * length[m]);
}

/* Gradients are sums of points: what the angles at point i and in direction j give to the coefficients [n, n]. `slope`
 * and `cosines` are those of direction j; pairs stand there twice. */
static void add_coefficients(int64_t n, int64_t i, int64_t j, const double *length, const double *slope,
                             const double *cosines, double *c)
{
    double along = 0, all = 0;
    if (length[j] == 0) return;
    for (int64_t m = 0; m < n; m++) {
        if (length[m] == 0) continue;
        const double by = 2 * slope[m] / (length[j] * length[m]);
        along += 2 * slope[m] * cosines[m];
        all += by;
        c[j * n + m] += by;
        c[i * n + m] -= by;
    }
    along /= length[j] * length[j];
    c[j * n + i] += along - all;
    c[i * n + i] += all - along;
    c[j * n + j] -= along;
    c[i * n + j] += along;
}

double mc_angle_loss(int64_t n, int64_t s_width, const float *s, int64_t t_width, const float *t, double weight,
                     float *ds, double *work)
{
    double *g = work, *h = work + n * n, *c = h + n * n;
    double *s_length = c + n * n, *t_length = s_length + n, *slope = t_length + n, *cosines = slope + n, sum = 0;
    products(n, s_width, s, g);
    products(n, t_width, t, h);
    for (int64_t i = 0; i < n * n; i++) c[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        lengths_from(n, g, i, s_length);
        lengths_from(n, h, i, t_length);
        for (int64_t j = 0; j < n; j++) {
            for (int64_t m = 0; m < n; m++) {
                cosines[m] = cosine(n, g, s_length, i, j, m);
                sum += huber(cosines[m] - cosine(n, h, t_length, i, j, m), &slope[m]);
            }
            if (ds) add_coefficients(n, i, j, s_length, slope, cosines, c);
        }
    }
    const double scale = weight / (double)(n * n);
    for (int64_t i = 0; ds && i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; k < s_width; k++)
                ds[i * s_width + k] += (float)(scale * c[i * n + j] * (double)s[j * s_width + k]);
    return sum / (double)(n * n);
}
