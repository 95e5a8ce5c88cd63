/* det.c - Det (ONNX opset 11, 22): determinants of square matrices, by elimination with row exchanges in float64. */
#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"

static int det_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[0]->shape;
    if (x->dim[x->rank - 1] != x->dim[x->rank - 2])
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': needs square matrices, has %" PRId64 " rows of %" PRId64,
                            node->inputs[0]->name, x->dim[x->rank - 2], x->dim[x->rank - 1]);
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = mc_shape_of(x->rank - 2, x->dim)};
    return MC_OK;
}

static int det_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *x = &step->in[0]->shape;
    step->workspace_bytes = (size_t)(mc_shape_span(x, x->rank - 2, x->rank)) * sizeof(double);
    return MC_OK;
}

/* Exchange row k and the one below with the largest element in column k. False if all are 0. */
static bool find_pivot(double *a, int64_t n, int64_t k, double *det)
{
    int64_t best = k;
    for (int64_t i = k + 1; i < n; i++)
        if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
    if (a[best * n + k] == 0) return false;
    for (int64_t j = k; j < n && best != k; j++) {
        const double other = a[k * n + j];
        a[k * n + j] = a[best * n + j];
        a[best * n + j] = other;
    }
    if (best != k) *det = -*det;
    return true;
}

static double determinant(double *a, int64_t n)
{
    double det = 1;
    for (int64_t k = 0; k < n; k++) {
        if (!find_pivot(a, n, k, &det)) return 0;
        det *= a[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            const double factor = a[i * n + k] / a[k * n + k];
            for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return det;
}

static int det_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t n = x->shape.dim[x->shape.rank - 1];
    double *a = step->workspace;
    for (int64_t m = 0; m < mc_tensor_count(step->out[0]); m++) {
        for (int64_t i = 0; i < n * n; i++) a[i] = mc_tensor_get_f64(x, m * n * n + i);
        mc_tensor_set_f64(step->out[0], m, determinant(a, n));
    }
    return MC_OK;
}

/* d det / d a[i][j] is the cofactor: the determinant without row i and column j, with a sign. So that it also holds
 * where there is no inverse. */
static double cofactor(const struct mc_tensor *x, int64_t matrix, int64_t n, int64_t i, int64_t j, double *room)
{
    double *to = room;
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < n; c++)
            if (r != i && c != j) *to++ = mc_tensor_get_f64(x, (matrix * n + r) * n + c);
    return (i + j) % 2 ? -determinant(room, n - 1) : determinant(room, n - 1);
}

static int det_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *dy = step->grad_out[0];
    const int64_t n = x->shape.dim[x->shape.rank - 1];
    for (int64_t m = 0; m < mc_tensor_count(dy); m++)
        for (int64_t i = 0; i < n * n; i++)
            mc_tensor_set_f64(step->grad_in[0], m * n * n + i,
                              mc_tensor_get_f64(dy, m) * cofactor(x, m, n, i / n, i % n, step->workspace));
    return MC_OK;
}

static void det_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                     struct mc_cost *cost)
{
    const struct mc_shape *x = &in[0]->shape;
    mc_cost_free(node, in, out, cost);
    cost->flops += mc_shape_count(x) * x->dim[x->rank - 1] * 2 / 3;
}

const struct mc_op mc_op_det_11 = {
    .domain = "",
    .type = "Det",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = det_shape,
    .prepare = det_prepare,
    .forward = det_forward,
    .backward = det_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = det_cost,
};
