/* extents.c - extents of open dimensions, by name; see extents.h. */
#include "graph/extents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

/* One "NAME=N", and what comes after it. */
struct entry {
    const char *name;
    size_t length;
    int64_t extent; /* -1: it is none */
    const char *next;
};

/* A name may hold anything but a comma; the last "=" before that ends it. */
static struct entry read_entry(const char *text)
{
    struct entry e = {.name = text, .extent = -1};
    const char *end = text + strcspn(text, ",");
    e.next = *end ? end + 1 : end;
    const char *equals = end;
    while (equals > text && *equals != '=') equals--;
    e.length = (size_t)(equals - text);
    char *after = NULL;
    const long long n = *equals == '=' ? strtoll(equals + 1, &after, 10) : 0;
    if (after == end && n > 0) e.extent = n;
    return e;
}

static bool names(const struct entry *e, const struct mc_value *input, int axis)
{
    const char *param = input->type.param[axis];
    if (param && strlen(param) == e->length && memcmp(param, e->name, e->length) == 0) return true;
    const size_t stem = strlen(input->name);
    char number[16];
    const int digits = snprintf(number, sizeof number, ".%d", axis);
    return e->length == stem + (size_t)digits && memcmp(e->name, input->name, stem) == 0 &&
           memcmp(e->name + stem, number, (size_t)digits) == 0;
}

int64_t mc_model_extent(const struct mc_model *model, const struct mc_value *input, int axis)
{
    for (const char *p = model->extents; p && *p;) {
        const struct entry e = read_entry(p);
        if (names(&e, input, axis)) return e.extent;
        p = e.next;
    }
    return -1;
}

static bool is_open(const struct mc_value *input, int axis)
{
    return input->type.dim[axis] < 0;
}

static bool names_something(const struct entry *e, const struct mc_graph *graph)
{
    for (int i = 0; i < graph->n_inputs; i++)
        for (int k = 0; k < graph->inputs[i]->type.rank; k++)
            if (is_open(graph->inputs[i], k) && names(e, graph->inputs[i], k)) return true;
    return false;
}

/* The open ones as they may be named: "n, x.2, x.3". */
static int fail_unknown(const struct entry *e, const struct mc_graph *graph, struct mc_error *err)
{
    struct mc_buf list;
    mc_buf_init(&list, 4096);
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct mc_value *v = graph->inputs[i];
        for (int k = 0; k < v->type.rank && !v->data; k++)
            if (is_open(v, k)) mc_buf_printf(&list, "%s%s.%d", list.length ? ", " : "", v->name, k);
    }
    const int rc = mc_error_set(err, MC_ERR_USAGE, "no open dimension is called '%.*s'%s%s", (int)e->length,
                                e->name, list.length ? "; open are " : "", list.length ? (const char *)list.data : "");
    mc_buf_finish(&list);
    return rc;
}

int mc_model_set_extents(struct mc_model *model, const char *text, struct mc_error *err)
{
    for (const char *p = text; *p;) {
        const struct entry e = read_entry(p);
        if (e.extent < 0 || e.length == 0)
            return mc_error_set(err, MC_ERR_USAGE, "needs NAME=N with N > 0, has '%.*s'", (int)strcspn(p, ","),
                                p);
        if (!names_something(&e, model->graph)) return fail_unknown(&e, model->graph, err);
        p = e.next;
    }
    model->extents = mc_arena_strdup(&model->arena, text);
    return model->extents ? MC_OK : mc_error_memory(err);
}
