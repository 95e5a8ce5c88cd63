/* matmul_bits.c - MatMulNBits (com.microsoft): y = a W' + bias, where W [N, K] has 4 or 8 bits a number.
 *
 *     B: [N, blocks, bytes of a block]   scales: [N, blocks]   zero points: as B packs them, [N, blocks], or of floats
 *
 * A block is `block_size` neighbours along K: w = (b - zero) scale. 4 bits come two to a byte, low half first; zero
 * points of 4 bits likewise, each row begins a byte; none: half of the range. Weights become float32 once where they
 * are constant. ONNX Runtime 1.32 computes the same; where accuracy_level allows it to round `a` to 8 bits, this does
 * not.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/parallel.h"
#include "op/ops.h"

enum { A, B, SCALES, ZEROS, G_IDX, BIAS };

struct bits {
    int64_t N, K, block, blocks, bits, zero_bytes; /* zero_bytes: of a row, if they are packed */
    const uint8_t *weights;
    const float *scales, *bias, *float_zeros;
    const uint8_t *zeros;
    float *to;
};

static int bits_of(const struct mc_node *node, struct bits *b, struct mc_error *err)
{
    *b = (struct bits){.N = mc_node_int(node, "N", 0),
                       .K = mc_node_int(node, "K", 0),
                       .block = mc_node_int(node, "block_size", 0),
                       .bits = mc_node_int(node, "bits", 4)};
    if (b->bits != 4 && b->bits != 8)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'bits': needs 4 or 8, has %" PRId64, b->bits);
    if (mc_node_int(node, "weight_prepacked", 0))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'weight_prepacked': needs 0");
    if (b->N < 1 || b->K < 1 || b->N > INT32_MAX || b->K > INT32_MAX || b->block < 16 || b->block > 1 << 20 ||
        (b->block & (b->block - 1)))
        return mc_error_set(err, MC_ERR_INPUT, "attributes 'N', 'K' and 'block_size' do not make sense");
    b->blocks = (b->K + b->block - 1) / b->block;
    b->zero_bytes = (b->blocks * b->bits + 7) / 8;
    return MC_OK;
}

static int need_count(const struct mc_node *node, const struct mc_fact *const *in, int i, int64_t n,
                      struct mc_error *err)
{
    if (mc_shape_count(&in[i]->shape) == n) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %" PRId64 " elements, has %" PRId64, i,
                        node->inputs[i]->name, n, mc_shape_count(&in[i]->shape));
}

static int matmul_bits_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                             struct mc_error *err)
{
    struct bits b;
    const uint64_t floats = MC_TYPE_BIT(MC_FLOAT), bytes = MC_TYPE_BIT(MC_UINT8);
    int rc = bits_of(node, &b, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, A, in[A], floats, err);
    if (rc == MC_OK) rc = mc_need_rank(node, A, in[A], 1, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, B, in[B], bytes, err);
    if (rc == MC_OK) rc = need_count(node, in, B, b.N * b.blocks * b.block * b.bits / 8, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, SCALES, in[SCALES], floats, err);
    if (rc == MC_OK) rc = need_count(node, in, SCALES, b.N * b.blocks, err);
    if (rc == MC_OK && in[ZEROS]) rc = mc_need_dtype(node, ZEROS, in[ZEROS], floats | bytes, err);
    if (rc == MC_OK && in[ZEROS])
        rc = need_count(node, in, ZEROS, b.N * (in[ZEROS]->dtype == MC_UINT8 ? b.zero_bytes : b.blocks), err);
    if (rc == MC_OK && in[BIAS]) rc = mc_need_dtype(node, BIAS, in[BIAS], floats, err);
    if (rc == MC_OK && in[BIAS]) rc = need_count(node, in, BIAS, b.N, err);
    if (rc < 0) return rc;
    if (in[G_IDX]) return mc_error_set(err, MC_ERR_UNSUPPORTED, "input 4: an order of groups is not there yet");
    out[0] = *in[A];
    out[0].constant = NULL;
    int64_t *const last = &out[0].shape.dim[out[0].shape.rank - 1];
    if (*last != b.K)
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': needs %" PRId64 " columns, has %" PRId64,
                            node->inputs[A]->name, b.K, *last);
    *last = b.N;
    return MC_OK;
}

static float zero_of(const struct bits *b, int64_t row, int64_t block)
{
    if (b->float_zeros) return b->float_zeros[row * b->blocks + block];
    if (!b->zeros) return (float)(1 << (b->bits - 1));
    if (b->bits == 8) return b->zeros[row * b->blocks + block];
    return (float)(b->zeros[row * b->zero_bytes + block / 2] >> (block % 2 * 4) & 15);
}

static void unpack_rows(void *context, int64_t begin, int64_t end)
{
    const struct bits *b = context;
    for (int64_t i = begin * b->blocks; i < end * b->blocks; i++) {
        const int64_t row = i / b->blocks, block = i % b->blocks, first = block * b->block;
        const int64_t n = b->K - first < b->block ? b->K - first : b->block;
        const float scale = b->scales[i], zero = zero_of(b, row, block);
        const uint8_t *const from = b->weights + i * b->block * b->bits / 8;
        float *const to = b->to + row * b->K + first;
        for (int64_t k = 0; k < n && b->bits == 8; k++) to[k] = ((float)from[k] - zero) * scale;
        for (int64_t k = 0; k < n && b->bits == 4; k++)
            to[k] = ((float)(from[k / 2] >> (k % 2 * 4) & 15) - zero) * scale;
    }
}

/* The weights as floats, [N, K]. */
static void unpack(const struct mc_step *step, struct bits *b, float *to)
{
    const struct mc_tensor *zeros = step->in[ZEROS];
    b->weights = step->in[B]->data;
    b->scales = step->in[SCALES]->data;
    b->zeros = zeros && zeros->dtype == MC_UINT8 ? zeros->data : NULL;
    b->float_zeros = zeros && zeros->dtype == MC_FLOAT ? zeros->data : NULL;
    b->to = to;
    mc_parallel(b->N, mc_parallel_grain(2 * b->K), unpack_rows, b);
}

static int matmul_bits_prepare(struct mc_step *step, struct mc_error *err)
{
    struct bits b;
    const int rc = bits_of(step->node, &b, err);
    if (rc < 0) return rc;
    const size_t bytes = (size_t)(b.N * b.K) * sizeof(float);
    if (!step->in_constant[B] || !step->in_constant[SCALES] || (step->in[ZEROS] && !step->in_constant[ZEROS])) {
        step->workspace_bytes = bytes;
        return MC_OK;
    }
    step->state = mc_alloc_aligned(bytes, 1);
    if (!step->state) return mc_error_memory(err);
    unpack(step, &b, step->state);
    return MC_OK;
}

static void matmul_bits_release(struct mc_step *step)
{
    mc_free(step->state);
}

static int matmul_bits_forward(struct mc_step *step, struct mc_error *err)
{
    struct bits b;
    const int rc = bits_of(step->node, &b, err);
    if (rc < 0) return rc;
    float *const weights = step->state ? step->state : step->workspace, *const y = step->out[0]->data;
    const int64_t m = mc_tensor_count(step->in[A]) / b.K;
    if (!step->state) unpack(step, &b, weights);
    struct mc_gemm gemm = mc_gemm_dense(MC_FLOAT, false, true, m, b.N, b.K);
    if (step->in[BIAS]) {
        gemm.beta = 1;
        for (int64_t i = 0; i < m; i++) memcpy(y + i * b.N, step->in[BIAS]->data, (size_t)b.N * sizeof *y);
    }
    if (m > 0) mc_gemm(&gemm, step->in[A]->data, weights, y);
    return MC_OK;
}

static void matmul_bits_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                             struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    const int64_t macs = mc_shape_count(&out[0].shape) * mc_node_int(node, "K", 0);
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_microsoft_matmul_bits_1 = {
    .domain = "com.microsoft",
    .type = "MatMulNBits",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 6,
    .n_outputs = 1,
    .widens = true,
    .shape = matmul_bits_shape,
    .prepare = matmul_bits_prepare,
    .release = matmul_bits_release,
    .forward = matmul_bits_forward,
    .backward = NULL,
    .no_backward = "quantized numbers have no derivative here",
    .coupling = mc_coupling_freeze_all,
    .cost = matmul_bits_cost,
};
