/* smallest.c - the fewest bytes that keep a metric within a bound (tune.objective: smallest); see tune_state.h.
 *
 * A ladder is the first axis of the space with one combination of the others: bisection finds the harshest of its
 * values that keeps the bound, as if all gentler ones did. Whoever shares the search knows which trials the others will
 * come to, from the results of those before.
 */
#include <math.h>

#include "base/error.h"
#include "recipe/tune_state.h"

/* A drop of 3 in 600 samples is one of 0.005, whatever their difference is as doubles. */
#define ROUNDING 1e-12

static bool holds(const struct mc_tune *t, const struct mc_candidate *c)
{
    const double drop = t->lower ? c->mean - t->base.mean : t->base.mean - c->mean;
    return drop <= t->max_drop + ROUNDING; /* false for one that failed */
}

/* The result of a trial: our own work, or another's. */
static int find(struct mc_tune *t, struct mc_candidate *c, bool own, struct mc_error *err)
{
    const int rc = own ? mc_tune_try(t, c->trial, err) : mc_tune_wait(t, c->trial, err);
    if (rc == MC_OK) mc_tune_summarize(t, c, 0);
    return rc;
}

static int climb(struct mc_tune *t, int ladder, bool own, struct mc_error *err)
{
    const int n = t->space.axes[0].n, n_ladders = t->n_trials / n;
    int low = -1, high = n, rc = MC_OK;
    while (high - low > 1 && rc == MC_OK) {
        const int middle = (low + high) / 2;
        struct mc_candidate *c = &t->candidates[middle * n_ladders + ladder];
        rc = find(t, c, own, err);
        if (rc < 0) return rc;
        c->holds = holds(t, c);
        if (c->holds)
            low = middle;
        else
            high = middle;
    }
    return rc;
}

/* First those that are ours, so that nobody waits for one who waits. */
static int climb_all(struct mc_tune *t, struct mc_error *err)
{
    const int n_ladders = t->n_trials / t->space.axes[0].n;
    int rc = MC_OK;
    for (int pass = 0; pass < 2; pass++)
        for (int ladder = 0; ladder < n_ladders && rc == MC_OK; ladder++) {
            const bool own = ladder % t->share.shares == t->share.share;
            if (own == (pass == 0)) rc = climb(t, ladder, own, err);
        }
    return rc;
}

static bool is_better(const struct mc_tune *t, const struct mc_candidate *a, const struct mc_candidate *b)
{
    if (a->tried != b->tried) return a->tried;
    if (a->holds != b->holds) return a->holds;
    if (a->holds && a->bytes != b->bytes) return a->bytes < b->bytes;
    if (isnan(a->mean) != isnan(b->mean)) return isnan(b->mean);
    if (a->mean != b->mean && !isnan(a->mean)) return t->lower ? a->mean < b->mean : a->mean > b->mean;
    return a->trial < b->trial;
}

static void sort(struct mc_tune *t)
{
    for (int i = 1; i < t->n_trials; i++) {
        const struct mc_candidate c = t->candidates[i];
        int k = i;
        for (; k > 0 && is_better(t, &c, &t->candidates[k - 1]); k--) t->candidates[k] = t->candidates[k - 1];
        t->candidates[k] = c;
    }
}

int mc_tune_smallest(struct mc_tune *t, struct mc_error *err)
{
    t->base = (struct mc_candidate){.trial = t->n_trials};
    int rc = find(t, &t->base, t->share.share == 0, err);
    if (rc == MC_OK && t->search == MC_SEARCH_LADDER) rc = climb_all(t, err);
    if (rc < 0) return rc;
    for (int i = 0; i < t->n_trials; i++)
        t->candidates[i].holds = t->candidates[i].tried && holds(t, &t->candidates[i]);
    sort(t);
    if (t->candidates[0].holds) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "no trial keeps the %s within %g of %.4f, which the model has", t->metric,
                        t->max_drop, t->base.mean);
}

void mc_tune_record_smallest(const struct mc_tune *t, struct mc_record *into)
{
    mc_record_set_text(into, "objective", "smallest");
    mc_record_set_num(into, "max_drop", t->max_drop);
    mc_record_set_text(into, "size", t->size == MC_TRIAL_PACKED ? "packed" : "file");
    struct mc_record *before = mc_record_object(into, "before");
    mc_record_set_num(before, "mean", t->base.mean);
    mc_record_set_num(before, "bytes", t->base.bytes);
}
