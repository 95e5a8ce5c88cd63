/* spread.c - bounds of activations; see spread.h. */
#include "quantize/spread.h"

#include <float.h>
#include <math.h>

enum { STEPS = 256, TRIED = 80 }; /* bounds: shares 1, 0.99, ... of those that were seen */

bool mc_spread_see(struct mc_spread *spread, const float *x, int64_t n)
{
    float low = (float)spread->low, high = (float)spread->high;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        finite &= isfinite(x[i]) != 0;
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    spread->low = (double)low;
    spread->high = (double)high;
    return finite;
}

/* Width of a cell; 0 where all is 0. */
static double width_of(const struct mc_spread *s)
{
    return (s->high - s->low) / MC_SPREAD_CELLS;
}

void mc_spread_count(struct mc_spread *spread, const float *x, int64_t n)
{
    const double width = width_of(spread), per = width > 0 ? 1 / width : 0;
    for (int64_t i = 0; i < n; i++) {
        const int at = (int)(((double)x[i] - spread->low) * per);
        spread->counts[at < MC_SPREAD_CELLS ? at : MC_SPREAD_CELLS - 1]++;
    }
    spread->n += (double)n;
}

/* --- bounds --- */

/* Where `share` of the numbers lie below. */
static double quantile(const struct mc_spread *s, double share)
{
    double below = 0;
    int cell = 0;
    while (cell < MC_SPREAD_CELLS && below + s->counts[cell] <= share * s->n) below += s->counts[cell++];
    return s->low + width_of(s) * cell;
}

/* Square of what rounding and cutting off take from the middle of each cell. */
static double squared_error(const struct mc_spread *s, double low, double high)
{
    const double step = (high - low) / (STEPS - 1), width = width_of(s);
    double sum = 0;
    for (int cell = 0; cell < MC_SPREAD_CELLS; cell++) {
        const double x = s->low + width * (cell + 0.5), cut = x < low ? low : x > high ? high : x;
        const double off = x - (low + rint((cut - low) / step) * step);
        sum += s->counts[cell] * off * off;
    }
    return sum;
}

/* Step of the 256 that a cell falls to. */
static int step_of(const struct mc_spread *s, double low, double high, int cell)
{
    const double x = s->low + width_of(s) * (cell + 0.5), at = (x - low) / (high - low) * STEPS;
    return at < 0 ? 0 : at >= STEPS ? STEPS - 1 : (int)at;
}

/* Divergence of the counts, what is cut off added to the outermost cells, from the same spread evenly over those cells
 * of a step that have any. */
static double divergence(const struct mc_spread *s, double low, double high)
{
    double inside[STEPS] = {0}, all[STEPS] = {0}, sum = 0, mass = 0;
    int filled[STEPS] = {0};
    for (int cell = 0; cell < MC_SPREAD_CELLS; cell++) {
        const double x = s->low + width_of(s) * (cell + 0.5);
        const int step = step_of(s, low, high, cell);
        all[step] += s->counts[cell];
        if (x < low || x > high) continue;
        inside[step] += s->counts[cell];
        filled[step] += s->counts[cell] > 0;
        mass += s->counts[cell];
    }
    for (int step = 0; step < STEPS; step++)
        if (all[step] > 0 && filled[step] == 0) return INFINITY; /* what is cut off would be nowhere */
    for (int cell = 0; cell < MC_SPREAD_CELLS; cell++) {
        const double x = s->low + width_of(s) * (cell + 0.5);
        const int step = step_of(s, low, high, cell);
        if (x < low || x > high || s->counts[cell] == 0) continue;
        const double p = (s->counts[cell] + (all[step] - inside[step]) / filled[step]) / s->n;
        const double q = inside[step] / filled[step] / mass;
        sum += p * log(p / q);
    }
    return sum;
}

void mc_spread_bounds(const struct mc_spread *spread, enum mc_calibration by, double percent, double *low, double *high)
{
    *low = spread->low;
    *high = spread->high;
    if (by == MC_CALIBRATION_MINMAX || spread->n == 0 || !(*high > *low)) return;
    if (by == MC_CALIBRATION_PERCENTILE) {
        const double cut = (1 - percent / 100) / 2;
        *low = fmin(quantile(spread, cut), 0);
        *high = fmax(quantile(spread, 1 - cut), 0);
        if (!(*high > *low)) *low = spread->low, *high = spread->high;
        return;
    }
    double least = INFINITY;
    for (int k = 0; k < TRIED; k++) {
        const double share = 1 - k / 100.0, l = spread->low * share, h = spread->high * share;
        const double cost = by == MC_CALIBRATION_MSE ? squared_error(spread, l, h) : divergence(spread, l, h);
        if (cost < least) least = cost, *low = l, *high = h;
    }
}

void mc_steps_between(double low, double high, int least, float *scale, int *zero)
{
    *scale = high > low ? fmaxf((float)((high - low) / (STEPS - 1)), FLT_MIN) : 1;
    const double at = rint(-low / (double)*scale);
    *zero = least + (int)(at < 0 ? 0 : at > STEPS - 1 ? STEPS - 1 : at);
}
