/* binding.c - how a model and a data set meet; see binding.h. */
#include "train/binding.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- the input --- */

/* Extents without those that are 1: how samples of the same contents may differ in shape. */
static struct mc_shape squeezed(const struct mc_shape *shape, int from)
{
    struct mc_shape s = {0};
    for (int i = from; i < shape->rank; i++)
        if (shape->dim[i] != 1) s.dim[s.rank++] = shape->dim[i];
    return s;
}

/* Same elements in the same order: equal but for extents of 1, or one of the two is flat. */
static bool samples_fit(const struct mc_shape *input, const struct mc_shape *sample)
{
    const struct mc_shape a = squeezed(input, 1), b = squeezed(sample, 0);
    if (mc_shape_count(&a) != mc_shape_count(&b)) return false;
    return a.rank <= 1 || b.rank <= 1 || mc_shape_equal(&a, &b);
}

/* Fill open extents behind the first from the sample. */
static void fill_open(struct mc_shape *input, const struct mc_shape *sample)
{
    int n_open = 0, open = 0;
    for (int i = 1; i < input->rank; i++)
        if (input->dim[i] < 0) {
            n_open++;
            open = i;
        }
    if (input->rank == sample->rank + 1) {
        for (int i = 1; i < input->rank; i++)
            if (input->dim[i] < 0) input->dim[i] = sample->dim[i - 1];
    } else if (n_open == 1) {
        int64_t others = 1;
        for (int i = 1; i < input->rank; i++)
            if (i != open) others *= input->dim[i];
        if (others > 0) input->dim[open] = mc_shape_count(sample) / others;
    }
}

static int input_shape(struct mc_shape *shape, const struct mc_value *input, const struct mc_shape *sample,
                       struct mc_error *err)
{
    const struct mc_type *type = &input->type;
    char needed[128], found[128];
    if (type->rank == 0 || type->rank > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "input '%s' has no dimension for the batch", input->name);
    if (type->rank > 0) {
        *shape = mc_shape_of(type->rank, type->dim);
        if (sample) fill_open(shape, sample);
    } else if (sample) {
        *shape = (struct mc_shape){.rank = sample->rank + 1, .dim = {-1}};
        memcpy(shape->dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    } else {
        return mc_error_set(err, MC_ERR_USAGE, "input '%s': its shape is open in the model and has to be given",
                            input->name);
    }
    if (!sample || samples_fit(shape, sample)) return MC_OK;
    const struct mc_shape one = mc_shape_of(shape->rank - 1, shape->dim + 1);
    return mc_error_set(err, MC_ERR_INPUT, "input '%s': needs samples of shape %s, the data's are %s", input->name,
                        mc_shape_text(&one, needed, sizeof needed), mc_shape_text(sample, found, sizeof found));
}

static int bind_input(struct mc_binding *b, const struct mc_model *model, const struct mc_dataset *data,
                      struct mc_error *err)
{
    const int n = mc_model_n_inputs(model);
    if (n != 1) return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs a model with one input, this one has %d", n);
    b->input = mc_model_input(model, 0);
    const enum mc_dtype dtype = b->input->type.dtype;
    if (!mc_dtype_is_float(dtype) && !mc_dtype_is_integer(dtype))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "input '%s': samples are numbers, the model wants %s",
                            b->input->name, mc_dtype_name(dtype));
    return input_shape(&b->shape, b->input, data ? &data->sample : NULL, err);
}

int64_t mc_binding_fixed_batch(const struct mc_binding *binding)
{
    return binding->shape.dim[0] > 0 ? binding->shape.dim[0] : 0;
}

/* --- the scores --- */

/* The operator that made probabilities out of scores, seen through nodes that change no element; NULL if none did. */
static const struct mc_node *find_link(const struct mc_value *output)
{
    const struct mc_node *node = output->producer;
    while (node && node->op && node->op->view && node->inputs[0]) node = node->inputs[0]->producer;
    return node && node->op && node->op->link != MC_LINK_NONE ? node : NULL;
}

static bool may_have_scores(const struct mc_value *output)
{
    return output->type.dtype == MC_FLOAT || output->type.dtype == MC_UNDEFINED;
}

static int refuse_head(const struct mc_graph *graph, const char *head, struct mc_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; n < MC_COUNT(names) && n < (size_t)graph->n_outputs; n++) names[n] = graph->outputs[n]->name;
    const char *nearest = mc_suggest(head, names, n);
    return mc_error_set(err, MC_ERR_USAGE, "head '%s': none of the model's %d outputs has that name; '%s' is one", head,
                        graph->n_outputs,
                        nearest ? nearest
                        : n > 0 ? names[0]
                                : "");
}

static int find_head(const struct mc_graph *graph, const char *head, int *i, struct mc_error *err)
{
    for (*i = 0; *i < graph->n_outputs; ++*i)
        if (head ? strcmp(graph->outputs[*i]->name, head) == 0 : may_have_scores(graph->outputs[*i])) break;
    if (*i == graph->n_outputs && head) return refuse_head(graph, head, err);
    if (*i == graph->n_outputs)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "none of the model's %d outputs is float32", graph->n_outputs);
    return MC_OK;
}

/* Does the loss take scores before the operator that makes probabilities of them? */
static bool looks_behind(enum mc_loss_kind loss, enum mc_link link)
{
    return loss == MC_LOSS_CROSS_ENTROPY || (loss == MC_LOSS_KL && link == MC_LINK_SOFTMAX) ||
           (loss == MC_LOSS_BCE && link == MC_LINK_LOGISTIC);
}

static int bind_output(struct mc_binding *b, const struct mc_model *model, enum mc_loss_kind loss, const char *head,
                       struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    int i;
    const int rc = find_head(graph, head, &i, err);
    if (rc < 0) return rc;
    b->scores = graph->outputs[i];
    b->output = i;
    b->first_tap = graph->n_outputs;
    const struct mc_node *link = find_link(b->scores);
    if (!link || !looks_behind(loss, link->op->link)) return MC_OK;
    b->scores = link->inputs[0];
    b->output = graph->n_outputs;
    b->tapped = true;
    b->first_tap++;
    return MC_OK;
}

/* Infer shapes for the smallest batch, to learn how many scores a sample has. */
static int count_columns(struct mc_binding *b, const struct mc_model *model, const struct mc_dataset *data,
                         enum mc_loss_kind loss, struct mc_error *err)
{
    const int64_t fixed = mc_binding_fixed_batch(b), batch = fixed ? fixed : 1;
    struct mc_shape shape = b->shape;
    shape.dim[0] = batch;
    const struct mc_dims dims = {.n_inputs = 1, .shape = &shape};
    struct mc_facts facts;
    int rc = mc_model_facts(&facts, model, &dims, false, err);
    if (rc < 0) return rc;
    const struct mc_fact fact = facts.of[b->scores->id];
    mc_facts_finish(&facts);
    char text[128];
    const int64_t count = mc_shape_count(&fact.shape), found = count / batch;
    if (fact.dtype != MC_FLOAT || found * batch != count || found == 0)
        return mc_error_set(
            err, MC_ERR_UNSUPPORTED, "output '%s': needs float32 scores for each of %" PRId64 " samples, has %s %s",
            b->scores->name, batch, mc_dtype_name(fact.dtype), mc_shape_text(&fact.shape, text, sizeof text));
    const bool classes = !data || data->task == MC_TASK_CLASSIFICATION;
    b->columns = !data || !mc_dataset_has_targets(data) ? found : classes ? data->n_classes : data->n_targets;
    const bool binary = loss == MC_LOSS_CROSS_ENTROPY || loss == MC_LOSS_BCE;
    b->logistic = classes && binary && found == 1 && (b->columns == 2 || !data);
    b->loss = b->logistic ? MC_LOSS_CROSS_ENTROPY : loss;
    if (b->logistic) b->columns = 2;
    if (b->logistic || found == b->columns) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT,
                        "output '%s': gives %" PRId64 " numbers a sample, the data has %" PRId64 " %s", b->scores->name,
                        found, b->columns, classes ? "classes" : "targets");
}

int mc_binding_init(struct mc_binding *b, const struct mc_model *model, const struct mc_dataset *data,
                    enum mc_loss_kind loss, const char *head, struct mc_error *err)
{
    *b = (struct mc_binding){0};
    loss = mc_loss_resolve(loss, data ? data->task : MC_TASK_CLASSIFICATION);
    int rc = bind_input(b, model, data, err);
    if (rc == MC_OK) rc = bind_output(b, model, loss, head, err);
    if (rc == MC_OK) rc = count_columns(b, model, data, loss, err);
    return rc;
}

/* --- plans --- */

int mc_binding_plan(const struct mc_binding *b, struct mc_plan **plan, const struct mc_model *model, int64_t batch,
                    struct mc_value *const *wrt, int n_wrt, bool training, const struct mc_runtime *runtime,
                    struct mc_error *err)
{
    struct mc_shape shape = b->shape;
    shape.dim[0] = batch;
    const struct mc_value *taps[1 + MC_MOST_TAPS];
    int n_taps = 0;
    if (b->tapped) taps[n_taps++] = b->scores;
    for (int i = 0; i < b->n_taps; i++) taps[n_taps++] = b->taps[i];
    const struct mc_plan_options options = {
        .dims = {.n_inputs = 1, .shape = &shape},
        .runtime = runtime,
        .training = training,
        .n_wrt = n_wrt,
        .wrt = (const struct mc_value *const *)wrt,
        .n_taps = n_taps,
        .taps = taps,
    };
    struct mc_plan *made;
    const int rc = mc_plan_create(&made, model, &options, err);
    if (rc < 0) return rc;
    const int64_t wanted = batch * (b->logistic ? 1 : b->columns);
    const struct mc_tensor *scores = mc_plan_output(made, b->output);
    if (mc_tensor_count(scores) != wanted) {
        char text[128];
        mc_error_set(err, MC_ERR_UNSUPPORTED, "output '%s': has shape %s for %" PRId64 " samples", b->scores->name,
                     mc_shape_text(&scores->shape, text, sizeof text), batch);
        mc_plan_destroy(made);
        return MC_ERR_UNSUPPORTED;
    }
    *plan = made;
    return MC_OK;
}

const float *mc_binding_scores(const struct mc_binding *b, const struct mc_plan *plan, int64_t n, float *pairs)
{
    const float *z = mc_plan_output(plan, b->output)->data;
    if (!b->logistic) return z;
    for (int64_t i = 0; i < n; i++) {
        pairs[2 * i] = 0;
        pairs[2 * i + 1] = z[i];
    }
    return pairs;
}

double mc_binding_loss(const struct mc_binding *b, const struct mc_plan *plan, const struct mc_loss *loss, int64_t n,
                       const struct mc_targets *targets, double weight, float *pairs, float *pair_gradients,
                       float *gradient)
{
    const float *scores = mc_binding_scores(b, plan, n, pairs);
    if (!b->logistic || !gradient) return mc_loss_run(loss, n, scores, targets, weight, gradient);
    const double sum = mc_loss_run(loss, n, scores, targets, weight, pair_gradients);
    for (int64_t i = 0; i < n; i++) gradient[i] = pair_gradients[2 * i + 1];
    return sum;
}

/* --- batches that are a fixed number --- */

/* Does the first output follow when the input has `trial` samples? */
static bool batch_is_free(const struct mc_model *model, const struct mc_value *input, int64_t trial)
{
    struct mc_shape shape = mc_shape_of(input->type.rank, input->type.dim);
    shape.dim[0] = trial;
    const struct mc_dims dims = {.n_inputs = 1, .shape = &shape};
    struct mc_facts facts;
    if (mc_model_facts(&facts, model, &dims, false, NULL) < 0) return false;
    const struct mc_shape *out = &facts.of[model->graph->outputs[0]->id].shape;
    const bool follows = out->rank > 0 && out->dim[0] == trial;
    mc_facts_finish(&facts);
    return follows;
}

int64_t mc_batch_open(struct mc_model *model, int64_t trial)
{
    struct mc_value *input = mc_model_input(model, 0);
    if (!input || input->type.rank < 1 || input->type.dim[0] <= 0 || model->graph->n_outputs == 0) return 0;
    const int64_t fixed = input->type.dim[0];
    input->type.dim[0] = -1;
    /* A graph that reshapes to a constant batch may still divide evenly: it has to follow to a number next to its own.
     */
    if (batch_is_free(model, input, fixed + 1) && batch_is_free(model, input, trial)) return fixed;
    input->type.dim[0] = fixed;
    return 0;
}

void mc_batch_close(struct mc_model *model, int64_t fixed)
{
    if (fixed > 0) mc_model_input(model, 0)->type.dim[0] = fixed;
}
