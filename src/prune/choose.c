/* choose.c - from importance to the groups that go.
 *
 * With a budget (of multiply-accumulates, say) the families compete, by default balanced. Let R_f be the share of a
 * family's importance that is still there; the product of all R_f is to stay large. Removing a group of share s costs
 * log(R / (R
 * - s)) and frees something of the budget; the groups with the least cost for what they free go first. Within a
 * family the cost rises with every removal and has no bound, so no layer is emptied for another's sake, and scores of
 * families are comparable whatever the scale of their weights.
 */
#include "prune/choose.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "prune/exclude.h"
#include "prune/latency.h"
#include "prune/predict.h"
#include "prune/surgery.h"
#include "prune/widths.h"

#define CLOSE 0.01 /* of the multiply-accumulates: no closer to a target is looked for */
#define PAYS 0.001 /* of the time: what a smaller width saves at least */

/* --- multiply-accumulates --- */

struct costing {
    struct mc_fact *facts;     /* by value id: the model's, with shrunk extents */
    const struct mc_fact **in; /* of one node */
    struct mc_fact *out;
};

static int start_costing(struct costing *k, const struct mc_model *model, const struct mc_facts *facts,
                         struct mc_error *err)
{
    int most_in, most_out;
    mc_graph_room(model->graph, &most_in, &most_out);
    k->facts = MC_NEW_ARRAY(struct mc_fact, facts->n_values);
    k->in = MC_NEW_ARRAY(const struct mc_fact *, most_in);
    k->out = MC_NEW_ARRAY(struct mc_fact, most_out);
    if (!k->facts || !k->in || !k->out) return mc_error_memory(err);
    memcpy(k->facts, facts->of, (size_t)facts->n_values * sizeof(*k->facts));
    return 0;
}

static int64_t node_macs(const struct costing *k, const struct mc_node *node)
{
    memset(k->in, 0, (size_t)mc_node_room_in(node) * sizeof(*k->in));
    memset(k->out, 0, (size_t)mc_node_room_out(node) * sizeof(*k->out));
    for (int i = 0; i < node->n_inputs; i++) {
        k->in[i] = node->inputs[i] ? &k->facts[node->inputs[i]->id] : NULL;
        if (k->in[i] && k->in[i]->dtype == MC_UNDEFINED) return 0;
    }
    for (int i = 0; i < node->n_outputs; i++) {
        if (!node->outputs[i]) continue;
        k->out[i] = k->facts[node->outputs[i]->id];
        if (k->out[i].dtype == MC_UNDEFINED) return 0;
    }
    struct mc_cost cost = {0};
    node->op->cost(node, k->in, k->out, &cost);
    return cost.macs;
}

/* Numbers that a model learned, as opposed to the shapes and indices that it counts with. */
static bool is_weight(const struct mc_coupling *c, const struct mc_value *v)
{
    const enum mc_dtype dtype = mc_coupling_fact(c, v)->dtype;
    return mc_coupling_is_parameter(c, v) && dtype != MC_INT64 && dtype != MC_INT32 && dtype != MC_BOOL;
}

static int64_t sum_macs(const struct costing *k, const struct mc_model *model)
{
    int64_t sum = 0;
    for (int i = 0; i < model->graph->n_nodes; i++)
        if (model->graph->nodes[i]->op && model->graph->nodes[i]->op->cost) sum += node_macs(k, model->graph->nodes[i]);
    return sum;
}

static int64_t sum_stored(const struct costing *k, const struct mc_model *model, const struct mc_coupling *coupling,
                          bool bytes)
{
    int64_t sum = 0;
    for (int id = 0; id < model->n_values; id++) {
        const struct mc_value *v = model->values[id];
        if (!v || !mc_coupling_fact(coupling, v) || !is_weight(coupling, v)) continue;
        const int64_t n = mc_shape_count(&k->facts[id].shape);
        sum += bytes ? n * mc_dtype_bits(k->facts[id].dtype) / 8 : n;
    }
    return sum;
}

int mc_choice_cost(int64_t *cost, enum mc_budget budget, const struct mc_model *model, const struct mc_facts *facts,
                   const struct mc_coupling *coupling, const bool *goes, struct mc_error *err)
{
    struct costing k = {0};
    const int rc = start_costing(&k, model, facts, err);
    if (rc == 0) {
        for (int g = 0; goes && g < mc_coupling_n_groups(coupling); g++) {
            const struct mc_group *group = mc_coupling_group(coupling, g);
            for (int s = 0; goes[g] && s < group->n_slices; s++)
                k.facts[group->slices[s].value->id].shape.dim[group->slices[s].axis] -= group->slices[s].n;
        }
        *cost =
            budget == MC_BUDGET_MACS ? sum_macs(&k, model) : sum_stored(&k, model, coupling, budget == MC_BUDGET_BYTES);
    }
    mc_free(k.out);
    mc_free(k.in);
    mc_free(k.facts);
    return rc;
}

/* --- families --- */

struct chooser {
    struct mc_choice *choice;
    const struct mc_model *model;
    const struct mc_facts *facts;
    const struct mc_coupling *coupling;
    const double *importance;
    const struct mc_shrink_options *options;
    struct mc_error *err;
};

const char *mc_choice_objection(const struct mc_coupling *coupling, const struct mc_shrink_options *options,
                                const struct mc_group *group, const struct mc_node **by)
{
    *by = group->frozen_why ? group->frozen_by : NULL;
    if (group->frozen_why) return group->frozen_why;
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_slice *slice = &group->slices[s];
        if (slice->n == mc_coupling_extent(coupling, slice->value, slice->axis)) return "it is the whole of an axis";
        if (mc_excluded(options->exclude, slice->value->name)) return "excluded by name";
    }
    return NULL;
}

/* The slice that stands for a group in reports and for widths: of a weight, one that produces if there is one. */
static const struct mc_slice *main_slice(const struct mc_coupling *c, const struct mc_group *group)
{
    const struct mc_slice *first = NULL;
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_slice *slice = &group->slices[s];
        if (!is_weight(c, slice->value)) continue;
        if (mc_coupling_role(c, slice->value, slice->axis) == MC_ROLE_PRODUCES) return slice;
        if (!first) first = slice;
    }
    return first;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static void add_to_family(struct chooser *k, int g)
{
    const struct mc_group *group = mc_coupling_group(k->coupling, g);
    struct mc_family *family = &k->choice->families[group->family];
    family->n_groups++;
    const struct mc_node *by;
    const char *why = mc_choice_objection(k->coupling, k->options, group, &by);
    if (why && family->n_free == 0 && !family->why) {
        family->why = why;
        family->by = by;
    }
    if (!family->tensor || (!why && family->n_free == 0)) {
        const struct mc_slice *slice = main_slice(k->coupling, group);
        if (!slice) return; /* no weight along it: nothing to gain */
        family->tensor = slice->value;
        family->axis = slice->axis;
        family->size = slice->n;
    }
    if (!why) family->free[family->n_free++] = g;
}

static int list_families(struct chooser *k)
{
    struct mc_choice *choice = k->choice;
    const int n = mc_coupling_n_groups(k->coupling);
    choice->n_families = mc_coupling_n_families(k->coupling);
    choice->families = MC_NEW_ARRAY(struct mc_family, choice->n_families);
    choice->pool = MC_NEW_ARRAY(int, n);
    choice->goes = MC_NEW_ARRAY(bool, n);
    choice->groups = MC_NEW_ARRAY(int, n);
    int *count = MC_NEW_ARRAY(int, choice->n_families);
    int rc = 0;
    if (!choice->families || !choice->pool || !choice->goes || !choice->groups || !count) rc = mc_error_memory(k->err);
    if (rc == 0) {
        for (int g = 0; g < n; g++) count[mc_coupling_group(k->coupling, g)->family]++;
        int *next = choice->pool;
        for (int f = 0; f < choice->n_families; next += count[f++])
            choice->families[f] = (struct mc_family){.free = next, .size = 1, .unit = 1};
        for (int g = 0; g < n; g++) add_to_family(k, g);
    }
    mc_free(count);
    return rc;
}

struct ranked {
    double importance;
    int group;
};

static int by_importance(const void *p, const void *q)
{
    const struct ranked *a = p, *b = q;
    if (a->importance != b->importance) return a->importance < b->importance ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

static int rank_families(struct chooser *k)
{
    struct ranked *list = MC_NEW_ARRAY(struct ranked, mc_coupling_n_groups(k->coupling));
    if (!list) return mc_error_memory(k->err);
    for (int f = 0; f < k->choice->n_families; f++) {
        const struct mc_family *family = &k->choice->families[f];
        for (int i = 0; i < family->n_free; i++)
            list[i] = (struct ranked){k->importance[family->free[i]], family->free[i]};
        qsort(list, (size_t)family->n_free, sizeof(*list), by_importance);
        for (int i = 0; i < family->n_free; i++) family->free[i] = list[i].group;
    }
    mc_free(list);
    return 0;
}

/* --- how many of each --- */

/* As the options are called, and what they count. */
static const struct {
    const char *name, *counts;
} budgets[] = {[MC_BUDGET_MACS] = {"macs", "multiply-accumulates"},
               [MC_BUDGET_PARAMETERS] = {"parameters", "parameters"},
               [MC_BUDGET_BYTES] = {"bytes", "bytes"},
               [MC_BUDGET_LATENCY] = {"latency", "time"}};

/* The nearest smaller number of groups to go that leaves a good width. */
static int good_number(const struct mc_family *family, int n)
{
    const int surplus = (family->n_groups - n) % family->unit;
    if (surplus > 0) n -= family->unit - surplus;
    return n > 0 ? n : 0;
}

/* How many have to go, and how many may. */
static int settle_bounds(struct chooser *k, struct mc_family *family, struct mc_widths *widths)
{
    struct mc_width_bounds b = {k->options->minimum * family->size, INT64_MAX, 0};
    const bool given = mc_widths_take(widths, family->tensor->name, &b);
    const int64_t multiple = b.multiple > 0 ? b.multiple : b.least == b.most ? 1 : k->options->round;
    family->unit = (int)(multiple / greatest_common_divisor(multiple, family->size));
    const int64_t stay = b.least > family->size ? (b.least + family->size - 1) / family->size : 1;
    const int64_t may = family->n_groups > stay ? family->n_groups - stay : 0;
    family->most = good_number(family, may < family->n_free ? (int)may : family->n_free);
    if (!given || b.most / family->size >= family->n_groups) return MC_OK;
    family->least = family->n_groups - (int)(b.most / family->size);
    family->least += (family->n_groups - family->least) % family->unit;
    if (family->least <= family->most) return MC_OK;
    return mc_error_set(k->err, MC_ERR_USAGE, "widths: '%s' cannot be %lld wide: %lld of %lld channels stay at least",
                        family->tensor->name, (long long)b.most,
                        (long long)(family->n_groups - family->most) * family->size,
                        (long long)family->n_groups * family->size);
}

static int bound_families(struct chooser *k)
{
    struct mc_widths *widths = NULL;
    int rc = mc_widths_create(&widths, k->options->widths, k->err);
    for (int f = 0; f < k->choice->n_families && rc == MC_OK; f++)
        if (k->choice->families[f].n_free > 0 && k->choice->families[f].tensor)
            rc = settle_bounds(k, &k->choice->families[f], widths);
    if (rc == MC_OK) rc = mc_widths_check_taken(widths, k->err);
    mc_widths_destroy(widths);
    return rc;
}

static void choose_by_ratio(struct chooser *k)
{
    for (int f = 0; f < k->choice->n_families; f++) {
        struct mc_family *family = &k->choice->families[f];
        const int wanted = (int)floor(k->options->ratio * family->n_free + 1e-9);
        const int n = good_number(family, wanted < family->most ? wanted : family->most);
        family->n_removed = n > family->least ? n : family->least;
    }
}

/* Neighbouring groups of a family that go together, so that what stays is a multiple of its unit. */
struct block {
    double score; /* within its class; then the share of the class that is gone with it */
    uint64_t class;
    int family;
    double freed; /* of the budget */
    int n;        /* groups in it */
    int n_free;   /* of the first of a family: groups of it that may go; else 0 */
    int n_after;  /* groups of the family that are gone with it */
};

static int by_score(const void *p, const void *q)
{
    const struct block *a = p, *b = q;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    return (a->n_after > b->n_after) - (a->n_after < b->n_after);
}

static int by_class(const void *p, const void *q)
{
    const struct block *a = p, *b = q;
    if (a->class != b->class) return a->class < b->class ? -1 : 1;
    return by_score(p, q);
}

void mc_choice_mark(struct mc_choice *choice, int n_groups)
{
    memset(choice->goes, 0, (size_t)n_groups * sizeof(*choice->goes));
    for (int f = 0; f < choice->n_families; f++)
        for (int i = 0; i < choice->families[f].n_removed; i++) choice->goes[choice->families[f].free[i]] = true;
}

int mc_list_going(const bool *goes, int n_groups, int *groups)
{
    int n = 0;
    for (int g = 0; g < n_groups; g++)
        if (goes[g]) groups[n++] = g;
    return n;
}

/* What the budget counts in the model without the groups that `goes` marks. */
static int find_cost(const struct chooser *k, const bool *goes, int64_t *cost)
{
    if (k->options->budget == MC_BUDGET_LATENCY)
        return mc_latency_measure(cost, k->model, k->coupling, goes, k->options, k->err);
    return mc_choice_cost(cost, k->options->budget, k->model, k->facts, k->coupling, goes, k->err);
}

static int count_cost(struct chooser *k, int64_t *cost)
{
    mc_choice_mark(k->choice, mc_coupling_n_groups(k->coupling));
    return find_cost(k, k->choice->goes, cost);
}

/* --- who competes, and by what --- */

static enum mc_ranking ranking_of(const struct mc_shrink_options *o)
{
    if (o->ranking != MC_RANKING_AUTO) return o->ranking;
    return o->stays > 0 ? MC_RANKING_BALANCED : MC_RANKING_LAYER;
}

static enum mc_score_norm normalization_of(const struct mc_shrink_options *o)
{
    if (o->normalization != MC_SCORES_BY_AUTO) return o->normalization;
    const bool comparable = o->criterion == MC_CRITERION_LAMP || o->criterion == MC_CRITERION_TAYLOR ||
                            o->criterion == MC_CRITERION_HESSIAN;
    return comparable ? MC_SCORES_BY_NONE : MC_SCORES_BY_MEAN;
}

/* Importance as families compare: (x - *least) / *divisor. */
static void normalize(const struct chooser *k, const struct mc_family *family, double *least, double *divisor)
{
    double sum = 0, squares = 0;
    const int n = family->n_free;
    for (int i = 0; i < n; i++) sum += k->importance[family->free[i]];
    for (int i = 0; i < n; i++) {
        const double d = k->importance[family->free[i]] - sum / n;
        squares += d * d;
    }
    *least = 0;
    *divisor = 1;
    switch (normalization_of(k->options)) {
    case MC_SCORES_BY_AUTO:
    case MC_SCORES_BY_NONE:
        return;
    case MC_SCORES_BY_MEAN:
        *divisor = sum / n;
        break;
    case MC_SCORES_BY_MAX:
        *divisor = k->importance[family->free[n - 1]];
        break;
    case MC_SCORES_BY_SUM:
        *divisor = sum;
        break;
    case MC_SCORES_BY_DEVIATION:
        *least = k->importance[family->free[0]];
        *divisor = sqrt(squares / n);
        break;
    }
    if (!(*divisor > 0)) *divisor = 1;
}

/* Families of one class have parameters and activations tied in the same way, whatever their extents (FNV-1a). */
static uint64_t class_of(const struct chooser *k, int f)
{
    const enum mc_ranking ranking = ranking_of(k->options);
    if (ranking == MC_RANKING_LAYER) return (uint64_t)f;
    if (ranking != MC_RANKING_ISOMORPHIC) return 0;
    const struct mc_group *group = mc_coupling_group(k->coupling, k->choice->families[f].free[0]);
    uint64_t h = UINT64_C(14695981039346656037);
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_slice *slice = &group->slices[s];
        const int words[] = {(int)mc_coupling_role(k->coupling, slice->value, slice->axis), slice->axis,
                             mc_coupling_fact(k->coupling, slice->value)->shape.rank,
                             slice->value->producer ? (int)(mc_hash(slice->value->producer->type) >> 33) : 0};
        for (size_t i = 0; i < MC_COUNT(words); i++) h = (h ^ (uint64_t)words[i]) * UINT64_C(1099511628211);
    }
    return h;
}

/* The groups [from, to) of a family, which free so much of the budget; without a score. */
static struct block block_of(const struct chooser *k, int f, int from, int to, double freed)
{
    const struct mc_family *family = &k->choice->families[f];
    return (struct block){.class = class_of(k, f),
                          .family = f,
                          .freed = freed,
                          .n = to - from,
                          .n_free = from == family->least ? family->n_free : 0,
                          .n_after = to};
}

/* Append blocks of a family's good widths, without scores; groups free `freed` of the budget each. Returns the end of
 * the list. */
static int cut_into_blocks(const struct chooser *k, int f, double freed, struct block *blocks, int n)
{
    const struct mc_family *family = &k->choice->families[f];
    for (int from = family->least, to; from < family->most; from = to) {
        const int surplus = (family->n_groups - from) % family->unit;
        to = from + (surplus > 0 ? surplus : family->unit);
        blocks[n++] = block_of(k, f, from, to, freed * (to - from));
    }
    return n;
}

/* The same of a few widths that are timed, those alone that take less time than all wider ones. */
static int time_blocks(struct chooser *k, int f, struct block *blocks, int *n)
{
    enum { WIDTHS = 4 };
    struct mc_family *family = &k->choice->families[f];
    int64_t least_ns = k->choice->cost_before;
    int from = family->least, rc = MC_OK;
    for (int i = 1; i <= WIDTHS && rc == MC_OK; i++) {
        const int to = good_number(family, family->least + (family->most - family->least) * i / WIDTHS);
        int64_t ns = 0;
        if (to <= from) continue;
        family->n_removed = to;
        rc = count_cost(k, &ns);
        family->n_removed = 0;
        if (rc < 0 || (double)ns > (double)least_ns - PAYS * (double)k->choice->cost_before) continue;
        blocks[(*n)++] = block_of(k, f, from, to, (double)(least_ns - ns));
        from = to;
        least_ns = ns;
    }
    return rc;
}

/* By importance. */
static void score_blocks(const struct chooser *k, int f, struct block *blocks, int n)
{
    const struct mc_family *family = &k->choice->families[f];
    const bool balanced = ranking_of(k->options) == MC_RANKING_BALANCED;
    double left = 0, least, divisor;
    normalize(k, family, &least, &divisor);
    for (int i = family->least; i < family->n_free; i++) left += k->importance[family->free[i]];
    for (struct block *b = blocks; b < blocks + n; b++) {
        const double before = left;
        for (int i = b->n_after - b->n; i < b->n_after; i++) left -= k->importance[family->free[i]];
        const double cost = before > 0 ? left > 0 ? log(before / left) : HUGE_VAL : 0;
        b->score = balanced ? cost / b->freed : ((before - left) / b->n - least) / divisor;
    }
}

/* By the loss that is predicted; a family that was not measured stays. *n: of the blocks that are left. */
static int predict_blocks(const struct chooser *k, int f, struct block *blocks, int *n)
{
    const struct mc_family *family = &k->choice->families[f];
    double *loss = MC_NEW_ARRAY(double, family->n_free + 1);
    if (!loss) return mc_error_memory(k->err);
    if (!family->tensor ||
        !mc_predict_loss(k->options->curves, family->tensor->name, family->axis, family->n_free, loss))
        *n = 0;
    for (int i = 0; i < *n; i++)
        blocks[i].score = (loss[blocks[i].n_after] - loss[blocks[i].n_after - blocks[i].n]) / blocks[i].freed;
    mc_free(loss);
    return 0;
}

/* Score the last `added` of the blocks, which are a family's; *n grows by those that are left. */
static int list_blocks(const struct chooser *k, int f, struct block *blocks, int added, int *n)
{
    int rc = 0;
    if (k->options->curves)
        rc = predict_blocks(k, f, blocks + *n, &added);
    else
        score_blocks(k, f, blocks + *n, added);
    for (int i = *n + 1; i < *n + added; i++) /* none goes before the ones before it */
        if (blocks[i].score < blocks[i - 1].score) blocks[i].score = blocks[i - 1].score;
    *n += added;
    return rc;
}

/* In each class the least important first; the score becomes the share of the class that has gone by then. Several
 * classes go in step. */
static void take_shares(struct block *blocks, int n)
{
    qsort(blocks, (size_t)n, sizeof(*blocks), by_class);
    for (int from = 0, to; from < n; from = to) {
        double total = 0, gone = 0;
        for (to = from; to < n && blocks[to].class == blocks[from].class; to++) total += blocks[to].n_free;
        for (int i = from; i < to; i++) {
            gone += blocks[i].n;
            blocks[i].score = gone / total;
        }
    }
    qsort(blocks, (size_t)n, sizeof(*blocks), by_score);
}

/* Blocks of a family behind the first n, without scores; *n moves to their end. `by_cost`: none if its groups cost
 * nothing. */
static int find_blocks(struct chooser *k, int f, bool by_cost, struct block *blocks, int *n)
{
    struct mc_family *family = &k->choice->families[f];
    int64_t cost = k->choice->cost_before - 1;
    if (by_cost && k->options->budget == MC_BUDGET_LATENCY) return time_blocks(k, f, blocks, n);
    if (by_cost) {
        family->n_removed = 1;
        const int rc = count_cost(k, &cost);
        family->n_removed = 0;
        if (rc < 0) return rc;
    }
    if (cost < k->choice->cost_before) *n = cut_into_blocks(k, f, (double)(k->choice->cost_before - cost), blocks, *n);
    return MC_OK;
}

static int rank_blocks(struct chooser *k, struct block *blocks, int *n, bool by_cost)
{
    *n = 0;
    for (int f = 0; f < k->choice->n_families; f++) {
        int end = *n;
        if (k->choice->families[f].n_free == 0) continue;
        int rc = find_blocks(k, f, by_cost, blocks, &end);
        if (rc == 0) rc = list_blocks(k, f, blocks, end - *n, n);
        if (rc < 0) return rc;
    }
    take_shares(blocks, *n);
    return 0;
}

static void take_blocks(struct chooser *k, const struct block *blocks, int n)
{
    for (int f = 0; f < k->choice->n_families; f++) k->choice->families[f].n_removed = k->choice->families[f].least;
    for (int i = 0; i < n; i++) {
        struct mc_family *family = &k->choice->families[blocks[i].family];
        if (family->n_removed < blocks[i].n_after) family->n_removed = blocks[i].n_after;
    }
}

/* What is left when the first n blocks go. */
static int try_blocks(struct chooser *k, const struct block *blocks, int n, int64_t *cost)
{
    take_blocks(k, blocks, n);
    return count_cost(k, cost);
}

/* Where the last of n blocks goes far below the target, another one in its place may meet it more closely: the first by
 * score that stays within CLOSE of it, or else the closest. Each must be the next one of its family. */
static int replace_last(struct chooser *k, const struct block *blocks, int n, int n_blocks, double target)
{
    int64_t cost = 0, best_cost = -1;
    int best = n - 1;
    bool *met = MC_NEW_ARRAY(bool, k->choice->n_families);
    if (!met) return mc_error_memory(k->err);
    int rc = 0;
    for (int i = n - 1; i < n_blocks && rc == 0; i++) {
        if (met[blocks[i].family]) continue;
        met[blocks[i].family] = true;
        rc = try_blocks(k, blocks, n - 1, &cost);
        k->choice->families[blocks[i].family].n_removed = blocks[i].n_after;
        if (rc == 0) rc = count_cost(k, &cost);
        if ((double)cost > target || cost <= best_cost) continue;
        best = i;
        best_cost = cost;
        if ((double)cost >= target - CLOSE * (double)k->choice->cost_before) break;
    }
    mc_free(met);
    if (rc == 0) rc = try_blocks(k, blocks, n - 1, &cost);
    k->choice->families[blocks[best].family].n_removed = blocks[best].n_after;
    return rc;
}

/* The least number of blocks that meets the target, by bisection. */
static int meet_target(struct chooser *k, const struct block *blocks, int n_blocks, double target)
{
    int64_t cost = 0;
    int rc = try_blocks(k, blocks, n_blocks, &cost);
    if (rc == 0 && (double)cost > target)
        return mc_error_set(k->err, MC_ERR_USAGE, "%s: %g of the %s cannot be reached: %g stay at least",
                            budgets[k->options->budget].name, k->options->stays, budgets[k->options->budget].counts,
                            (double)cost / (double)k->choice->cost_before);
    int too_few = -1, enough = n_blocks;
    k->choice->cost_after = cost;
    while (rc == 0 && enough - too_few > 1) {
        const int middle = too_few + (enough - too_few) / 2;
        rc = try_blocks(k, blocks, middle, &cost);
        if ((double)cost > target) {
            too_few = middle;
        } else {
            enough = middle;
            k->choice->cost_after = cost;
        }
    }
    if (rc < 0) return rc;
    if (enough > 0 && k->options->budget != MC_BUDGET_LATENCY) return replace_last(k, blocks, enough, n_blocks, target);
    take_blocks(k, blocks, enough);
    return MC_OK;
}

/* Families compete for which groups are the share that goes. */
static int choose_by_share(struct chooser *k)
{
    struct block *blocks = MC_NEW_ARRAY(struct block, mc_coupling_n_groups(k->coupling));
    if (!blocks) return mc_error_memory(k->err);
    int n = 0, n_going = 0;
    int64_t cost;
    int rc = rank_blocks(k, blocks, &n, false);
    while (n_going < n && blocks[n_going].score <= k->options->ratio + 1e-9) n_going++;
    if (rc == 0) rc = try_blocks(k, blocks, n_going, &cost);
    mc_free(blocks);
    return rc;
}

static int choose_by_budget(struct chooser *k)
{
    struct block *blocks = MC_NEW_ARRAY(struct block, mc_coupling_n_groups(k->coupling));
    if (!blocks) return mc_error_memory(k->err);
    int n = 0;
    int rc = rank_blocks(k, blocks, &n, true);
    if (rc == 0) rc = meet_target(k, blocks, n, k->options->stays * (double)k->choice->cost_before);
    mc_free(blocks);
    return rc;
}

/* --- the whole --- */

static int check_options(const struct mc_shrink_options *options, struct mc_error *err)
{
    if (!(options->stays >= 0 && options->stays <= 1))
        return mc_error_set(err, MC_ERR_USAGE, "%s must be more than 0 and at most 1, not %g",
                            budgets[options->budget].name, options->stays);
    if (options->curves && options->stays == 0)
        return mc_error_set(err, MC_ERR_USAGE, "curves of sensitivity need a budget to be met by");
    if (options->stays == 0 && !(options->ratio >= 0 && options->ratio < 1))
        return mc_error_set(err, MC_ERR_USAGE, "ratio must be at least 0 and less than 1, not %g", options->ratio);
    if (options->round < 1 || options->round > 4096)
        return mc_error_set(err, MC_ERR_USAGE, "round must be 1 to 4096, not %lld", (long long)options->round);
    return 0;
}

/* The first node that no rule speaks for. */
static const struct mc_node *find_ruleless(const struct mc_model *model)
{
    for (int i = 0; i < model->graph->n_nodes; i++) {
        const struct mc_node *node = model->graph->nodes[i];
        if (!node->op || (!node->op->coupling && !node->op->shape_only && node->n_inputs > 0)) return node;
    }
    return NULL;
}

static int refuse_if_frozen(const struct mc_choice *choice, const struct mc_model *model, struct mc_error *err)
{
    char text[160];
    const struct mc_family *example = NULL;
    for (int f = 0; f < choice->n_families; f++) {
        if (choice->families[f].n_free > 0) return 0;
        if (choice->families[f].tensor && choice->families[f].why) example = &choice->families[f];
    }
    const struct mc_node *ruleless = find_ruleless(model);
    if (ruleless)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "no channel can go: nothing is known of the operator of node %s",
                            mc_node_text(ruleless, text, sizeof(text)));
    if (!example) return mc_error_set(err, MC_ERR_UNSUPPORTED, "no channel can go: no weight makes or reads any");
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "no channel can go; axis %d of '%s' has to stay: %s%s%s",
                        example->axis, example->tensor->name, example->why, example->by ? ", by node " : "",
                        example->by ? mc_node_text(example->by, text, sizeof(text)) : "");
}

int mc_choose(struct mc_choice *choice, const struct mc_model *model, const struct mc_facts *facts,
              const struct mc_coupling *coupling, const double *importance, const struct mc_shrink_options *options,
              struct mc_error *err)
{
    *choice = (struct mc_choice){0};
    struct chooser k = {choice, model, facts, coupling, importance, options, err};
    int rc = check_options(options, err);
    if (rc == 0) rc = list_families(&k);
    if (rc == 0) rc = refuse_if_frozen(choice, model, err);
    if (rc == 0) rc = bound_families(&k);
    if (rc == 0) rc = rank_families(&k);
    if (rc == 0) rc = mc_choice_cost(&choice->macs_before, MC_BUDGET_MACS, model, facts, coupling, NULL, err);
    if (rc == 0 && options->stays > 0) rc = find_cost(&k, NULL, &choice->cost_before);
    if (rc == 0 && options->stays > 0) rc = choose_by_budget(&k);
    if (rc == 0 && options->stays == 0 && ranking_of(options) == MC_RANKING_LAYER) choose_by_ratio(&k);
    if (rc == 0 && options->stays == 0 && ranking_of(options) != MC_RANKING_LAYER) rc = choose_by_share(&k);
    if (rc == 0) mc_choice_mark(choice, mc_coupling_n_groups(coupling));
    if (rc == 0) rc = mc_choice_cost(&choice->macs_after, MC_BUDGET_MACS, model, facts, coupling, choice->goes, err);
    if (rc == 0) choice->n_groups = mc_list_going(choice->goes, mc_coupling_n_groups(coupling), choice->groups);
    if (rc < 0) mc_choice_finish(choice);
    return rc;
}

int64_t mc_choice_count(const struct mc_choice *choice, const struct mc_coupling *coupling, const struct mc_value *v,
                        int axis)
{
    const int64_t extent = mc_coupling_extent(coupling, v, axis);
    int64_t n = 0;
    for (int64_t i = 0; i < extent; i++) n += mc_index_goes(coupling, choice->goes, v, axis, i);
    return n;
}

void mc_choice_finish(struct mc_choice *choice)
{
    mc_free(choice->groups);
    mc_free(choice->goes);
    mc_free(choice->pool);
    mc_free(choice->families);
    *choice = (struct mc_choice){0};
}
