/* inference.c - one run of a model on what it is given; see compress.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/cost.h"
#include "onnx/item_file.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "run/plans.h"

int mc_model_n_outputs(const struct mc_model *model)
{
    return model->graph->n_outputs;
}

const char *mc_model_input_name(const struct mc_model *model, int i)
{
    return mc_model_input(model, i)->name;
}

const char *mc_model_output_name(const struct mc_model *model, int i)
{
    return model->graph->outputs[i]->name;
}

/* --- files --- */

int mc_model_load_input(const struct mc_model *model, int i, const char *path, struct mc_item **item,
                        struct mc_error *err)
{
    const struct mc_value *v = mc_model_input(model, i);
    return mc_item_load(item, v ? v->type.kind : MC_TYPE_TENSOR, path, err);
}

int mc_model_save_output(const struct mc_model *model, int i, const struct mc_item *item, const char *path, bool npy,
                         bool overwrite, struct mc_error *err)
{
    const struct mc_value *v = model->graph->outputs[i];
    if (npy && item->kind != MC_ITEM_TENSOR)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output '%s' is no tensor, which alone .npy files hold", v->name);
    return npy ? mc_tensor_save_npy(item->tensor, path, overwrite, err)
               : mc_item_save(item, v->type.kind, v->name, path, overwrite, err);
}

/* What is not of the declared type or shape is a fault of the file it came from, not of how we are called. */
static int blame_input(int rc, struct mc_error *err)
{
    if (rc != MC_ERR_USAGE) return rc;
    if (err) err->status = MC_ERR_INPUT;
    return MC_ERR_INPUT;
}

/* --- a runner --- */

struct mc_runner {
    const struct mc_model *model; /* as it was given */
    struct mc_flat flat;          /* as it is run: the same inputs and outputs */
    struct mc_runtime runtime;
    bool once; /* it runs a single time, on as many threads as seems best */
    struct mc_plans plans;
};

int mc_runner_create(struct mc_runner **runner, const struct mc_model *model, const struct mc_context *context,
                     struct mc_error *err)
{
    struct mc_runner *r = MC_NEW(struct mc_runner);
    if (!r) return mc_error_memory(err);
    r->model = model;
    int rc = mc_context_runtime(context, &r->runtime, err);
    if (rc == MC_OK) rc = mc_flat_init(&r->flat, model, err);
    if (rc == MC_OK)
        *runner = r;
    else
        mc_runner_destroy(r);
    return rc;
}

void mc_runner_destroy(struct mc_runner *runner)
{
    if (!runner) return;
    mc_plans_finish(&runner->plans);
    mc_flat_finish(&runner->flat);
    mc_free(runner);
}

/* So little work that other threads are not worth waking for one run: a millisecond or two, where the first
 * parallel region can wait for ten until the system finds the new thread a core. */
#define LITTLE_MACS (INT64_C(1) << 26)

static int look_for_little(const struct mc_graph *graph, const struct mc_facts *facts, bool *little,
                           struct mc_error *err)
{
    int64_t macs = 0;
    *little = false;
    for (int i = 0; i < graph->n_nodes && macs <= LITTLE_MACS; i++) {
        const struct mc_node *node = graph->nodes[i];
        struct mc_cost cost = {0};
        if (mc_node_n_subgraphs(node) > 0) return MC_OK;
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] && facts->of[node->outputs[k]->id].dtype == MC_UNDEFINED) return MC_OK;
        const int rc = mc_node_cost(&cost, node, facts, err);
        if (rc < 0) return rc;
        macs += cost.macs + cost.flops / 8;
    }
    *little = macs <= LITTLE_MACS;
    return MC_OK;
}

static int settle_threads(struct mc_runner *r, const struct mc_dims *dims, struct mc_error *err)
{
    struct mc_facts facts;
    bool little;
    if (!r->once) return MC_OK;
    int rc = mc_facts_create_partial(&facts, r->flat.model, dims, NULL, NULL, err);
    if (rc < 0) return rc;
    rc = look_for_little(r->flat.model->graph, &facts, &little, err);
    if (rc == MC_OK && little) r->runtime.n_threads = 1;
    mc_facts_finish(&facts);
    return rc;
}

static int find_plan(struct mc_runner *r, struct mc_item *const *inputs, int n_inputs, struct mc_plan **plan,
                     struct mc_error *err)
{
    struct mc_shape *shapes = MC_NEW_ARRAY(struct mc_shape, n_inputs > 0 ? n_inputs : 1);
    int rc = shapes ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n_inputs && rc == MC_OK; i++) {
        const struct mc_value *v = mc_model_input(r->model, i);
        if (inputs[i]->kind == MC_ITEM_TENSOR)
            shapes[i] = inputs[i]->tensor->shape;
        else if (v->type.dtype != MC_UNDEFINED)
            rc = mc_error_set(err, MC_ERR_INPUT, "input '%s': needs a tensor", v->name);
    }
    const struct mc_plan_options options = {.dims = {.n_inputs = n_inputs, .shape = shapes}, .runtime = &r->runtime};
    if (rc == MC_OK) rc = settle_threads(r, &options.dims, err);
    if (rc == MC_OK) rc = blame_input(mc_plans_find(&r->plans, r->flat.model, &options, plan, err), err);
    mc_free(shapes);
    return rc;
}

static int bind(struct mc_plan *plan, struct mc_item *const *inputs, int n_inputs, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < n_inputs && rc == MC_OK; i++) rc = blame_input(mc_plan_bind_item(plan, i, inputs[i], err), err);
    return rc;
}

static void release(struct mc_item **items, int n)
{
    for (int i = 0; i < n; i++) {
        mc_item_release(items[i]);
        items[i] = NULL;
    }
}

int mc_runner_run(struct mc_runner *runner, struct mc_item *const *inputs, int n_inputs, struct mc_item **outputs,
                  struct mc_error *err)
{
    const int needed = mc_model_n_inputs(runner->model), n_outputs = mc_model_n_outputs(runner->model);
    struct mc_plan *plan = NULL;
    if (n_inputs != needed)
        return mc_error_set(err, MC_ERR_USAGE, "the model takes %d input%s, has been given %d", needed,
                            needed == 1 ? "" : "s", n_inputs);
    memset(outputs, 0, (size_t)n_outputs * sizeof *outputs);
    int rc = find_plan(runner, inputs, n_inputs, &plan, err);
    if (rc == MC_OK) rc = bind(plan, inputs, n_inputs, err);
    if (rc == MC_OK) rc = mc_plan_run(plan, err);
    for (int i = 0; i < n_outputs && rc == MC_OK; i++) rc = mc_plan_output_item(plan, i, &outputs[i], err);
    if (rc < 0) release(outputs, n_outputs);
    return rc;
}

int mc_model_run_items(const struct mc_model *model, const struct mc_context *context, struct mc_item *const *inputs,
                       int n_inputs, struct mc_item **outputs, struct mc_error *err)
{
    struct mc_runner *runner = NULL;
    int rc = mc_runner_create(&runner, model, context, err);
    if (rc == MC_OK) runner->once = !context || context->threads == 0;
    if (rc == MC_OK) rc = mc_runner_run(runner, inputs, n_inputs, outputs, err);
    mc_runner_destroy(runner);
    return rc;
}

/* --- tensors alone --- */

/* The tensor of an item, for the caller to own. */
static int take_tensor(struct mc_tensor **tensor, const struct mc_item *item, const char *name, struct mc_error *err)
{
    if (item->kind != MC_ITEM_TENSOR) return mc_error_set(err, MC_ERR_UNSUPPORTED, "output '%s' is not a tensor", name);
    return mc_tensor_view(tensor, item->tensor, NULL, 0, err);
}

int mc_model_run(const struct mc_model *model, const struct mc_context *context, struct mc_tensor *const *inputs,
                 int n_inputs, struct mc_tensor **outputs, struct mc_error *err)
{
    const int n_outputs = mc_model_n_outputs(model);
    struct mc_item **in = MC_NEW_ARRAY(struct mc_item *, n_inputs + 1),
                   **out = MC_NEW_ARRAY(struct mc_item *, n_outputs + 1);
    int rc = in && out ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n_inputs && rc == MC_OK; i++) {
        struct mc_tensor *view;
        rc = mc_tensor_view(&view, inputs[i], NULL, 0, err);
        if (rc == MC_OK && !(in[i] = mc_item_of_tensor(view))) rc = mc_error_memory(err);
    }
    if (rc == MC_OK) rc = mc_model_run_items(model, context, in, n_inputs, out, err);
    int taken = 0;
    while (rc == MC_OK && taken < n_outputs) {
        rc = take_tensor(&outputs[taken], out[taken], mc_model_output_name(model, taken), err);
        if (rc == MC_OK) taken++;
    }
    for (int i = 0; i < taken && rc < 0; i++) mc_tensor_destroy(outputs[i]);
    if (out) release(out, n_outputs);
    if (in) release(in, n_inputs);
    mc_free(out);
    mc_free(in);
    return rc;
}
