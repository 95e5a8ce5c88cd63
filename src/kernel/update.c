/* update.c - losses and optimizer steps for one instruction set; see update.h. Compiled as loops.c is. */
#include "kernel/update.h"

#include <math.h>
#include <stddef.h>

#include "kernel/approx.h"
#include "kernel/lanes.h"

extern const struct mc_updates MC_VARIANT(mc_updates);

/* --- optimizer steps --- */

/* Weights between two looks at the mask: few enough to be in the first-level cache still. */
#define BLOCK 1024

/* Clipped and with the coupled penalties; NaN stays. */
static inline float gradient(float g, float w, const struct mc_update *u)
{
    const float sign = w > 0 ? 1.0f : w < 0 ? -1.0f : 0.0f;
    const float scaled = u->scale * g;
    const float clipped = scaled > u->limit ? u->limit : scaled < -u->limit ? -u->limit : scaled;
    return clipped + u->l2 * w + u->l1 * sign;
}

static void apply_mask(int64_t n, float *w, const unsigned char *mask)
{
    SIMD for (int64_t i = 0; i < n; i++) w[i] = mask[i] ? w[i] : 0.0f;
}

/* A step over weights w[i] with the gradient d; the statements change m[i], v[i] and w[i]. `constants` stand before the
 * loop: a division there is one that no element has to wait for. */
#define OPTIMIZER(name, constants, statements)                                                                         \
    static void name(int64_t n, float *w, const float *g, float *m, float *v, const unsigned char *mask,               \
                     const struct mc_update *update)                                                                   \
    {                                                                                                                  \
        const struct mc_update u = *update;                                                                            \
        const float kept = 1.0f - u.rate * u.decay;                                                                    \
        (void)m, (void)v;                                                                                              \
        constants;                                                                                                     \
        for (int64_t begin = 0; begin < n; begin += BLOCK) {                                                           \
            const int64_t end = n - begin < BLOCK ? n : begin + BLOCK;                                                 \
            SIMD for (int64_t i = begin; i < end; i++)                                                                 \
            {                                                                                                          \
                const float d = gradient(g[i], w[i], &u);                                                              \
                statements;                                                                                            \
            }                                                                                                          \
            if (mask) apply_mask(end - begin, w + begin, mask + begin);                                                \
        }                                                                                                              \
    }

/* clang-format off */
OPTIMIZER(step_sgd, ,
    w[i] = kept * w[i] - u.rate * d)

OPTIMIZER(step_momentum, ,
    m[i] = u.momentum * m[i] + d;
    w[i] = kept * w[i] - u.rate * m[i])

OPTIMIZER(step_nesterov, ,
    m[i] = u.momentum * m[i] + d;
    w[i] = kept * w[i] - u.rate * (d + u.momentum * m[i]))

OPTIMIZER(step_adagrad, ,
    v[i] += d * d;
    w[i] = kept * w[i] - u.rate * d / (sqrtf(v[i]) + u.epsilon))

OPTIMIZER(step_rmsprop, ,
    v[i] = u.beta2 * v[i] + (1.0f - u.beta2) * d * d;
    w[i] = kept * w[i] - u.rate * d / (sqrtf(v[i]) + u.epsilon))

OPTIMIZER(step_adam,
    const float rate = u.rate / u.correction1; const float root = 1.0f / sqrtf(u.correction2),
    m[i] = u.beta1 * m[i] + (1.0f - u.beta1) * d;
    v[i] = u.beta2 * v[i] + (1.0f - u.beta2) * d * d;
    w[i] = kept * w[i] - rate * m[i] / (sqrtf(v[i]) * root + u.epsilon))

OPTIMIZER(step_lion, ,
    const float c = u.beta1 * m[i] + (1.0f - u.beta1) * d;
    const float sign = c > 0 ? 1.0f : c < 0 ? -1.0f : c; /* NaN stays */
    w[i] = kept * w[i] - u.rate * sign;
    m[i] = u.beta2 * m[i] + (1.0f - u.beta2) * d)

/* The second half of LAMB; the first has updated m and v. */
OPTIMIZER(step_lamb,
    const float rate = u.rate * u.trust; const float first = 1.0f / u.correction1;
    const float root = 1.0f / sqrtf(u.correction2); (void)kept,
    (void)d;
    w[i] -= rate * (first * m[i] / (sqrtf(v[i]) * root + u.epsilon) + u.decay * w[i]))
/* clang-format on */

static void lamb_moments(int64_t n, const float *w, const float *g, float *m, float *v, const unsigned char *mask,
                         const struct mc_update *update, double *weights, double *steps)
{
    const struct mc_update u = *update;
    const float first = 1.0f / u.correction1, root = 1.0f / sqrtf(u.correction2);
    SIMD for (int64_t i = 0; i < n; i++)
    {
        const float d = gradient(g[i], w[i], &u);
        m[i] = u.beta1 * m[i] + (1.0f - u.beta1) * d;
        v[i] = u.beta2 * v[i] + (1.0f - u.beta2) * d * d;
    }
#define STEP(k) ((double)(first * m[k] / (sqrtf(v[k]) * root + u.epsilon) + u.decay * w[k]))
    SUM(*weights, n, (double)w[k] * (double)w[k]);
    SUM(*steps, n, mask && !mask[k] ? 0.0 : STEP(k) * STEP(k));
#undef STEP
}

/* --- vectors --- */

static void average(int64_t n, float share, const float *x, float *mean)
{
    SIMD for (int64_t i = 0; i < n; i++) mean[i] = x[i] == 0 ? 0.0f : mean[i] + share * (x[i] - mean[i]);
}

static void axpy(int64_t n, float a, const float *x, float *y)
{
    SIMD for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void scale(int64_t n, float a, float *x)
{
    SIMD for (int64_t i = 0; i < n; i++) x[i] *= a;
}

static void shrink(int64_t n, float threshold, float *x)
{
    SIMD for (int64_t i = 0; i < n; i++)
    {
        const float rest = fabsf(x[i]) - threshold;
        x[i] = rest <= 0 ? 0.0f : copysignf(rest, x[i]); /* NaN stays */
    }
}

static double sum_of_squares(int64_t n, const float *x)
{
    double result;
    SUM(result, n, (double)x[k] * (double)x[k]);
    return result;
}

static double sum_of_magnitudes(int64_t n, const float *x)
{
    double result;
    SUM(result, n, fabsf(x[k]));
    return result;
}

/* --- losses --- */

static float largest(int64_t n, const float *x)
{
    float result = -INFINITY;
    for (int64_t i = 0; i < n; i++) result = x[i] > result ? x[i] : result;
    return result;
}

/* Sum over k of e^((z[k] - shift) / T); the summands into e unless that is NULL. e may be z. */
static double exponentials(int64_t n, const float *z, float shift, float inverse_temperature, float *e)
{
    double sum;
    if (e) {
        SIMD for (int64_t i = 0; i < n; i++) e[i] = mc_expf((z[i] - shift) * inverse_temperature);
        SUM(sum, n, e[k]);
    } else {
        SUM(sum, n, mc_expf((z[k] - shift) * inverse_temperature));
    }
    return sum;
}

static double cross_entropy(int64_t rows, int64_t classes, const float *z, const int64_t *labels, float weight,
                            float *dz)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++, z += classes) {
        const float shift = largest(classes, z);
        const double score = (double)(z[labels[r]] - shift);
        const double sum = exponentials(classes, z, shift, 1.0f, dz);
        loss += log(sum) - score;
        if (!dz) continue;
        scale(classes, (float)((double)weight / sum), dz);
        dz[labels[r]] -= weight;
        dz += classes;
    }
    return loss;
}

/* KL(p || q) = sum p (log p - log q), the logarithms taken from the scores, since a probability may have become 0. */
static double distil_row(int64_t n, const float *z, const float *teacher, float temperature, float weight, float *dz,
                         float *scratch)
{
    const float inverse = 1.0f / temperature;
    const float z_shift = largest(n, z), t_shift = largest(n, teacher);
    float *q = scratch, *p = scratch + n;
    const double q_sum = exponentials(n, z, z_shift, inverse, q);
    const double p_sum = exponentials(n, teacher, t_shift, inverse, p);
    double difference;
    SUM(difference, n, p[k] * (((teacher[k] - t_shift) - (z[k] - z_shift)) * inverse));
    if (dz) {
        const float to_q = (float)((double)(weight * inverse) / q_sum);
        const float to_p = (float)((double)(weight * inverse) / p_sum);
        SIMD for (int64_t i = 0; i < n; i++) dz[i] += to_q * q[i] - to_p * p[i];
    }
    return difference / p_sum - log(p_sum) + log(q_sum);
}

static double distil(int64_t rows, int64_t classes, const float *z, const float *teacher, float temperature,
                     float weight, float *dz, float *scratch)
{
    double divergence = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = r * classes;
        divergence += distil_row(classes, z + at, teacher + at, temperature, weight, dz ? dz + at : NULL, scratch);
    }
    return divergence;
}

static double soft_cross_entropy(int64_t rows, int64_t classes, const float *z, const float *t, float weight, float *dz)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++, z += classes, t += classes) {
        const float shift = largest(classes, z);
        double mass, score;
        SUM(mass, classes, t[k]);
        SUM(score, classes, (double)t[k] * (double)(z[k] - shift));
        const double sum = exponentials(classes, z, shift, 1.0f, dz);
        loss += mass * log(sum) - score;
        if (!dz) continue;
        const float to_p = (float)((double)weight * mass / sum);
        SIMD for (int64_t i = 0; i < classes; i++) dz[i] = to_p * dz[i] - weight * t[i];
        dz += classes;
    }
    return loss;
}

static double binary_cross_entropy(int64_t n, const float *z, const float *t, float weight, float *dz)
{
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)z[i];
        loss += fmax(x, 0) - x * (double)t[i] + log1p(exp(-fabs(x)));
    }
    if (dz) {
        SIMD for (int64_t i = 0; i < n; i++) dz[i] = weight * (mc_sigmoidf(z[i]) - t[i]);
    }
    return loss;
}

static double absolute_error(int64_t n, const float *y, const float *t, float weight, float *dy)
{
    double loss;
    SUM(loss, n, fabs((double)y[k] - (double)t[k]));
    if (dy) {
        SIMD for (int64_t i = 0; i < n; i++) dy[i] = y[i] > t[i] ? weight : y[i] < t[i] ? -weight : 0 * (y[i] - t[i]);
    }
    return loss;
}

/* e^2/2 up to delta and delta (|e| - delta/2) beyond are both |e| c - c^2/2 with c = min(|e|, delta). */
static double huber(int64_t n, const float *y, const float *t, float delta, float weight, float *dy)
{
    double loss;
#define ERROR(k) fabs((double)y[k] - (double)t[k])
#define NEAR(k) (ERROR(k) > (double)delta ? (double)delta : ERROR(k))
    SUM(loss, n, NEAR(k) * (ERROR(k) - NEAR(k) / 2));
#undef NEAR
#undef ERROR
    if (dy) {
        SIMD for (int64_t i = 0; i < n; i++)
        {
            const float e = y[i] - t[i];
            dy[i] = weight * (e > delta ? delta : e < -delta ? -delta : e);
        }
    }
    return loss;
}

static double squared_error(int64_t n, const float *y, const float *t, float weight, float *dy)
{
    double loss;
    SUM(loss, n, ((double)y[k] - (double)t[k]) * ((double)y[k] - (double)t[k]));
    if (dy) {
        SIMD for (int64_t i = 0; i < n; i++) dy[i] = 2 * weight * (y[i] - t[i]);
    }
    return loss;
}

const struct mc_updates MC_VARIANT(mc_updates) = {
    .sgd = step_sgd,
    .momentum = step_momentum,
    .nesterov = step_nesterov,
    .adagrad = step_adagrad,
    .rmsprop = step_rmsprop,
    .adam = step_adam,
    .lion = step_lion,
    .lamb = step_lamb,
    .lamb_moments = lamb_moments,
    .average = average,
    .axpy = axpy,
    .scale = scale,
    .shrink = shrink,
    .sum_of_squares = sum_of_squares,
    .sum_of_magnitudes = sum_of_magnitudes,
    .cross_entropy = cross_entropy,
    .soft_cross_entropy = soft_cross_entropy,
    .binary_cross_entropy = binary_cross_entropy,
    .absolute_error = absolute_error,
    .huber = huber,
    .distil = distil,
    .squared_error = squared_error,
};
