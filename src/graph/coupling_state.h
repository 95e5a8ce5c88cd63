/* coupling_state.h - what the files of the coupling share: the axes, their labels, who said what about them.
 *
 * Private to coupling.c (labels and the walk), groups.c (connected components) and resize.c (after the cut).
 */
#ifndef MC_GRAPH_COUPLING_STATE_H
#define MC_GRAPH_COUPLING_STATE_H

#include "graph/coupling.h"

/* One axis of one value. Its labels are first_label … first_label + extent - 1, given out when a rule first ties
 * the axis: most axes (an image's height and width) never are, and cost nothing. */
struct mc_axis {
    const struct mc_value *value;
    int axis;
    int64_t extent;
    int32_t first_label; /* -1: none yet */
    int32_t frozen;      /* all of it, by this entry of `reasons`; -1: no */
    enum mc_role role;
    const struct mc_node *stated_by; /* the last node whose rule mentioned it */
};

struct mc_label {
    int32_t parent; /* union-find; a root is the smallest label of its set */
    int32_t frozen; /* of a root: entry of `reasons`, the earliest of its set; -1: free */
};

struct mc_reason {
    const struct mc_node *node; /* NULL: the graph itself */
    const char *why;
};

/* Where a rule may take one of several ways. Lasts over all walks. */
struct mc_crossing {
    const struct mc_node *node;
    const struct mc_value *value;
    int n, axes[MC_MAX_RANK]; /* the ways in the order in which they are tried */
    int way[MC_MAX_RANK];     /* what the rule calls them */
    int at;
    bool met; /* in this walk */
};

struct mc_coupling {
    const struct mc_model *model;
    const struct mc_facts *facts;
    int n_values;
    int *first_axis;      /* by value id: its first entry of `axes`; -1 when its shape is unknown */
    unsigned char *fixed; /* by value id: contents do not depend on the graph's inputs, not even on their shapes */
    int n_axes;
    struct mc_axis *axes;
    size_t n_labels, cap_labels;
    struct mc_label *labels;
    size_t n_reasons, cap_reasons;
    struct mc_reason *reasons;
    size_t n_contractions, cap_contractions;
    struct mc_contraction *contractions;
    int n_walks; /* that are done */
    size_t n_crossings, cap_crossings;
    struct mc_crossing *crossings;
    size_t n_heads, cap_heads;
    int *heads; /* entries of `axes` */
    size_t n_statistics, cap_statistics;
    struct mc_statistic *statistics;
    const struct mc_node *node; /* whose rule is running; NULL: the graph itself speaks */

    int n_groups, n_families;
    int32_t *group_of_label;
    struct mc_group *groups;
    struct mc_slice *slices; /* of all groups, group by group */
    int32_t *indices;        /* of all slices */
};

/* Entry of (v, axis) in `axes`, or -1 when its shape is unknown. */
int mc_coupling_axis(const struct mc_coupling *c, const struct mc_value *v, int axis);
/* Representative of a label's set; shortens the path on the way. */
int32_t mc_coupling_root(const struct mc_coupling *c, int32_t label);
/* Turn to other ways where those that were taken lead nowhere. Returns whether any was: walk again. `whole_heads`: once
 * after the first walk, prefer those along heads. */
bool mc_coupling_turn(struct mc_coupling *c, bool whole_heads);
/* Sort the labels into groups and families. */
int mc_coupling_build_groups(struct mc_coupling *c, struct mc_error *err);

#endif
