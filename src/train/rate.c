/* rate.c - the learning rate over time; see rate.h. */
#include "train/rate.h"

#include <math.h>

/* --- plateau --- */

void mc_plateau_init(struct mc_plateau *plateau)
{
    *plateau = (struct mc_plateau){.best = INFINITY, .reduction = 1};
}

void mc_plateau_observe(struct mc_plateau *plateau, const struct mc_rate *rate, double loss)
{
    if (rate->kind != MC_RATE_PLATEAU) return;
    if (loss < plateau->best * (1 - 1e-4)) {
        plateau->best = loss;
        plateau->waited = 0;
    } else {
        plateau->waited++;
    }
    if ((double)plateau->waited <= rate->milestones[0]) return;
    plateau->reduction *= rate->factor;
    plateau->waited = 0;
}

/* --- schedules --- */

/* From `from` to `to` along half a cosine. */
static double ease(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(acos(-1) * share));
}

static int64_t milestones_passed(const struct mc_rate *rate, int64_t epoch)
{
    if (rate->n_milestones == 1) return (int64_t)((double)epoch / rate->milestones[0]);
    int64_t n = 0;
    for (int i = 0; i < rate->n_milestones; i++) n += (double)epoch >= rate->milestones[i];
    return n;
}

/* The first and the last step of both halves bear the rates at which they begin and end. */
static double one_cycle(const struct mc_rate *rate, double step, double n_steps)
{
    const double low = rate->first / 25, top = rate->rise * n_steps - 1, end = n_steps - 1;
    if (step <= top) return top > 0 ? ease(low, rate->first, step / top) : rate->first;
    return end > top ? ease(rate->first, low / 1e4, (step - top) / (end - top)) : rate->first;
}

double mc_rate_at(const struct mc_rate *rate, const struct mc_plateau *plateau, const struct mc_moment *at)
{
    const double warm = round(rate->warmup * (double)at->steps_per_epoch);
    const double t = fmax((double)at->step - warm, 0), T = fmax((double)at->n_steps - warm, 1);
    double now = rate->first;
    switch (rate->kind) {
    case MC_RATE_CONSTANT:
        break;
    case MC_RATE_STEP:
        now *= pow(rate->factor, (double)milestones_passed(rate, at->epoch));
        break;
    case MC_RATE_EXPONENTIAL:
        now *= pow(rate->factor, (double)at->epoch);
        break;
    case MC_RATE_LINEAR:
        now = rate->last + (rate->first - rate->last) * (1 - t / T);
        break;
    case MC_RATE_COSINE:
        now = ease(rate->first, rate->last, t / T);
        break;
    case MC_RATE_ONE_CYCLE:
        now = one_cycle(rate, t, T);
        break;
    case MC_RATE_PLATEAU:
        now *= plateau->reduction;
        break;
    }
    return (double)at->step < warm ? now * (double)(at->step + 1) / warm : now;
}
