/* common.c - what is there twice: nodes that do the same to the same, initializers of the same contents. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "rewrite/pass.h"

/* --- hashing --- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return h;
}

/* First things seen, by hash; open addressing. */
struct table {
    size_t mask;
    const void **at;
    uint64_t *hash;
};

static bool table_create(struct table *t, int64_t n)
{
    size_t room = 16;
    while (room < (size_t)n * 2) room *= 2;
    *t = (struct table){.mask = room - 1, .at = MC_NEW_ARRAY(const void *, room), .hash = MC_NEW_ARRAY(uint64_t, room)};
    return t->at && t->hash;
}

static void table_finish(struct table *t)
{
    mc_free(t->hash);
    mc_free(t->at);
}

/* The first that is the same, or NULL after `thing` was put in. */
static const void *find_or_put(struct table *t, const void *thing, uint64_t hash,
                               bool (*same)(const void *a, const void *b))
{
    size_t i = (size_t)hash & t->mask;
    for (; t->at[i]; i = (i + 1) & t->mask)
        if (t->hash[i] == hash && same(t->at[i], thing)) return t->at[i];
    t->at[i] = thing;
    t->hash[i] = hash;
    return NULL;
}

/* --- tensors --- */

static bool same_tensor(const struct mc_tensor *a, const struct mc_tensor *b)
{
    return a->dtype == b->dtype && a->dtype != MC_STRING && mc_shape_equal(&a->shape, &b->shape) &&
           memcmp(a->data, b->data, mc_tensor_bytes(a)) == 0;
}

static bool same_initializer(const void *a, const void *b)
{
    return same_tensor(((const struct mc_value *)a)->data, ((const struct mc_value *)b)->data);
}

static uint64_t hash_tensor(const struct mc_tensor *t)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), &t->dtype, sizeof t->dtype);
    h = mix(h, t->shape.dim, (size_t)t->shape.rank * sizeof *t->shape.dim);
    return t->dtype == MC_STRING ? h : mix(h, t->data, mc_tensor_bytes(t));
}

static int run_share(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    struct mc_graph *graph = r->model->graph;
    struct table table;
    int rc = table_create(&table, graph->n_initializers) ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < graph->n_initializers && rc == MC_OK; i++) {
        struct mc_value *v = graph->initializers[i];
        if (v->is_input || v->is_output) continue;
        const struct mc_value *first = find_or_put(&table, v, hash_tensor(v->data), same_initializer);
        if (!first) continue;
        rc = mc_value_replace(v, r->model->values[first->id], err);
        if (rc < 0) break;
        mc_value_remove(v);
        ++*n;
        i--;
    }
    table_finish(&table);
    return rc;
}

/* Initializers of the same contents become one. */
const struct mc_pass mc_pass_share = {"share", run_share};

/* --- nodes --- */

static bool same_attr(const struct mc_attr *a, const struct mc_attr *b)
{
    if (a->type != b->type || strcmp(a->name, b->name) != 0) return false;
    switch (a->type) {
    case MC_ATTR_FLOAT:
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case MC_ATTR_INT:
        return a->i == b->i;
    case MC_ATTR_STRING:
        return a->s.length == b->s.length && memcmp(a->s.bytes, b->s.bytes, a->s.length) == 0;
    case MC_ATTR_TENSOR:
        return same_tensor(a->t, b->t);
    case MC_ATTR_FLOATS:
        return a->n == b->n && memcmp(a->floats, b->floats, (size_t)a->n * sizeof *a->floats) == 0;
    case MC_ATTR_INTS:
        return a->n == b->n && memcmp(a->ints, b->ints, (size_t)a->n * sizeof *a->ints) == 0;
    default:
        return false;
    }
}

static bool same_attrs(const struct mc_node *a, const struct mc_node *b)
{
    if (a->n_attrs != b->n_attrs) return false;
    for (int i = 0; i < a->n_attrs; i++) {
        const struct mc_attr *other = mc_node_attr(b, a->attrs[i].name);
        if (!other || !same_attr(&a->attrs[i], other)) return false;
    }
    return true;
}

/* The same outputs have to be asked for, lest the one that stays lacks some. */
static bool same_node(const void *a_, const void *b_)
{
    const struct mc_node *a = a_, *b = b_;
    if (a->op != b->op || a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs) return false;
    if (memcmp(a->inputs, b->inputs, (size_t)a->n_inputs * sizeof(void *)) != 0) return false;
    for (int i = 0; i < a->n_outputs; i++)
        if (!a->outputs[i] != !b->outputs[i]) return false;
    return same_attrs(a, b);
}

static uint64_t hash_node(const struct mc_node *node)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), &node->op, sizeof node->op);
    for (int i = 0; i < node->n_inputs; i++) {
        const int id = node->inputs[i] ? node->inputs[i]->id : -1;
        h = mix(h, &id, sizeof id);
    }
    return h;
}

static bool may_merge(const struct mc_node *node)
{
    if (!node->op || node->op->random || mc_node_n_subgraphs(node) || node->n_inputs == 0) return false;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->is_output) return false;
    return true;
}

static int merge(struct mc_node *node, const struct mc_node *first, struct mc_error *err)
{
    struct mc_value *y[64];
    int n = 0;
    for (int i = 0; i < node->n_outputs; i++) {
        if (!node->outputs[i]) continue;
        const int rc = mc_value_replace(node->outputs[i], first->outputs[i], err);
        if (rc < 0) return rc;
        y[n++] = node->outputs[i];
    }
    mc_node_remove(node);
    for (int i = 0; i < n; i++) mc_value_remove(y[i]);
    return MC_OK;
}

static int run_common(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    struct mc_graph *graph = r->model->graph;
    struct table table;
    int rc = table_create(&table, graph->n_nodes) ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        struct mc_node *node = graph->nodes[i];
        if (!may_merge(node) || node->n_outputs > 64) continue;
        const struct mc_node *first = find_or_put(&table, node, hash_node(node), same_node);
        if (!first) continue;
        rc = merge(node, first, err);
        ++*n;
        i--;
    }
    table_finish(&table);
    return rc;
}

/* Nodes that do the same to the same become one. */
const struct mc_pass mc_pass_common = {"common", run_common};
