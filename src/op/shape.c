/* shape.c - Shape and Size: what is known of a tensor without looking into it. */
#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

/* Axes [begin, end) that Shape lists; negative bounds count from the end, all are clamped (version 15). */
static void read_bounds(const struct mc_node *node, int rank, int *begin, int *end)
{
    const int64_t start = mc_node_int(node, "start", 0), stop = mc_node_int(node, "end", rank);
    const int64_t from = start < 0 ? start + rank : start, to = stop < 0 ? stop + rank : stop;
    *begin = (int)(from < 0 ? 0 : from > rank ? rank : from);
    *end = (int)(to < *begin ? *begin : to > rank ? rank : to);
}

static int shape_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const int rc = mc_need_input(node, 0, in[0], err);
    if (rc < 0) return rc;
    int begin, end;
    read_bounds(node, in[0]->shape.rank, &begin, &end);
    *out = (struct mc_fact){.dtype = MC_INT64, .shape = {.rank = 1, .dim = {end - begin}}};
    return 0;
}

static int shape_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    const struct mc_shape *const shape = &step->in[0]->shape;
    int64_t *const out = step->out[0]->data;
    int begin, end;
    read_bounds(step->node, shape->rank, &begin, &end);
    for (int k = begin; k < end; k++) out[k - begin] = shape->dim[k];
    return 0;
}

static int size_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    const int rc = mc_need_input(node, 0, in[0], err);
    if (rc < 0) return rc;
    *out = (struct mc_fact){.dtype = MC_INT64, .shape = {.rank = 0}};
    return 0;
}

static int size_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    *(int64_t *)step->out[0]->data = mc_shape_count(&step->in[0]->shape);
    return 0;
}

static void shape_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    int begin, end;
    if (in[0]->rank < 0) return;
    read_bounds(node, in[0]->rank, &begin, &end);
    out[0] = mc_outline_of_rank(1);
    out[0].n_items = end - begin;
    out[0].dim[0] = mc_symbol_number(s, out[0].n_items);
    for (int k = begin; k < end; k++) out[0].item[k - begin] = in[0]->dim[k];
}

static void size_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    out[0] = mc_outline_of_rank(0);
    if (in[0]->rank < 0) return;
    out[0].n_items = 1;
    out[0].item[0] = mc_outline_span(s, in[0], 0, in[0]->rank);
}

/* The coupling rule is never asked: what looks at shapes only, follows a new one by itself (shape_only). */
#define LOOK(name, version, shape_rule, outline_rule, forward_rule)                                                    \
    {                                                                                                                  \
        .domain = "", .type = name, .since = version, .min_inputs = 1, .max_inputs = 1, .n_outputs = 1,                \
        .keep = MC_KEEP_NONE, .shape_only = true, .shape = shape_rule, .outline = outline_rule,                        \
        .forward = forward_rule, .backward = NULL, .no_backward = "the output does not depend on the contents",        \
        .coupling = mc_coupling_freeze_all, .resize = NULL, .cost = mc_cost_free,                                      \
    }

const struct mc_op mc_op_shape_1 = LOOK("Shape", 1, shape_shape, shape_outline, shape_forward);
const struct mc_op mc_op_size_1 = LOOK("Size", 1, size_shape, size_outline, size_forward);
