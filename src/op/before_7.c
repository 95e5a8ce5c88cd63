/* before_7.c - operators of two operands as they were before opset 7: the second takes the shape of the first, or with
 * `broadcast` 1 that of some of its neighbouring axes, from `axis` on (the last ones if it is left out), or is one
 * number.
 *
 * Each runs on the rules of version 7, which are shown the second operand under a shape that lines up from the right.
 * PRelu has no such attributes: its slopes are one number, or one for each channel.
 */
#include <inttypes.h>

#include "base/error.h"
#include "op/op_list.h"
#include "op/ops.h"

enum { NOWHERE = -1 };

static const struct mc_op *now(const struct mc_node *node)
{
    return mc_ops_find(node->domain, node->type, 7);
}

/* Which axis of `a` the first of `b` lines up with; NOWHERE if b is one number, however many axes it has. */
static int64_t first_axis(const struct mc_node *node, const struct mc_shape *a, const struct mc_shape *b)
{
    const bool is_slope = node->op == &mc_op_prelu_1;
    if (mc_shape_count(b) == 1) return NOWHERE;
    if (is_slope && b->rank == 1 && a->rank > 1) return 1;
    return mc_node_int(node, "axis", a->rank - b->rank);
}

/* The shape under which b lines up. */
static int align(const struct mc_node *node, const struct mc_shape *a, const struct mc_shape *b, struct mc_shape *as,
                 struct mc_error *err)
{
    const int64_t first = first_axis(node, a, b);
    char needed[128], found[128];
    *as = *b;
    if (mc_shape_equal(a, b)) return MC_OK;
    if (node->op != &mc_op_prelu_1 && !mc_node_int(node, "broadcast", 0))
        return mc_error_set(
            err, MC_ERR_INPUT, "input 1 '%s': needs the shape %s of input 0 without 'broadcast', has %s",
            node->inputs[1]->name, mc_shape_text(a, needed, sizeof needed), mc_shape_text(b, found, sizeof found));
    if (first != NOWHERE && (first < 0 || first > a->rank - b->rank))
        return mc_error_set(err, MC_ERR_INPUT,
                            "input 1 '%s': needs a shape that fits into %s from axis %" PRId64 ", has %s",
                            node->inputs[1]->name, mc_shape_text(a, needed, sizeof needed), first,
                            mc_shape_text(b, found, sizeof found));
    *as = (struct mc_shape){.rank = first == NOWHERE ? 0 : (int)(a->rank - first)};
    for (int k = 0; k < as->rank; k++) as->dim[k] = k < b->rank ? b->dim[k] : 1;
    return MC_OK;
}

static int before_7_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    int rc = mc_need_input(node, 0, in[0], err);
    if (rc == MC_OK) rc = mc_need_input(node, 1, in[1], err);
    if (rc < 0) return rc;
    struct mc_fact b = {.dtype = in[1]->dtype};
    const struct mc_fact *const shown[2] = {in[0], &b};
    rc = align(node, &in[0]->shape, &in[1]->shape, &b.shape, err);
    if (rc == MC_OK) rc = now(node)->shape(node, shown, out, err);
    if (rc < 0 || mc_shape_equal(&out[0].shape, &in[0]->shape)) return rc;
    char needed[128], found[128];
    return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs a part of the shape %s of input 0, has %s",
                        node->inputs[1]->name, mc_shape_text(&in[0]->shape, needed, sizeof needed),
                        mc_shape_text(&in[1]->shape, found, sizeof found));
}

/* A step as version 7 is shown it. */
struct shown {
    struct mc_step step;
    struct mc_tensor b, db;
    struct mc_tensor *in[2], *grad_in[2];
};

static void show(struct shown *shown, const struct mc_step *step)
{
    struct mc_error ignored = {0};
    *shown = (struct shown){.step = *step, .b = *step->in[1], .in = {step->in[0], &shown->b}};
    (void)align(step->node, &step->in[0]->shape, &step->in[1]->shape, &shown->b.shape, &ignored);
    shown->step.in = shown->in;
    if (!step->grad_in) return;
    shown->step.grad_in = shown->grad_in;
    shown->grad_in[0] = step->grad_in[0];
    if (!step->grad_in[1]) return;
    shown->db = *step->grad_in[1];
    shown->db.shape = shown->b.shape;
    shown->grad_in[1] = &shown->db;
}

static enum mc_order before_7_order(const struct mc_step *step)
{
    struct shown shown;
    show(&shown, step);
    return now(step->node)->order(&shown.step);
}

/* None of them keeps more than a workspace. */
static int before_7_prepare(struct mc_step *step, struct mc_error *err)
{
    struct shown shown;
    if (!now(step->node)->prepare) return MC_OK;
    show(&shown, step);
    const int rc = now(step->node)->prepare(&shown.step, err);
    step->workspace_bytes = shown.step.workspace_bytes;
    return rc;
}

static int before_7_forward(struct mc_step *step, struct mc_error *err)
{
    struct shown shown;
    show(&shown, step);
    return now(step->node)->forward(&shown.step, err);
}

static int before_7_backward(struct mc_step *step, struct mc_error *err)
{
    struct shown shown;
    show(&shown, step);
    return now(step->node)->backward(&shown.step, err);
}

/* A constant that is added is an addend along every axis that it is not spread along. */
static int before_7_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *a = node->inputs[0], *b = node->inputs[1], *y = node->outputs[0];
    const struct mc_fact *of_a = mc_coupling_fact(c, a), *of_b = mc_coupling_fact(c, b);
    const enum mc_meaning means = now(node)->means;
    const bool shifts = (means == MC_MEANS_ADD || means == MC_MEANS_SUB) && of_b->constant;
    const int64_t first = first_axis(node, &of_a->shape, &of_b->shape);
    int rc = mc_couple_broadcast(c, a, y, err);
    for (int k = 0; first != NOWHERE && k < of_b->shape.rank && rc == MC_OK; k++) {
        if (of_b->shape.dim[k] != of_a->shape.dim[first + k]) continue;
        rc = mc_couple_axes(c, b, k, y, (int)first + k, err);
        if (rc == MC_OK && shifts && of_b->shape.dim[k] > 1) rc = mc_couple_role(c, b, k, MC_ROLE_SHIFT, err);
    }
    return rc;
}

#define BEFORE_7(name, onnx_type, ...)                                                                                 \
    const struct mc_op mc_op_##name##_1 = {.domain = "",                                                               \
                                           .type = onnx_type,                                                          \
                                           .since = 1,                                                                 \
                                           .min_inputs = 2,                                                            \
                                           .max_inputs = 2,                                                            \
                                           .n_outputs = 1,                                                             \
                                           .widens = true,                                                             \
                                           .shape = before_7_shape,                                                    \
                                           .prepare = before_7_prepare,                                                \
                                           .forward = before_7_forward,                                                \
                                           .coupling = before_7_coupling,                                              \
                                           .cost = mc_cost_elementwise,                                                \
                                           __VA_ARGS__}
#define BEFORE_7_NUMBERS(name, onnx_type, kept)                                                                        \
    BEFORE_7(name, onnx_type, .grad_inputs = 3, .keep = kept, .inplace = true, .order = before_7_order,                \
             .widens_integers = true, .backward = before_7_backward)
#define BEFORE_7_TRUTH(name, onnx_type)                                                                                \
    BEFORE_7(name, onnx_type, .keep = MC_KEEP_NONE, .backward = NULL, .no_backward = "truth values have no derivative")

BEFORE_7_NUMBERS(add, "Add", MC_KEEP_NONE);
BEFORE_7_NUMBERS(div, "Div", MC_KEEP_IN);
BEFORE_7_NUMBERS(mul, "Mul", MC_KEEP_IN);
BEFORE_7_NUMBERS(pow, "Pow", MC_KEEP_IN);
BEFORE_7_NUMBERS(prelu, "PRelu", MC_KEEP_IN);
BEFORE_7_NUMBERS(sub, "Sub", MC_KEEP_NONE);
BEFORE_7_TRUTH(and, "And");
BEFORE_7_TRUTH(equal, "Equal");
BEFORE_7_TRUTH(greater, "Greater");
BEFORE_7_TRUTH(less, "Less");
BEFORE_7_TRUTH(or, "Or");
BEFORE_7_TRUTH(xor, "Xor");
