/* move.c - what the operators that move or rename data share; see move.h. */
#include "op/move.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/kernels.h"
#include "op/ops.h"

#define ALL_BUT_STRING ((MC_TYPE_BIT(MC_DTYPE_COUNT) - 1) & ~(MC_TYPE_BIT(MC_UNDEFINED) | MC_TYPE_BIT(MC_STRING)))
#define NARROW                                                                                                         \
    (MC_TYPE_BIT(MC_UINT4) | MC_TYPE_BIT(MC_INT4) | MC_TYPE_BIT(MC_FLOAT4E2M1) | MC_TYPE_BIT(MC_UINT2) |               \
     MC_TYPE_BIT(MC_INT2))

/* Texts are copied as what points to them; whoever runs the node gives what comes out bytes of its own. */
const uint64_t mc_types_copied = (ALL_BUT_STRING & ~NARROW) | MC_TYPE_BIT(MC_STRING);
const uint64_t mc_types_ordered = ALL_BUT_STRING;

size_t mc_element_size(enum mc_dtype dtype)
{
    if (dtype == MC_STRING) return sizeof(struct mc_text);
    assert(mc_dtype_bits(dtype) >= 8);
    return (size_t)mc_dtype_bits(dtype) / 8;
}

void mc_facts_of_inputs(const struct mc_step *step, struct mc_fact *facts, const struct mc_fact **in)
{
    for (int i = 0; i < mc_node_room_in(step->node); i++) {
        if (step->in[i]) facts[i] = mc_fact_of(step->in[i]);
        in[i] = step->in[i] ? &facts[i] : NULL;
    }
}

static void copy_all(struct mc_tensor *to, const struct mc_tensor *from)
{
    const size_t bytes = mc_tensor_bytes(from);
    if (!bytes || to->data == from->data) return;
    const struct mc_box box = {.rank = 1, .extent = {(int64_t)bytes}, .to = {1}, .from = {1}};
    mc_copy_box(to->data, from->data, &box, 1);
}

int mc_view_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    copy_all(step->out[0], step->in[0]);
    return 0;
}

int mc_view_backward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    if (!step->grad_in[0]) return 0;
    if (step->grad_out[0])
        copy_all(step->grad_in[0], step->grad_out[0]);
    else
        mc_zero(step->grad_in[0]);
    return 0;
}

void mc_zero(struct mc_tensor *tensor)
{
    const size_t bytes = mc_tensor_bytes(tensor);
    if (bytes) memset(tensor->data, 0, bytes);
}

void mc_add_run(struct mc_tensor *to, int64_t at, const struct mc_tensor *from, int64_t i, int64_t n)
{
    if (to->dtype == MC_DOUBLE)
        for (int64_t k = 0; k < n; k++) ((double *)to->data)[at + k] += ((const double *)from->data)[i + k];
    else
        for (int64_t k = 0; k < n; k++) ((float *)to->data)[at + k] += ((const float *)from->data)[i + k];
}

void mc_broadcast_strides(const struct mc_shape *small, const struct mc_shape *large, int64_t *strides)
{
    const int missing = large->rank - small->rank;
    for (int k = 0; k < missing; k++) strides[k] = 0;
    mc_strides(small, strides + missing);
    for (int k = 0; k < small->rank; k++)
        if (small->dim[k] == 1) strides[missing + k] = 0;
}

void mc_sum_to(const struct mc_step *step, struct mc_tensor *small, const struct mc_tensor *large)
{
    if (!mc_tensor_count(large)) {
        mc_zero(small);
        return;
    }
    struct mc_nest nest;
    mc_nest_init(&nest, &large->shape, &small->shape, &large->shape);
    mc_broadcast_sum(&nest, MC_NEST_A, step->runtime->kernels->loops, mc_loop_type(large->dtype), NULL, NULL, NULL,
                     large->data, 1, small->data);
}

void mc_walk_start(struct mc_walk *walk, const struct mc_shape *output, int n, struct mc_tensor *const *inputs)
{
    assert(n <= MC_WALK_INPUTS);
    *walk = (struct mc_walk){.rank = output->rank, .n = n};
    memcpy(walk->extent, output->dim, sizeof walk->extent);
    for (int i = 0; i < n; i++) mc_broadcast_strides(&inputs[i]->shape, output, walk->strides[i]);
}

int64_t mc_walk_in_runs(struct mc_walk *walk)
{
    while (walk->rank > 1) {
        const int last = walk->rank - 1;
        bool even = true;
        for (int i = 0; i < walk->n && even; i++)
            even = walk->extent[last - 1] == 1 || walk->extent[last] == 1 ||
                   walk->strides[i][last - 1] == walk->strides[i][last] * walk->extent[last];
        if (!even) break;
        for (int i = 0; i < walk->n && walk->extent[last] == 1; i++)
            walk->strides[i][last] = walk->strides[i][last - 1];
        for (int i = 0; i < walk->n; i++) walk->strides[i][last - 1] = walk->strides[i][last];
        walk->extent[last - 1] *= walk->extent[last];
        walk->rank--;
    }
    return walk->rank > 0 ? walk->extent[walk->rank - 1] : 1;
}

int64_t mc_walk_step(const struct mc_walk *walk, int i)
{
    return walk->rank > 0 ? walk->strides[i][walk->rank - 1] : 0;
}

static void next_from(struct mc_walk *walk, int axis)
{
    for (int k = axis; k >= 0; k--) {
        const bool carry = ++walk->index[k] == walk->extent[k];
        for (int i = 0; i < walk->n; i++) walk->offset[i] += walk->strides[i][k] * (carry ? 1 - walk->extent[k] : 1);
        if (!carry) return;
        walk->index[k] = 0;
    }
}

void mc_walk_next(struct mc_walk *walk)
{
    next_from(walk, walk->rank - 1);
}

void mc_walk_next_run(struct mc_walk *walk)
{
    next_from(walk, walk->rank - 2);
}

/* A part is n_outer runs, `offset` elements into the whole and `whole_stride` apart there. */
struct part {
    int64_t n_outer, run, whole_stride, offset;
};

static struct part part_of(const struct mc_tensor *whole, const struct mc_tensor *part, int axis, int64_t begin)
{
    const int64_t inner = mc_shape_span(&whole->shape, axis + 1, whole->shape.rank);
    return (struct part){.n_outer = mc_shape_span(&whole->shape, 0, axis),
                         .run = part->shape.dim[axis] * inner,
                         .whole_stride = whole->shape.dim[axis] * inner,
                         .offset = begin * inner};
}

void mc_part_put(struct mc_tensor *whole, const struct mc_tensor *part, int axis, int64_t begin)
{
    const struct part p = part_of(whole, part, axis, begin);
    const size_t size = mc_element_size(whole->dtype);
    const struct mc_box box = {2, {p.n_outer, p.run}, {p.whole_stride, 1}, {p.run, 1}};
    mc_copy_box((char *)whole->data + (size_t)p.offset * size, part->data, &box, size);
}

void mc_part_get(struct mc_tensor *part, const struct mc_tensor *whole, int axis, int64_t begin)
{
    const struct part p = part_of(whole, part, axis, begin);
    const size_t size = mc_element_size(whole->dtype);
    const struct mc_box box = {2, {p.n_outer, p.run}, {p.run, 1}, {p.whole_stride, 1}};
    mc_copy_box(part->data, (const char *)whole->data + (size_t)p.offset * size, &box, size);
}

int mc_ints_of_attr(const struct mc_node *node, const char *name, struct mc_ints *ints, struct mc_error *err)
{
    *ints = (struct mc_ints){.given = mc_node_attr(node, name) != NULL};
    int64_t n;
    const int64_t *const values = mc_node_ints(node, name, &n);
    if (n > (int64_t)MC_COUNT(ints->at))
        return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs at most %zu numbers, has %lld", name,
                            MC_COUNT(ints->at), (long long)n);
    ints->n = (int)n;
    if (n) memcpy(ints->at, values, (size_t)n * sizeof values[0]);
    return 0;
}

int mc_ints_of_input(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_ints *ints,
                     struct mc_error *err)
{
    *ints = (struct mc_ints){.given = i < node->n_inputs && node->inputs[i]};
    if (!ints->given) return 0;
    return mc_need_ints(node, i, in[i], ints->at, (int)MC_COUNT(ints->at), &ints->n, err);
}

int mc_ints_as_axes(struct mc_ints *axes, int rank, struct mc_error *err)
{
    unsigned seen = 0;
    for (int k = 0; k < axes->n; k++) {
        int axis;
        const int rc = mc_need_axis(axes->at[k], rank, &axis, err);
        if (rc < 0) return rc;
        if (seen >> axis & 1) return mc_error_set(err, MC_ERR_INPUT, "axis %d is named twice", axis);
        seen |= 1u << axis;
        axes->at[k] = axis;
    }
    return 0;
}

int mc_ints_as_axes_or_all(struct mc_ints *axes, int rank, struct mc_error *err)
{
    if (!axes->given)
        for (axes->n = 0; axes->n < rank; axes->n++) axes->at[axes->n] = axes->n;
    return mc_ints_as_axes(axes, rank, err);
}

static bool read_ints(const struct mc_tensor *constant, struct mc_ints *ints)
{
    *ints = (struct mc_ints){.given = constant && mc_tensor_count(constant) <= (int64_t)MC_COUNT(ints->at)};
    if (!ints->given) return false;
    ints->n = (int)mc_tensor_count(constant);
    for (int k = 0; k < ints->n; k++) ints->at[k] = mc_tensor_get_i64(constant, k);
    return true;
}

bool mc_resize_ints(const struct mc_resize *resize, const struct mc_node *node, int i, struct mc_ints *ints)
{
    return read_ints(mc_resize_constant(resize, node, i), ints);
}

bool mc_resize_ints_computed(const struct mc_resize *resize, const struct mc_node *node, int i, struct mc_ints *ints)
{
    return read_ints(mc_resize_computed(resize, node, i), ints);
}

/* A vector of the type of input i of the node. */
static int ints_tensor(struct mc_tensor **tensor, const struct mc_resize *resize, const struct mc_node *node, int i,
                       const struct mc_ints *ints, struct mc_error *err)
{
    const struct mc_fact *const old = i < node->n_inputs ? mc_resize_fact(resize, node->inputs[i]) : NULL;
    const bool narrow = old && old->dtype == MC_INT32;
    const struct mc_shape shape = {.rank = 1, .dim = {ints->n}};
    const int rc = mc_tensor_create(tensor, narrow ? MC_INT32 : MC_INT64, &shape, err);
    if (rc < 0) return rc;
    for (int k = 0; k < ints->n; k++) {
        if (narrow)
            ((int32_t *)(*tensor)->data)[k] = (int32_t)ints->at[k];
        else
            ((int64_t *)(*tensor)->data)[k] = ints->at[k];
    }
    return 0;
}

int mc_resize_set_ints(struct mc_resize *resize, struct mc_node *node, int i, const struct mc_ints *ints,
                       struct mc_error *err)
{
    struct mc_tensor *tensor;
    const int rc = ints_tensor(&tensor, resize, node, i, ints, err);
    return rc < 0 ? rc : mc_resize_set_constant(resize, node, i, tensor, err);
}

/* Where(wrong, number, what is computed) before the node. */
static int add_where(struct mc_node *node, int i, struct mc_tensor *wrong, struct mc_tensor *numbers,
                     struct mc_error *err)
{
    struct mc_graph *const graph = node->graph;
    const char *const stem = node->inputs[i]->name;
    struct mc_value *const in[] = {mc_graph_add_initializer_fresh(graph, stem, wrong),
                                   mc_graph_add_initializer_fresh(graph, stem, numbers), node->inputs[i]};
    struct mc_value *mended = in[0] && in[1] ? mc_value_create_fresh(graph, stem) : NULL;
    if (!mended) return mc_error_memory(err);
    mended->type = node->inputs[i]->type;
    struct mc_node *where = mc_node_create(graph, mc_node_position(node), "", "Where", "", 3, in, 1, &mended);
    if (!where) return mc_error_memory(err);
    mc_ops_bind(graph->model);
    return mc_node_set_input(node, i, mended, err);
}

int mc_resize_mend_ints(struct mc_resize *resize, struct mc_node *node, int i, const struct mc_ints *ints,
                        const bool *wrong, struct mc_error *err)
{
    bool any = false;
    for (int k = 0; k < ints->n; k++) any |= wrong[k];
    if (!any) return 0;
    if (mc_resize_constant(resize, node, i) || mc_model_opset(node->graph->model, "") < 9)
        return mc_resize_set_ints(resize, node, i, ints, err);
    const struct mc_shape shape = {.rank = 1, .dim = {ints->n}};
    struct mc_tensor *mask = NULL, *numbers = NULL;
    int rc = mc_tensor_create(&mask, MC_BOOL, &shape, err);
    if (rc == 0) rc = ints_tensor(&numbers, resize, node, i, ints, err);
    if (rc < 0) {
        mc_tensor_destroy(mask);
        return rc;
    }
    for (int k = 0; k < ints->n; k++) ((unsigned char *)mask->data)[k] = wrong[k];
    return add_where(node, i, mask, numbers, err);
}
