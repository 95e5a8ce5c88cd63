/* layered.c - places for the boxes of a directed graph; see layered.h. */
#include "report/layered.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

enum { ORDER_SWEEPS = 12, PLACE_SWEEPS = 24 };

/* A box, or the place of an edge that passes a rank. */
struct item {
    int rank;
    double width;
    double x;
    double wish; /* where its neighbours would have it: a place in the order at first, then an x */
};

struct layout {
    struct mc_layered *drawing;
    struct mc_arena *arena;
    int n_items, n_ranks;
    struct item *items; /* boxes first, in their order */
    int *first_dummy;   /* by edge */
    int *rank_begin;    /* [n_ranks + 1] into `order` */
    int *order;         /* items, rank by rank, from left to right */
    int *begin[2];      /* [n_items + 1] into `next`: 0 above, 1 below */
    int *next[2];
};

static void *array(struct layout *l, size_t n, size_t size)
{
    return mc_arena_alloc(l->arena, n ? n : 1, size);
}

/* --- ranks --- */

static void rank_boxes(struct layout *l, int *rank)
{
    const struct mc_layered *d = l->drawing;
    for (int e = 0; e < d->n_edges; e++) { /* sorted by `to`, so that rank[from] is settled */
        const int below = rank[d->edges[e].from] + 1;
        if (rank[d->edges[e].to] < below) rank[d->edges[e].to] = below;
    }
    for (int e = d->n_edges; e-- > 0;) { /* what reads nothing stands right above who reads it first */
        const int from = d->edges[e].from;
        bool source = true;
        for (int k = 0; source && k < d->n_edges; k++) source = d->edges[k].to != from;
        const int above = rank[d->edges[e].to] - 1;
        if (source && (rank[from] == 0 || rank[from] > above)) rank[from] = above;
    }
}

/* Items and their ranks: boxes, then a place for every rank that an edge passes. */
static int make_items(struct layout *l, struct mc_error *err)
{
    const struct mc_layered *d = l->drawing;
    int *rank = array(l, (size_t)d->n_boxes, sizeof *rank);
    l->first_dummy = array(l, (size_t)d->n_edges, sizeof *l->first_dummy);
    if (!rank || !l->first_dummy) return mc_error_memory(err);
    rank_boxes(l, rank);
    l->n_items = d->n_boxes;
    for (int e = 0; e < d->n_edges; e++) {
        l->first_dummy[e] = l->n_items;
        l->n_items += rank[d->edges[e].to] - rank[d->edges[e].from] - 1;
    }
    l->items = array(l, (size_t)l->n_items, sizeof *l->items);
    if (!l->items) return mc_error_memory(err);
    for (int i = 0; i < d->n_boxes; i++) {
        l->items[i] = (struct item){.rank = rank[i], .width = d->box_width};
        if (rank[i] >= l->n_ranks) l->n_ranks = rank[i] + 1;
    }
    for (int e = 0; e < d->n_edges; e++)
        for (int r = rank[d->edges[e].from] + 1; r < rank[d->edges[e].to]; r++)
            l->items[l->first_dummy[e] + r - rank[d->edges[e].from] - 1] = (struct item){.rank = r};
    return MC_OK;
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int fill_ranks(struct layout *l, struct mc_error *err)
{
    l->rank_begin = array(l, (size_t)l->n_ranks + 1, sizeof *l->rank_begin);
    l->order = array(l, (size_t)l->n_items, sizeof *l->order);
    int *filled = array(l, (size_t)l->n_ranks, sizeof *filled);
    if (!l->rank_begin || !l->order || !filled) return mc_error_memory(err);
    for (int i = 0; i < l->n_items; i++) l->rank_begin[l->items[i].rank + 1]++;
    for (int r = 0; r < l->n_ranks; r++) l->rank_begin[r + 1] += l->rank_begin[r];
    for (int i = 0; i < l->n_items; i++) {
        const int r = l->items[i].rank;
        l->order[l->rank_begin[r] + filled[r]++] = i;
    }
    for (int r = 0; r < l->n_ranks; r++)
        qsort(&l->order[l->rank_begin[r]], (size_t)filled[r], sizeof *l->order, compare_ints);
    return MC_OK;
}

/* --- who is next to whom --- */

typedef void link_fn(struct layout *l, int above, int below);

static void count_link(struct layout *l, int above, int below)
{
    l->begin[0][below + 1]++;
    l->begin[1][above + 1]++;
}

static void put_link(struct layout *l, int above, int below)
{
    l->next[0][l->begin[0][below]++] = above;
    l->next[1][l->begin[1][above]++] = below;
}

/* Item k of the way of an edge: 0 is where it begins. */
static int way_item(const struct layout *l, int e, int k)
{
    const struct mc_layered_edge *edge = &l->drawing->edges[e];
    const int length = l->items[edge->to].rank - l->items[edge->from].rank;
    return k == 0 ? edge->from : k == length ? edge->to : l->first_dummy[e] + k - 1;
}

static void for_links(struct layout *l, link_fn *fn)
{
    for (int e = 0; e < l->drawing->n_edges; e++) {
        const struct mc_layered_edge *edge = &l->drawing->edges[e];
        const int length = l->items[edge->to].rank - l->items[edge->from].rank;
        for (int k = 0; k < length; k++) fn(l, way_item(l, e, k), way_item(l, e, k + 1));
    }
}

static int make_links(struct layout *l, struct mc_error *err)
{
    for (int side = 0; side < 2; side++) {
        l->begin[side] = array(l, (size_t)l->n_items + 2, sizeof **l->begin);
        if (!l->begin[side]) return mc_error_memory(err);
    }
    for_links(l, count_link);
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < l->n_items; i++) l->begin[side][i + 1] += l->begin[side][i];
        l->next[side] = array(l, (size_t)l->begin[side][l->n_items], sizeof **l->next);
        if (!l->next[side]) return mc_error_memory(err);
    }
    for_links(l, put_link);              /* moves every begin to its end, */
    for (int side = 0; side < 2; side++) /* which is where the next one begins */
        for (int i = l->n_items; i > 0; i--) l->begin[side][i] = l->begin[side][i - 1];
    l->begin[0][0] = l->begin[1][0] = 0;
    return MC_OK;
}

/* The mean x of an item's neighbours on a side (2: both), or its own. */
static double mean_of_neighbours(const struct layout *l, int item, int side)
{
    double sum = 0;
    int n = 0;
    for (int s = 0; s < 2; s++)
        for (int k = l->begin[s][item]; (side == s || side == 2) && k < l->begin[s][item + 1]; k++, n++)
            sum += l->items[l->next[s][k]].x;
    return n ? sum / n : l->items[item].x;
}

static void wish(struct layout *l, int rank, int side)
{
    for (int i = l->rank_begin[rank]; i < l->rank_begin[rank + 1]; i++)
        l->items[l->order[i]].wish = mean_of_neighbours(l, l->order[i], side);
}

/* Rank number k of a sweep: down looks above, up looks below. */
static int sweep_rank(const struct layout *l, int k, int side)
{
    return side == 0 ? k : l->n_ranks - 1 - k;
}

/* --- orders --- */

static void number_rank(struct layout *l, int rank)
{
    for (int i = l->rank_begin[rank]; i < l->rank_begin[rank + 1]; i++)
        l->items[l->order[i]].x = i - (l->rank_begin[rank] + l->rank_begin[rank + 1] - 1) * 0.5;
}

/* By insertion: stable, and nearly sorted is what it mostly is. */
static void sort_rank(struct layout *l, int rank)
{
    for (int i = l->rank_begin[rank] + 1; i < l->rank_begin[rank + 1]; i++) {
        const int moved = l->order[i];
        int at = i;
        for (; at > l->rank_begin[rank] && l->items[l->order[at - 1]].wish > l->items[moved].wish; at--)
            l->order[at] = l->order[at - 1];
        l->order[at] = moved;
    }
}

static void order_ranks(struct layout *l)
{
    for (int r = 0; r < l->n_ranks; r++) number_rank(l, r);
    for (int sweep = 0; sweep < ORDER_SWEEPS; sweep++)
        for (int k = 0; k < l->n_ranks; k++) {
            const int rank = sweep_rank(l, k, sweep % 2);
            wish(l, rank, sweep % 2);
            sort_rank(l, rank);
            number_rank(l, rank);
        }
}

/* --- x --- */

/* Items that stand as close as they may: `mean` is where they wish the first of them, each taken back by its offset. */
struct block {
    double mean;
    int n;
};

/* The places nearest to the wishes, in least squares, in the rank's order and with the gap between: isotonic
 * regression by pooling neighbours that would stand too close (Ayer et al. 1955). */
static void place_rank(struct layout *l, int rank, struct block *blocks, double *offsets)
{
    const int begin = l->rank_begin[rank], n = l->rank_begin[rank + 1] - begin;
    int n_blocks = 0;
    for (int i = 0; i < n; i++) {
        const struct item *item = &l->items[l->order[begin + i]];
        offsets[i] =
            i == 0 ? 0 : offsets[i - 1] + l->drawing->gap + (l->items[l->order[begin + i - 1]].width + item->width) / 2;
        blocks[n_blocks++] = (struct block){item->wish - offsets[i], 1};
        while (n_blocks > 1 && blocks[n_blocks - 2].mean > blocks[n_blocks - 1].mean) {
            struct block *a = &blocks[n_blocks - 2], *b = &blocks[--n_blocks];
            *a = (struct block){(a->mean * a->n + b->mean * b->n) / (a->n + b->n), a->n + b->n};
        }
    }
    for (int b = 0, i = 0; b < n_blocks; b++)
        for (int k = 0; k < blocks[b].n; k++, i++) l->items[l->order[begin + i]].x = blocks[b].mean + offsets[i];
}

static int place_items(struct layout *l, struct mc_error *err)
{
    struct block *blocks = array(l, (size_t)l->n_items, sizeof *blocks);
    double *offsets = array(l, (size_t)l->n_items, sizeof *offsets);
    if (!blocks || !offsets) return mc_error_memory(err);
    for (int i = 0; i < l->n_items; i++) l->items[i].x *= l->drawing->box_width;
    for (int sweep = 0; sweep < PLACE_SWEEPS; sweep++)
        for (int k = 0; k < l->n_ranks; k++) {
            const int rank = sweep_rank(l, k, sweep % 2);
            wish(l, rank, sweep < PLACE_SWEEPS / 2 ? sweep % 2 : 2);
            place_rank(l, rank, blocks, offsets);
        }
    return MC_OK;
}

/* --- the drawing --- */

static void shift(struct layout *l)
{
    struct mc_layered *d = l->drawing;
    double low = 0, high = 0;
    for (int i = 0; i < l->n_items; i++) {
        const struct item *item = &l->items[i];
        if (i == 0 || item->x - item->width / 2 < low) low = item->x - item->width / 2;
        if (i == 0 || item->x + item->width / 2 > high) high = item->x + item->width / 2;
    }
    for (int i = 0; i < l->n_items; i++) l->items[i].x -= low;
    d->width = high - low;
    d->height = l->n_ranks * d->box_height + (l->n_ranks - 1) * d->rank_gap;
}

static double y_of(const struct layout *l, int item)
{
    return l->items[item].rank * (l->drawing->box_height + l->drawing->rank_gap) + l->drawing->box_height / 2;
}

static int draw_way(struct layout *l, int e, struct mc_error *err)
{
    struct mc_layered_edge *edge = &l->drawing->edges[e];
    const int length = l->items[edge->to].rank - l->items[edge->from].rank;
    double *x = array(l, 2 * (size_t)length, sizeof *x), *y = array(l, 2 * (size_t)length, sizeof *y);
    if (!x || !y) return mc_error_memory(err);
    for (int k = 0; k < length; k++) { /* from the lower edge of one rank to the upper edge of the next */
        const int above = way_item(l, e, k), below = way_item(l, e, k + 1);
        x[2 * k] = l->items[above].x;
        y[2 * k] = y_of(l, above) + l->drawing->box_height / 2;
        x[2 * k + 1] = l->items[below].x;
        y[2 * k + 1] = y_of(l, below) - l->drawing->box_height / 2;
    }
    edge->n = 2 * length;
    edge->x = x;
    edge->y = y;
    return MC_OK;
}

static int draw(struct layout *l, struct mc_error *err)
{
    struct mc_layered *d = l->drawing;
    d->x = array(l, (size_t)d->n_boxes, sizeof *d->x);
    d->y = array(l, (size_t)d->n_boxes, sizeof *d->y);
    if (!d->x || !d->y) return mc_error_memory(err);
    for (int i = 0; i < d->n_boxes; i++) {
        d->x[i] = l->items[i].x;
        d->y[i] = y_of(l, i);
    }
    int rc = MC_OK;
    for (int e = 0; rc == MC_OK && e < d->n_edges; e++) rc = draw_way(l, e, err);
    return rc;
}

int mc_layered_place(struct mc_layered *drawing, struct mc_arena *arena, struct mc_error *err)
{
    struct layout l = {.drawing = drawing, .arena = arena};
    int rc = make_items(&l, err);
    if (rc == MC_OK) rc = fill_ranks(&l, err);
    if (rc == MC_OK) rc = make_links(&l, err);
    if (rc < 0) return rc;
    order_ranks(&l);
    rc = place_items(&l, err);
    if (rc < 0) return rc;
    shift(&l);
    return draw(&l, err);
}
