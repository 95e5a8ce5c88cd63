/* figure.c - metrics by name; see figure.h. */
#include "metric/figure.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/suggest.h"

enum {
    CLASSES = 1 << MC_METER_CLASSES,
    DECISIONS = CLASSES | 1 << MC_METER_LABELS,
    NUMBERS = 1 << MC_METER_NUMBERS,
    ALL = DECISIONS | NUMBERS
};

#define WHOLE(member) offsetof(struct mc_metrics, member)
#define GROUP(member) offsetof(struct mc_group_metrics, member)

static const struct mc_figure figures[] = {
    {"accuracy", true, WHOLE(accuracy), 0, false, DECISIONS},
    {"top5", true, WHOLE(top), 0, false, CLASSES},
    {"precision", true, WHOLE(precision), GROUP(precision), false, DECISIONS},
    {"recall", true, WHOLE(recall), GROUP(recall), false, DECISIONS},
    {"f1", true, WHOLE(f1), GROUP(f1), false, DECISIONS},
    {"precision_micro", true, WHOLE(precisions.micro), 0, false, DECISIONS},
    {"recall_micro", true, WHOLE(recalls.micro), 0, false, DECISIONS},
    {"f1_micro", true, WHOLE(f1s.micro), 0, false, DECISIONS},
    {"precision_weighted", true, WHOLE(precisions.weighted), 0, false, DECISIONS},
    {"recall_weighted", true, WHOLE(recalls.weighted), 0, false, DECISIONS},
    {"f1_weighted", true, WHOLE(f1s.weighted), 0, false, DECISIONS},
    {"auc", true, WHOLE(auc), GROUP(auc), true, DECISIONS},
    {"loss", false, WHOLE(loss), 0, false, ALL},
    {"mse", false, WHOLE(mse), GROUP(mse), false, NUMBERS},
    {"rmse", false, WHOLE(rmse), GROUP(rmse), false, NUMBERS},
    {"mae", false, WHOLE(mae), GROUP(mae), false, NUMBERS},
    {"r2", true, WHOLE(r2), GROUP(r2), false, NUMBERS},
};

int mc_figure_find(const struct mc_figure **figure, const char **rest, const char *name, struct mc_error *err)
{
    const size_t length = strcspn(name, ".");
    const char *names[MC_COUNT(figures)];
    char word[32];
    *rest = name[length] ? name + length + 1 : NULL;
    for (size_t i = 0; i < MC_COUNT(figures); i++) {
        names[i] = figures[i].name;
        if (strlen(figures[i].name) != length || memcmp(figures[i].name, name, length) != 0) continue;
        if (*rest && figures[i].group == 0)
            return mc_error_set(err, MC_ERR_USAGE, "'%s': single classes have no '%s'", name, figures[i].name);
        *figure = &figures[i];
        return MC_OK;
    }
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *nearest = mc_suggest(word, names, MC_COUNT(figures));
    return mc_error_set(err, MC_ERR_USAGE, "no metric is called '%s'%s%s%s", word, nearest ? " (did you mean '" : "",
                        nearest ? nearest : "", nearest ? "'?)" : "");
}

static double number_at(const void *base, size_t offset)
{
    double value;
    memcpy(&value, (const char *)base + offset, sizeof value);
    return value;
}

double mc_figure_whole(const struct mc_figure *figure, const struct mc_metrics *metrics)
{
    return number_at(metrics, figure->whole);
}

double mc_figure_group(const struct mc_figure *figure, const struct mc_group_metrics *metrics)
{
    return number_at(metrics, figure->group);
}

const struct mc_figure *mc_figure_at(size_t i)
{
    return i < MC_COUNT(figures) ? &figures[i] : NULL;
}
