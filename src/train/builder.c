/* builder.c - networks put together layer by layer; see builder.h. */
#include "train/builder.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"

enum { OPSET = 17, NAME = 64 };

static void fail_memory(struct mc_builder *b)
{
    if (b->status == MC_OK) b->status = mc_error_memory(b->err);
}

/* --- parts --- */

static struct mc_tensor *make_tensor(struct mc_builder *b, enum mc_dtype dtype, const struct mc_shape *shape)
{
    struct mc_tensor *data = NULL;
    if (b->status == MC_OK) b->status = mc_tensor_create(&data, dtype, shape, b->err);
    return b->status == MC_OK ? data : NULL;
}

static struct mc_value *add(struct mc_builder *b, const char *layer, const char *what, struct mc_tensor *data)
{
    char name[4 * NAME];
    if (b->status < 0) return NULL;
    snprintf(name, sizeof name, "%s.%s", layer, what);
    struct mc_value *value = mc_graph_add_initializer(b->model->graph, name, data);
    if (!value) fail_memory(b);
    return value;
}

/* Normal numbers of this deviation; 0: all zero. */
static struct mc_value *normal(struct mc_builder *b, const char *layer, const char *what, const struct mc_shape *shape,
                               double deviation)
{
    struct mc_tensor *data = make_tensor(b, MC_FLOAT, shape);
    for (int64_t i = 0; data && deviation > 0 && i < mc_tensor_count(data); i++)
        ((float *)data->data)[i] = (float)(deviation * mc_rng_normal(&b->rng));
    return add(b, layer, what, data);
}

/* Uniform numbers of [rows, columns] with the variance of Glorot and Bengio. */
static struct mc_value *glorot(struct mc_builder *b, const char *layer, const char *what, int64_t rows, int64_t columns)
{
    const double bound = sqrt(6 / (double)(rows + columns));
    struct mc_tensor *data = make_tensor(b, MC_FLOAT, &(struct mc_shape){.rank = 2, .dim = {rows, columns}});
    for (int64_t i = 0; data && i < rows * columns; i++)
        ((float *)data->data)[i] = (float)mc_rng_range(&b->rng, -bound, bound);
    return add(b, layer, what, data);
}

static struct mc_value *constant(struct mc_builder *b, const char *layer, const char *what, int64_t n, float value)
{
    struct mc_tensor *data = make_tensor(b, MC_FLOAT, &(struct mc_shape){.rank = 1, .dim = {n}});
    for (int64_t i = 0; data && i < n; i++) ((float *)data->data)[i] = value;
    return add(b, layer, what, data);
}

static struct mc_value *scalar(struct mc_builder *b, const char *layer, const char *what, float value)
{
    struct mc_tensor *data = make_tensor(b, MC_FLOAT, &(struct mc_shape){.rank = 0});
    if (data) *(float *)data->data = value;
    return add(b, layer, what, data);
}

static struct mc_value *integers(struct mc_builder *b, const char *layer, const char *what, int64_t n,
                                 const int64_t *values)
{
    struct mc_tensor *data = make_tensor(b, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {n}});
    if (data) memcpy(data->data, values, (size_t)n * sizeof *values);
    return add(b, layer, what, data);
}

/* A node on up to five inputs; its output becomes `last`. */
static struct mc_node *append(struct mc_builder *b, const char *type, const char *name, int n,
                              struct mc_value *const *inputs)
{
    if (b->status < 0) return NULL;
    struct mc_value *out = mc_value_create_fresh(b->model->graph, name);
    struct mc_node *node = out ? mc_node_create(b->model->graph, -1, "", type, name, n, inputs, 1, &out) : NULL;
    if (!node) {
        fail_memory(b);
        return NULL;
    }
    b->last = out;
    return node;
}

static struct mc_node *append_unary(struct mc_builder *b, const char *type, const char *name)
{
    return append(b, type, name, 1, &b->last);
}

/* The same number for every one of n axes. */
static void set_all(struct mc_builder *b, struct mc_node *node, const char *name, int n, int64_t value)
{
    int64_t values[2 * MC_MAX_RANK];
    for (int i = 0; i < n; i++) values[i] = value;
    if (b->status == MC_OK) b->status = mc_node_set_ints(node, name, values, n, b->err);
}

static void set_int(struct mc_builder *b, struct mc_node *node, const char *name, int64_t value)
{
    if (b->status == MC_OK) b->status = mc_node_set_int(node, name, value, b->err);
}

static void set_ints(struct mc_builder *b, struct mc_node *node, const char *name, int64_t n, const int64_t *values)
{
    if (b->status == MC_OK) b->status = mc_node_set_ints(node, name, values, n, b->err);
}

/* "conv3", the next layer's name, into `name`. */
static const char *next_name(struct mc_builder *b, const char *stem, char name[NAME])
{
    snprintf(name, NAME, "%s%d", stem, ++b->n_layers);
    return name;
}

/* "relu3", that of something that belongs to the layer before. */
static const char *same_name(const struct mc_builder *b, const char *stem, char name[NAME])
{
    snprintf(name, NAME, "%s%d", stem, b->n_layers);
    return name;
}

/* --- simple layers --- */

void mc_build_unary(struct mc_builder *b, const char *type)
{
    append_unary(b, type, "probability");
}

void mc_build_relu(struct mc_builder *b)
{
    char name[NAME];
    append_unary(b, "Relu", same_name(b, "relu", name));
}

void mc_build_relu6(struct mc_builder *b)
{
    char name[NAME];
    same_name(b, "relu", name);
    struct mc_value *inputs[] = {b->last, scalar(b, name, "low", 0), scalar(b, name, "high", 6)};
    append(b, "Clip", name, 3, inputs);
}

void mc_build_flatten(struct mc_builder *b)
{
    if (b->shape.rank == 1) return;
    append_unary(b, "Flatten", "flatten");
    b->shape = mc_shape_of(1, (const int64_t[]){mc_shape_count(&b->shape)});
}

void mc_build_add(struct mc_builder *b, struct mc_value *other)
{
    char name[NAME];
    struct mc_value *inputs[] = {b->last, other};
    append(b, "Add", same_name(b, "add", name), 2, inputs);
}

/* Weights [width, inputs] as PyTorch stores them, hence transB. */
void mc_build_dense(struct mc_builder *b, int64_t width, double gain)
{
    char name[NAME];
    next_name(b, "fc", name);
    const int64_t inputs = b->shape.dim[0];
    const struct mc_shape shape = {.rank = 2, .dim = {width, inputs}}, units = {.rank = 1, .dim = {width}};
    struct mc_value *weight = normal(b, name, "weight", &shape, sqrt(gain / (double)inputs));
    struct mc_value *all[] = {b->last, weight, normal(b, name, "bias", &units, 0)};
    struct mc_node *node = append(b, "Gemm", name, 3, all);
    set_int(b, node, "transB", 1);
    b->shape.dim[0] = width;
}

/* --- filters --- */

void mc_build_conv(struct mc_builder *b, const struct mc_filter *f)
{
    char name[NAME];
    next_name(b, "conv", name);
    const int n = b->shape.rank - 1;
    const int64_t groups = f->depthwise ? b->shape.dim[0] : 1;
    struct mc_shape shape = {.rank = n + 2, .dim = {f->filters, b->shape.dim[0] / groups}};
    for (int i = 0; i < n; i++) shape.dim[i + 2] = f->kernel;
    const struct mc_shape units = {.rank = 1, .dim = {f->filters}};
    const double fan_in = (double)mc_shape_span(&shape, 1, shape.rank);
    struct mc_value *inputs[] = {b->last, normal(b, name, "weight", &shape, sqrt(2 / fan_in)), NULL};
    if (f->bias) inputs[2] = normal(b, name, "bias", &units, 0);
    struct mc_node *node = append(b, "Conv", name, f->bias ? 3 : 2, inputs);
    set_all(b, node, "kernel_shape", n, f->kernel);
    if (f->stride != 1) set_all(b, node, "strides", n, f->stride);
    if (f->pad != 0) set_all(b, node, "pads", 2 * n, f->pad);
    if (groups != 1) set_int(b, node, "group", groups);
    b->shape.dim[0] = f->filters;
    for (int i = 1; i <= n; i++) b->shape.dim[i] = (b->shape.dim[i] + 2 * f->pad - f->kernel) / f->stride + 1;
}

void mc_build_batch_norm(struct mc_builder *b)
{
    char name[NAME];
    same_name(b, "norm", name);
    const int64_t C = b->shape.dim[0];
    struct mc_value *inputs[] = {b->last, constant(b, name, "weight", C, 1), constant(b, name, "bias", C, 0),
                                 constant(b, name, "running_mean", C, 0), constant(b, name, "running_var", C, 1)};
    append(b, "BatchNormalization", name, 5, inputs);
}

void mc_build_max_pool(struct mc_builder *b, int64_t size)
{
    char name[NAME];
    const int n = b->shape.rank - 1;
    struct mc_node *node = append_unary(b, "MaxPool", same_name(b, "pool", name));
    set_all(b, node, "kernel_shape", n, size);
    set_all(b, node, "strides", n, size);
    for (int i = 1; i <= n; i++) b->shape.dim[i] /= size;
}

void mc_build_mean_pool(struct mc_builder *b)
{
    append_unary(b, "GlobalAveragePool", "pool");
    for (int i = 1; i < b->shape.rank; i++) b->shape.dim[i] = 1;
    mc_build_flatten(b);
}

/* --- attention --- */

/* y = x W + b over the last axis of [tokens, inputs]. */
static void project(struct mc_builder *b, const char *name, int64_t outputs)
{
    const int64_t inputs = b->shape.dim[1];
    struct mc_value *product[] = {b->last, glorot(b, name, "weight", inputs, outputs)};
    append(b, "MatMul", name, 2, product);
    struct mc_value *sum[] = {b->last, constant(b, name, "bias", outputs, 0)};
    append(b, "Add", name, 2, sum);
    b->shape.dim[1] = outputs;
}

static void layer_norm(struct mc_builder *b, const char *name)
{
    const int64_t C = b->shape.dim[1];
    struct mc_value *inputs[] = {b->last, constant(b, name, "weight", C, 1), constant(b, name, "bias", C, 0)};
    append(b, "LayerNormalization", name, 3, inputs);
}

/* [N, tokens, width] to [N, heads, tokens, width / heads], or by `perm` with the last two exchanged. */
static struct mc_value *split_heads(struct mc_builder *b, const char *name, struct mc_value *from, int64_t heads,
                                    const int64_t perm[4])
{
    const int64_t shape[] = {0, 0, heads, b->shape.dim[1] / heads};
    struct mc_value *inputs[] = {from, integers(b, name, "shape", 4, shape)};
    append(b, "Reshape", name, 2, inputs);
    struct mc_node *node = append_unary(b, "Transpose", name);
    set_ints(b, node, "perm", 4, perm);
    return b->last;
}

/* softmax(Q K^T / sqrt(d)) V, the heads side by side again. */
static void attend(struct mc_builder *b, const char *name, int64_t heads)
{
    static const int64_t straight[] = {0, 2, 1, 3}, turned[] = {0, 2, 3, 1};
    static const char *const parts[] = {"query", "key", "value"};
    struct mc_value *const x = b->last, *made[3] = {0};
    const int64_t width = b->shape.dim[1];
    char part[2 * NAME];
    for (int i = 0; i < 3; i++) {
        snprintf(part, sizeof part, "%s.%s", name, parts[i]);
        b->last = x;
        project(b, part, width);
        made[i] = split_heads(b, part, b->last, heads, i == 1 ? turned : straight);
    }
    struct mc_value *product[] = {made[0], made[1]};
    append(b, "MatMul", name, 2, product);
    struct mc_value *scaled[] = {b->last, scalar(b, name, "scale", (float)(1 / sqrt((double)(width / heads))))};
    append(b, "Mul", name, 2, scaled);
    struct mc_node *softmax = append_unary(b, "Softmax", name);
    set_int(b, softmax, "axis", -1);
    struct mc_value *mixed[] = {b->last, made[2]};
    append(b, "MatMul", name, 2, mixed);
    struct mc_node *turn = append_unary(b, "Transpose", name);
    set_ints(b, turn, "perm", 4, straight);
    struct mc_value *joined[] = {b->last, integers(b, name, "shape", 3, (const int64_t[]){0, 0, width})};
    append(b, "Reshape", name, 2, joined);
    snprintf(part, sizeof part, "%s.out", name);
    project(b, part, width);
}

void mc_build_encoder(struct mc_builder *b, int64_t heads)
{
    char block[32], name[NAME];
    const int64_t width = b->shape.dim[1];
    snprintf(block, sizeof block, "block%d", ++b->n_layers);
    struct mc_value *in = b->last;
    snprintf(name, sizeof name, "%s.norm1", block);
    layer_norm(b, name);
    snprintf(name, sizeof name, "%s.attention", block);
    attend(b, name, heads);
    mc_build_add(b, in);
    in = b->last;
    snprintf(name, sizeof name, "%s.norm2", block);
    layer_norm(b, name);
    snprintf(name, sizeof name, "%s.fc1", block);
    project(b, name, 4 * width);
    mc_build_relu(b);
    snprintf(name, sizeof name, "%s.fc2", block);
    project(b, name, width);
    mc_build_add(b, in);
}

void mc_build_tokens(struct mc_builder *b, int64_t width, int64_t patch)
{
    if (b->shape.rank == 3) {
        mc_build_conv(b, &(struct mc_filter){.filters = width, .kernel = patch, .stride = patch, .bias = true});
        const int64_t tokens = b->shape.dim[1] * b->shape.dim[2];
        struct mc_value *flat[] = {b->last, integers(b, "tokens", "shape", 3, (const int64_t[]){0, width, tokens})};
        append(b, "Reshape", "tokens", 2, flat);
        struct mc_node *turn = append_unary(b, "Transpose", "tokens");
        set_ints(b, turn, "perm", 3, (const int64_t[]){0, 2, 1});
        b->shape = mc_shape_of(2, (const int64_t[]){tokens, width});
    } else {
        project(b, "tokens", width);
    }
    struct mc_value *sum[] = {b->last, normal(b, "tokens", "positions", &b->shape, 0.02)};
    append(b, "Add", "tokens", 2, sum);
}

void mc_build_pool_tokens(struct mc_builder *b)
{
    layer_norm(b, "norm");
    struct mc_node *node = append_unary(b, "ReduceMean", "pool");
    set_ints(b, node, "axes", 1, (const int64_t[]){1});
    set_int(b, node, "keepdims", 0);
    b->shape = mc_shape_of(1, (const int64_t[]){b->shape.dim[1]});
}

/* --- the whole --- */

/* Declare a value as a batch of `sample`. */
static void declare(struct mc_value *value, const struct mc_shape *sample)
{
    value->type = (struct mc_type){.dtype = MC_FLOAT, .rank = sample->rank + 1, .dim = {-1}, .param = {"batch"}};
    memcpy(value->type.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
}

void mc_build_begin(struct mc_builder *b, const struct mc_shape *sample, uint64_t seed, struct mc_error *err)
{
    *b = (struct mc_builder){.shape = *sample, .err = err};
    mc_rng_init(&b->rng, seed, mc_hash("weights"));
    b->status = mc_model_create(&b->model, OPSET, err);
    if (b->status < 0) return;
    b->last = mc_value_create(b->model->graph, "input");
    if (!b->last) {
        fail_memory(b);
        return;
    }
    declare(b->last, sample);
    b->status = mc_graph_add_input(b->model->graph, b->last, err);
}

void mc_build_end(struct mc_builder *b)
{
    if (b->status == MC_OK) {
        b->last->name = "output"; /* whatever the last layer is called; a literal outlives the arena */
        declare(b->last, &b->shape);
        b->status = mc_graph_add_output(b->model->graph, b->last, b->err);
    }
    if (b->status == MC_OK) {
        mc_ops_bind(b->model);
        return;
    }
    mc_model_destroy(b->model);
    b->model = NULL;
}
