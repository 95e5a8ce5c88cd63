/* toy.c - data sets small enough to reason about; see toy.h. */
#include "toy.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/source.h"
#include "op/ops.h"

void toy_create(struct toy *toy, int64_t n, int64_t width, int64_t n_classes, int64_t n_targets)
{
    struct mc_memory_source *source = mc_memory_source_create();
    assert_non_null(source);
    source->base.n_samples = n;
    source->base.sample = (struct mc_shape){.rank = 1, .dim = {width}};
    source->base.task = n_classes ? MC_TASK_CLASSIFICATION : MC_TASK_REGRESSION;
    source->base.n_classes = n_classes;
    source->base.n_targets = n_targets;
    source->floats = MC_NEW_ARRAY(float, n *width);
    if (n_classes) source->labels = MC_NEW_ARRAY(int64_t, n);
    if (n_targets) source->targets = MC_NEW_ARRAY(float, n *n_targets);
    *toy = (struct toy){.x = source->floats, .labels = source->labels, .targets = source->targets};
    struct mc_dataset *d = &toy->data;
    d->sources[0] = &source->base;
    d->task = source->base.task;
    d->sample = source->base.sample;
    d->n_classes = n_classes;
    d->n_targets = n_targets;
    for (int role = 0; role < MC_DATA_ROLES; role++) {
        d->from[role] = &source->base;
        d->n[role] = n;
        d->index[role] = MC_NEW_ARRAY(int64_t, n);
        for (int64_t i = 0; i < n; i++) d->index[role][i] = i;
    }
}

void toy_destroy(struct toy *toy)
{
    for (int role = 0; role < MC_DATA_ROLES; role++) mc_free(toy->data.index[role]);
    toy->data.sources[0]->destroy(toy->data.sources[0]);
}

void toy_two_sides(struct toy *toy, int64_t n)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 3, 0);
    toy_create(toy, n, 2, 2, 0);
    for (int64_t i = 0; i < n; i++) {
        float *x = toy->x + 2 * i;
        toy->labels[i] = i % 2;
        x[0] = (float)mc_rng_range(&rng, -1, 1);
        x[1] = x[0] * 0.5F + (float)(mc_rng_range(&rng, 0.2, 1) * (toy->labels[i] ? 1 : -1));
    }
}

void toy_line(struct toy *toy, int64_t n)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 5, 0);
    toy_create(toy, n, 3, 0, 1);
    for (int64_t i = 0; i < n; i++) {
        float *x = toy->x + 3 * i;
        for (int k = 0; k < 3; k++) x[k] = (float)mc_rng_range(&rng, -1, 1);
        toy->targets[i] = 1.5F * x[0] - 2 * x[1] + 0.5F * x[2] + 1 + 0.25F * sinf((float)i);
    }
}

struct mc_model *toy_model(const char *name, const struct toy *toy)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_architecture_create(&model, name, &toy->data, 1, &err), err);
    return model;
}

static struct mc_value *channel_vector(struct mc_model *model, const char *name, int64_t n, double value)
{
    struct mc_error err = {0};
    struct mc_tensor *data;
    assert_ok(mc_tensor_create(&data, MC_FLOAT, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    for (int64_t i = 0; i < n; i++) mc_tensor_set_f64(data, i, value);
    return mc_graph_add_initializer(model->graph, name, data);
}

void toy_normalize_hidden(struct mc_model *model, int64_t width)
{
    struct mc_error err = {0};
    struct mc_graph *graph = model->graph;
    struct mc_node *relu = graph->nodes[1];
    struct mc_value *inputs[] = {relu->inputs[0], channel_vector(model, "scale", width, 1),
                                 channel_vector(model, "shift", width, 0), channel_vector(model, "mean", width, 0),
                                 channel_vector(model, "variance", width, 1)};
    struct mc_value *out = mc_value_create(graph, "normalized");
    assert_non_null(mc_node_create(graph, 1, "", "BatchNormalization", "norm", 5, inputs, 1, &out));
    assert_ok(mc_node_set_input(relu, 0, out, &err), err);
    mc_ops_bind(model);
}

struct mc_fit_options toy_options(double rate, int64_t batch, int64_t epochs)
{
    struct mc_fit_options o;
    mc_fit_options_init(&o);
    o.optimizer = MC_SGD;
    o.rate.kind = MC_RATE_CONSTANT;
    o.rate.first = rate;
    o.batch = batch;
    o.epochs = epochs;
    o.patience = 0;
    o.l1 = o.l2 = 0;
    o.seed = 1;
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    return o;
}

float *toy_weights(const struct mc_model *model, int64_t *n)
{
    const struct mc_graph *graph = model->graph;
    int64_t count = 0;
    for (int i = 0; i < graph->n_initializers; i++) count += mc_tensor_count(graph->initializers[i]->data);
    float *all = MC_NEW_ARRAY(float, count);
    assert_non_null(all);
    *n = 0;
    for (int i = 0; i < graph->n_initializers; i++) {
        const struct mc_tensor *data = graph->initializers[i]->data;
        memcpy(all + *n, data->data, mc_tensor_bytes(data));
        *n += mc_tensor_count(data);
    }
    return all;
}
