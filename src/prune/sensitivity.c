/* sensitivity.c - one family after the other, measured; see sensitivity.h. */
#include "prune/sensitivity.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "prune/explain.h"
#include "train/train.h"

struct point {
    double ratio;
    int n; /* groups that are gone */
    int64_t width, macs;
    struct mc_metrics metrics;
};

struct curve {
    int family;
    int n;
    struct point points[MC_SENSITIVITY_MOST];
    double mean; /* change of the loss over all points */
};

struct probing {
    const struct mc_sensitivity_options *options;
    struct mc_cut cut;
    struct mc_metrics baseline;
    int n, n_points, n_done;
    struct curve *curves;
    struct mc_error *err;
};

static int measure(const struct probing *p, const struct mc_model *model, struct mc_metrics *metrics)
{
    const struct mc_sensitivity_options *o = p->options;
    return mc_evaluate(model, o->data, o->role, 0, MC_LOSS_AUTO, o->head, &o->shrink.runtime, metrics, p->err);
}

/* Which numbers of groups the ratios come to; 0 and repetitions are left out. */
static void list_points(struct probing *p, struct curve *curve)
{
    const struct mc_family *family = &p->cut.choice.families[curve->family];
    int last = 0;
    for (int i = 0; i < p->options->n_ratios; i++) {
        int n = (int)floor(p->options->ratios[i] * family->n_free + 1e-9);
        if (n >= family->n_groups) n = family->n_groups - 1;
        if (n > last) curve->points[curve->n++] = (struct point){.ratio = p->options->ratios[i], .n = n};
        if (n > last) last = n;
    }
    p->n_points += curve->n;
}

static int list_curves(struct probing *p)
{
    p->curves = MC_NEW_ARRAY(struct curve, p->cut.choice.n_families);
    if (!p->curves) return mc_error_memory(p->err);
    for (int f = 0; f < p->cut.choice.n_families; f++) {
        const struct mc_family *family = &p->cut.choice.families[f];
        if (family->n_free == 0 || !family->tensor) continue;
        p->curves[p->n].family = f;
        list_points(p, &p->curves[p->n++]);
    }
    return 0;
}

static int report(struct probing *p)
{
    const struct mc_samples *s = &p->options->shrink.samples;
    const struct mc_progress at = {
        .what = "sensitivity", .done = p->n_done++, .total = p->n_points, .loss = NAN, .value = NAN};
    if (!s->progress || s->progress(s->progress_context, &at)) return 0;
    return mc_error_set(p->err, MC_INTERRUPTED, "interrupted");
}

/* The model without the groups that were chosen. */
static int evaluate_cut(struct probing *p, struct mc_metrics *metrics)
{
    const int rc = mc_cut_run(&p->cut, p->err);
    return rc < 0 ? rc : measure(p, p->cut.small, metrics);
}

/* The same, unless its result is there already. */
static int find_result(struct probing *p, int family, struct point *point)
{
    const struct mc_sensitivity_results *results = &p->options->results;
    struct mc_metrics *m = &point->metrics;
    double *value = p->baseline.classification ? &m->accuracy : &m->mse;
    m->classification = p->baseline.classification;
    if (results->find && results->find(results->context, family, point->n, value, &m->loss)) return MC_OK;
    const int64_t started = mc_clock_ns();
    const int rc = evaluate_cut(p, m);
    const double seconds = (double)(mc_clock_ns() - started) * 1e-9;
    if (rc < 0 || !results->find) return rc;
    return results->add(results->context, family, point->n, *value, m->loss, seconds, p->err);
}

static int run_curve(struct probing *p, struct curve *curve)
{
    const struct mc_family *family = &p->cut.choice.families[curve->family];
    const int64_t width = mc_coupling_extent(p->cut.coupling, family->tensor, family->axis);
    int rc = 0;
    for (int i = 0; i < curve->n && rc == 0; i++) {
        struct point *point = &curve->points[i];
        rc = report(p);
        if (rc < 0) return rc;
        mc_cut_choose(&p->cut, curve->family, point->n);
        point->width = width - mc_choice_count(&p->cut.choice, p->cut.coupling, family->tensor, family->axis);
        rc = mc_choice_cost(&point->macs, MC_BUDGET_MACS, p->cut.work, &p->cut.facts, p->cut.coupling,
                            p->cut.choice.goes, p->err);
        if (rc == 0) rc = find_result(p, curve->family, point);
        curve->mean += (point->metrics.loss - p->baseline.loss) / curve->n;
    }
    mc_cut_choose(&p->cut, curve->family, 0);
    return rc;
}

static int by_mean(const void *a, const void *b)
{
    const struct curve *p = a, *q = b;
    if (p->mean != q->mean) return p->mean < q->mean ? -1 : 1;
    return (p->family > q->family) - (p->family < q->family);
}

/* --- the record --- */

static void record_metrics(const struct mc_metrics *m, const struct mc_metrics *baseline, struct mc_record *object)
{
    mc_record_set_num(object, "loss", m->loss);
    if (baseline) mc_record_set_num(object, "loss_change", m->loss - baseline->loss);
    if (!m->classification) {
        mc_record_set_num(object, "mse", m->mse);
        return;
    }
    mc_record_set_num(object, "accuracy", m->accuracy);
    if (baseline) mc_record_set_num(object, "accuracy_change", m->accuracy - baseline->accuracy);
}

static void record_curve(const struct probing *p, const struct curve *curve, struct mc_record *object)
{
    mc_explain_family(&p->cut, curve->family, object);
    struct mc_record *points = mc_record_array(object, "points");
    for (int i = 0; i < curve->n; i++) {
        const struct point *point = &curve->points[i];
        struct mc_record *entry = mc_record_append_object(points);
        mc_record_set_num(entry, "ratio", point->ratio);
        mc_record_set_int(entry, "groups_removed", point->n);
        mc_record_set_int(entry, "width", point->width);
        if (p->cut.choice.macs_before > 0)
            mc_record_set_num(entry, "macs_share", (double)point->macs / (double)p->cut.choice.macs_before);
        record_metrics(&point->metrics, &p->baseline, entry);
    }
    mc_record_set_num(object, "mean_loss_change", curve->mean);
}

static void record_all(const struct probing *p, struct mc_record *record)
{
    struct mc_record *baseline = mc_record_object(record, "baseline");
    mc_record_set_int(baseline, "samples", p->baseline.n_samples);
    record_metrics(&p->baseline, NULL, baseline);
    struct mc_record *families = mc_record_array(record, "families");
    for (int i = 0; i < p->n; i++) record_curve(p, &p->curves[i], mc_record_append_object(families));
}

static int check(const struct mc_sensitivity_options *o, struct mc_error *err)
{
    if (o->n_ratios < 1 || o->n_ratios > MC_SENSITIVITY_MOST)
        return mc_error_set(err, MC_ERR_USAGE, "needs 1 to %d ratios, has %d", MC_SENSITIVITY_MOST, o->n_ratios);
    for (int i = 0; i < o->n_ratios; i++)
        if (!(o->ratios[i] > 0 && o->ratios[i] <= 1))
            return mc_error_set(err, MC_ERR_USAGE, "a ratio needs to be in (0, 1], has %g", o->ratios[i]);
    if (o->data->n[o->role] == 0)
        return mc_error_set(err, MC_ERR_INPUT, "'%s' has no %s samples", o->data->spec, mc_data_role_name(o->role));
    return 0;
}

int mc_sensitivity(const struct mc_model *model, const struct mc_sensitivity_options *options, struct mc_record *record,
                   struct mc_error *err)
{
    struct probing p = {.options = options, .err = err};
    int rc = check(options, err);
    if (rc < 0) return rc;
    rc = mc_cut_init(&p.cut, model, &options->shrink, err);
    if (rc == 0) rc = list_curves(&p);
    if (rc == 0) rc = measure(&p, model, &p.baseline);
    for (int i = 0; i < p.n && rc == 0; i++) rc = run_curve(&p, &p.curves[i]);
    if (rc == 0) {
        qsort(p.curves, (size_t)p.n, sizeof(*p.curves), by_mean);
        record_all(&p, record);
        rc = mc_record_check(record, err);
    }
    mc_free(p.curves);
    mc_cut_finish(&p.cut);
    return rc;
}
