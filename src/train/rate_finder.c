/* rate_finder.c - the rate at which training may begin; see mc_rate_find in train.h. */
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "train/fit_state.h"

enum { STEPS = 200, LEAST = 20 };
#define FIRST 1e-7
#define LAST 10.0
#define SMOOTHING 0.95 /* of the mean that is looked at in the place of single losses */
#define DIVERGED 4.0   /* times the lowest loss */

struct sweep {
    int n;
    double rate[STEPS], loss[STEPS]; /* smoothed */
};

static double rate_of(int step)
{
    return FIRST * pow(LAST / FIRST, (double)step / (STEPS - 1));
}

/* Step after step at growing rates, until the loss leaves what it has reached. */
static int run(struct mc_fit *f, struct sweep *s, struct mc_error *err)
{
    double mean = 0, best = INFINITY;
    int64_t begin = f->n_samples, epoch = 0;
    for (; s->n < STEPS; s->n++) {
        double loss;
        if (begin >= f->n_samples) {
            mc_feed_shuffle(&f->feed, epoch++);
            begin = 0;
        }
        const int64_t left = f->n_samples - begin, n = left < f->batch ? left : f->batch;
        const int rc = mc_fit_step(f, begin, rate_of(s->n), &loss, err);
        if (rc < 0) return rc;
        if (!isfinite(loss)) break;
        begin += n;
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss / (double)n;
        s->rate[s->n] = rate_of(s->n);
        s->loss[s->n] = mean / (1 - pow(SMOOTHING, s->n + 1));
        best = fmin(best, s->loss[s->n]);
        if (s->n > LEAST && s->loss[s->n] > DIVERGED * best) break;
        const struct mc_progress at = {
            .what = "rates", .done = s->n + 1, .total = STEPS, .loss = s->loss[s->n], .value = NAN};
        if (f->options->progress && !f->options->progress(f->options->progress_context, &at))
            return mc_error_set(err, MC_INTERRUPTED, "interrupted");
    }
    return MC_OK;
}

/* Where the loss falls fastest on its way to its lowest, per decade of the rate, over a tenth of the sweep; -1: it
 * never does. */
static int steepest(const struct sweep *s, int lowest)
{
    enum { SPAN = STEPS / 20 };
    int at = -1;
    double fall = 0;
    for (int i = SPAN; i + SPAN < s->n && i <= lowest; i++) {
        const double here = s->loss[i - SPAN] - s->loss[i + SPAN];
        if (here > fall) {
            fall = here;
            at = i;
        }
    }
    return at;
}

static void record(const struct sweep *s, double suggested, int lowest, struct mc_record *section)
{
    mc_record_set_num(section, "suggested", suggested);
    mc_record_set_num(section, "lowest", s->rate[lowest]);
    struct mc_record *curve = mc_record_array(section, "curve");
    for (int i = 0; i < s->n; i++) {
        struct mc_record *point = mc_record_append_object(curve);
        mc_record_set_num(point, "rate", s->rate[i]);
        mc_record_set_num(point, "loss", s->loss[i]);
    }
}

static int suggest(const struct sweep *s, double *rate, struct mc_record *section, struct mc_error *err)
{
    int lowest = 0;
    for (int i = 1; i < s->n; i++)
        if (s->loss[i] < s->loss[lowest]) lowest = i;
    const int at = s->n > 0 ? steepest(s, lowest) : -1;
    if (at < 0)
        return mc_error_set(err, MC_ERR_INPUT, "no rate from %g to %g makes the loss fall: none can be suggested",
                            FIRST, LAST);
    *rate = s->rate[at];
    if (section) record(s, *rate, lowest, section);
    return MC_OK;
}

int mc_rate_find(struct mc_model *model, const struct mc_dataset *data, const struct mc_fit_options *options,
                 double *rate, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options own = mc_fit_settled(options);
    own.rate = (struct mc_rate){.kind = MC_RATE_CONSTANT, .first = FIRST, .factor = 1};
    own.patience = 0;
    const int width = mc_runtime_enter(&own.runtime);
    struct mc_fit f;
    struct sweep s = {0};
    int rc = mc_fit_init(&f, model, data, &own, err);
    if (rc == MC_OK) {
        rc = run(&f, &s, err);
        mc_snapshot_restore(&f.good);
    }
    mc_fit_finish(&f);
    mc_runtime_leave(width);
    return rc == MC_OK ? suggest(&s, rate, section, err) : rc;
}
