/* bias.c - the arithmetic of moving a constant through a weight, and the place it is put.
 *
 * A contraction computes y[o] = sum over c of w[o, c] x[c] (and over a window). Channels c that are the constant k[c]
 * contribute k[c] times the sum of w[o, c], the same at every position. That goes into the node's own bias, rounded
 * where that is integers and their scale; a node that has no such input gets an Add behind it, or the Add that is there
 * already takes it. This file makes that Add and knows DequantizeLinear, and so is the one place of this room that
 * names operators.
 */
#include "prune/bias.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "prune/surgery.h"

/* One number for all, or one per index of the axis that lies `from_right` places before the last. */
static bool is_vector(const struct mc_shape *shape, int64_t n, int from_right)
{
    const int64_t count = mc_shape_count(shape);
    const int axis = shape->rank - 1 - from_right;
    return count == 1 || (count == n && axis >= 0 && shape->dim[axis] == n);
}

static int count_uses(const struct mc_model *model, const struct mc_value *v)
{
    int n = v->is_output;
    for (int i = 0; i < model->graph->n_nodes; i++) n += mc_node_reads(model->graph->nodes[i], v);
    return n;
}

/* The integers of a bias of n numbers that a DequantizeLinear makes of 32 bits, and that nobody else reads. NULL: it is
 * none. */
static struct mc_value *codes_of(const struct mc_value *bias, int64_t n)
{
    const struct mc_node *node = bias->producer;
    if (!node || !node->op || node->op->means != MC_MEANS_DEQUANTIZE || node->n_inputs < 2) return NULL;
    struct mc_value *codes = node->inputs[0];
    const struct mc_tensor *t = codes->data, *scale = node->inputs[1]->data;
    if (!t || t->dtype != MC_INT32 || t->shape.rank != 1 || t->shape.dim[0] != n || !scale) return NULL;
    if (mc_tensor_count(scale) != 1 && mc_tensor_count(scale) != n) return NULL;
    const struct mc_model *model = node->graph->model;
    return count_uses(model, bias) == 1 && count_uses(model, codes) == 1 ? codes : NULL;
}

bool mc_bias_can_shift(const struct mc_coupling *c, const struct mc_contraction *k)
{
    const struct mc_value *bias = mc_node_input(k->node, k->bias_input);
    const int64_t n = mc_coupling_extent(c, k->node->outputs[0], k->out_axis);
    if (!bias) return true;
    return bias->data ? is_vector(&mc_coupling_fact(c, bias)->shape, n, 0) : codes_of(bias, n) != NULL;
}

bool mc_bias_can_take(const struct mc_coupling *c, const struct mc_contraction *k)
{
    const struct mc_fact *weight = mc_coupling_fact(c, k->weight);
    if (!k->movable || !weight || !mc_dtype_is_float(weight->dtype) || !mc_coupling_is_fixed(c, k->weight))
        return false;
    if (!weight->constant && !mc_value_is_decoded(c, k->weight)) return false;
    const int64_t n_in = weight->shape.dim[k->weight_axis], n_out = weight->shape.dim[k->weight_out_axis];
    const bool in_split = n_in * k->groups == mc_coupling_extent(c, k->data, k->data_axis);
    const bool out_split = n_out * k->groups == mc_coupling_extent(c, k->node->outputs[0], k->out_axis);
    if (k->groups > 1 && in_split == out_split) return false; /* one side of a grouped weight is whole */
    return mc_bias_can_shift(c, k);
}

/* Where the sum over one (weight index along its input axis, along its output axis) belongs. */
static void locate(const struct mc_contraction *k, int64_t in, int64_t out, int64_t in_extent, int64_t out_extent,
                   int64_t n_in, int64_t n_out, int64_t *channel, int64_t *output)
{
    *channel = in;
    *output = out;
    if (k->groups == 1) return;
    const int64_t group = in_extent == n_in ? in / (n_in / k->groups) : out / (n_out / k->groups);
    *channel = in_extent == n_in ? in : group * in_extent + in;
    *output = out_extent == n_out ? out : group * out_extent + out;
}

/* shift[o] = what channels with constants `constant` (0 for those that stay) give to output o. */
static void sum_constants(const struct mc_contraction *k, const struct mc_tensor *w, const double *constant,
                          int64_t n_in, double *shift, int64_t n_out)
{
    const struct mc_shape *s = &w->shape;
    const bool in_first = k->weight_axis < k->weight_out_axis;
    const int first = in_first ? k->weight_axis : k->weight_out_axis;
    const int second = in_first ? k->weight_out_axis : k->weight_axis;
    const int64_t outer = mc_shape_span(s, 0, first), middle = mc_shape_span(s, first + 1, second);
    const int64_t inner = mc_shape_span(s, second + 1, s->rank);
    const int64_t rows = s->dim[first] * middle;
    const float *from = w->data;
    for (int64_t row = 0; row < outer * rows; row++) {
        const int64_t p = row % rows / middle;
        if (in_first && k->groups == 1 && constant[p] == 0) {
            from += s->dim[second] * inner;
            continue;
        }
        for (int64_t q = 0; q < s->dim[second]; q++, from += inner) {
            int64_t channel, output;
            locate(k, in_first ? p : q, in_first ? q : p, s->dim[k->weight_axis], s->dim[k->weight_out_axis], n_in,
                   n_out, &channel, &output);
            if (constant[channel] == 0) continue;
            double sum = 0;
            for (int64_t i = 0; i < inner; i++) sum += (double)from[i];
            shift[output] += constant[channel] * sum;
        }
    }
}

/* The shift of every output that stays; *n of them, owned by the caller. */
static int shift_of(double **shift, int64_t *n, const struct mc_coupling *c, const struct mc_contraction *k,
                    const struct mc_residue *residue, const bool *goes, struct mc_error *err)
{
    const struct mc_value *y = k->node->outputs[0];
    const int64_t n_in = mc_coupling_extent(c, k->data, k->data_axis), n_out = mc_coupling_extent(c, y, k->out_axis);
    const struct mc_tensor *weight = mc_coupling_fact(c, k->weight)->constant;
    struct mc_tensor *decoded = NULL, *floats = NULL;
    double *constant = MC_NEW_ARRAY(double, n_in);
    *shift = MC_NEW_ARRAY(double, n_out);
    *n = 0;
    int rc = constant && *shift ? MC_OK : mc_error_memory(err);
    if (rc == 0 && !weight) rc = mc_value_decode(c, k->weight, &decoded, err);
    if (decoded) weight = decoded;
    if (rc == 0 && weight->dtype != MC_FLOAT) {
        rc = mc_tensor_create(&floats, MC_FLOAT, &weight->shape, err);
        if (rc == 0) rc = mc_tensor_convert(floats, weight, err);
    }
    if (rc == 0) {
        for (int64_t i = 0; i < residue->n; i++) constant[residue->indices[i]] = residue->constant[i];
        sum_constants(k, floats ? floats : weight, constant, n_in, *shift, n_out);
        for (int64_t o = 0; o < n_out; o++)
            if (!mc_index_goes(c, goes, y, k->out_axis, o)) (*shift)[(*n)++] = (*shift)[o];
    }
    mc_tensor_destroy(floats);
    mc_tensor_destroy(decoded);
    mc_free(constant);
    return rc;
}

/* old (a vector or one number, or NULL for 0) + shift, of the given shape, which has n elements. */
static int add_shift(struct mc_tensor **sum, const struct mc_tensor *old, enum mc_dtype dtype,
                     const struct mc_shape *shape, const double *shift, int64_t n, struct mc_error *err)
{
    const int rc = mc_tensor_create(sum, dtype, shape, err);
    if (rc < 0) return rc;
    const bool single = old && mc_tensor_count(old) == 1;
    for (int64_t i = 0; i < n; i++)
        mc_tensor_set_f64(*sum, i, shift[i] + (old ? mc_tensor_get_f64(old, single ? 0 : i) : 0));
    return 0;
}

/* The same in integers: as near as their scale comes. */
static int shift_codes(struct mc_value *codes, const struct mc_tensor *scale, const double *shift, int64_t n,
                       struct mc_error *err)
{
    struct mc_tensor *sum = NULL;
    const int rc = mc_tensor_create(&sum, MC_INT32, &codes->data->shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < n; i++) {
        const double step = mc_tensor_get_f64(scale, mc_tensor_count(scale) == 1 ? 0 : i);
        const double whole = mc_tensor_get_f64(codes->data, i) + (step > 0 ? nearbyint(shift[i] / step) : 0);
        ((int32_t *)sum->data)[i] = (int32_t)fmin(fmax(whole, INT32_MIN), INT32_MAX);
    }
    mc_value_set_data(codes, sum);
    return 0;
}

/* Add a shift to the vector that input i of the node holds (NULL: none yet), which lies along the axis `from_right`
 * places before the last. A vector that others use as well is left to them. */
static int shift_input(struct mc_model *model, struct mc_node *node, int i, int from_right, enum mc_dtype dtype,
                       const double *shift, int64_t n, struct mc_error *err)
{
    struct mc_value *bias = mc_node_input(node, i), *codes = bias ? codes_of(bias, n) : NULL;
    if (codes) return shift_codes(codes, bias->producer->inputs[1]->data, shift, n, err);
    const struct mc_tensor *old = bias ? bias->data : NULL;
    struct mc_shape shape = {.rank = 1 + from_right, .dim = {n}};
    for (int a = 1; a < shape.rank; a++) shape.dim[a] = 1;
    if (old && mc_tensor_count(old) == n) shape = old->shape;
    struct mc_tensor *sum = NULL;
    const int rc = add_shift(&sum, old, old ? old->dtype : dtype, &shape, shift, n, err);
    if (rc < 0) return rc;
    if (bias && count_uses(model, bias) == 1) {
        mc_value_set_data(bias, sum);
        return 0;
    }
    struct mc_value *fresh =
        mc_graph_add_initializer_fresh(model->graph, bias ? bias->name : node->outputs[0]->name, sum);
    return fresh ? mc_node_set_input(node, i, fresh, err) : mc_error_memory(err);
}

/* The Add that alone reads y and adds a stored vector along the right axis: *input is which. NULL: there is none. */
static struct mc_node *following_add(const struct mc_model *model, const struct mc_value *y, int64_t n, int from_right,
                                     int *input)
{
    if (count_uses(model, y) != 1) return NULL;
    for (int i = 0; i < model->graph->n_nodes; i++) {
        struct mc_node *node = model->graph->nodes[i];
        if (strcmp(node->type, "Add") != 0 || *node->domain || node->n_inputs != 2) continue;
        if (node->inputs[0] != y && node->inputs[1] != y) continue;
        const int other = node->inputs[0] == y;
        const struct mc_tensor *data = node->inputs[other]->data;
        if (!data || !is_vector(&data->shape, n, from_right)) return NULL;
        *input = other;
        return node;
    }
    return NULL;
}

/* Put an Add between the node and whoever reads its output, which keeps its name. *fresh_add has y as output. */
static int insert_add(struct mc_model *model, struct mc_node *node, struct mc_node **add, struct mc_error *err)
{
    struct mc_value *y = node->outputs[0];
    struct mc_value *sum = mc_value_create_fresh(model->graph, y->name);
    if (!sum) return mc_error_memory(err);
    sum->type = y->type;
    node->outputs[0] = sum;
    sum->producer = node;
    *add = mc_node_create(model->graph, mc_node_position(node) + 1, "", "Add", "", 1, &sum, 1, &y);
    return *add ? 0 : mc_error_memory(err);
}

static struct mc_node *node_by_id(const struct mc_model *model, int id)
{
    for (int i = 0; i < model->graph->n_nodes; i++)
        if (model->graph->nodes[i]->id == id) return model->graph->nodes[i];
    return NULL;
}

int mc_bias_shift(struct mc_model *small, const struct mc_coupling *c, const struct mc_contraction *k,
                  const double *shift, int64_t n, struct mc_error *err)
{
    struct mc_node *node = node_by_id(small, k->node->id);
    if (!node) return mc_error_set(err, MC_ERR_INTERNAL, "a node is gone after the cut");
    const struct mc_fact *y = mc_coupling_fact(c, k->node->outputs[0]);
    const int from_right = y->shape.rank - 1 - k->out_axis;
    if (k->bias_input >= 0) return shift_input(small, node, k->bias_input, 0, y->dtype, shift, n, err);
    int input = 1, rc = 0;
    struct mc_node *add = following_add(small, node->outputs[0], n, from_right, &input);
    if (!add) rc = insert_add(small, node, &add, err);
    if (rc == 0) rc = shift_input(small, add, input, from_right, y->dtype, shift, n, err);
    if (rc == 0) mc_ops_bind(small);
    return rc;
}

const struct mc_value *mc_bias_output(const struct mc_model *model, const struct mc_coupling *c,
                                      const struct mc_contraction *k)
{
    const struct mc_value *y = k->node->outputs[0];
    const int from_right = mc_coupling_fact(c, y)->shape.rank - 1 - k->out_axis;
    int input;
    const struct mc_node *add =
        k->bias_input < 0 ? following_add(model, y, mc_coupling_extent(c, y, k->out_axis), from_right, &input) : NULL;
    return add ? add->outputs[0] : y;
}

int mc_bias_add(struct mc_model *small, const struct mc_coupling *c, const struct mc_contraction *k,
                const struct mc_residue *residue, const bool *goes, struct mc_error *err)
{
    double *shift = NULL;
    int64_t n = 0;
    int rc = shift_of(&shift, &n, c, k, residue, goes, err);
    if (rc == 0) rc = mc_bias_shift(small, c, k, shift, n, err);
    mc_free(shift);
    return rc;
}
