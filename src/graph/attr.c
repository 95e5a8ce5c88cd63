/* attr.c - reading and setting the attributes of nodes; see graph.h. */
#include <string.h>

#include "base/error.h"
#include "graph/graph.h"

const struct mc_attr *mc_node_attr(const struct mc_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

/* The attribute if it is there and has the type; one of another type breaks the specification and counts as absent
 * (the reader of the file has refused it). */
static const struct mc_attr *attr_of(const struct mc_node *node, const char *name, enum mc_attr_type type)
{
    const struct mc_attr *a = mc_node_attr(node, name);
    return a && a->type == type ? a : NULL;
}

int64_t mc_node_int(const struct mc_node *node, const char *name, int64_t otherwise)
{
    const struct mc_attr *a = attr_of(node, name, MC_ATTR_INT);
    return a ? a->i : otherwise;
}

float mc_node_float(const struct mc_node *node, const char *name, float otherwise)
{
    const struct mc_attr *a = attr_of(node, name, MC_ATTR_FLOAT);
    return a ? a->f : otherwise;
}

const int64_t *mc_node_ints(const struct mc_node *node, const char *name, int64_t *n)
{
    const struct mc_attr *a = attr_of(node, name, MC_ATTR_INTS);
    *n = a ? a->n : 0;
    return a ? a->ints : NULL;
}

bool mc_node_string_is(const struct mc_node *node, const char *name, const char *text, bool otherwise)
{
    const struct mc_attr *a = attr_of(node, name, MC_ATTR_STRING);
    if (!a) return otherwise;
    return a->s.length == strlen(text) && memcmp(a->s.bytes, text, a->s.length) == 0;
}

int mc_node_choice(const struct mc_node *node, const char *name, const char *const *texts, int n, int otherwise)
{
    for (int i = 0; i < n; i++)
        if (mc_node_string_is(node, name, texts[i], i == otherwise)) return i;
    return -1;
}

/* --- setting --- */

/* The slot to write to: the attribute of that name, or a new one at the end. NULL without memory. What it held stays
 * until write_attr replaces it. */
static struct mc_attr *slot(struct mc_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    struct mc_arena *arena = &node->graph->model->arena;
    struct mc_attr *grown = MC_ARENA_ARRAY(arena, struct mc_attr, node->n_attrs + 1);
    char *copy = mc_arena_strdup(arena, name);
    if (!grown || !copy) return NULL;
    if (node->n_attrs) memcpy(grown, node->attrs, (size_t)node->n_attrs * sizeof *grown);
    node->attrs = grown;
    grown[node->n_attrs] = (struct mc_attr){.name = copy};
    return &grown[node->n_attrs++];
}

static int write_attr(struct mc_node *node, struct mc_attr attr, struct mc_error *err)
{
    struct mc_attr *s = slot(node, attr.name);
    if (!s) return mc_error_memory(err);
    if (s->type == MC_ATTR_TENSOR) mc_tensor_destroy(s->t);
    attr.name = s->name;
    *s = attr;
    return MC_OK;
}

int mc_node_set_int(struct mc_node *node, const char *name, int64_t value, struct mc_error *err)
{
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_INT, .i = value}, err);
}

int mc_node_set_float(struct mc_node *node, const char *name, float value, struct mc_error *err)
{
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_FLOAT, .f = value}, err);
}

int mc_node_set_ints(struct mc_node *node, const char *name, const int64_t *values, int64_t n, struct mc_error *err)
{
    int64_t *copy = MC_ARENA_ARRAY(&node->graph->model->arena, int64_t, n);
    if (!copy) return mc_error_memory(err);
    if (n) memcpy(copy, values, (size_t)n * sizeof *copy);
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_INTS, .n = n, .ints = copy}, err);
}

int mc_node_set_floats(struct mc_node *node, const char *name, const float *values, int64_t n, struct mc_error *err)
{
    float *copy = MC_ARENA_ARRAY(&node->graph->model->arena, float, n);
    if (!copy) return mc_error_memory(err);
    if (n) memcpy(copy, values, (size_t)n * sizeof *copy);
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_FLOATS, .n = n, .floats = copy}, err);
}

int mc_node_set_string(struct mc_node *node, const char *name, const char *value, struct mc_error *err)
{
    const size_t length = strlen(value);
    char *copy = mc_arena_strndup(&node->graph->model->arena, value, length);
    if (!copy) return mc_error_memory(err);
    const struct mc_text text = {.bytes = copy, .length = length};
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_STRING, .s = text}, err);
}

int mc_node_set_strings(struct mc_node *node, const char *name, const char *const *values, int64_t n,
                        struct mc_error *err)
{
    struct mc_arena *arena = &node->graph->model->arena;
    struct mc_text *texts = mc_arena_alloc(arena, (size_t)n + 1, sizeof *texts);
    if (!texts) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        texts[i].length = strlen(values[i]);
        texts[i].bytes = mc_arena_strndup(arena, values[i], texts[i].length);
        if (!texts[i].bytes) return mc_error_memory(err);
    }
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_STRINGS, .n = n, .strings = texts}, err);
}

int mc_node_set_tensor(struct mc_node *node, const char *name, struct mc_tensor *value, struct mc_error *err)
{
    const int rc = write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_TENSOR, .t = value}, err);
    if (rc < 0) mc_tensor_destroy(value);
    return rc;
}

int mc_node_set_graph(struct mc_node *node, const char *name, struct mc_graph *value, struct mc_error *err)
{
    return write_attr(node, (struct mc_attr){.name = name, .type = MC_ATTR_GRAPH, .g = value}, err);
}

void mc_node_remove_attr(struct mc_node *node, const char *name)
{
    int kept = 0;
    for (int i = 0; i < node->n_attrs; i++) {
        if (strcmp(node->attrs[i].name, name) != 0)
            node->attrs[kept++] = node->attrs[i];
        else if (node->attrs[i].type == MC_ATTR_TENSOR)
            mc_tensor_destroy(node->attrs[i].t);
    }
    node->n_attrs = kept;
}
