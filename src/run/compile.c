/* compile.c - from a model to a plan: what is constant, which nodes become steps, where everything lies; see plan.h. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "graph/refusal.h"
#include "run/plan_state.h"

/* --- options --- */

#define COPY_LIST(plan, to, from, n)                                                                                   \
    do {                                                                                                               \
        void *copy_ = mc_arena_alloc(&(plan)->arena, (size_t)(n) + 1, sizeof *(from));                                 \
        if (copy_ && (n)) memcpy(copy_, (from), (size_t)(n) * sizeof *(from));                                         \
        (to) = copy_;                                                                                                  \
    } while (0)

/* Lists go into the plan; clamps are copied later, once shapes are known. */
static int copy_options(struct mc_plan *plan, const struct mc_plan_options *options, struct mc_error *err)
{
    struct mc_plan_options *o = &plan->options;
    *o = *options;
    if (!o->training) o->n_wrt = 0;
    plan->graph = o->dims.graph ? o->dims.graph : plan->model->graph;
    COPY_LIST(plan, o->dims.shape, options->dims.shape, o->dims.n_inputs);
    COPY_LIST(plan, o->dims.given, options->dims.given, o->dims.n_given);
    COPY_LIST(plan, o->wrt, options->wrt, o->n_wrt);
    COPY_LIST(plan, o->taps, options->taps, o->n_taps);
    if (options->runtime)
        plan->runtime = *options->runtime;
    else
        mc_runtime_init(&plan->runtime, 0, MC_CPU_AVX512);
    /* oneDNN has code of its own, and what lies channels last is for kernels that pack */
    if (o->lean) plan->runtime.use_onednn = plan->runtime.channels_last = false;
    o->runtime = &plan->runtime;
    return o->dims.shape && o->dims.given && o->wrt && o->taps ? MC_OK : mc_error_memory(err);
}

/* --- values --- */

static int create_values(struct mc_plan *plan, struct mc_error *err)
{
    plan->n_values = plan->model->n_values;
    plan->values = MC_PLAN_ARRAY(plan, struct mc_plan_value, plan->n_values);
    if (!plan->values) return mc_error_memory(err);
    for (int i = 0; i < plan->n_values; i++) {
        struct mc_plan_value *v = &plan->values[i];
        v->root = i;
        v->buffer = v->grad_buffer = MC_NO_BUFFER;
        v->grad_first = -1;
        v->tensor.dtype = plan->facts.of[i].dtype;
        v->tensor.shape = plan->facts.of[i].shape;
    }
    for (int i = 0; i < plan->options.n_wrt; i++) mc_plan_value(plan, plan->options.wrt[i])->is_wrt = true;
    return MC_OK;
}

static int create_outputs(struct mc_plan *plan, struct mc_error *err)
{
    const struct mc_graph *graph = plan->graph;
    plan->n_outputs = graph->n_outputs + plan->options.n_taps;
    plan->outputs = MC_PLAN_ARRAY(plan, struct mc_plan_output, plan->n_outputs);
    if (!plan->outputs) return mc_error_memory(err);
    for (int i = 0; i < plan->n_outputs; i++) {
        const int tap = i - graph->n_outputs;
        const struct mc_value *v = tap < 0 ? graph->outputs[i] : plan->options.taps[tap];
        if (plan->facts.of[v->id].dtype == MC_UNDEFINED && !plan->facts.of[v->id].open)
            return mc_error_set(err, MC_ERR_INPUT, "output '%s' is made by no node", v->name);
        plan->outputs[i].value = mc_plan_value(plan, v);
        plan->outputs[i].seed_buffer = MC_NO_BUFFER;
    }
    return MC_OK;
}

/* No buffer can be laid out for what is open, nor for texts. */
static bool is_held(const struct mc_plan *plan, const struct mc_plan_value *v)
{
    const struct mc_fact *fact = &plan->facts.of[v - plan->values];
    return v->varies && (fact->open || fact->dtype == MC_STRING);
}

static int create_inputs(struct mc_plan *plan, struct mc_error *err)
{
    const int n_fed = mc_graph_n_fed(plan->graph), n_given = plan->options.dims.n_given;
    plan->inputs = MC_PLAN_ARRAY(plan, struct mc_plan_input, n_fed + n_given);
    if (!plan->inputs) return mc_error_memory(err);
    for (int i = 0; i < n_fed; i++)
        plan->inputs[plan->n_inputs++].value = mc_plan_value(plan, mc_graph_fed(plan->graph, i));
    for (int i = 0; i < n_given; i++) {
        const struct mc_given *given = &plan->options.dims.given[i];
        if (given->value->graph != plan->graph && !given->fact.constant)
            plan->inputs[plan->n_inputs++].value = mc_plan_value(plan, given->value);
    }
    for (int i = 0; i < plan->n_inputs; i++) {
        struct mc_plan_input *input = &plan->inputs[i];
        input->clamps = mc_clamps_of(plan, input->value, &input->n_clamps);
        input->own = input->value->tensor;
        input->value->needed = true; /* the caller may always fill it */
        input->value->varies = true;
        input->value->held = is_held(plan, input->value);
    }
    return MC_OK;
}

/* --- what is constant, and what is needed --- */

/* Parameters of a training plan change between runs; clamped values are not what folding saw. */
static void mark_initializers(struct mc_plan *plan)
{
    const struct mc_graph *graph = plan->graph;
    for (int i = 0; i < graph->n_initializers; i++) {
        struct mc_plan_value *v = mc_plan_value(plan, graph->initializers[i]);
        const bool trains = plan->options.training && mc_dtype_is_float(v->tensor.dtype);
        v->varies = trains || v->is_wrt || v->clamped;
    }
}

static bool node_varies(const struct mc_plan *plan, const struct mc_node *node)
{
    if (plan->options.no_fold || node->op->random || mc_node_n_subgraphs(node)) return true;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] &&
            (mc_plan_value(plan, node->outputs[i])->clamped || mc_plan_value(plan, node->outputs[i])->is_wrt))
            return true;
    for (int i = 0; i < node->n_inputs && !node->op->shape_only; i++)
        if (node->inputs[i] && mc_plan_value(plan, node->inputs[i])->varies) return true;
    for (int i = 0; i < node->n_outputs; i++) /* no tensor, or the driver would have made it */
        if (node->outputs[i] && plan->facts.of[node->outputs[i]->id].open) return true;
    return false;
}

static void need_inputs(struct mc_plan *plan, const struct mc_node *node)
{
    for (int k = 0; k < node->n_inputs; k++)
        if (node->inputs[k]) mc_plan_value(plan, node->inputs[k])->needed = true;
    for (int k = 0; k < mc_node_n_subgraphs(node); k++) {
        const struct mc_graph *graph = mc_node_subgraph(node, k);
        for (int i = 0; i < graph->n_nodes; i++) need_inputs(plan, graph->nodes[i]);
        for (int i = 0; i < graph->n_outputs; i++) mc_plan_value(plan, graph->outputs[i])->needed = true;
    }
}

/* Mark what the outputs depend on. Constants depend on nothing once they are known (`folded`). */
static void mark_needed(struct mc_plan *plan, bool folded)
{
    const struct mc_graph *graph = plan->graph;
    for (int i = 0; i < plan->n_values; i++) plan->values[i].needed = false;
    for (int i = 0; i < plan->n_inputs; i++) plan->inputs[i].value->needed = true;
    for (int i = 0; i < plan->n_outputs; i++) plan->outputs[i].value->needed = true;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct mc_node *node = graph->nodes[i];
        bool needed = false;
        for (int k = 0; k < node->n_outputs; k++) {
            const struct mc_plan_value *v = mc_plan_value(plan, node->outputs[k]);
            if (v && v->needed && (v->varies || !folded)) needed = true;
        }
        if (needed) need_inputs(plan, node);
    }
}

static bool is_needed(const struct mc_plan *plan, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && mc_plan_value(plan, node->outputs[i])->needed) return true;
    return false;
}

/* Run a node that has constant inputs, unless the shape driver did; the facts take the results. */
static int fold_node(struct mc_plan *plan, const struct mc_node *node, struct mc_error *err)
{
    struct mc_facts *facts = &plan->facts;
    bool known = true;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !facts->of[node->outputs[i]->id].constant) known = false;
    if (known) return MC_OK;
    const int n_in = node->op->max_inputs > node->n_inputs ? node->op->max_inputs : node->n_inputs;
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, n_in);
    struct mc_fact *out = MC_NEW_ARRAY(struct mc_fact, node->n_outputs);
    struct mc_tensor **made = MC_NEW_ARRAY(struct mc_tensor *, node->n_outputs);
    int rc = in && out && made ? MC_OK : mc_error_memory(err);
    if (rc < 0) goto done;
    for (int i = 0; i < node->n_inputs; i++) in[i] = node->inputs[i] ? &facts->of[node->inputs[i]->id] : NULL;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) out[i] = facts->of[node->outputs[i]->id];
    rc = mc_plan_evaluate_node(&plan->runtime, node, in, out, made, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        if (!node->outputs[i]) continue;
        const int id = node->outputs[i]->id;
        mc_tensor_destroy(facts->folded[id]);
        facts->of[id].constant = facts->folded[id] = made[i];
    }
done:
    mc_free(made);
    mc_free(out);
    mc_free(in);
    return rc;
}

/* Settle which values are constant. */
static void mark_varying(struct mc_plan *plan)
{
    const struct mc_graph *graph = plan->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (!is_needed(plan, node)) continue;
        const bool varies = node_varies(plan, node);
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) {
                struct mc_plan_value *v = mc_plan_value(plan, node->outputs[k]);
                v->varies = varies;
                v->held = is_held(plan, v);
            }
    }
}

static bool folds(const struct mc_plan *plan, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && mc_plan_value(plan, node->outputs[i])->folds) return true;
    return false;
}

static void mark_folding(struct mc_plan *plan, const struct mc_value *v)
{
    if (v) mc_plan_value(plan, v)->folds = !mc_plan_value(plan, v)->varies;
}

/* Which constants have to be at hand: those that somebody reads, and what they are made of. */
static void find_folding(struct mc_plan *plan)
{
    const struct mc_graph *graph = plan->graph;
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        for (int i = 0; i < step->call.node->n_inputs; i++) mark_folding(plan, step->call.node->inputs[i]);
        for (int i = 0; i < step->n_uses; i++) mark_folding(plan, step->uses[i]);
    }
    for (int i = 0; i < plan->n_outputs; i++) plan->outputs[i].value->folds = !plan->outputs[i].value->varies;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs && folds(plan, node); k++) mark_folding(plan, node->inputs[k]);
    }
}

/* Have them at hand. */
static int fold(struct mc_plan *plan, struct mc_error *err)
{
    const struct mc_graph *graph = plan->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        char text[128];
        if (!folds(plan, node)) continue;
        const int rc = fold_node(plan, node, err);
        if (rc < 0) return mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof text));
    }
    return MC_OK;
}

static int refuse_unrunnable(const struct mc_plan *plan, struct mc_error *err)
{
    const struct mc_graph *graph = plan->graph;
    struct mc_refusal refusal;
    mc_refusal_init(&refusal);
    for (int i = 0; i < graph->n_nodes; i++)
        if (is_needed(plan, graph->nodes[i]) && !graph->nodes[i]->op->forward && !graph->nodes[i]->op->evaluate)
            mc_refusal_add(&refusal, graph->nodes[i], NULL);
    return mc_refusal_finish(&refusal, "needs operators that cannot be run here", err);
}

/* --- steps --- */

static bool becomes_step(const struct mc_plan *plan, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++) {
        const struct mc_plan_value *v = mc_plan_value(plan, node->outputs[i]);
        if (v && v->needed && v->varies) return true;
    }
    return false;
}

/* May steps make something of it that lasts as long as the plan? */
static bool is_lasting(const struct mc_plan *plan, const struct mc_plan_value *v)
{
    enum { SMALL = 256 }; /* elements: what is read as numbers */
    const bool large = mc_dtype_is_float(v->tensor.dtype) && mc_tensor_count(&v->tensor) > SMALL;
    return !v->varies && !(plan->options.lean && large);
}

static int fill_step(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    const struct mc_op *op = node->op;
    const int n_in = mc_node_room_in(node);
    const int n_out = mc_node_room_out(node);
    struct mc_step *call = &step->call;
    bool *constant = MC_PLAN_ARRAY(plan, bool, n_in);
    step->op = op;
    step->workspace = step->backward_workspace = step->saved = MC_NO_BUFFER;
    call->runtime = &plan->runtime;
    call->training = plan->options.training;
    call->n_in = node->n_inputs;
    call->n_out = node->n_outputs;
    call->in = MC_PLAN_ARRAY(plan, struct mc_tensor *, n_in);
    call->out = MC_PLAN_ARRAY(plan, struct mc_tensor *, n_out);
    call->grad_in = MC_PLAN_ARRAY(plan, struct mc_tensor *, n_in);
    call->grad_out = MC_PLAN_ARRAY(plan, struct mc_tensor *, n_out);
    call->in_constant = constant;
    step->out_roots = MC_PLAN_ARRAY(plan, struct mc_plan_value *, n_out);
    if (!call->in || !call->out || !call->grad_in || !call->grad_out || !constant || !step->out_roots)
        return mc_error_memory(err);
    for (int i = 0; i < node->n_inputs; i++) {
        if (!node->inputs[i]) continue;
        call->in[i] = &mc_plan_value(plan, node->inputs[i])->tensor;
        constant[i] = is_lasting(plan, mc_plan_value(plan, node->inputs[i]));
    }
    for (int i = 0; i < node->n_outputs; i++) {
        struct mc_plan_value *v = mc_plan_value(plan, node->outputs[i]);
        if (!v) continue;
        call->out[i] = &v->tensor;
        step->clamped |= v->clamped;
    }
    step->n_operands = node->n_inputs;
    step->operands = (const struct mc_value *const *)node->inputs;
    const int rc = mc_dynamic_create(plan, step, err);
    step->routes = MC_PLAN_ARRAY(plan, struct mc_plan_route, step->n_operands);
    return rc == MC_OK && !step->routes ? mc_error_memory(err) : rc;
}

static int create_steps(struct mc_plan *plan, int *uses, struct mc_error *err)
{
    const struct mc_graph *graph = plan->graph;
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++) n += becomes_step(plan, graph->nodes[i]);
    plan->steps = MC_PLAN_ARRAY(plan, struct mc_plan_step, n);
    if (!plan->steps) return mc_error_memory(err);
    for (int i = 0; i < graph->n_nodes; i++) {
        if (!becomes_step(plan, graph->nodes[i])) continue;
        struct mc_plan_step *step = &plan->steps[plan->n_steps++];
        step->call.node = step->last = graph->nodes[i];
    }
    int rc = mc_plan_merge(plan, uses, err);
    for (int k = 0; k < plan->n_steps && rc == MC_OK; k++) rc = fill_step(plan, &plan->steps[k], err);
    return rc;
}

static void release_step(struct mc_plan_step *step)
{
    if (step->prepared && step->op->release) step->op->release(&step->call);
    step->prepared = false;
    step->call.state = NULL;
    mc_block_destroy(step->room);
    step->room = NULL;
    mc_narrow_release(step);
    mc_dynamic_release(step);
}

static int prepare_step(struct mc_plan_step *step, struct mc_error *err)
{
    char text[128];
    int rc = mc_narrow_prepare(step, err);
    if (rc < 0 || step->dynamic || !step->op->prepare) return rc;
    step->prepared = true;
    rc = step->op->prepare(&step->call, err);
    return rc < 0 ? mc_error_wrap(err, rc, "node %s", mc_node_text(step->call.node, text, sizeof text)) : MC_OK;
}

/* What a step packs goes at once, so that there are never two copies of all weights. */
static int prepare_steps(struct mc_plan *plan, int *uses, struct mc_error *err)
{
    int rc = MC_OK;
    for (int k = 0; k < plan->n_steps && rc == MC_OK; k++) {
        rc = prepare_step(&plan->steps[k], err);
        if (rc == MC_OK) mc_plan_shed(plan, &plan->steps[k], uses);
    }
    return rc;
}

/* Steps in their order that are ready but for their addresses. */
static int make_steps(struct mc_plan *plan, struct mc_error *err)
{
    struct mc_uses uses;
    int rc = mc_uses_create(&uses, plan->model, err);
    if (rc < 0) return rc;
    for (int i = 0; i < plan->options.n_taps; i++) uses.n[plan->options.taps[i]->id]++;
    rc = create_steps(plan, uses.n, err);
    if (rc == MC_OK) find_folding(plan);
    if (rc == MC_OK) rc = fold(plan, err);
    if (rc == MC_OK) rc = mc_narrow_create(plan, err);
    if (rc == MC_OK) rc = mc_plan_choose_order(plan, err);
    mc_plan_point_constants(plan);
    if (rc == MC_OK) rc = prepare_steps(plan, uses.n, err);
    mc_uses_finish(&uses);
    return rc;
}

/* --- views --- */

/* May output 0 simply show input 0's elements? Then the step, and its backward, go. */
static bool is_view(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    if (plan->options.no_fold || step->dynamic || !(step->op->view || step->call.is_view)) return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i]) return false;
    const struct mc_plan_value *from = mc_plan_value(plan, node->inputs[0]),
                               *to = mc_plan_value(plan, node->outputs[0]);
    return !to->is_wrt && !to->clamped && from->tensor.dtype == to->tensor.dtype &&
           from->tensor.channels_last == to->tensor.channels_last &&
           mc_shape_count(&from->tensor.shape) == mc_shape_count(&to->tensor.shape);
}

static void drop_views(struct mc_plan *plan)
{
    int kept = 0;
    for (int k = 0; k < plan->n_steps; k++) {
        struct mc_plan_step *step = &plan->steps[k];
        const struct mc_node *node = step->call.node;
        if (is_view(plan, step)) {
            mc_plan_value(plan, node->outputs[0])->root = mc_plan_value(plan, node->inputs[0])->root;
            release_step(step);
        } else {
            plan->steps[kept++] = *step;
        }
    }
    plan->n_steps = kept;
}

/* --- the whole --- */

static int find_facts(struct mc_plan *plan, struct mc_error *err)
{
    return mc_facts_create(&plan->facts, plan->model, &plan->options.dims, mc_plan_evaluate_node, &plan->runtime, err);
}

/* From facts to steps that are ready but for their addresses. */
static int create_all(struct mc_plan *plan, struct mc_error *err)
{
    int rc = create_values(plan, err);
    if (rc == MC_OK) rc = mc_clamps_create(plan, err);
    if (rc == MC_OK) rc = create_inputs(plan, err);
    if (rc == MC_OK) rc = create_outputs(plan, err);
    if (rc < 0) return rc;
    mark_initializers(plan);
    mark_needed(plan, false);
    rc = refuse_unrunnable(plan, err);
    if (rc < 0) return rc;
    mark_varying(plan);
    mark_needed(plan, true);
    rc = make_steps(plan, err);
    if (rc < 0) return rc;
    drop_views(plan);
    return mc_tape_mark(plan, err);
}

int mc_plan_create(struct mc_plan **plan, const struct mc_model *model, const struct mc_plan_options *options,
                   struct mc_error *err)
{
    struct mc_plan *p = MC_NEW(struct mc_plan);
    if (!p) return mc_error_memory(err);
    mc_arena_init(&p->arena);
    p->model = model;
    int rc = copy_options(p, options, err);
    if (rc == MC_OK) {
        const int before = mc_runtime_enter(&p->runtime);
        rc = find_facts(p, err); /* names the file in its messages */
        if (rc == MC_OK) {
            rc = mc_plan_named(p, create_all(p, err), err);
        }
        mc_runtime_leave(before);
    }
    if (rc == MC_OK) rc = mc_plan_lay_out(p, err);
    if (rc < 0)
        mc_plan_destroy(p);
    else
        *plan = p;
    return rc;
}

/* Other contents may have led to another kernel, whose workspace is longer than the one that was laid out. */
static int make_room(const struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    const size_t laid_out = step->workspace == MC_NO_BUFFER ? 0 : plan->extents.at[step->workspace].size;
    if (step->call.workspace_bytes <= laid_out) return MC_OK;
    step->room = mc_block_create(plan->runtime.memory, step->call.workspace_bytes, 1);
    return step->room ? MC_OK : mc_error_memory(err);
}

/* Same structure as before, so only contents are made anew: constants, and what steps made of them. */
static int refresh(struct mc_plan *plan, struct mc_error *err)
{
    mc_facts_finish(&plan->facts);
    int rc = find_facts(plan, err);
    for (int i = 0; i < plan->n_values && rc == MC_OK; i++)
        if (!mc_shape_equal(&plan->facts.of[i].shape, &plan->values[i].tensor.shape))
            rc = mc_error_set(err, MC_ERR_USAGE, "the shape of '%s' has changed", plan->model->values[i]->name);
    if (rc == MC_OK) rc = fold(plan, err);
    if (rc < 0) return rc;
    mc_plan_point_constants(plan);
    for (int k = 0; k < plan->n_steps; k++) {
        struct mc_plan_step *step = &plan->steps[k];
        const size_t saved = step->call.saved_bytes;
        release_step(step);
        rc = prepare_step(step, err);
        if (rc == MC_OK) rc = make_room(plan, step, err);
        if (rc < 0) return rc;
        assert(step->call.saved_bytes <= saved);
    }
    mc_plan_point(plan);
    return MC_OK;
}

int mc_plan_refresh(struct mc_plan *plan, struct mc_error *err)
{
    const int before = mc_runtime_enter(&plan->runtime);
    const int rc = refresh(plan, err);
    mc_runtime_leave(before);
    return rc;
}

void mc_plan_destroy(struct mc_plan *plan)
{
    if (!plan) return;
    for (int k = 0; k < plan->n_steps; k++) release_step(&plan->steps[k]);
    for (int i = 0; plan->values && i < plan->n_values; i++) mc_item_release(plan->values[i].item);
    mc_clamps_finish(plan);
    mc_facts_finish(&plan->facts);
    mc_extents_finish(&plan->extents);
    mc_block_destroy(plan->block);
    mc_arena_finish(&plan->arena);
    mc_free(plan);
}
