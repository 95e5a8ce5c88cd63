/* elementwise.c - what the element-wise operators share; see elementwise.h. */
#include "op/elementwise.h"

#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/parallel.h"

const struct mc_loops *mc_step_loops(const struct mc_step *step)
{
    return step->runtime->kernels->loops;
}

/* --- one operand --- */

struct unary {
    mc_unary_fn *forward;
    mc_unary_grad_fn *backward;
    size_t size;
    const char *x, *dy; /* backward: x is what was kept */
    char *y;            /* backward: dx */
    const double *p;
};

static void forward_range(void *context, int64_t begin, int64_t end)
{
    const struct unary *u = context;
    const size_t at = (size_t)begin * u->size;
    u->forward(end - begin, u->x + at, u->y + at, u->p);
}

static void backward_range(void *context, int64_t begin, int64_t end)
{
    const struct unary *u = context;
    const size_t at = (size_t)begin * u->size;
    u->backward(end - begin, u->x + at, u->dy + at, u->y + at, u->p);
}

static size_t element_size(const struct mc_tensor *t)
{
    return (size_t)mc_dtype_bits(t->dtype) / 8;
}

void mc_unary_run(struct mc_step *step, mc_unary_fn *f, const double p[2], int64_t work)
{
    const struct mc_tensor *x = step->in[0];
    struct unary u = {.forward = f, .size = element_size(x), .x = x->data, .y = step->out[0]->data, .p = p};
    mc_parallel(mc_tensor_count(x), mc_parallel_grain(work), forward_range, &u);
}

int mc_unary_forward(struct mc_step *step, enum mc_unary f, const double p[2], int64_t work)
{
    mc_unary_run(step, mc_step_loops(step)->unary[mc_loop_type(step->in[0]->dtype)][f], p, work);
    return MC_OK;
}

int mc_unary_backward(struct mc_step *step, enum mc_unary f, const struct mc_tensor *kept, const double p[2],
                      int64_t work)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct unary u = {.backward = mc_step_loops(step)->unary_grad[mc_loop_type(dy->dtype)][f],
                      .size = element_size(dy),
                      .x = kept->data,
                      .dy = dy->data,
                      .y = step->grad_in[0]->data,
                      .p = p};
    mc_parallel(mc_tensor_count(dy), mc_parallel_grain(work), backward_range, &u);
    return MC_OK;
}

/* --- two operands --- */

int mc_broadcast_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       uint64_t allowed, struct mc_error *err)
{
    char have[128], need[128];
    for (int i = 0; i < node->n_inputs; i++) {
        const int rc = mc_need_dtype(node, i, in[i], allowed, err);
        if (rc < 0) return rc;
        const struct mc_shape before = i > 0 ? out[0].shape : in[0]->shape;
        if (in[i]->dtype != in[0]->dtype)
            return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %s like input 0, has %s", i,
                                node->inputs[i]->name, mc_dtype_name(in[0]->dtype), mc_dtype_name(in[i]->dtype));
        if (!mc_shape_broadcast(&before, &in[i]->shape, &out[0].shape))
            return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs a shape that broadcasts with %s, has %s", i,
                                node->inputs[i]->name, mc_shape_text(&before, need, sizeof(need)),
                                mc_shape_text(&in[i]->shape, have, sizeof(have)));
    }
    if (mc_shape_count(&out[0].shape) < 0)
        return mc_error_set(err, MC_ERR_INPUT, "the result %s has more elements than can be counted",
                            mc_shape_text(&out[0].shape, have, sizeof(have)));
    out[0].dtype = in[0]->dtype;
    return MC_OK;
}

/* The axes of an operand of `rank` axes in the order in which the result lies: channels last if it does. */
static struct mc_shape shape_as_it_lies(const struct mc_shape *shape, int rank, bool last)
{
    struct mc_shape s = {.rank = rank};
    if (!last) return *shape;
    for (int k = 0; k < rank; k++) {
        const int axis = k == 0 ? 0 : k == rank - 1 ? 1 : k + 1, own = axis - (rank - shape->rank);
        s.dim[k] = own >= 0 ? shape->dim[own] : 1;
    }
    return s;
}

static void nest_of_operands(struct mc_nest *nest, const struct mc_tensor *result, const struct mc_tensor *a,
                             const struct mc_tensor *b)
{
    const int rank = result->shape.rank;
    const bool last = result->channels_last;
    const struct mc_shape all = shape_as_it_lies(&result->shape, rank, last);
    const struct mc_shape of_a = shape_as_it_lies(&a->shape, rank, last);
    const struct mc_shape of_b = shape_as_it_lies(&b->shape, rank, last);
    mc_nest_init(nest, &all, &of_a, &of_b);
}

int mc_binary_forward(struct mc_step *step, enum mc_binary f, int64_t work)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1];
    const enum mc_loop_type type = mc_loop_type(a->dtype);
    struct mc_nest nest;
    nest_of_operands(&nest, step->out[0], a, b);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][f], type, a->data, b->data, step->out[0]->data, work);
    return MC_OK;
}

int mc_binary_backward(struct mc_step *step, enum mc_term of_a, enum mc_term of_b)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1], *g = step->grad_out[0];
    const struct mc_loops *loops = mc_step_loops(step);
    const enum mc_loop_type type = mc_loop_type(g->dtype);
    const enum mc_term term[2] = {of_a, of_b};
    struct mc_nest nest;
    nest_of_operands(&nest, g, a, b);
    for (int side = 0; side < 2; side++)
        if (step->grad_in[side])
            mc_broadcast_sum(&nest, side, loops, type, loops->term[type][term[side]], a->data, b->data, g->data, 1,
                             step->grad_in[side]->data);
    return MC_OK;
}
