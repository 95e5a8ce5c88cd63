/* architecture.c - named architectures; see mc_architecture_create in train.h.
 *
 *   mlp:784-300-100-10   dense layers of these widths with ReLU between them; the first is what a sample has, the last
 *                        classes or targets
 *   lenet-300-100        the same with 300 and 100 hidden units (LeCun et al. 1998, "Gradient-based learning applied to
 *                        document recognition", has the layers; compression papers have these widths)
 *   lenet-5              Caffe's variant: 20 and 50 filters of 5x5, each with 2x2 max pooling, 500 units
 *   linear               one dense layer
 *   logistic             the same with the probabilities behind it: a Sigmoid on one score for two classes, a Softmax
 *                        for more
 *
 * Weights that feed a ReLU or a pooled filter are normal with variance 2 / fan-in (He et al. 2015, eq. 10), those of
 * the last layer with 1 / fan-in; biases are 0.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/suggest.h"
#include "op/ops.h"
#include "train/train.h"

enum { OPSET = 17, MAX_LAYERS = 64, MAX_WIDTH = 1 << 24 };

/* A network under construction. `last` is the value that the next layer reads, `shape` one sample of it. Failures stay
 * in `status`; the calls after one do nothing. */
struct builder {
    struct mc_model *model;
    struct mc_value *last;
    struct mc_shape shape;
    struct mc_rng rng;
    int n_layers;
    int status;
    struct mc_error *err;
};

static void fail_memory(struct builder *b)
{
    if (b->status == MC_OK) b->status = mc_error_memory(b->err);
}

/* --- parts --- */

static struct mc_value *parameter(struct builder *b, const char *layer, const char *what, const struct mc_shape *shape,
                                  double deviation)
{
    struct mc_tensor *data;
    char name[64];
    if (b->status < 0) return NULL;
    b->status = mc_tensor_create(&data, MC_FLOAT, shape, b->err);
    if (b->status < 0) return NULL;
    float *w = data->data;
    for (int64_t i = 0; deviation > 0 && i < mc_tensor_count(data); i++)
        w[i] = (float)(deviation * mc_rng_normal(&b->rng));
    snprintf(name, sizeof name, "%s.%s", layer, what);
    struct mc_value *value = mc_graph_add_initializer(b->model->graph, name, data);
    if (!value) fail_memory(b);
    return value;
}

/* A node on `last`, with up to two parameters; its output becomes `last`. */
static struct mc_node *append(struct builder *b, const char *type, const char *name, struct mc_value *weight,
                              struct mc_value *bias)
{
    if (b->status < 0) return NULL;
    struct mc_value *inputs[] = {b->last, weight, bias};
    struct mc_value *out = mc_value_create_fresh(b->model->graph, name);
    struct mc_node *node =
        out ? mc_node_create(b->model->graph, -1, "", type, name, weight ? 3 : 1, inputs, 1, &out) : NULL;
    if (!node) {
        fail_memory(b);
        return NULL;
    }
    b->last = out;
    return node;
}

static void set_ints(struct builder *b, struct mc_node *node, const char *name, int64_t first, int64_t second)
{
    if (b->status < 0) return;
    b->status = mc_node_set_ints(node, name, (const int64_t[]){first, second}, 2, b->err);
}

static void relu(struct builder *b)
{
    char name[32];
    snprintf(name, sizeof name, "relu%d", b->n_layers);
    append(b, "Relu", name, NULL, NULL);
}

static void flatten(struct builder *b)
{
    if (b->shape.rank == 1) return;
    append(b, "Flatten", "flatten", NULL, NULL);
    b->shape = mc_shape_of(1, (const int64_t[]){mc_shape_count(&b->shape)});
}

/* Dense layer of `width` units; weights [width, inputs] as PyTorch stores them, hence transB. `gain`: variance times
 * fan-in. */
static void dense(struct builder *b, int64_t width, double gain)
{
    char name[32];
    snprintf(name, sizeof name, "fc%d", ++b->n_layers);
    const int64_t inputs = b->shape.dim[0];
    const struct mc_shape shape = {.rank = 2, .dim = {width, inputs}}, units = {.rank = 1, .dim = {width}};
    struct mc_value *weight = parameter(b, name, "weight", &shape, sqrt(gain / (double)inputs));
    struct mc_value *bias = parameter(b, name, "bias", &units, 0);
    struct mc_node *node = append(b, "Gemm", name, weight, bias);
    if (node) b->status = mc_node_set_int(node, "transB", 1, b->err);
    b->shape.dim[0] = width;
}

/* `filters` of 5x5 without padding, then 2x2 max pooling. */
static void convolve_and_pool(struct builder *b, int64_t filters)
{
    char name[32], pool[32];
    snprintf(name, sizeof name, "conv%d", ++b->n_layers);
    snprintf(pool, sizeof pool, "pool%d", b->n_layers);
    const int64_t channels = b->shape.dim[0];
    const struct mc_shape shape = {.rank = 4, .dim = {filters, channels, 5, 5}}, units = {.rank = 1, .dim = {filters}};
    struct mc_value *weight = parameter(b, name, "weight", &shape, sqrt(2.0 / (double)(channels * 25)));
    struct mc_value *bias = parameter(b, name, "bias", &units, 0);
    struct mc_node *node = append(b, "Conv", name, weight, bias);
    set_ints(b, node, "kernel_shape", 5, 5);
    node = append(b, "MaxPool", pool, NULL, NULL);
    set_ints(b, node, "kernel_shape", 2, 2);
    set_ints(b, node, "strides", 2, 2);
    b->shape = mc_shape_of(3, (const int64_t[]){filters, (b->shape.dim[1] - 4) / 2, (b->shape.dim[2] - 4) / 2});
}

/* Declare a value as a batch of `sample`. */
static void declare(struct builder *b, struct mc_value *value, const struct mc_shape *sample)
{
    value->type = (struct mc_type){.dtype = MC_FLOAT, .rank = sample->rank + 1, .dim = {-1}, .param = {"batch"}};
    memcpy(value->type.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
}

static void begin(struct builder *b, const struct mc_shape *sample, uint64_t seed, struct mc_error *err)
{
    *b = (struct builder){.shape = *sample, .err = err};
    mc_rng_init(&b->rng, seed, mc_hash("weights"));
    b->status = mc_model_create(&b->model, OPSET, err);
    if (b->status < 0) return;
    b->last = mc_value_create(b->model->graph, "input");
    if (!b->last) {
        fail_memory(b);
        return;
    }
    declare(b, b->last, sample);
    b->status = mc_graph_add_input(b->model->graph, b->last, err);
}

static void end(struct builder *b)
{
    if (b->status < 0) return;
    b->last->name = "output"; /* whatever the last layer is called; a literal outlives the arena */
    declare(b, b->last, &b->shape);
    b->status = mc_graph_add_output(b->model->graph, b->last, b->err);
    mc_ops_bind(b->model);
}

/* --- architectures --- */

/* What a name asks for. */
struct plan {
    struct mc_shape sample;
    int64_t outputs;
    bool classes; /* is each output one? */
    int n_hidden;
    int64_t hidden[MAX_LAYERS];
};

static void build_dense(struct builder *b, const struct plan *p)
{
    flatten(b);
    for (int i = 0; i < p->n_hidden; i++) {
        dense(b, p->hidden[i], 2);
        relu(b);
    }
    dense(b, p->outputs, 1);
}

static void build_lenet5(struct builder *b, const struct plan *p)
{
    convolve_and_pool(b, 20);
    convolve_and_pool(b, 50);
    build_dense(b, p);
}

static void build_logistic(struct builder *b, const struct plan *p)
{
    flatten(b);
    dense(b, p->outputs == 2 ? 1 : p->outputs, 1);
    append(b, p->outputs == 2 ? "Sigmoid" : "Softmax", "probability", NULL, NULL);
}

static int check_classes(const struct plan *p, struct mc_error *err)
{
    return p->classes ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "needs classes, the data has numbers as targets");
}

static int check_lenet5(const struct plan *p, struct mc_error *err)
{
    char text[128];
    const struct mc_shape *s = &p->sample;
    if (s->rank == 3 && s->dim[1] >= 16 && s->dim[2] >= 16) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "needs images [C, H, W] of at least 16x16, the data's samples are %s",
                        mc_shape_text(s, text, sizeof text));
}

static const struct architecture {
    const char *name;
    void (*build)(struct builder *b, const struct plan *p);
    int (*check)(const struct plan *p, struct mc_error *err); /* NULL: any sample will do */
    int n_hidden;
    int64_t hidden[2];
} architectures[] = {
    {"lenet-300-100", build_dense, NULL, 2, {300, 100}},
    {"lenet-5", build_lenet5, check_lenet5, 1, {500}},
    {"linear", build_dense, NULL, 0, {0}},
    {"logistic", build_logistic, check_classes, 0, {0}},
};

static const char mlp_prefix[] = "mlp:";

static const struct architecture *find(const char *name)
{
    for (size_t i = 0; i < MC_COUNT(architectures); i++)
        if (strcmp(architectures[i].name, name) == 0) return &architectures[i];
    return NULL;
}

bool mc_architecture_known(const char *name)
{
    return strncmp(name, mlp_prefix, strlen(mlp_prefix)) == 0 || find(name);
}

/* "784-300-100-10" into *n widths. */
static int parse_widths(const char *text, int64_t *widths, int *n, struct mc_error *err)
{
    *n = 0;
    for (const char *s = text;;) {
        char *stop;
        errno = 0;
        const long long width = strtoll(s, &stop, 10);
        if (*s < '0' || *s > '9' || errno || width < 1 || width > MAX_WIDTH || (*stop && *stop != '-'))
            return mc_error_set(err, MC_ERR_USAGE, "needs widths from 1 to %d like 784-300-10, has '%s'", MAX_WIDTH, s);
        if (*n == MAX_LAYERS) return mc_error_set(err, MC_ERR_USAGE, "needs at most %d widths", MAX_LAYERS);
        widths[(*n)++] = width;
        if (!*stop) break;
        s = stop + 1;
    }
    return *n >= 2 ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "needs at least two widths, has '%s'", text);
}

static int64_t outputs_of(const struct mc_dataset *data)
{
    return data->task == MC_TASK_CLASSIFICATION ? data->n_classes : data->n_targets;
}

static int plan_mlp(struct plan *p, const char *widths, const struct mc_dataset *data, struct mc_error *err)
{
    int64_t all[MAX_LAYERS];
    int n;
    const int rc = parse_widths(widths, all, &n, err);
    if (rc < 0) return rc;
    p->sample = data ? data->sample : mc_shape_of(1, all);
    p->outputs = all[n - 1];
    p->n_hidden = n - 2;
    memcpy(p->hidden, all + 1, (size_t)p->n_hidden * sizeof *all);
    const int64_t count = mc_shape_count(&p->sample);
    if (count != all[0])
        return mc_error_set(err, MC_ERR_USAGE, "takes %" PRId64 " numbers, the data's samples have %" PRId64, all[0],
                            count);
    if (data && outputs_of(data) != p->outputs)
        return mc_error_set(err, MC_ERR_USAGE, "gives %" PRId64 " numbers, the data has %" PRId64 " %s", p->outputs,
                            outputs_of(data), data->task == MC_TASK_CLASSIFICATION ? "classes" : "targets");
    return MC_OK;
}

static int plan_named(struct plan *p, const struct architecture *a, const struct mc_dataset *data, struct mc_error *err)
{
    if (!data) return mc_error_set(err, MC_ERR_USAGE, "needs data, which say how many inputs and outputs there are");
    p->sample = data->sample;
    p->outputs = outputs_of(data);
    p->classes = data->task == MC_TASK_CLASSIFICATION;
    p->n_hidden = a->n_hidden;
    memcpy(p->hidden, a->hidden, sizeof a->hidden);
    return a->check ? a->check(p, err) : MC_OK;
}

static int refuse(const char *name, struct mc_error *err)
{
    const char *names[MC_COUNT(architectures)];
    for (size_t i = 0; i < MC_COUNT(architectures); i++) names[i] = architectures[i].name;
    mc_error_set(err, MC_ERR_USAGE,
                 "unknown architecture '%s': needs lenet-300-100, lenet-5, linear, logistic or mlp:WIDTHS", name);
    const char *nearest = mc_suggest(name, names, MC_COUNT(names));
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return MC_ERR_USAGE;
}

int mc_architecture_create(struct mc_model **model, const char *name, const struct mc_dataset *data, uint64_t seed,
                           struct mc_error *err)
{
    if (!mc_architecture_known(name)) return refuse(name, err);
    const struct architecture *a = find(name);
    struct plan p = {0};
    int rc = a ? plan_named(&p, a, data, err) : plan_mlp(&p, name + strlen(mlp_prefix), data, err);
    if (rc < 0) return mc_error_wrap(err, rc, "architecture '%s'", name);
    struct builder b;
    begin(&b, &p.sample, seed, err);
    if (b.status == MC_OK) (a ? a->build : build_dense)(&b, &p);
    end(&b);
    if (b.status < 0)
        mc_model_destroy(b.model);
    else
        *model = b.model;
    return b.status;
}
