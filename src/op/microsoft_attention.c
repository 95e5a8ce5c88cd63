/* microsoft_attention.c - com.microsoft: Attention, QAttention, MultiHeadAttention, GroupQueryAttention and
 * RotaryEmbedding, in terms of the standard's Attention.
 *
 * B samples, L new positions, P past ones, S = P + L or those of the keys; N heads of d features. What a mask forbids
 * gets `mask_filter_value` added and not -infinity: a row that may look at nothing looks at all that is not ahead of
 * it, as in ONNX Runtime 1.32.
 */
#include <inttypes.h>

#include "base/error.h"
#include "op/composite.h"
#include "op/microsoft_coupling.h"

/* --- masks --- */

struct scores {
    int64_t B, L, P, S;
    float filter;
    bool causal;
};

/* 0 where true, else the filter. */
static int choose(struct mc_composite *c, int allowed, float filter)
{
    const int zero = mc_compose_number(c, MC_FLOAT, 0), other = mc_compose_number(c, MC_FLOAT, (double)filter);
    return mc_compose(c, &mc_op_where_9, 1, MC_NO_ATTRS, MC_LIST(allowed, zero, other));
}

/* From where each sample ends, or that and then where each begins, to what is between. */
static int between(struct mc_composite *c, int ends, const struct scores *s)
{
    const int64_t n = mc_compose_fact(c, ends)->shape.dim[0], halves[] = {s->B, s->B};
    const int list = mc_compose_cast(c, ends, MC_INT64), places = mc_compose_range(c, s->S);
    if (n == s->B) {
        const int end = mc_compose_view(c, list, MC_DIMS(s->B, 1));
        return mc_compose(c, &mc_op_less_7, 1, MC_NO_ATTRS, MC_LIST(places, end));
    }
    if (n != 2 * s->B) {
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "a mask of %" PRId64 " indices for %" PRId64 " samples", n, s->B);
        return MC_NO_VALUE;
    }
    const int both = mc_compose(c, &mc_op_split_13, 2, MC_NO_ATTRS, MC_LIST(list, mc_compose_ints(c, halves, 2)));
    if (both < 0) return both;
    const int end = mc_compose_view(c, both, MC_DIMS(s->B, 1)), begin = mc_compose_view(c, both + 1, MC_DIMS(s->B, 1));
    const int before = mc_compose(c, &mc_op_less_7, 1, MC_NO_ATTRS, MC_LIST(places, end));
    const int after = mc_compose(c, &mc_op_greater_or_equal_12, 1, MC_NO_ATTRS, MC_LIST(places, begin));
    return mc_compose(c, &mc_op_and_7, 1, MC_NO_ATTRS, MC_LIST(before, after));
}

/* What a mask of integers adds to scores [B, N, L, S]. */
static int bias_of_mask(struct mc_composite *c, int mask, const struct scores *s)
{
    const struct mc_shape *shape = &mc_compose_fact(c, mask)->shape;
    if (shape->rank == 1) {
        const int bias = choose(c, between(c, mask, s), s->filter);
        return mc_compose_view(c, bias, MC_DIMS(s->B, 1, 1, s->S));
    }
    if (shape->rank > 3) {
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "a mask of rank %d", shape->rank);
        return MC_NO_VALUE;
    }
    const int64_t rows = shape->rank == 3 ? s->L : 1;
    const int zero = mc_compose_number(c, mc_compose_fact(c, mask)->dtype, 0);
    const int allowed = mc_compose(c, &mc_op_greater_7, 1, MC_NO_ATTRS, MC_LIST(mask, zero));
    return mc_compose_view(c, choose(c, allowed, s->filter), MC_DIMS(s->B, 1, rows, s->S));
}

/* All that is added to scores; MC_NO_VALUE for nothing. */
static int bias_of_scores(struct mc_composite *c, int mask, int bias, const struct scores *s)
{
    return mask < 0 ? bias : mc_compose_plus(c, bias_of_mask(c, mask, s), bias);
}

/* --- queries, keys and values --- */

static void refuse_unless(struct mc_composite *c, const char *name, int64_t usual)
{
    if (mc_node_int(mc_compose_node(c), name, usual) != usual)
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "attribute '%s': needs %" PRId64 ", has %" PRId64, name, usual,
                          mc_node_int(mc_compose_node(c), name, usual));
}

static void refuse_input(struct mc_composite *c, int i, const char *what)
{
    if (mc_compose_in(c, i) >= 0) mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "input %d: %s is not there yet", i, what);
}

static void refuse_output(struct mc_composite *c, int i, const char *what)
{
    const struct mc_node *node = mc_compose_node(c);
    if (i < node->n_outputs && node->outputs[i])
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "output %d: %s is not given out", i, what);
}

static int64_t heads_of(struct mc_composite *c, const char *name)
{
    const int64_t heads = mc_node_int(mc_compose_node(c), name, 0);
    if (heads < 1) mc_compose_refuse(c, MC_ERR_INPUT, "attribute '%s': needs 1 at least, has %" PRId64, name, heads);
    return heads < 1 ? 1 : heads;
}

struct qkv {
    int q, k, v, past_k, past_v;
    int64_t heads, kv_heads;
};

/* The standard's operator; its outputs y, keys, values have the numbers from the result on. */
static int attend(struct mc_composite *c, const struct qkv *in, int bias, const struct scores *s)
{
    struct mc_attr attrs[] = {MC_ATTR_OF_INT("q_num_heads", in->heads), MC_ATTR_OF_INT("kv_num_heads", in->kv_heads),
                              MC_ATTR_OF_INT("is_causal", s->causal), MC_ATTR_OF_FLOAT("scale", 0)};
    attrs[3].f = mc_node_float(mc_compose_node(c), "scale", 0);
    return mc_compose(c, &mc_op_attention_23, 3, attrs, attrs[3].f != 0 ? 4 : 3,
                      MC_LIST(in->q, in->k, in->v, bias, in->past_k, in->past_v));
}

/* A last axis of three parts, and the first of those. */
static int split3(struct mc_composite *c, int x, int axis, int64_t a, int64_t b, int64_t d)
{
    const int64_t sizes[] = {a, b, d};
    return mc_compose(c, &mc_op_split_13, 3, MC_ATTRS(MC_ATTR_OF_INT("axis", axis)),
                      MC_LIST(x, mc_compose_ints(c, sizes, 3)));
}

/* --- Attention, QAttention: after the projections --- */

/* Past and present are one tensor: [2, B, N, positions, d]. */
static void split_past(struct mc_composite *c, int past, struct qkv *in)
{
    const int64_t one[] = {1, 1}, *d = mc_compose_fact(c, past)->shape.dim;
    if (!mc_compose_check(c,
                          mc_need_rank(mc_compose_node(c), past, mc_compose_fact(c, past), 5, 5, mc_compose_error(c))))
        return;
    const int both = mc_compose(c, &mc_op_split_13, 2, MC_ATTRS(MC_ATTR_OF_INT("axis", 0)),
                                MC_LIST(past, mc_compose_ints(c, one, 2)));
    in->past_k = mc_compose_view(c, both, 4, d + 1);
    in->past_v = both < 0 ? both : mc_compose_view(c, both + 1, 4, d + 1);
}

static int join_present(struct mc_composite *c, int keys, int values)
{
    const int64_t *d = mc_compose_fact(c, keys)->shape.dim;
    const int k = mc_compose_view(c, keys, MC_DIMS(1, d[0], d[1], d[2], d[3]));
    const int v = mc_compose_view(c, values, MC_DIMS(1, d[0], d[1], d[2], d[3]));
    return mc_compose(c, &mc_op_concat_1, 1, MC_ATTRS(MC_ATTR_OF_INT("axis", 0)), MC_LIST(k, v));
}

static void attend_projected(struct mc_composite *c, int qkv, int mask, int past, int bias)
{
    const struct mc_node *node = mc_compose_node(c);
    const struct mc_shape *shape = &mc_compose_fact(c, qkv)->shape;
    int64_t n_sizes;
    const int64_t *sizes = mc_node_ints(node, "qkv_hidden_sizes", &n_sizes), third = shape->dim[2] / 3;
    struct qkv in = {.past_k = MC_NO_VALUE, .past_v = MC_NO_VALUE, .heads = heads_of(c, "num_heads")};
    struct scores s = {.B = shape->dim[0],
                       .L = shape->dim[1],
                       .filter = mc_node_float(node, "mask_filter_value", -10000.0f),
                       .causal = mc_node_int(node, "unidirectional", 0) != 0};
    refuse_unless(c, "past_present_share_buffer", 0);
    refuse_unless(c, "do_rotary", 0);
    in.kv_heads = in.heads;
    in.q = n_sizes == 3 ? split3(c, qkv, 2, sizes[0], sizes[1], sizes[2])
                        : split3(c, qkv, 2, third, third, shape->dim[2] - 2 * third);
    in.k = in.q < 0 ? in.q : in.q + 1;
    in.v = in.q < 0 ? in.q : in.q + 2;
    if (past >= 0) split_past(c, past, &in);
    if (past >= 0) s.P = mc_compose_fact(c, in.past_k)->shape.dim[2];
    s.S = s.P + s.L;
    const int y = attend(c, &in, bias_of_scores(c, mask, bias, &s), &s);
    mc_compose_out(c, 0, y);
    if (y >= 0 && node->n_outputs > 1 && node->outputs[1]) mc_compose_out(c, 1, join_present(c, y + 1, y + 2));
}

static void microsoft_attention_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, 0), 3, 3, mc_compose_error(c)))) return;
    refuse_input(c, 6, "a shared buffer");
    const int product = mc_compose(c, &mc_op_matmul_1, 1, MC_NO_ATTRS, MC_LIST(0, mc_compose_in(c, 1)));
    attend_projected(c, mc_compose_plus(c, product, mc_compose_in(c, 2)), mc_compose_in(c, 3), mc_compose_in(c, 4),
                     mc_compose_in(c, 5));
}

static void microsoft_qattention_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, 0), 3, 3, mc_compose_error(c)))) return;
    const int scale = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(mc_compose_in(c, 3), mc_compose_in(c, 4)));
    const int sums = mc_compose(c, &mc_op_mat_mul_integer_10, 1, MC_NO_ATTRS,
                                MC_LIST(0, mc_compose_in(c, 1), mc_compose_in(c, 6), mc_compose_in(c, 7)));
    const int product = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(mc_compose_cast(c, sums, MC_FLOAT), scale));
    attend_projected(c, mc_compose_plus(c, product, mc_compose_in(c, 2)), mc_compose_in(c, 5), mc_compose_in(c, 8),
                     MC_NO_VALUE);
}

MC_COMPOSITE_OP_BY(mc_microsoft_attention_coupling, mc_microsoft_attention_cost, microsoft_attention, "com.microsoft",
                   "Attention", 1, 2, 7, 2, MC_COMPOSITE_TRAINS(0x37), .others = "a mask and a length",
                   .resize = mc_microsoft_attention_resize)
MC_COMPOSITE_OP(microsoft_qattention, "com.microsoft", "QAttention", 1, 5, 9, 2,
                .no_backward = "quantized numbers have no derivative here")

/* --- MultiHeadAttention --- */

/* [B, L, N d] to [B, N, L, d], or back. */
static int part_heads(struct mc_composite *c, int x, int64_t heads)
{
    const int64_t *d = mc_compose_fact(c, x)->shape.dim, perm[] = {0, 2, 1, 3};
    return mc_compose_transpose(c, mc_compose_view(c, x, MC_DIMS(d[0], d[1], heads, d[2] / heads)), perm);
}

static int join_heads(struct mc_composite *c, int x)
{
    const int64_t perm[] = {0, 2, 1, 3};
    const int y = mc_compose_transpose(c, x, perm);
    const int64_t *d = mc_compose_fact(c, y)->shape.dim;
    return mc_compose_view(c, y, MC_DIMS(d[0], d[1], d[2] * d[3]));
}

/* Queries and all, or keys and values, in one tensor [B, L, N, parts, d]. */
static int unpack(struct mc_composite *c, int packed, int parts, int *out)
{
    const int64_t *d = mc_compose_fact(c, packed)->shape.dim, one[] = {1, 1, 1};
    if (mc_compose_fact(c, packed)->shape.rank != 5 || d[3] != parts) {
        mc_compose_refuse(c, MC_ERR_INPUT, "what is packed needs shape [batch, positions, heads, %d, features]", parts);
        return MC_NO_VALUE;
    }
    const int first = mc_compose(c, &mc_op_split_13, parts, MC_ATTRS(MC_ATTR_OF_INT("axis", 3)),
                                 MC_LIST(packed, mc_compose_ints(c, one, parts)));
    for (int i = 0; i < parts && first >= 0; i++)
        out[i] = mc_compose_view(c, first + i, MC_DIMS(d[0], d[1], d[2] * d[4]));
    return first;
}

static void multi_head_operands(struct mc_composite *c, struct qkv *in)
{
    int both[3] = {MC_NO_VALUE, MC_NO_VALUE, MC_NO_VALUE};
    in->q = 0;
    in->k = mc_compose_in(c, 1);
    in->v = mc_compose_in(c, 2);
    if (mc_compose_fact(c, 0)->shape.rank == 5) {
        if (unpack(c, 0, 3, both) < 0) return;
        in->q = both[0];
        in->k = both[1];
        in->v = both[2];
    } else if (in->v < 0) {
        if (unpack(c, in->k, 2, both) < 0) return;
        in->k = both[0];
        in->v = both[1];
    }
}

/* One list of numbers for the features of queries, keys and values. */
static void add_bias(struct mc_composite *c, int bias, struct qkv *in, bool cross)
{
    const int64_t q = mc_compose_fact(c, in->q)->shape.dim[2], all = mc_compose_fact(c, bias)->shape.dim[0];
    const int64_t k = cross ? q : mc_compose_fact(c, in->k)->shape.dim[2];
    const int first = split3(c, bias, 0, q, k, all - q - k);
    if (first < 0) return;
    in->q = mc_compose_plus(c, in->q, first);
    if (cross) return;
    in->k = mc_compose_plus(c, in->k, first + 1);
    in->v = mc_compose_plus(c, in->v, first + 2);
}

static void microsoft_multi_head_attention_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    struct qkv in = {.past_k = mc_compose_in(c, 6), .past_v = mc_compose_in(c, 7), .heads = heads_of(c, "num_heads")};
    const bool cross = mc_compose_fact(c, mc_compose_in(c, 1))->shape.rank == 4; /* keys have their heads apart */
    refuse_input(c, 8, "a shared buffer");
    refuse_input(c, 9, "beam search");
    refuse_output(c, 3, "what queries and keys give");
    multi_head_operands(c, &in);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, in.q), 3, 3, mc_compose_error(c)))) return;
    if (mc_compose_in(c, 3) >= 0) add_bias(c, mc_compose_in(c, 3), &in, cross);
    if (cross) in.q = part_heads(c, in.q, in.heads);
    in.kv_heads = in.heads;
    struct scores s = {.B = mc_compose_fact(c, in.q)->shape.dim[0],
                       .L = mc_compose_fact(c, in.q)->shape.dim[cross ? 2 : 1],
                       .P = in.past_k >= 0 ? mc_compose_fact(c, in.past_k)->shape.dim[2] : 0,
                       .filter = mc_node_float(node, "mask_filter_value", -10000.0f),
                       .causal = mc_node_int(node, "unidirectional", 0) != 0};
    s.S = s.P + mc_compose_fact(c, in.k)->shape.dim[cross ? 2 : 1];
    const int y = attend(c, &in, bias_of_scores(c, mc_compose_in(c, 4), mc_compose_in(c, 5), &s), &s);
    if (y < 0) return;
    mc_compose_out(c, 0, cross ? join_heads(c, y) : y);
    for (int i = 1; i < 3; i++)
        if (i < node->n_outputs && node->outputs[i]) mc_compose_out(c, i, y + i);
}

MC_COMPOSITE_OP_BY(mc_microsoft_multi_head_coupling, microsoft_multi_head_attention_cost,
                   microsoft_multi_head_attention, "com.microsoft", "MultiHeadAttention", 1, 1, 10, 4,
                   MC_COMPOSITE_TRAINS(0xef), .others = "a mask and caches", .resize = mc_microsoft_multi_head_resize)

/* --- RotaryEmbedding --- */

static int turn(struct mc_composite *c, int x, int positions, int cosines, int sines, int64_t heads, int64_t dim,
                bool interleaved)
{
    const struct mc_attr attrs[] = {MC_ATTR_OF_INT("num_heads", heads), MC_ATTR_OF_INT("rotary_embedding_dim", dim),
                                    MC_ATTR_OF_INT("interleaved", interleaved)};
    return mc_compose(c, &mc_op_rotary_embedding_23, 1, attrs, 3, MC_LIST(x, cosines, sines, positions));
}

static void microsoft_rotary_embedding_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const struct mc_shape *x = &mc_compose_fact(c, 0)->shape;
    const int cosines = mc_compose_in(c, 2);
    int positions = mc_compose_in(c, 1);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, 0), 3, 4, mc_compose_error(c)))) return;
    refuse_unless(c, "is_packed_batching", 0);
    if (mc_node_float(node, "scale", 1) != 1) mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "attribute 'scale': needs 1");
    const int64_t B = x->dim[0], L = x->dim[x->rank == 3 ? 1 : 2], dim = mc_node_int(node, "rotary_embedding_dim", 0);
    const int64_t head = 2 * mc_compose_fact(c, cosines)->shape.dim[1], given = mc_node_int(node, "num_heads", 0);
    const int64_t heads = x->rank == 4 ? x->dim[1] : given > 0 ? given : head > 0 ? x->dim[2] / head : 1;
    if (mc_shape_count(&mc_compose_fact(c, positions)->shape) == 1 && B * L != 1) { /* where the first one is */
        const int64_t dims[] = {B, L};
        positions = mc_compose_view(c, positions, MC_DIMS(1));
        positions = mc_compose_plus(c, mc_compose_range(c, L), positions);
        positions = mc_compose(c, &mc_op_expand_8, 1, MC_NO_ATTRS, MC_LIST(positions, mc_compose_ints(c, dims, 2)));
    }
    mc_compose_out(
        c, 0,
        turn(c, 0, positions, cosines, mc_compose_in(c, 3), heads, dim, mc_node_int(node, "interleaved", 0) != 0));
}

MC_COMPOSITE_OP(microsoft_rotary_embedding, "com.microsoft", "RotaryEmbedding", 1, 4, 4, 1, MC_COMPOSITE_TRAINS(0x1),
                .others = "positions and tables of angles")

/* --- GroupQueryAttention: keys and values go into caches of which each sample has filled a part --- */

struct cache {
    int64_t B, L, capacity;
    bool prompt; /* nothing is in it yet */
    int lengths, starts, positions;
};

static void refuse_unusual(struct mc_composite *c)
{
    static const char *const quantized[] = {"NONE"};
    refuse_unless(c, "causal", 1);
    refuse_unless(c, "qk_output", 0);
    refuse_unless(c, "sliding_window_cache", 0);
    refuse_unless(c, "kv_cache_bit_width", 0);
    if (mc_node_int(mc_compose_node(c), "smooth_softmax", 0) > 0)
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "attribute 'smooth_softmax': needs 0");
    if (mc_node_choice(mc_compose_node(c), "k_quant_type", quantized, 1, 0) < 0 ||
        mc_node_choice(mc_compose_node(c), "v_quant_type", quantized, 1, 0) < 0)
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "caches of quantized numbers are not there yet");
    for (int i = 11; i < 17; i++) refuse_input(c, i, "what it brings");
    refuse_output(c, 3, "what queries and keys give");
}

static int64_t total_length(struct mc_composite *c)
{
    int64_t total = 0;
    int n = 0;
    if (mc_compose_in(c, 6) < 0) {
        mc_compose_refuse(c, MC_ERR_INPUT, "needs the total length");
        return 0;
    }
    const int rc = mc_need_ints(mc_compose_node(c), 6, mc_compose_fact(c, mc_compose_in(c, 6)), &total, 1, &n,
                                mc_compose_error(c));
    return mc_compose_check(c, rc) && n == 1 ? total : 0;
}

static void cache_of(struct mc_composite *c, struct cache *cache)
{
    const int past = mc_compose_in(c, 3);
    const int64_t total = total_length(c), old = past >= 0 ? mc_compose_fact(c, past)->shape.dim[2] : 0;
    cache->prompt = total == cache->L;
    cache->capacity = old > total ? old : total;
    const int ends = mc_compose_cast(c, mc_compose_in(c, 5), MC_INT64);
    cache->lengths = mc_compose_plus(c, mc_compose_view(c, ends, MC_DIMS(cache->B)), mc_compose_number(c, MC_INT64, 1));
    const int none = mc_compose_constant(c, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {1}}, &(int64_t){0});
    const int64_t dims[] = {cache->B};
    cache->starts = cache->prompt
                        ? mc_compose(c, &mc_op_expand_8, 1, MC_NO_ATTRS, MC_LIST(none, mc_compose_ints(c, dims, 1)))
                        : mc_compose_plus(c, cache->lengths, mc_compose_number(c, MC_INT64, -(double)cache->L));
    const int first = mc_compose_view(c, cache->starts, MC_DIMS(cache->B, 1));
    cache->positions =
        mc_compose_in(c, 9) >= 0 ? mc_compose_in(c, 9) : mc_compose_plus(c, first, mc_compose_range(c, cache->L));
}

/* The cache with what is new, [B, N, L, d], behind what each sample had. */
static int enter(struct mc_composite *c, int past, int fresh, const struct cache *cache)
{
    const int64_t *d = mc_compose_fact(c, fresh)->shape.dim;
    const int64_t old = past >= 0 ? mc_compose_fact(c, past)->shape.dim[2] : 0;
    if (cache->prompt && cache->capacity == cache->L) return fresh;
    int room = past;
    if (old < cache->capacity) {
        const int64_t dims[] = {d[0], d[1], cache->capacity - old, d[3]};
        const int zero = mc_compose_number(c, mc_compose_fact(c, fresh)->dtype, 0);
        room = mc_compose(c, &mc_op_expand_8, 1, MC_NO_ATTRS, MC_LIST(zero, mc_compose_ints(c, dims, 4)));
        if (past >= 0)
            room = mc_compose(c, &mc_op_concat_1, 1, MC_ATTRS(MC_ATTR_OF_INT("axis", 2)), MC_LIST(past, room));
    }
    return mc_compose(c, &mc_op_tensor_scatter_24, 1, MC_NO_ATTRS, MC_LIST(room, fresh, cache->starts));
}

static int grouped(struct mc_composite *c, const struct qkv *in, const struct cache *cache, int keys, int values)
{
    const struct mc_node *node = mc_compose_node(c);
    const int64_t window = mc_node_int(node, "local_window_size", -1);
    struct mc_attr attrs[] = {MC_ATTR_OF_INT("is_causal", 1), MC_ATTR_OF_INT("left_window_size", -1),
                              MC_ATTR_OF_FLOAT("softcap", 0), MC_ATTR_OF_FLOAT("scale", 0)};
    attrs[1].i = window > 0 ? window - 1 : -1;
    attrs[2].f = mc_node_float(node, "softcap", 0);
    attrs[3].f = mc_node_float(node, "scale", 0);
    /* a prompt is all there is: what pads it stands behind what looks at it */
    return mc_compose(c, &mc_op_attention_23, 1, attrs, attrs[3].f != 0 ? 4 : 3,
                      MC_LIST(in->q, cache->prompt ? in->k : keys, cache->prompt ? in->v : values, mc_compose_in(c, 10),
                              MC_NO_VALUE, MC_NO_VALUE, cache->prompt ? MC_NO_VALUE : cache->lengths));
}

static void microsoft_group_query_attention_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    struct qkv in = {.q = 0, .k = mc_compose_in(c, 1), .v = mc_compose_in(c, 2)};
    const struct mc_shape *q = &mc_compose_fact(c, 0)->shape;
    refuse_unusual(c);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, 0), 3, 3, mc_compose_error(c)))) return;
    in.heads = heads_of(c, "num_heads");
    in.kv_heads = heads_of(c, "kv_num_heads");
    struct cache cache = {.B = q->dim[0], .L = q->dim[1]};
    if (in.k < 0) { /* all in one */
        const int64_t d = q->dim[2] / (in.heads + 2 * in.kv_heads);
        in.q = split3(c, 0, 2, in.heads * d, in.kv_heads * d, in.kv_heads * d);
        in.k = in.q < 0 ? in.q : in.q + 1;
        in.v = in.q < 0 ? in.q : in.q + 2;
    }
    cache_of(c, &cache);
    in.q = part_heads(c, in.q, in.heads);
    in.k = part_heads(c, in.k, in.kv_heads);
    in.v = part_heads(c, in.v, in.kv_heads);
    if (mc_node_int(node, "do_rotary", 0)) {
        const int cosines = mc_compose_in(c, 7), sines = mc_compose_in(c, 8);
        const bool interleaved = mc_node_int(node, "rotary_interleaved", 0) != 0;
        const int64_t dim = 2 * mc_compose_fact(c, cosines)->shape.dim[1];
        in.q = turn(c, in.q, cache.positions, cosines, sines, in.heads, dim, interleaved);
        in.k = turn(c, in.k, cache.positions, cosines, sines, in.kv_heads, dim, interleaved);
    }
    const int keys = enter(c, mc_compose_in(c, 3), in.k, &cache), values = enter(c, mc_compose_in(c, 4), in.v, &cache);
    mc_compose_out(c, 0, join_heads(c, grouped(c, &in, &cache, keys, values)));
    if (node->n_outputs > 1 && node->outputs[1]) mc_compose_out(c, 1, keys);
    if (node->n_outputs > 2 && node->outputs[2]) mc_compose_out(c, 2, values);
}

MC_COMPOSITE_OP(microsoft_group_query_attention, "com.microsoft", "GroupQueryAttention", 1, 1, 17, 4,
                MC_COMPOSITE_TRAINS(0x41f), .others = "lengths, tables of angles and positions")
