/* ml_trees.c - TreeEnsembleClassifier, TreeEnsembleRegressor (ai.onnx.ml 1, 3) and TreeEnsemble (5).
 *
 * All three spellings become one form, struct forest, whose nodes know their children by index. What the specification
 * leaves open (two classes of which one alone has weights, say) is as ONNX Runtime 1.32 does it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ml.h"

enum mode { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF };
enum aggregate { AVERAGE, SUM, MIN, MAX };

/* A node, or a leaf, whose weights are weights[first] … weights[first + count - 1]. */
struct tree_node {
    enum mode mode;
    bool missing_is_true;
    int64_t feature;
    double value;
    int64_t yes, no;      /* indices */
    int64_t first, count; /* of weights; of members with MEMBER */
};

struct weight {
    int64_t node; /* while they are sorted */
    int64_t target;
    double value;
};

struct forest {
    int64_t n_nodes, n_trees, n_weights, n_targets, n_members;
    struct tree_node *nodes;
    int64_t *roots;
    struct weight *weights;
    double *members;
    enum aggregate aggregate;
    enum mc_ml_post post;
    int64_t n_base;
    double *base;
};

static void forest_finish(struct forest *f)
{
    mc_free(f->base);
    mc_free(f->members);
    mc_free(f->weights);
    mc_free(f->roots);
    mc_free(f->nodes);
}

/* --- lists of attributes --- */

/* Numbers from a list of floats or a tensor, whichever there is. */
struct numbers {
    int64_t n;
    const float *floats;
    const struct mc_tensor *tensor;
};

static struct numbers numbers_of(const struct mc_node *node, const char *list, const char *tensor)
{
    struct numbers numbers = {0};
    const struct mc_attr *attr = tensor ? mc_node_attr(node, tensor) : NULL;
    if (attr && attr->type == MC_ATTR_TENSOR)
        numbers = (struct numbers){.n = mc_tensor_count(attr->t), .tensor = attr->t};
    else if (list)
        numbers.floats = mc_ml_floats(node, list, &numbers.n);
    return numbers;
}

static double number_at(const struct numbers *numbers, int64_t i)
{
    return numbers->tensor ? mc_tensor_get_f64(numbers->tensor, i) : (double)numbers->floats[i];
}

static const int64_t *ints_of(const struct mc_node *node, const char *name, int64_t n, struct mc_error *err)
{
    int64_t have;
    const int64_t *ints = mc_node_ints(node, name, &have);
    if (have == n && n > 0) return ints;
    mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs %" PRId64 " numbers, has %" PRId64, name, n, have);
    return NULL;
}

static int take_base(struct forest *f, const struct mc_node *node, struct mc_error *err)
{
    const struct numbers base = numbers_of(node, "base_values", "base_values_as_tensor");
    f->n_base = base.n;
    f->base = MC_NEW_ARRAY(double, base.n > 0 ? base.n : 1);
    if (!f->base) return mc_error_memory(err);
    for (int64_t i = 0; i < base.n; i++) f->base[i] = number_at(&base, i);
    return MC_OK;
}

/* --- versions 1 and 3: nodes by (tree, number) --- */

struct key {
    int64_t tree, number, index;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int64_t find_key(const struct key *keys, int64_t n, int64_t tree, int64_t number)
{
    int64_t low = 0, high = n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const struct key *k = &keys[middle];
        if (k->tree < tree || (k->tree == tree && k->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && keys[low].tree == tree && keys[low].number == number ? keys[low].index : -1;
}

static int parse_mode(const struct mc_text *text, enum mode *mode, struct mc_error *err)
{
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
    for (int i = 0; i < (int)MC_COUNT(names); i++)
        if (i != MEMBER && strlen(names[i]) == text->length && memcmp(names[i], text->bytes, text->length) == 0) {
            *mode = (enum mode)i;
            return MC_OK;
        }
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'nodes_modes': needs BRANCH_LEQ, … or LEAF, has '%.*s'",
                        (int)(text->length < 40 ? text->length : 40), text->bytes);
}

static int by_node(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;
    return (x->node > y->node) - (x->node < y->node);
}

/* Weights, `prefix` being "class" or "target": each belongs to the node that it names. */
static int take_weights(struct forest *f, const struct mc_node *node, const char *prefix, const struct key *keys,
                        struct mc_error *err)
{
    char trees_name[32], nodes_name[32], ids_name[32], weights_name[32], tensor_name[40];
    snprintf(trees_name, sizeof trees_name, "%s_treeids", prefix);
    snprintf(nodes_name, sizeof nodes_name, "%s_nodeids", prefix);
    snprintf(ids_name, sizeof ids_name, "%s_ids", prefix);
    snprintf(weights_name, sizeof weights_name, "%s_weights", prefix);
    snprintf(tensor_name, sizeof tensor_name, "%s_weights_as_tensor", prefix);
    const struct numbers values = numbers_of(node, weights_name, tensor_name);
    const int64_t n = f->n_weights = values.n, *trees = ints_of(node, trees_name, n, err);
    const int64_t *numbers = trees ? ints_of(node, nodes_name, n, err) : NULL;
    const int64_t *ids = numbers ? ints_of(node, ids_name, n, err) : NULL;
    if (!ids) return MC_ERR_INPUT;
    f->weights = MC_NEW_ARRAY(struct weight, n);
    if (!f->weights) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = find_key(keys, f->n_nodes, trees[i], numbers[i]);
        if (at < 0)
            return mc_error_set(err, MC_ERR_INPUT,
                                "weight %" PRId64 " is of node %" PRId64 " in tree %" PRId64 ", which is none", i,
                                numbers[i], trees[i]);
        if (ids[i] < 0 || ids[i] >= f->n_targets)
            return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs numbers below %" PRId64 ", has %" PRId64,
                                ids_name, f->n_targets, ids[i]);
        f->weights[i] = (struct weight){.node = at, .target = ids[i], .value = number_at(&values, i)};
    }
    qsort(f->weights, (size_t)n, sizeof *f->weights, by_node);
    for (int64_t i = n; i-- > 0;) {
        f->nodes[f->weights[i].node].first = i;
        f->nodes[f->weights[i].node].count++;
    }
    return MC_OK;
}

static int take_nodes(struct forest *f, const struct mc_node *node, const struct key *keys, const int64_t *trees,
                      struct mc_error *err)
{
    const int64_t n = f->n_nodes;
    int64_t n_modes, n_missing;
    const struct mc_text *modes = mc_ml_texts(node, "nodes_modes", &n_modes);
    const struct numbers values = numbers_of(node, "nodes_values", "nodes_values_as_tensor");
    const int64_t *missing = mc_node_ints(node, "nodes_missing_value_tracks_true", &n_missing);
    const int64_t *features = ints_of(node, "nodes_featureids", n, err);
    const int64_t *yes = features ? ints_of(node, "nodes_truenodeids", n, err) : NULL;
    const int64_t *no = yes ? ints_of(node, "nodes_falsenodeids", n, err) : NULL;
    if (!no) return MC_ERR_INPUT;
    if (n_modes != n || values.n != n || (n_missing && n_missing != n))
        return mc_error_set(err, MC_ERR_INPUT, "attributes nodes_…: need %" PRId64 " entries each", n);
    for (int64_t i = 0; i < n; i++) {
        struct tree_node *to = &f->nodes[i];
        const int rc = parse_mode(&modes[i], &to->mode, err);
        if (rc < 0) return rc;
        to->missing_is_true = n_missing && missing[i];
        to->feature = features[i];
        to->value = number_at(&values, i);
        if (to->mode == LEAF) continue;
        to->yes = find_key(keys, n, trees[i], yes[i]);
        to->no = find_key(keys, n, trees[i], no[i]);
        if (to->yes < 0 || to->no < 0 || to->feature < 0)
            return mc_error_set(err, MC_ERR_INPUT, "node %" PRId64 " of tree %" PRId64 " leads to none", i, trees[i]);
    }
    return MC_OK;
}

/* The root of a tree is its first node in the list that no other leads to; as the list is usually in order, the first.
 */
static int find_roots(struct forest *f, const int64_t *trees, struct mc_error *err)
{
    bool *child = MC_NEW_ARRAY(bool, f->n_nodes);
    struct key *roots = MC_NEW_ARRAY(struct key, f->n_nodes);
    int rc = child && roots ? MC_OK : mc_error_memory(err);
    int64_t n = 0;
    for (int64_t i = 0; i < f->n_nodes && rc == MC_OK; i++)
        if (f->nodes[i].mode != LEAF) child[f->nodes[i].yes] = child[f->nodes[i].no] = true;
    for (int64_t i = 0; i < f->n_nodes && rc == MC_OK; i++)
        if (!child[i]) roots[n++] = (struct key){trees[i], 0, i};
    f->roots = rc == MC_OK ? MC_NEW_ARRAY(int64_t, n > 0 ? n : 1) : NULL;
    if (rc == MC_OK && !f->roots) rc = mc_error_memory(err);
    if (rc == MC_OK) qsort(roots, (size_t)n, sizeof *roots, by_key);
    for (int64_t i = 0; i < n && rc == MC_OK; i++) {
        if (i > 0 && roots[i].tree == roots[i - 1].tree) continue;
        f->roots[f->n_trees++] = roots[i].index;
    }
    if (rc == MC_OK && f->n_trees == 0) rc = mc_error_set(err, MC_ERR_INPUT, "no tree has a root");
    mc_free(roots);
    mc_free(child);
    return rc;
}

static int parse_aggregate(struct forest *f, const struct mc_node *node, struct mc_error *err)
{
    static const char *const names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const struct mc_attr *attr = mc_node_attr(node, "aggregate_function");
    f->aggregate = SUM;
    for (int i = 0; attr && i < (int)MC_COUNT(names); i++)
        if (attr->type == MC_ATTR_INT ? attr->i == i : mc_node_string_is(node, "aggregate_function", names[i], false)) {
            f->aggregate = (enum aggregate)i;
            return MC_OK;
        }
    return attr ? mc_error_set(err, MC_ERR_INPUT, "attribute 'aggregate_function': needs AVERAGE, SUM, MIN or MAX")
                : MC_OK;
}

/* A walk can only end if no node leads back to one before it. */
static int check_no_cycles(const struct forest *f, struct mc_error *err)
{
    int64_t *parents = MC_NEW_ARRAY(int64_t, f->n_nodes), *ready = MC_NEW_ARRAY(int64_t, f->n_nodes);
    int rc = parents && ready ? MC_OK : mc_error_memory(err);
    int64_t n = 0, seen = 0;
    for (int64_t i = 0; i < f->n_nodes && rc == MC_OK; i++)
        if (f->nodes[i].mode != LEAF) {
            parents[f->nodes[i].yes]++;
            parents[f->nodes[i].no]++;
        }
    for (int64_t i = 0; i < f->n_nodes && rc == MC_OK; i++)
        if (!parents[i]) ready[n++] = i;
    while (rc == MC_OK && seen < n) {
        const struct tree_node *node = &f->nodes[ready[seen++]];
        if (node->mode == LEAF) continue;
        if (--parents[node->yes] == 0) ready[n++] = node->yes;
        if (--parents[node->no] == 0) ready[n++] = node->no;
    }
    if (rc == MC_OK && seen < f->n_nodes) rc = mc_error_set(err, MC_ERR_INPUT, "a tree leads back into itself");
    mc_free(ready);
    mc_free(parents);
    return rc;
}

static int forest_of_lists(struct forest *f, const struct mc_node *node, const char *prefix, int64_t n_targets,
                           struct mc_error *err)
{
    *f = (struct forest){.n_targets = n_targets};
    const int64_t *trees = mc_node_ints(node, "nodes_treeids", &f->n_nodes);
    if (f->n_nodes < 1) return mc_error_set(err, MC_ERR_INPUT, "attribute 'nodes_treeids': needs a node at least");
    const int64_t *numbers = ints_of(node, "nodes_nodeids", f->n_nodes, err);
    if (!numbers) return MC_ERR_INPUT;
    f->nodes = MC_NEW_ARRAY(struct tree_node, f->n_nodes);
    struct key *keys = MC_NEW_ARRAY(struct key, f->n_nodes);
    int rc = f->nodes && keys ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) {
        for (int64_t i = 0; i < f->n_nodes; i++) keys[i] = (struct key){trees[i], numbers[i], i};
        qsort(keys, (size_t)f->n_nodes, sizeof *keys, by_key);
        rc = take_nodes(f, node, keys, trees, err);
    }
    if (rc == MC_OK) rc = take_weights(f, node, prefix, keys, err);
    if (rc == MC_OK) rc = check_no_cycles(f, err);
    if (rc == MC_OK) rc = find_roots(f, trees, err);
    if (rc == MC_OK) rc = take_base(f, node, err);
    if (rc == MC_OK) rc = parse_aggregate(f, node, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&f->post, node, err);
    mc_free(keys);
    return rc;
}

/* --- version 5: children by position, leaves apart --- */

/* Members of all sets, one after the other, sets divided by NaN. */
static int take_members(struct forest *f, const struct mc_node *node, struct mc_error *err)
{
    const struct numbers values = numbers_of(node, NULL, "membership_values");
    f->n_members = values.n;
    f->members = MC_NEW_ARRAY(double, values.n > 0 ? values.n : 1);
    if (!f->members) return mc_error_memory(err);
    for (int64_t i = 0; i < values.n; i++) f->members[i] = number_at(&values, i);
    int64_t at = 0;
    for (int64_t i = 0; i < f->n_nodes; i++) {
        if (f->nodes[i].mode != MEMBER) continue;
        f->nodes[i].first = at;
        while (at < f->n_members && !isnan(f->members[at])) at++;
        f->nodes[i].count = at - f->nodes[i].first;
        at += at < f->n_members;
    }
    return MC_OK;
}

static int child_of(const struct forest *f, int64_t at, bool leaf, int64_t n_inner, int64_t n_leaves, int64_t *child,
                    struct mc_error *err)
{
    if (at < 0 || at >= (leaf ? n_leaves : n_inner))
        return mc_error_set(err, MC_ERR_INPUT, "a node leads to %s %" PRId64 ", which is none", leaf ? "leaf" : "node",
                            at);
    *child = leaf ? n_inner + at : at;
    return MC_OK;
}

static int take_inner(struct forest *f, const struct mc_node *node, int64_t n, int64_t n_leaves, struct mc_error *err)
{
    const struct numbers modes = numbers_of(node, NULL, "nodes_modes"), splits = numbers_of(node, NULL, "nodes_splits");
    int64_t n_missing;
    const int64_t *missing = mc_node_ints(node, "nodes_missing_value_tracks_true", &n_missing);
    const int64_t *features = ints_of(node, "nodes_featureids", n, err);
    const int64_t *yes = features ? ints_of(node, "nodes_truenodeids", n, err) : NULL;
    const int64_t *no = yes ? ints_of(node, "nodes_falsenodeids", n, err) : NULL;
    const int64_t *yes_leaf = no ? ints_of(node, "nodes_trueleafs", n, err) : NULL;
    const int64_t *no_leaf = yes_leaf ? ints_of(node, "nodes_falseleafs", n, err) : NULL;
    if (!no_leaf) return MC_ERR_INPUT;
    if (modes.n != n || splits.n != n || (n_missing && n_missing != n))
        return mc_error_set(err, MC_ERR_INPUT, "attributes nodes_…: need %" PRId64 " entries each", n);
    for (int64_t i = 0; i < n; i++) {
        const double mode = number_at(&modes, i);
        struct tree_node *to = &f->nodes[i];
        if (!(mode >= 0 && mode <= MEMBER) || features[i] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "node %" PRId64 ": mode %g of feature %" PRId64, i, mode,
                                features[i]);
        to->mode = (enum mode)mode;
        to->missing_is_true = n_missing && missing[i];
        to->feature = features[i];
        to->value = number_at(&splits, i);
        int rc = child_of(f, yes[i], yes_leaf[i] != 0, n, n_leaves, &to->yes, err);
        if (rc == MC_OK) rc = child_of(f, no[i], no_leaf[i] != 0, n, n_leaves, &to->no, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int take_leaves(struct forest *f, const struct mc_node *node, int64_t n_inner, int64_t n, struct mc_error *err)
{
    const struct numbers values = numbers_of(node, NULL, "leaf_weights");
    const int64_t *targets = ints_of(node, "leaf_targetids", n, err);
    if (!targets) return MC_ERR_INPUT;
    f->n_weights = n;
    f->weights = MC_NEW_ARRAY(struct weight, n);
    if (!f->weights) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        if (targets[i] < 0 || targets[i] >= f->n_targets)
            return mc_error_set(err, MC_ERR_INPUT, "leaf %" PRId64 ": needs a target below %" PRId64 ", has %" PRId64,
                                i, f->n_targets, targets[i]);
        f->weights[i] = (struct weight){.target = targets[i], .value = number_at(&values, i)};
        f->nodes[n_inner + i] = (struct tree_node){.mode = LEAF, .first = i, .count = 1};
    }
    return MC_OK;
}

static int forest_of_tensors(struct forest *f, const struct mc_node *node, struct mc_error *err)
{
    const int64_t n_leaves = numbers_of(node, NULL, "leaf_weights").n;
    int64_t n_inner;
    *f = (struct forest){.n_targets = mc_node_int(node, "n_targets", 1)};
    mc_node_ints(node, "nodes_featureids", &n_inner);
    const int64_t *roots = mc_node_ints(node, "tree_roots", &f->n_trees);
    if (n_inner < 1 || n_leaves < 1 || f->n_trees < 1 || f->n_targets < 1)
        return mc_error_set(err, MC_ERR_INPUT, "needs a root, a node, a leaf and a target at least");
    f->n_nodes = n_inner + n_leaves;
    f->nodes = MC_NEW_ARRAY(struct tree_node, f->n_nodes);
    f->roots = MC_NEW_ARRAY(int64_t, f->n_trees);
    int rc = f->nodes && f->roots ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; i < f->n_trees && rc == MC_OK; i++) {
        f->roots[i] = roots[i];
        if (roots[i] < 0 || roots[i] >= n_inner)
            rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'tree_roots': needs nodes below %" PRId64 ", has %" PRId64,
                              n_inner, roots[i]);
    }
    if (rc == MC_OK) rc = take_inner(f, node, n_inner, n_leaves, err);
    if (rc == MC_OK) rc = take_leaves(f, node, n_inner, n_leaves, err);
    if (rc == MC_OK) rc = take_members(f, node, err);
    if (rc == MC_OK) rc = check_no_cycles(f, err);
    if (rc == MC_OK) rc = parse_aggregate(f, node, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&f->post, node, err);
    return rc;
}

/* --- walking --- */

static int check_features(const struct forest *f, const struct mc_ml_rows *rows, struct mc_error *err)
{
    for (int64_t i = 0; i < f->n_nodes; i++)
        if (f->nodes[i].mode != LEAF && f->nodes[i].feature >= rows->n_features)
            return mc_error_set(err, MC_ERR_INPUT, "node %" PRId64 " looks at feature %" PRId64 " of %" PRId64, i,
                                f->nodes[i].feature, rows->n_features);
    return MC_OK;
}

static bool is_member(const struct forest *f, const struct tree_node *node, double x)
{
    for (int64_t i = 0; i < node->count; i++)
        if (f->members[node->first + i] == x) return true;
    return false;
}

static bool decide(const struct forest *f, const struct tree_node *node, double x)
{
    if (isnan(x) && node->missing_is_true) return true;
    switch (node->mode) {
    case LEQ:
        return x <= node->value;
    case LT:
        return x < node->value;
    case GTE:
        return x >= node->value;
    case GT:
        return x > node->value;
    case EQ:
        return x == node->value;
    case NEQ:
        return x != node->value;
    case MEMBER:
        return is_member(f, node, x);
    case LEAF:
        break;
    }
    return false;
}

static const struct tree_node *find_leaf(const struct forest *f, int64_t root, const double *x)
{
    const struct tree_node *node = &f->nodes[root];
    while (node->mode != LEAF) node = &f->nodes[decide(f, node, x[node->feature]) ? node->yes : node->no];
    return node;
}

/* What the trees say of one sample: scores[target], and whether any said something of it. */
static void add_up(const struct forest *f, const double *x, double *scores, bool *said)
{
    for (int64_t t = 0; t < f->n_targets; t++) {
        scores[t] = 0;
        said[t] = false;
    }
    for (int64_t i = 0; i < f->n_trees; i++) {
        const struct tree_node *leaf = find_leaf(f, f->roots[i], x);
        for (int64_t k = leaf->first; k < leaf->first + leaf->count; k++) {
            const struct weight *w = &f->weights[k];
            double *score = &scores[w->target];
            if (f->aggregate == MIN)
                *score = said[w->target] && *score < w->value ? *score : w->value;
            else if (f->aggregate == MAX)
                *score = said[w->target] && *score > w->value ? *score : w->value;
            else
                *score += w->value;
            said[w->target] = true;
        }
    }
    for (int64_t t = 0; t < f->n_targets && f->aggregate == AVERAGE; t++) scores[t] /= (double)f->n_trees;
}

/* --- regression --- */

static int regress(struct mc_call *call, const struct forest *f, enum mc_dtype dtype, struct mc_error *err)
{
    struct mc_ml_rows rows;
    struct mc_tensor *y = NULL;
    bool *said = MC_NEW_ARRAY(bool, f->n_targets);
    double *scores = MC_NEW_ARRAY(double, f->n_targets);
    int rc = mc_ml_rows_init(&rows, call, err);
    if (rc == MC_OK && !(said && scores)) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = check_features(f, &rows, err);
    const struct mc_shape shape = {.rank = 2, .dim = {rows.n, f->n_targets}};
    if (rc == MC_OK) rc = mc_tensor_create(&y, dtype, &shape, err);
    for (int64_t i = 0; i < rows.n && rc == MC_OK; i++) {
        add_up(f, rows.at + i * rows.n_features, scores, said);
        for (int64_t t = 0; t < f->n_targets; t++)
            if (f->n_base) scores[t] += f->base[f->n_base > 1 && t < f->n_base ? t : 0];
        mc_ml_transform(f->post, scores, f->n_targets);
        for (int64_t t = 0; t < f->n_targets; t++) mc_tensor_set_f64(y, i * f->n_targets + t, scores[t]);
    }
    if (rc < 0)
        mc_tensor_destroy(y);
    else if (!(call->out[0] = mc_item_of_tensor(y)))
        rc = mc_error_memory(err);
    mc_ml_rows_finish(&rows);
    mc_free(scores);
    mc_free(said);
    return rc;
}

static int targets_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         enum mc_dtype dtype, struct mc_error *err)
{
    int64_t n, n_features;
    const int64_t n_targets = mc_node_int(node, "n_targets", 1);
    const int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc < 0) return rc;
    if (n_targets < 1)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'n_targets': needs 1 at least, has %" PRId64, n_targets);
    out[0] = (struct mc_fact){.dtype = dtype, .shape = {.rank = 2, .dim = {n, n_targets}}};
    return MC_OK;
}

static int tree_ensemble_regressor_shape(const struct mc_node *node, const struct mc_fact *const *in,
                                         struct mc_fact *out, struct mc_error *err)
{
    return targets_shape(node, in, out, MC_FLOAT, err);
}

static int tree_ensemble_regressor_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct forest f;
    int rc = forest_of_lists(&f, call->node, "target", mc_node_int(call->node, "n_targets", 1), err);
    if (rc == MC_OK) rc = regress(call, &f, MC_FLOAT, err);
    forest_finish(&f);
    return rc;
}

static int tree_ensemble_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                               struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    return rc < 0 ? rc : targets_shape(node, in, out, in[0]->dtype, err);
}

static int tree_ensemble_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct forest f;
    const struct mc_tensor *x = NULL;
    int rc = forest_of_tensors(&f, call->node, err);
    if (rc == MC_OK) rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = regress(call, &f, x->dtype, err);
    forest_finish(&f);
    return rc;
}

/* --- classification --- */

struct decision {
    bool single;       /* two classes, and all weights are of one */
    bool all_positive; /* none of the weights is negative */
};

static struct decision decision_of(const struct forest *f, int64_t n_labels)
{
    struct decision d = {.single = n_labels == 2 || n_labels == 1, .all_positive = true};
    for (int64_t i = 0; i < f->n_weights; i++) {
        if (f->weights[i].target != f->weights[0].target) d.single = false;
        if (f->weights[i].value < 0) d.all_positive = false;
    }
    for (int64_t i = 0; i < f->n_base; i++)
        if (f->base[i] < 0) d.all_positive = false;
    return d;
}

/* One score, of the first class, stands for both: the other gets what is left of 1 where weights count as
 * probabilities, else the opposite. */
static void spread_single(const struct forest *f, struct decision d, double score, double *scores)
{
    const bool curve = f->post == MC_POST_LOGISTIC;
    if (d.all_positive) {
        scores[1] = curve ? mc_ml_logistic(score) : score;
        scores[0] = 1 - scores[1];
    } else {
        scores[1] = curve ? mc_ml_logistic(score) : score;
        scores[0] = curve ? mc_ml_logistic(-score) : -score;
    }
    if (f->post == MC_POST_PROBIT) mc_ml_transform(f->post, scores, 2);
}

static int64_t classify(const struct forest *f, struct decision d, const double *x, double *scores, bool *said)
{
    add_up(f, x, scores, said);
    const int64_t of = f->weights[0].target;
    if (d.single && of == 0 && f->n_base < 2) {
        const double score = scores[0] + (f->n_base ? f->base[0] : 0);
        spread_single(f, d, score, scores);
        return score > (d.all_positive ? 0.5 : 0);
    }
    for (int64_t t = 0; t < f->n_base && t < f->n_targets; t++) scores[t] += f->base[t];
    const int64_t label = d.single ? scores[of] > (d.all_positive ? 0.5 : 0) : mc_ml_largest(scores, f->n_targets);
    mc_ml_transform(f->post, scores, f->n_targets);
    return label;
}

static int classifier_labels(const struct mc_node *node, struct mc_ml_labels *labels, struct mc_error *err)
{
    return mc_ml_labels_init(labels, node, "classlabels_int64s", "classlabels_strings", err);
}

static int tree_ensemble_classifier_shape(const struct mc_node *node, const struct mc_fact *const *in,
                                          struct mc_fact *out, struct mc_error *err)
{
    struct mc_ml_labels labels;
    int64_t n, n_features;
    int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc == MC_OK) rc = classifier_labels(node, &labels, err);
    if (rc < 0) return rc;
    if (labels.n < 2)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs two classes at least, has %" PRId64, labels.n);
    out[0] = (struct mc_fact){.dtype = mc_ml_labels_type(&labels), .shape = {.rank = 1, .dim = {n}}};
    out[1] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 2, .dim = {n, labels.n}}};
    return MC_OK;
}

static int tree_ensemble_classifier_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_ml_labels labels = {0};
    struct mc_ml_rows rows = {0};
    struct forest f = {0};
    double *scores = NULL;
    int64_t *of = NULL;
    bool *said = NULL;
    int rc = classifier_labels(call->node, &labels, err);
    if (rc == MC_OK) rc = forest_of_lists(&f, call->node, "class", labels.n, err);
    if (rc == MC_OK) rc = mc_ml_rows_init(&rows, call, err);
    if (rc == MC_OK) rc = check_features(&f, &rows, err);
    if (rc == MC_OK) {
        scores = mc_alloc((size_t)rows.n + 1, (size_t)labels.n * sizeof *scores);
        of = MC_NEW_ARRAY(int64_t, rows.n + 1);
        said = MC_NEW_ARRAY(bool, labels.n);
        if (!scores || !of || !said) rc = mc_error_memory(err);
    }
    const struct decision d = rc == MC_OK ? decision_of(&f, labels.n) : (struct decision){0};
    for (int64_t i = 0; i < rows.n && rc == MC_OK; i++)
        of[i] = classify(&f, d, rows.at + i * rows.n_features, scores + i * labels.n, said);
    const struct mc_shape shape = {.rank = 2, .dim = {rows.n, labels.n}};
    if (rc == MC_OK) rc = mc_ml_labels_item(&labels, of, rows.n, &call->out[0], err);
    if (rc == MC_OK && call->n_out > 1) rc = mc_ml_floats_item(scores, &shape, &call->out[1], err);
    mc_free(said);
    mc_free(of);
    mc_free(scores);
    mc_ml_rows_finish(&rows);
    forest_finish(&f);
    return rc;
}

MC_ML_OP(tree_ensemble, "TreeEnsemble", 5, 1, 1, 1)
MC_ML_OP(tree_ensemble_classifier, "TreeEnsembleClassifier", 1, 1, 1, 2)
MC_ML_OP(tree_ensemble_regressor, "TreeEnsembleRegressor", 1, 1, 1, 1)
