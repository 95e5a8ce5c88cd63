/* rank.c - ranks by share and by budget; see rank.h. */
#include "rewrite/rank.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

void mc_spectrum_sum(struct mc_spectrum *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) {
        sum += fmax(s->shares[i], 0);
        s->shares[i] = sum;
    }
    for (int64_t i = 0; i < s->n; i++) s->shares[i] = sum > 0 ? fmax(s->shares[i] / sum, DBL_MIN) : 1;
}

int64_t mc_spectrum_most(const struct mc_spectrum *s, int64_t step)
{
    const int64_t below = (int64_t)ceil(s->whole / s->a_rank) - 1, most = below < s->n ? below : s->n;
    return most / step * step;
}

void mc_rank_by_share(struct mc_spectrum *s, double share, int64_t step)
{
    const int64_t most = mc_spectrum_most(s, step);
    s->rank = 0;
    for (int64_t r = step; r <= most && s->rank == 0; r += step)
        if (s->shares[r - 1] >= share) s->rank = r;
}

/* --- budgets --- */

static double cost_of(const struct mc_spectrum *s)
{
    return s->rank ? (double)s->rank * s->a_rank : s->whole;
}

/* What a rank loses of the logarithm of the product. */
static double loss_of(const struct mc_spectrum *s, int64_t rank)
{
    return rank ? -log(s->shares[rank - 1]) : 0;
}

/* Losses grow with every rank that goes, so that from a whole layer the way begins with the cheapest rank of all, and
 * goes on one step at a time. */
static void find_next(struct mc_spectrum *s, int64_t step)
{
    const int64_t first = s->rank ? s->rank - step : mc_spectrum_most(s, step), last = s->rank ? first : step;
    s->next = 0;
    for (int64_t r = first; r >= last && r > 0; r -= step) {
        const double price = (loss_of(s, r) - loss_of(s, s->rank)) / (cost_of(s) - (double)r * s->a_rank);
        if (s->next && price >= s->price) continue;
        s->next = r;
        s->price = price;
    }
}

static bool cut_cheapest(struct mc_spectrum *spectra, int n, int64_t step, double *cost)
{
    struct mc_spectrum *best = NULL;
    for (int i = 0; i < n; i++)
        if (spectra[i].next && (!best || spectra[i].price < best->price)) best = &spectra[i];
    if (!best) return false;
    *cost -= cost_of(best);
    best->rank = best->next;
    *cost += cost_of(best);
    find_next(best, step);
    return true;
}

/* One step of rank to where it is worth most, of those that there is room for. */
static bool give_back(struct mc_spectrum *spectra, int n, int64_t step, double room, double *cost)
{
    struct mc_spectrum *best = NULL;
    double most = 0;
    for (int i = 0; i < n; i++) {
        struct mc_spectrum *s = &spectra[i];
        const double more = (double)step * s->a_rank;
        if (s->rank == 0 || s->rank + step > mc_spectrum_most(s, step) || more > room) continue;
        const double worth = (loss_of(s, s->rank) - loss_of(s, s->rank + step)) / more;
        if (best && worth <= most) continue;
        best = s;
        most = worth;
    }
    if (!best) return false;
    best->rank += step;
    *cost += (double)step * best->a_rank;
    return true;
}

bool mc_rank_by_budget(struct mc_spectrum *spectra, int n, double budget, int64_t step, double *cost)
{
    *cost = 0;
    for (int i = 0; i < n; i++) {
        spectra[i].rank = 0;
        find_next(&spectra[i], step);
        *cost += spectra[i].whole;
    }
    while (*cost > budget)
        if (!cut_cheapest(spectra, n, step, cost)) return false;
    while (give_back(spectra, n, step, budget - *cost, cost)) continue;
    return true;
}
