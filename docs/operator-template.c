/* operator-template.c - a whole operator, to copy to src/op/<name>.c; docs/add-an-operator.md goes with it.
 *
 * The operator is Scale(x, s): y = s * x with one factor per channel; x: [N, C, …], s: [C], float32. It is made up, so
 * it is in a domain of its own and in no table; the test suite compiles it. What a real operator should have instead is
 * in square brackets.
 */
#include <string.h>

#include "base/error.h"
#include "op/outline.h"

/* Linking needs a name that is declared; for a real operator op/op_list.h does it.  [leave this out] */
extern const struct mc_op mc_op_scale_1;

/* --- shape: refuse what the specification refuses, then say what comes out --- */

static int scale_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    /* The messages of mc_need_… have the common form; the driver puts the node in front. */
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
    if (rc < 0) return rc;
    if ((rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err)) < 0) return rc;
    if ((rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_FLOAT), err)) < 0) return rc;
    if ((rc = mc_need_rank(node, 1, in[1], 1, 1, err)) < 0) return rc;
    if (in[1]->shape.dim[0] != in[0]->shape.dim[1])
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %lld factors, has %lld", node->inputs[1]->name,
                            (long long)in[0]->shape.dim[1], (long long)in[1]->shape.dim[0]);
    return mc_shape_same(node, in, out, err);
}

/* --- forward and backward: the shapes are right, memory is there; nothing is allocated here --- */

/* x as [N, C, run]. */
struct extents {
    int64_t n, c, run;
};

static struct extents extents_of(const struct mc_shape *x)
{
    return (struct extents){x->dim[0], x->dim[1], mc_shape_span(x, 2, x->rank)};
}

static int scale_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    const struct extents e = extents_of(&step->in[0]->shape);
    const float *const x = step->in[0]->data, *const s = step->in[1]->data;
    float *const y = step->out[0]->data;
    for (int64_t i = 0; i < e.n * e.c * e.run; i++) y[i] = s[i / e.run % e.c] * x[i];
    return 0;
}

/* Writes (does not add) the gradient of each input that is wanted. */
static int scale_backward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    const struct extents e = extents_of(&step->in[0]->shape);
    const float *const x = step->in[0]->data, *const s = step->in[1]->data;
    const float *const dy = step->grad_out[0] ? step->grad_out[0]->data : NULL; /* NULL: zero */
    float *const dx = step->grad_in[0] ? step->grad_in[0]->data : NULL;         /* NULL: not wanted */
    float *const ds = step->grad_in[1] ? step->grad_in[1]->data : NULL;
    if (ds) memset(ds, 0, (size_t)e.c * sizeof *ds);
    for (int64_t i = 0; i < e.n * e.c * e.run; i++) {
        const int64_t c = i / e.run % e.c;
        if (dx) dx[i] = dy ? s[c] * dy[i] : 0;
        if (ds && dy) ds[c] += x[i] * dy[i];
    }
    return 0;
}

/* --- coupling: which indices go together; what is not said here is frozen --- */

static int scale_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const s = node->inputs[1];
    int rc = mc_coupling_first_input(c, node, err); /* every axis of x passes to y */
    if (rc == 0) rc = mc_couple_axes(c, s, 0, x, 1, err);
    if (rc == 0) rc = mc_couple_role(c, s, 0, MC_ROLE_SCALE, err);
    return rc;
}

/* --- the descriptor --- */

const struct mc_op mc_op_scale_1 = {
    .domain = "example", /* ["" for the standard's] */
    .type = "Scale",
    .since = 1, /* the first opset version with these semantics; one descriptor for each that differs */
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 1u << 0 | 1u << 1, /* backward can give both */
    .keep = MC_KEEP_IN,               /* backward reads the inputs */
    .inplace = false,                 /* y in place of x would be fine forward, but backward reads x */
    .shape = scale_shape,
    .outline = mc_outline_same,
    .prepare = NULL, /* no workspace, nothing to choose */
    .forward = scale_forward,
    .backward = scale_backward, /* [or NULL, with .no_backward = "why"] */
    .coupling = scale_coupling,
    .resize = NULL, /* no attribute and no constant names an extent */
    .cost = mc_cost_elementwise,
};
