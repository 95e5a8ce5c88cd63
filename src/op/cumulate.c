/* cumulate.c - CumSum (ONNX opset 11) and CumProd (26): sums and products of all elements up to each, along an axis.
 *
 * `exclusive` leaves the element itself out, `reverse` begins at the end. Integers wrap.
 */
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"

#define TYPES                                                                                                          \
    (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) | MC_TYPE_BIT(MC_UINT32) | MC_TYPE_BIT(MC_UINT64))

static int find_axis(const struct mc_node *node, const struct mc_fact *given, int rank, int *axis, struct mc_error *err)
{
    int64_t at;
    int n;
    const int rc = mc_need_ints(node, 1, given, &at, 1, &n, err);
    if (rc < 0) return rc;
    if (n != 1)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs one axis, has %d", node->inputs[1]->name, n);
    return mc_need_axis(at, rank, axis, err);
}

static int cumulate_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], TYPES, err);
    if (rc == MC_OK) rc = mc_need_input(node, 1, in[1], err);
    if (rc == MC_OK && in[1]->constant) rc = find_axis(node, in[1], in[0]->shape.rank, &axis, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

struct job;
typedef void line_fn(const struct job *job, int64_t start);

/* Lines of n elements, `pace` apart (negative: from the end). */
struct job {
    int64_t n, pace, inner, first;
    bool exclusive;
    line_fn *line;
    const void *x;
    void *y;
};

/* One line; integers are unsigned here, so that they wrap. */
#define LINE(name, type, wide, start_value, combine)                                                                   \
    static void name(const struct job *job, int64_t start)                                                             \
    {                                                                                                                  \
        const type *const x = job->x;                                                                                  \
        type *const y = job->y;                                                                                        \
        wide a = start_value;                                                                                          \
        for (int64_t i = 0; i < job->n; i++) {                                                                         \
            const int64_t at = start + i * job->pace;                                                                  \
            const wide before = a;                                                                                     \
            a = a combine x[at];                                                                                       \
            y[at] = (type)(job->exclusive ? before : a);                                                               \
        }                                                                                                              \
    }

LINE(sum_f32, float, double, 0, +)
LINE(sum_f64, double, double, 0, +)
LINE(sum_32, uint32_t, uint32_t, 0, +)
LINE(sum_64, uint64_t, uint64_t, 0, +)
LINE(prod_f32, float, double, 1, *)
LINE(prod_f64, double, double, 1, *)
LINE(prod_32, uint32_t, uint32_t, 1, *)
LINE(prod_64, uint64_t, uint64_t, 1, *)

static line_fn *line_of(enum mc_dtype dtype, bool product)
{
    if (dtype == MC_FLOAT) return product ? prod_f32 : sum_f32;
    if (dtype == MC_DOUBLE) return product ? prod_f64 : sum_f64;
    if (mc_dtype_bits(dtype) == 32) return product ? prod_32 : sum_32;
    return product ? prod_64 : sum_64;
}

static void cumulate_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->line(job, i / job->inner * job->n * job->inner + i % job->inner + job->first);
}

/* From the end if `reverse`. */
static int job_init(struct job *job, const struct mc_step *step, bool reverse, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const struct mc_fact given = mc_fact_of(step->in[1]);
    int axis = 0;
    const int rc = find_axis(step->node, &given, x->shape.rank, &axis, err);
    *job = (struct job){.n = x->shape.dim[axis],
                        .inner = mc_shape_span(&x->shape, axis + 1, x->shape.rank),
                        .exclusive = mc_node_int(step->node, "exclusive", 0) != 0};
    job->pace = reverse ? -job->inner : job->inner;
    job->first = reverse ? (job->n - 1) * job->inner : 0;
    return rc;
}

static bool is_reverse(const struct mc_step *step)
{
    return mc_node_int(step->node, "reverse", 0) != 0;
}

static int cumulate_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct job job;
    const int rc = job_init(&job, step, is_reverse(step), err);
    if (rc < 0 || mc_tensor_count(x) == 0) return rc;
    job.line = line_of(x->dtype, strcmp(step->node->op->type, "CumProd") == 0);
    job.x = x->data;
    job.y = step->out[0]->data;
    mc_parallel(mc_tensor_count(x) / job.n, mc_parallel_grain(4 * job.n), cumulate_range, &job);
    return MC_OK;
}

/* An element is in every sum from its own on: the same walk, the other way. */
static int cum_sum_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct job job;
    const int rc = job_init(&job, step, !is_reverse(step), err);
    if (rc < 0 || mc_tensor_count(dy) == 0) return rc;
    job.line = line_of(dy->dtype, false);
    job.x = dy->data;
    job.y = step->grad_in[0]->data;
    mc_parallel(mc_tensor_count(dy) / job.n, mc_parallel_grain(4 * job.n), cumulate_range, &job);
    return MC_OK;
}

/* dx_k = (product of those before k) times the sum over i >= k of dy_i (product of those between k and i), which
 * follows from the one after it without dividing by anything. */
static void product_back(const struct job *job, const struct mc_step *step, int64_t start)
{
    const struct mc_tensor *x = step->in[0], *dy = step->grad_out[0];
    double before = 1, sum = 0;
    for (int64_t k = 0; k < job->n; k++) {
        const int64_t at = start + k * job->pace;
        mc_tensor_set_f64(step->grad_in[0], at, before);
        before *= mc_tensor_get_f64(x, at);
    }
    for (int64_t k = job->n - 1; k >= 0; k--) {
        const int64_t at = start + k * job->pace;
        const double g = mc_tensor_get_f64(dy, at), v = mc_tensor_get_f64(x, at);
        if (!job->exclusive) sum += g; /* then it is what k itself sees */
        mc_tensor_set_f64(step->grad_in[0], at, mc_tensor_get_f64(step->grad_in[0], at) * sum);
        sum = job->exclusive ? g + v * sum : v * sum;
    }
}

static int cum_prod_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = job_init(&job, step, is_reverse(step), err);
    if (rc < 0 || mc_tensor_count(step->in[0]) == 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(step->in[0]) / job.n; i++)
        product_back(&job, step, i / job.inner * job.n * job.inner + i % job.inner + job.first);
    return MC_OK;
}

#define CUMULATE_OP(name, onnx_type, version)                                                                          \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 2,                                                                                               \
        .max_inputs = 2,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_IN,                                                                                            \
        .shape = cumulate_shape,                                                                                       \
        .outline = mc_outline_same,                                                                                    \
        .forward = cumulate_forward,                                                                                   \
        .backward = name##_backward,                                                                                   \
        .others = "an axis",                                                                                           \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

CUMULATE_OP(cum_prod, "CumProd", 26)
CUMULATE_OP(cum_sum, "CumSum", 11)
