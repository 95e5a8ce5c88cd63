/* lp_pool.c - LpPool (ONNX opset 1, 2, 11, 18, 22) and GlobalLpPool (1, 2, 22): (sum |x|^p)^(1/p) over windows that
 * slide along the spatial axes of x [N, C, …], or over all of them.
 *
 * dx = dy sign(x) |x|^(p-1) y^(1-p), and 0 where y is 0.
 */
#include <math.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/sliding.h"

/* libm's pow, in elements of the cheapest loops. */
enum { POW_WORK = 32 };

static double read_p(const struct mc_node *node)
{
    return node->op->since < 2 ? (double)mc_node_float(node, "p", 2) : (double)mc_node_int(node, "p", 2);
}

/* Its window, with three axes; all of the spatial axes as one for GlobalLpPool. */
static int read_window(const struct mc_node *node, const struct mc_fact *x, struct mc_window *w, struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, x, MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, x, 2, MC_MAX_RANK, err);
    if (rc == MC_OK && !(read_p(node) > 0))
        rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'p': needs a number above 0");
    if (rc < 0) return rc;
    if (node->op->type[0] == 'G') {
        const int64_t n = mc_shape_span(&x->shape, 2, x->shape.rank);
        *w = (struct mc_window){.rank = 3, .in = {1, 1, n}, .out = {1, 1, 1}, .kernel = {1, 1, n}, .stride = {1, 1, 1}};
        w->dilation[0] = w->dilation[1] = w->dilation[2] = 1;
        return MC_OK;
    }
    struct mc_window own;
    rc = mc_sliding_window(node, x, NULL, mc_node_int(node, "ceil_mode", 0) != 0, &own, err);
    if (rc == MC_OK) *w = mc_window_as_3d(&own);
    return rc;
}

static int lp_pool_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    struct mc_window w;
    const int rc = read_window(node, in[0], &w, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    for (int k = 2, rank = in[0]->shape.rank; k < rank; k++)
        out[0].shape.dim[k] = node->op->type[0] == 'G' ? 1 : w.out[MC_MAX_SPATIAL - rank + k];
    return MC_OK;
}

struct job {
    struct mc_window w;
    double p;
    int64_t inputs, outputs, taps; /* of a plane */
    const struct mc_tensor *x, *y, *dy;
    struct mc_tensor *to;
};

static double power(double v, double p)
{
    return p == 1 ? v : p == 2 ? v * v : pow(v, p);
}

static void pool_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin * job->outputs; i < end * job->outputs; i++) {
        double sum = 0;
        for (int64_t t = 0; t < job->taps; t++) {
            const int64_t at = mc_window_position(&job->w, i % job->outputs, t);
            if (at >= 0) sum += power(fabs(mc_tensor_get_f64(job->x, i / job->outputs * job->inputs + at)), job->p);
        }
        mc_tensor_set_f64(job->to, i, job->p == 1 ? sum : job->p == 2 ? sqrt(sum) : pow(sum, 1 / job->p));
    }
}

static void spread_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin * job->outputs; i < end * job->outputs; i++) {
        const double y = mc_tensor_get_f64(job->y, i), dy = mc_tensor_get_f64(job->dy, i);
        for (int64_t t = 0; t < job->taps && y != 0; t++) {
            const int64_t at = mc_window_position(&job->w, i % job->outputs, t);
            const int64_t from = i / job->outputs * job->inputs + at;
            const double x = at >= 0 ? mc_tensor_get_f64(job->x, from) : 0;
            if (x == 0) continue;
            const double slope = copysign(power(fabs(x), job->p - 1) * pow(y, 1 - job->p), x);
            mc_tensor_set_f64(job->to, from, mc_tensor_get_f64(job->to, from) + dy * slope);
        }
    }
}

static int run(struct mc_step *step, struct job *job, mc_range_fn *body, struct mc_error *err)
{
    const struct mc_fact x = mc_fact_of(step->in[0]);
    const int rc = read_window(step->node, &x, &job->w, err);
    if (rc < 0) return rc;
    job->p = read_p(step->node);
    job->x = step->in[0];
    job->inputs = mc_window_inputs(&job->w);
    job->outputs = mc_window_outputs(&job->w);
    job->taps = mc_window_taps(&job->w);
    const int64_t work = job->outputs * job->taps * (job->p == 1 || job->p == 2 ? 4 : POW_WORK);
    mc_parallel(mc_shape_span(&x.shape, 0, 2), mc_parallel_grain(work), body, job);
    return MC_OK;
}

static int lp_pool_forward(struct mc_step *step, struct mc_error *err)
{
    return run(step, &(struct job){.to = step->out[0]}, pool_planes, err);
}

static int lp_pool_backward(struct mc_step *step, struct mc_error *err)
{
    mc_zero(step->grad_in[0]);
    return run(step, &(struct job){.y = step->out[0], .dy = step->grad_out[0], .to = step->grad_in[0]}, spread_planes,
               err);
}

/* Samples and channels pass; what happens along the spatial axes mixes their indices. */
static int lp_pool_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const int rc = mc_couple_axes(c, node->inputs[0], 0, node->outputs[0], 0, err);
    return rc < 0 ? rc : mc_couple_axes(c, node->inputs[0], 1, node->outputs[0], 1, err);
}

#define LP_POOL(name, onnx_type, version)                                                                              \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_IN | MC_KEEP_OUT,                                                                              \
        .widens = true,                                                                                                \
        .shape = lp_pool_shape,                                                                                        \
        .forward = lp_pool_forward,                                                                                    \
        .backward = lp_pool_backward,                                                                                  \
        .coupling = lp_pool_coupling,                                                                                  \
        .cost = mc_cost_elementwise,                                                                                   \
    }

/* In version 1 p was a float. */
LP_POOL(global_lp_pool, "GlobalLpPool", 1);
LP_POOL(global_lp_pool, "GlobalLpPool", 2);
LP_POOL(lp_pool, "LpPool", 1);
LP_POOL(lp_pool, "LpPool", 2);
