/* moments.c - second moments of the inputs of contractions; see moments.h. */
#include "prune/moments.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "op/ops.h"
#include "train/binding.h"
#include "train/intake.h"

enum { BUFFER_FLOATS = 16 << 20, MOST_ROWS = 256 }; /* what a run may make; unit vectors at a time without `full` */

struct mc_rows mc_rows_of(const struct mc_contraction *c, const struct mc_shape *shape)
{
    const int o = c->weight_out_axis;
    const int64_t M = shape->dim[o];
    return (struct mc_rows){.M = M,
                            .K = M > 0 ? mc_shape_count(shape) / M : 0,
                            .inner = mc_shape_span(shape, o + 1, shape->rank),
                            .groups = c->groups};
}

/* A measurement of unit vectors [first, first + n) of each group, and one row that sums them with factors. */
struct probe {
    struct mc_moments *moments;
    const struct mc_contraction *contraction;
    const struct mc_moments_options *options;
    struct mc_model *model; /* a clone that ends at the node */
    struct mc_value *weight;
    struct mc_plan *plan;
    struct mc_intake intake;
    int64_t first, n, batch;
    double *columns; /* of one product, as doubles */
    size_t room;
};

static double factor(int64_t k)
{
    return (double)(k % 7) - 3 + 0.5 * (double)(k % 2);
}

static int input_of(const struct mc_node *node, const struct mc_value *v)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == v) return i;
    return -1;
}

/* The node in the clone, without its bias, on a weight of its own, as the only output. */
static int isolate(struct probe *p, const struct mc_model *model, struct mc_error *err)
{
    const struct mc_contraction *c = p->contraction;
    int rc = mc_model_clone(&p->model, model, true, err);
    if (rc < 0) return rc;
    mc_ops_bind(p->model);
    struct mc_node *node = p->model->graph->nodes[mc_node_position(c->node)];
    const struct mc_shape *of = &c->weight->data->shape;
    struct mc_shape shape = *of;
    shape.dim[c->weight_out_axis] = p->moments->rows.groups * (p->n + 1);
    struct mc_tensor *units = NULL;
    rc = mc_tensor_create(&units, MC_FLOAT, &shape, err);
    if (rc < 0) return rc;
    p->weight = mc_graph_add_initializer_fresh(p->model->graph, "units", units);
    if (!p->weight) return mc_error_memory(err);
    rc = mc_node_set_input(node, input_of(c->node, c->weight), p->weight, err);
    if (rc == 0 && c->bias_input >= 0 && c->bias_input < node->n_inputs)
        rc = mc_node_set_input(node, c->bias_input, NULL, err);
    p->model->graph->n_outputs = 0;
    return rc == 0 ? mc_graph_add_output(p->model->graph, node->outputs[0], err) : rc;
}

static void write_units(const struct probe *p)
{
    const struct mc_rows *of = &p->moments->rows;
    const struct mc_rows rows = {.M = of->groups * (p->n + 1), .K = of->K, .inner = of->inner};
    float *w = p->weight->data->data;
    memset(w, 0, mc_tensor_bytes(p->weight->data));
    for (int64_t g = 0; g < of->groups; g++) {
        for (int64_t i = 0; i < p->n && p->first + i < of->K; i++) {
            w[mc_rows_at(&rows, g * (p->n + 1) + i, p->first + i)] = 1;
            w[mc_rows_at(&rows, g * (p->n + 1) + p->n, p->first + i)] = (float)factor(i);
        }
    }
}

/* Rows of x as columns of doubles: [n + 1, places], from y [outer, groups (n + 1), inner]. */
static void gather(const struct probe *p, const float *y, int64_t g, int64_t outer, int64_t inner)
{
    const int64_t rows = p->n + 1, stride = p->moments->rows.groups * rows, places = outer * inner;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t s = 0; s < inner; s++)
                p->columns[i * places + o * inner + s] = y[(o * stride + g * rows + i) * inner + s];
}

/* Is the last row the sum of the others? */
static bool adds_up(const struct probe *p, int64_t places)
{
    const double *sum = p->columns + p->n * places;
    double most = 0, off = 0;
    for (int64_t s = 0; s < places; s++) {
        double expected = 0, size = 0;
        for (int64_t i = 0; i < p->n; i++) {
            expected += factor(i) * p->columns[i * places + s];
            size += fabs(factor(i) * p->columns[i * places + s]);
        }
        most = fmax(most, size);
        off = fmax(off, fabs(expected - sum[s]));
    }
    return off <= 1e-4 * most;
}

static void add_moments(const struct probe *p, int64_t g, int64_t places)
{
    struct mc_moments *m = p->moments;
    const int64_t K = m->rows.K;
    for (int64_t i = 0; i < p->n && p->first + i < K; i++) {
        double sum = 0;
        for (int64_t s = 0; s < places; s++) sum += p->columns[i * places + s] * p->columns[i * places + s];
        m->diagonal[g * K + p->first + i] += sum;
    }
    if (!m->full) return;
    struct mc_gemm product = mc_gemm_dense(MC_DOUBLE, false, true, K, K, places);
    product.beta = 1;
    mc_gemm(&product, p->columns, p->columns, m->full + g * K * K);
}

static int read_output(struct probe *p, struct mc_error *err)
{
    const struct mc_tensor *y = mc_plan_output(p->plan, 0);
    const int axis = p->contraction->out_axis;
    const int64_t outer = mc_shape_span(&y->shape, 0, axis), inner = mc_shape_span(&y->shape, axis + 1, y->shape.rank);
    if (y->dtype != MC_FLOAT || y->shape.dim[axis] != p->moments->rows.groups * (p->n + 1)) return MC_OK;
    const size_t room = (size_t)(p->n + 1) * (size_t)(outer * inner);
    if (room > p->room) {
        mc_free(p->columns);
        p->columns = MC_NEW_ARRAY(double, room);
        p->room = p->columns ? room : 0;
        if (!p->columns) return mc_error_memory(err);
    }
    for (int64_t g = 0; g < p->moments->rows.groups; g++) {
        gather(p, y->data, g, outer, inner);
        if (!adds_up(p, outer * inner)) return MC_OK;
        add_moments(p, g, outer * inner);
    }
    p->moments->known = true;
    return MC_OK;
}

/* All samples through the plan; whatever does not fill a batch is left out. */
static int run_samples(struct probe *p, struct mc_error *err)
{
    const struct mc_moments_options *o = p->options;
    const int64_t have = o->samples->data->n[o->samples->role], n = have < o->samples->n ? have : o->samples->n;
    int rc = MC_OK;
    for (int64_t begin = 0; begin + p->batch <= n && rc == MC_OK; begin += p->batch) {
        p->moments->known = false;
        rc = mc_dataset_read(o->samples->data, o->samples->role, NULL, begin, p->batch, mc_intake_samples(&p->intake),
                             NULL, NULL, o->runtime->n_threads, err);
        if (rc == MC_OK) rc = mc_intake_settle(&p->intake, err);
        if (rc == MC_OK) rc = mc_plan_run(p->plan, err);
        if (rc == MC_OK) rc = read_output(p, err);
        if (!p->moments->known) break;
    }
    return rc;
}

static int64_t choose_batch(const struct probe *p, const struct mc_binding *binding, const struct mc_fact *output)
{
    const int64_t fixed = mc_binding_fixed_batch(binding),
                  have = p->options->samples->data->n[p->options->samples->role];
    if (fixed) return fixed;
    const int64_t M = output->shape.dim[p->contraction->out_axis];
    const int64_t places = mc_shape_count(&output->shape) / (M > 0 ? M : 1); /* of the batch that was analysed: one */
    const int64_t rows = p->moments->rows.groups * (p->n + 1), fit = BUFFER_FLOATS / (rows * (places > 0 ? places : 1));
    const int64_t most = fit < 1 ? 1 : fit > 64 ? 64 : fit, wanted = p->options->samples->n;
    const int64_t least = have < wanted ? have : wanted;
    return most < least ? most : least;
}

static int measure(struct probe *p, const struct mc_model *model, struct mc_error *err)
{
    struct mc_binding binding;
    struct mc_facts facts = {0};
    const struct mc_dims one = {.batch = 1};
    int rc = mc_binding_init(&binding, model, p->options->samples->data, MC_LOSS_AUTO, NULL, err);
    if (rc == MC_OK) rc = isolate(p, model, err);
    if (rc == MC_OK) rc = mc_model_facts(&facts, model, &one, true, err);
    if (rc == MC_OK) p->batch = choose_batch(p, &binding, &facts.of[p->contraction->node->outputs[0]->id]);
    mc_facts_finish(&facts);
    if (rc < 0) return rc;
    for (p->first = 0; p->first < p->moments->rows.K; p->first += p->n) {
        write_units(p);
        const struct mc_plan_options options = {.dims = {.batch = p->batch}, .runtime = p->options->runtime};
        const bool first = !p->plan;
        rc = first ? mc_plan_create(&p->plan, p->model, &options, err) : mc_plan_refresh(p->plan, err);
        if (rc == MC_OK && first) rc = mc_intake_init(&p->intake, p->plan, err);
        if (rc == MC_OK) rc = run_samples(p, err);
        if (rc < 0 || !p->moments->known) return rc;
    }
    return MC_OK;
}

/* Can the weight be seen as rows here? It has to be stored as the node reads it, and its groups have to be rows'. */
static bool has_rows(const struct mc_contraction *c, const struct mc_rows *rows)
{
    if (!c->weight->data || c->weight->data->dtype != MC_FLOAT || rows->K == 0 || rows->M == 0) return false;
    if (rows->groups == 1) return true;
    const struct mc_shape *shape = &c->weight->data->shape;
    return rows->M % rows->groups == 0 && c->weight_out_axis == 0 && c->weight_axis == 1 && shape->rank > 1;
}

int mc_moments_measure(struct mc_moments *moments, const struct mc_model *model,
                       const struct mc_contraction *contraction, const struct mc_moments_options *options,
                       struct mc_error *err)
{
    *moments = (struct mc_moments){0};
    if (!contraction->weight->data) return MC_OK;
    moments->rows = mc_rows_of(contraction, &contraction->weight->data->shape);
    const struct mc_rows *rows = &moments->rows;
    if (!has_rows(contraction, rows)) return MC_OK;
    struct probe p = {.moments = moments, .contraction = contraction, .options = options};
    p.n = options->full || rows->K < MOST_ROWS ? rows->K : MOST_ROWS;
    moments->diagonal = MC_NEW_ARRAY(double, rows->groups * rows->K);
    if (options->full) moments->full = MC_NEW_ARRAY(double, rows->groups * rows->K * rows->K);
    int rc = moments->diagonal && (moments->full || !options->full) ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) rc = measure(&p, model, err);
    mc_intake_finish(&p.intake);
    mc_plan_destroy(p.plan);
    mc_model_destroy(p.model);
    mc_free(p.columns);
    if (rc < 0 || !moments->known) {
        mc_moments_finish(moments);
        *moments = (struct mc_moments){.rows = *rows};
    }
    return rc;
}

void mc_moments_finish(struct mc_moments *moments)
{
    mc_free(moments->full);
    mc_free(moments->diagonal);
    moments->full = moments->diagonal = NULL;
    moments->known = false;
}
