/* predict.c - from points of a curve to the cost of every group; see predict.h. */
#include "prune/predict.h"

#include <string.h>

#include "base/error.h"

int mc_predict_check(const struct mc_record *curves, struct mc_error *err)
{
    if (strcmp(mc_record_get_text(curves, "title", ""), "compress sensitivity") == 0 &&
        mc_record_get(curves, "families"))
        return 0;
    return mc_error_set(err, MC_ERR_INPUT, "needs a record of 'compress sensitivity --json'");
}

static const struct mc_record *find_points(const struct mc_record *curves, const char *tensor, int64_t axis)
{
    const struct mc_record *families = mc_record_get(curves, "families");
    for (size_t i = 0; i < mc_record_size(families); i++) {
        const struct mc_record *family = mc_record_at(families, i);
        if (mc_record_get_int(family, "axis", -1) == axis &&
            strcmp(mc_record_get_text(family, "tensor", ""), tensor) == 0)
            return mc_record_get(family, "points");
    }
    return NULL;
}

/* Fill loss[from + 1 … to] on the line through (from, loss[from]) and (at, value). */
static void draw_line(double *loss, int64_t from, int64_t to, int64_t at, double value)
{
    const double slope = (value - loss[from]) / (double)(at - from);
    for (int64_t n = from + 1; n <= to; n++) loss[n] = loss[from] + slope * (double)(n - from);
}

/* Corners of the lower hull by Andrew's walk: a corner stays while the curve turns upwards there. */
static void make_convex(double *loss, int n)
{
    for (int from = 0, best; from < n; from = best) {
        best = n;
        for (int to = n - 1; to > from; to--)
            if ((loss[to] - loss[from]) * (double)(best - from) < (loss[best] - loss[from]) * (double)(to - from))
                best = to;
        draw_line(loss, from, best, best, loss[best]);
    }
}

bool mc_predict_loss(const struct mc_record *curves, const char *tensor, int64_t axis, int n_free, double *loss)
{
    const struct mc_record *points = find_points(curves, tensor, axis);
    int64_t last = 0;
    double slope = 0;
    loss[0] = 0;
    for (size_t i = 0; points && i < mc_record_size(points); i++) {
        const int64_t n = mc_record_get_int(mc_record_at(points, i), "groups_removed", 0);
        const double value = mc_record_get_num(mc_record_at(points, i), "loss_change", 0);
        if (n <= last || n > n_free) continue;
        slope = (value - loss[last]) / (double)(n - last);
        draw_line(loss, last, n, n, value);
        last = n;
    }
    if (last == 0) return false;
    if (last < n_free) draw_line(loss, last, n_free, n_free, loss[last] + slope * (double)(n_free - last));
    make_convex(loss, n_free);
    return true;
}
