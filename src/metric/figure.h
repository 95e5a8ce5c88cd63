/* figure.h - metrics by name: "accuracy", "f1_weighted", of a class "recall.cat". */
#ifndef MC_METRIC_FIGURE_H
#define MC_METRIC_FIGURE_H

#include "metric/metric.h"

/* A metric of everything, or of one class, label or target. */
struct mc_figure {
    const char *name;  /* without the class */
    bool rises;        /* is more better? */
    size_t whole;      /* where it stands in struct mc_metrics */
    size_t group;      /* where it stands in struct mc_group_metrics; 0: nowhere */
    bool of_ranks;     /* auc: from kept outcomes, not from a meter */
    unsigned of_kinds; /* bit i: of meters of kind i */
};

/* The figure that `name` begins with, and in *rest what stands behind its '.', or NULL. MC_ERR_USAGE with the nearest
 * name if there is none, or none of single classes. */
int mc_figure_find(const struct mc_figure **figure, const char **rest, const char *name, struct mc_error *err);

double mc_figure_whole(const struct mc_figure *figure, const struct mc_metrics *metrics);
double mc_figure_group(const struct mc_figure *figure, const struct mc_group_metrics *metrics);

/* Figure i of all; NULL from their number on. */
const struct mc_figure *mc_figure_at(size_t i);

#endif
