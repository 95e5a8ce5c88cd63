/* layered.h - places for the boxes of a directed graph, so that arrows point down and few of them cross.
 *
 * After Sugiyama, Tagawa and Toda (1981): ranks by the longest way from a source, an empty place for an edge in every
 * rank that it passes, orders within ranks by barycenters, then x so that boxes stand under what they read.
 */
#ifndef MC_REPORT_LAYERED_H
#define MC_REPORT_LAYERED_H

#include "base/arena.h"
#include "compress/compress.h"

struct mc_layered_edge {
    int from, to; /* from < to: boxes are in an order in which they can run */
    int n;        /* points of its way, from the lower edge of one box to the upper edge of the other */
    const double *x, *y;
};

struct mc_layered {
    double box_width, box_height, gap, rank_gap; /* given: sizes in the unit of the drawing */
    int n_boxes, n_edges;
    struct mc_layered_edge *edges; /* from and to are given, sorted by to; the ways are put in the arena */
    double *x, *y;                 /* of the middle of each box; in the arena */
    double width, height;          /* of all of it; nothing lies at negative places */
};

/* MC_ERR_SYSTEM without memory. */
int mc_layered_place(struct mc_layered *drawing, struct mc_arena *arena, struct mc_error *err);

#endif
