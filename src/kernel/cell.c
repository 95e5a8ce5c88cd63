/* cell.c - units of recurrent cells; see cell.h. Compiled once per instruction set. */
#include "kernel/cell.h"

#include "kernel/approx.h"
#include "kernel/lanes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_cells MC_VARIANT(mc_cells);

static void lstm(int64_t n, const float *x, const float *h, float *c, float *state)
{
    SIMD for (int64_t k = 0; k < n; k++)
    {
        const float i = mc_sigmoidf(x[k] + h[k]), f = mc_sigmoidf(x[2 * n + k] + h[2 * n + k]);
        c[k] = f * c[k] + i * mc_tanhf(x[3 * n + k] + h[3 * n + k]);
    }
    SIMD for (int64_t k = 0; k < n; k++) state[k] = mc_sigmoidf(x[n + k] + h[n + k]) * mc_tanhf(c[k]);
}

static void gru_gates(int64_t n, const float *x, float *h, const float *state, float *masked)
{
    SIMD for (int64_t k = 0; k < 2 * n; k++) h[k] = mc_sigmoidf(x[k] + h[k]);
    if (!masked) return;
    SIMD for (int64_t k = 0; k < n; k++) masked[k] = h[n + k] * state[k];
}

static void gru(int64_t n, const float *x, const float *h, const float *bias, float *state)
{
    if (bias) {
        SIMD for (int64_t k = 0; k < n; k++)
        {
            const float fresh = mc_tanhf(x[2 * n + k] + (h[2 * n + k] + bias[k]) * h[n + k]);
            state[k] = (1.0f - h[k]) * fresh + h[k] * state[k];
        }
    } else {
        SIMD for (int64_t k = 0; k < n; k++)
        {
            const float fresh = mc_tanhf(x[2 * n + k] + h[2 * n + k]);
            state[k] = (1.0f - h[k]) * fresh + h[k] * state[k];
        }
    }
}

static void rnn(int64_t n, const float *x, const float *h, float *state)
{
    SIMD for (int64_t k = 0; k < n; k++) state[k] = mc_tanhf(x[k] + h[k]);
}

const struct mc_cells MC_VARIANT(mc_cells) = {lstm, gru_gates, gru, rnn};
