/* inference.c - one run of a model on given tensors; see compress.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "recipe/context.h"
#include "run/plan.h"

/* Fed integers of at most this many elements are taken for shapes, axes and indices when nothing else helps. */
#define MAX_HELD 1024

int mc_model_n_outputs(const struct mc_model *model)
{
    return model->graph->n_outputs;
}

const char *mc_model_output_name(const struct mc_model *model, int i)
{
    return model->graph->outputs[i]->name;
}

int mc_model_check_inputs(const struct mc_model *model, struct mc_error *err)
{
    const struct mc_value *v;
    for (int i = 0; (v = mc_model_input(model, i)); i++)
        if (v->type.dtype == MC_UNDEFINED)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "input '%s' is not a tensor of a known type", v->name);
    return MC_OK;
}

/* What is not of the declared type or shape is a fault of the file it came from, not of how we are called. */
static int blame_input(int rc, struct mc_error *err)
{
    if (rc != MC_ERR_USAGE) return rc;
    if (err) err->status = MC_ERR_INPUT;
    return MC_ERR_INPUT;
}

static int plan_for(struct mc_plan **plan, const struct mc_model *model, const struct mc_runtime *runtime,
                    struct mc_tensor *const *inputs, int n_inputs, struct mc_error *err)
{
    struct mc_shape *shapes = MC_NEW_ARRAY(struct mc_shape, n_inputs);
    if (!shapes) return mc_error_memory(err);
    for (int i = 0; i < n_inputs; i++) shapes[i] = inputs[i]->shape;
    const struct mc_plan_options options = {.dims = {.n_inputs = n_inputs, .shape = shapes}, .runtime = runtime};
    const int rc = mc_plan_create(plan, model, &options, err);
    mc_free(shapes);
    return blame_input(rc, err);
}

/* Make the nodes of `copy` read what is in the tensor instead of input v. */
static int hold(struct mc_model *copy, struct mc_value *v, const struct mc_tensor *tensor, struct mc_error *err)
{
    struct mc_tensor *contents;
    const int rc = mc_tensor_clone(&contents, tensor, err);
    if (rc < 0) return rc;
    struct mc_value *const held = mc_graph_add_initializer_fresh(copy->graph, v->name, contents);
    return held ? mc_value_replace(v, held, err) : mc_error_memory(err);
}

/* A copy of the model that holds the small integers it is fed: for models whose shapes they decide (the target of a
 * Reshape, the bounds of a Slice), which a plan has to know. */
static int hold_integers(struct mc_model **copy, const struct mc_model *model, struct mc_tensor *const *inputs,
                         int n_inputs, struct mc_error *err)
{
    int rc = mc_model_clone(copy, model, true, err);
    for (int i = 0; rc == MC_OK && i < n_inputs; i++) {
        const bool integer = inputs[i]->dtype == MC_INT64 || inputs[i]->dtype == MC_INT32;
        struct mc_value *const v = mc_model_input(*copy, i);
        if (integer && inputs[i]->dtype == v->type.dtype && mc_tensor_count(inputs[i]) <= MAX_HELD)
            rc = hold(*copy, v, inputs[i], err);
    }
    return rc;
}

static int bind(struct mc_plan *plan, struct mc_tensor *const *inputs, int n_inputs, struct mc_error *err)
{
    for (int i = 0; i < n_inputs; i++) {
        const int rc = mc_plan_bind_input(plan, i, inputs[i], err);
        if (rc < 0) return blame_input(rc, err);
    }
    return MC_OK;
}

static int copy_outputs(const struct mc_plan *plan, struct mc_tensor **outputs, int n, struct mc_error *err)
{
    for (int i = 0; i < n; i++) {
        const int rc = mc_tensor_clone(&outputs[i], mc_plan_output(plan, i), err);
        if (rc == MC_OK) continue;
        while (i-- > 0) mc_tensor_destroy(outputs[i]);
        return rc;
    }
    return MC_OK;
}

int mc_model_run(const struct mc_model *model, const struct mc_context *context, struct mc_tensor *const *inputs,
                 int n_inputs, struct mc_tensor **outputs, struct mc_error *err)
{
    const int needed = mc_model_n_inputs(model);
    if (n_inputs != needed)
        return mc_error_set(err, MC_ERR_USAGE, "the model takes %d input%s, has been given %d", needed,
                            needed == 1 ? "" : "s", n_inputs);
    struct mc_runtime runtime;
    struct mc_plan *plan = NULL;
    struct mc_model *holding = NULL;
    int rc = mc_context_runtime(context, &runtime, err);
    if (rc == MC_OK) rc = plan_for(&plan, model, &runtime, inputs, n_inputs, err);
    if (rc == MC_ERR_UNSUPPORTED && hold_integers(&holding, model, inputs, n_inputs, NULL) == MC_OK)
        rc = plan_for(&plan, holding, &runtime, inputs, n_inputs, err);
    if (rc == MC_OK) rc = bind(plan, inputs, n_inputs, err);
    if (rc == MC_OK) rc = mc_plan_run(plan, err);
    if (rc == MC_OK) rc = copy_outputs(plan, outputs, mc_model_n_outputs(model), err);
    mc_plan_destroy(plan);
    mc_model_destroy(holding);
    return rc;
}
