/* where.c - Where: elements of one tensor or another, as a third says; all three broadcast. */
#include <string.h>

#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

static int where_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    char a[96], b[96], c[96];
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_BOOL), err);
    if (rc < 0) return rc;
    if ((rc = mc_need_dtype(node, 1, in[1], mc_types_copied, err)) < 0) return rc;
    if ((rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[1]->dtype), err)) < 0) return rc;
    struct mc_shape shape;
    *out = (struct mc_fact){.dtype = in[1]->dtype};
    if (!mc_shape_broadcast(&in[0]->shape, &in[1]->shape, &shape) ||
        !mc_shape_broadcast(&shape, &in[2]->shape, &out->shape))
        return mc_error_set(err, MC_ERR_INPUT, "shapes %s, %s and %s do not broadcast",
                            mc_shape_text(&in[0]->shape, a, sizeof a), mc_shape_text(&in[1]->shape, b, sizeof b),
                            mc_shape_text(&in[2]->shape, c, sizeof c));
    return 0;
}

/* The contents, where the condition is certain for each of them. */
static void where_items(const struct mc_symbols *s, const struct mc_outline *const *in, struct mc_outline *out)
{
    int n = 1;
    for (int i = 0; i < 3; i++) {
        if (in[i]->n_items < 1 || (in[i]->n_items > 1 && n > 1 && in[i]->n_items != n)) return;
        if (in[i]->n_items > n) n = in[i]->n_items;
    }
    for (int k = 0; k < n; k++) {
        int64_t truth;
        const bool certain = mc_symbol_is_number(s, mc_outline_item(in[0], k), &truth);
        out->item[k] = certain ? mc_outline_item(in[truth ? 1 : 2], k) : MC_SYMBOL_UNKNOWN;
    }
    out->n_items = n;
}

static void where_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    mc_outline_broadcast(s, node, in, out);
    if (out[0].rank == 0 || out[0].rank == 1) where_items(s, in, &out[0]);
}

/* A run of elements: condition, two sources, their steps. */
struct choice {
    int64_t n, condition_step, steps[2];
    const unsigned char *condition;
    const char *from[2];
    char *to;
};

#define CHOOSE(name, type)                                                                                             \
    static void name(const struct choice *c)                                                                           \
    {                                                                                                                  \
        const type *a = (const void *)c->from[0], *b = (const void *)c->from[1];                                       \
        type *y = (void *)c->to;                                                                                       \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            y[i] = c->condition[i * c->condition_step] ? a[i * c->steps[0]] : b[i * c->steps[1]];                      \
    }

CHOOSE(choose_1, uint8_t)
CHOOSE(choose_2, uint16_t)
CHOOSE(choose_4, uint32_t)
CHOOSE(choose_8, uint64_t)

static void choose_16(const struct choice *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        const int source = c->condition[i * c->condition_step] ? 0 : 1;
        memcpy(c->to + 16 * i, c->from[source] + 16 * i * c->steps[source], 16);
    }
}

static void choose(const struct choice *c, size_t size)
{
    (size == 1 ? choose_1 : size == 2 ? choose_2 : size == 4 ? choose_4 : size == 8 ? choose_8 : choose_16)(c);
}

static int where_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *const out = step->out[0];
    const size_t size = mc_element_size(out->dtype);
    struct mc_walk walk;
    mc_walk_start(&walk, &out->shape, 3, step->in);
    struct choice c = {.n = mc_walk_in_runs(&walk), .condition_step = mc_walk_step(&walk, 0)};
    for (int k = 0; k < 2; k++) c.steps[k] = mc_walk_step(&walk, 1 + k);
    for (int64_t i = 0, n = mc_tensor_count(out); i < n; i += c.n, mc_walk_next_run(&walk)) {
        c.condition = (const unsigned char *)step->in[0]->data + walk.offset[0];
        for (int k = 0; k < 2; k++) c.from[k] = (const char *)step->in[1 + k]->data + (size_t)walk.offset[1 + k] * size;
        c.to = (char *)out->data + (size_t)i * size;
        choose(&c, size);
    }
    return 0;
}

static int where_prepare(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    if (step->training) step->workspace_bytes = mc_tensor_bytes(step->out[0]);
    return 0;
}

/* The part of the output's gradient that went through input `source`, 0 elsewhere, into the workspace. */
static void mask_gradient(struct mc_step *step, int source)
{
    const struct mc_tensor *const grad = step->grad_out[0];
    const size_t size = mc_element_size(grad->dtype);
    const unsigned char *const condition = step->in[0]->data;
    const int64_t n = mc_tensor_count(grad);
    struct mc_walk walk;
    mc_walk_start(&walk, &step->out[0]->shape, 3, step->in);
    memset(step->workspace, 0, (size_t)n * size);
    for (int64_t i = 0; i < n; i++, mc_walk_next(&walk))
        if ((condition[walk.offset[0]] ? 1 : 2) == source)
            memcpy((char *)step->workspace + (size_t)i * size, (const char *)grad->data + (size_t)i * size, size);
}

static int where_backward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    for (int source = 1; source <= 2; source++) {
        struct mc_tensor *const grad = step->grad_in[source];
        if (!grad) continue;
        if (!step->grad_out[0]) {
            mc_zero(grad);
            continue;
        }
        mask_gradient(step, source);
        struct mc_tensor masked = *step->grad_out[0];
        masked.data = step->workspace;
        mc_sum_to(step, grad, &masked);
    }
    return 0;
}

const struct mc_op mc_op_where_9 = {
    .domain = "",
    .type = "Where",
    .since = 9,
    .means = MC_MEANS_WHERE,
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1u << 1 | 1u << 2,
    .keep = MC_KEEP_IN,
    .opaque = true,
    .shape = where_shape,
    .outline = where_outline,
    .prepare = where_prepare,
    .forward = where_forward,
    .backward = where_backward,
    .others = "a condition",
    .coupling = mc_coupling_elementwise,
    .resize = NULL, /* no extent is written down */
    .cost = mc_cost_free,
};
