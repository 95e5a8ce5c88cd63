/* evaluate.c - running one node by itself, for folding and for what cannot be planned; see evaluate.h and plan.h. */
#include "run/evaluate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/widen.h"
#include "run/plan.h"

/* --- by shape and forward --- */

/* The tensors and lists that a step points to. */
struct scratch {
    int n_in, n_out;
    struct mc_tensor *tensors; /* of the inputs */
    struct mc_tensor **wide;   /* of inputs and outputs that widen */
    struct mc_tensor **in, **out, **none_in, **none_out;
    bool *in_constant;
};

static void scratch_finish(struct scratch *s)
{
    for (int i = 0; s->wide && i < s->n_in + s->n_out; i++) mc_tensor_destroy(s->wide[i]);
    mc_free(s->in_constant);
    mc_free(s->none_out);
    mc_free(s->none_in);
    mc_free(s->out);
    mc_free(s->in);
    mc_free(s->wide);
    mc_free(s->tensors);
}

static int scratch_init(struct scratch *s, const struct mc_node *node, struct mc_error *err)
{
    s->n_in = mc_node_room_in(node);
    s->n_out = mc_node_room_out(node);
    s->tensors = MC_NEW_ARRAY(struct mc_tensor, s->n_in);
    s->wide = MC_NEW_ARRAY(struct mc_tensor *, s->n_in + s->n_out);
    s->in = MC_NEW_ARRAY(struct mc_tensor *, s->n_in);
    s->out = MC_NEW_ARRAY(struct mc_tensor *, s->n_out);
    s->none_in = MC_NEW_ARRAY(struct mc_tensor *, s->n_in);
    s->none_out = MC_NEW_ARRAY(struct mc_tensor *, s->n_out);
    s->in_constant = MC_NEW_ARRAY(bool, s->n_in);
    if (s->tensors && s->wide && s->in && s->out && s->none_in && s->none_out && s->in_constant) return MC_OK;
    return mc_error_memory(err);
}

/* Inputs whose contents nobody asks for (mc_op.shape_only) have a shape and no data. */
static int bind_inputs(struct scratch *s, const struct mc_node *node, const struct mc_fact *const *in,
                       struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) {
        if (!in[i]) continue;
        if (in[i]->constant) s->tensors[i] = *in[i]->constant;
        s->tensors[i].dtype = in[i]->dtype;
        s->tensors[i].shape = in[i]->shape;
        s->in[i] = &s->tensors[i];
        s->in_constant[i] = in[i]->constant != NULL;
        const enum mc_dtype wide = mc_op_widened(node->op, in[i]->dtype);
        if (wide == in[i]->dtype) continue;
        rc = mc_tensor_create(&s->wide[i], wide, &in[i]->shape, err);
        if (rc == MC_OK && in[i]->constant) rc = mc_tensor_convert(s->wide[i], in[i]->constant, err);
        s->in[i] = s->wide[i];
    }
    return rc;
}

/* Outputs for the caller in out[], and what forward shall write to in s->out[]. */
static int create_outputs(struct scratch *s, const struct mc_node *node, const struct mc_fact *facts,
                          struct mc_tensor **out, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        if (!node->outputs[i]) continue;
        rc = mc_tensor_create(&out[i], facts[i].dtype, &facts[i].shape, err);
        s->out[i] = out[i];
        const enum mc_dtype wide = mc_op_widened(node->op, facts[i].dtype);
        if (rc < 0 || wide == facts[i].dtype) continue;
        rc = mc_tensor_create(&s->wide[s->n_in + i], wide, &facts[i].shape, err);
        s->out[i] = s->wide[s->n_in + i];
    }
    return rc;
}

static int run(struct mc_step *step, struct mc_error *err)
{
    const struct mc_op *op = step->node->op;
    int rc = op->prepare ? op->prepare(step, err) : MC_OK;
    if (rc == MC_OK) {
        step->workspace = mc_alloc_aligned(step->workspace_bytes, 1);
        rc = step->workspace ? op->forward(step, err) : mc_error_memory(err);
        mc_free(step->workspace);
    }
    if (op->prepare && op->release) op->release(step);
    return rc;
}

/* Small floats go back; texts, which forward may have taken over from an input, get bytes of their own. */
static int take_outputs(const struct scratch *s, const struct mc_node *node, struct mc_tensor **out,
                        struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        struct mc_tensor *copy;
        if (!out[i]) continue;
        if (s->wide[s->n_in + i]) rc = mc_tensor_convert(out[i], s->wide[s->n_in + i], err);
        if (out[i]->dtype != MC_STRING) continue;
        rc = mc_tensor_clone(&copy, out[i], err);
        if (rc < 0) continue;
        mc_tensor_destroy(out[i]);
        out[i] = copy;
    }
    return rc;
}

static int run_forward(struct mc_runtime *runtime, const struct mc_node *node, const struct mc_fact *const *in,
                       const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err)
{
    struct scratch s = {0};
    int rc = scratch_init(&s, node, err);
    if (rc == MC_OK) rc = bind_inputs(&s, node, in, err);
    if (rc == MC_OK) rc = create_outputs(&s, node, out_facts, out, err);
    struct mc_step step = {.node = node,
                           .runtime = runtime,
                           .n_in = node->n_inputs,
                           .n_out = node->n_outputs,
                           .in = s.in,
                           .out = s.out,
                           .grad_in = s.none_in,
                           .grad_out = s.none_out,
                           .in_constant = s.in_constant};
    if (rc == MC_OK) rc = run(&step, err);
    if (rc == MC_OK) rc = take_outputs(&s, node, out, err);
    scratch_finish(&s);
    return rc;
}

/* --- either way --- */

/* Text is made of other text, or of numbers, by operators that allocate. */
static bool wants_items(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out)
{
    bool text = false;
    for (int i = 0; i < node->n_inputs; i++) text |= in[i] && in[i]->dtype == MC_STRING;
    for (int i = 0; i < node->n_outputs; i++) text |= node->outputs[i] && out[i].dtype == MC_STRING;
    return node->op->evaluate && text;
}

static void destroy_tensors(struct mc_tensor **tensors, int n)
{
    for (int i = 0; i < n; i++) {
        mc_tensor_destroy(tensors[i]);
        tensors[i] = NULL;
    }
}

static int run_on_tensors(struct mc_call *call, const struct mc_fact *const *in, const struct mc_fact *out_facts,
                          struct mc_error *err)
{
    const struct mc_node *node = call->node;
    struct mc_tensor **out = MC_NEW_ARRAY(struct mc_tensor *, mc_node_room_out(node));
    if (!out) return mc_error_memory(err);
    int rc = run_forward(call->runtime, node, in, out_facts, out, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        if (!out[i]) continue;
        call->out[i] = mc_item_of_tensor(out[i]);
        out[i] = NULL;
        if (!call->out[i]) rc = mc_error_memory(err);
    }
    destroy_tensors(out, node->n_outputs);
    mc_free(out);
    return rc;
}

/* An operator has to have made all that the node names. */
static int check_made(const struct mc_call *call, struct mc_error *err)
{
    for (int i = 0; i < call->node->n_outputs; i++)
        if (call->node->outputs[i] && !call->out[i])
            return mc_error_set(err, MC_ERR_INTERNAL, "output %d was not made", i);
    return MC_OK;
}

static const char *kind_of(const struct mc_item *item)
{
    switch (item->kind) {
    case MC_ITEM_TENSOR:
        return "a tensor";
    case MC_ITEM_SEQUENCE:
        return "a sequence";
    case MC_ITEM_MAP:
        return "a map";
    case MC_ITEM_NONE:
        break;
    }
    return "nothing";
}

int mc_run_node(struct mc_call *call, struct mc_error *err)
{
    const struct mc_node *node = call->node;
    const struct mc_op *op = node->op;
    struct mc_fact *facts = MC_NEW_ARRAY(struct mc_fact, mc_node_room_in(node)),
                   *out = MC_NEW_ARRAY(struct mc_fact, mc_node_room_out(node));
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, mc_node_room_in(node));
    int rc = facts && out && in ? MC_OK : mc_error_memory(err);
    bool by_items = !op->forward;
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) {
        const struct mc_item *item = call->in[i];
        if (!item) continue;
        if (item->kind != MC_ITEM_TENSOR) {
            by_items = true;
            if (!op->evaluate)
                rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs a tensor, has %s", i, node->inputs[i]->name,
                                  kind_of(item));
            continue;
        }
        facts[i] = mc_fact_of(item->tensor);
        in[i] = &facts[i];
    }
    if (rc == MC_OK && !by_items) {
        rc = mc_op_shape(node, in, out, err);
        if (rc == MC_ERR_OPEN) rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "its shape cannot be told from its inputs");
    }
    if (rc == MC_OK) {
        if (by_items || wants_items(node, in, out))
            rc = op->evaluate(call, err);
        else
            rc = run_on_tensors(call, in, out, err);
    }
    if (rc == MC_OK) rc = check_made(call, err);
    mc_free(in);
    mc_free(out);
    mc_free(facts);
    return rc;
}

/* --- folding --- */

/* The tensors of what was made, if all of it is tensors. */
static int tensors_of_items(const struct mc_node *node, struct mc_item *const *items, struct mc_tensor **out,
                            struct mc_error *err)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (items[i] && items[i]->kind != MC_ITEM_TENSOR)
            return mc_error_set(err, MC_ERR_OPEN, "output %d is no tensor", i);
    int rc = MC_OK;
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++)
        if (items[i] && node->outputs[i]) rc = mc_tensor_view(&out[i], items[i]->tensor, NULL, 0, err);
    return rc;
}

static int fold_by_items(struct mc_runtime *runtime, const struct mc_node *node, const struct mc_fact *const *in,
                         struct mc_tensor **out, struct mc_error *err)
{
    struct mc_item **items = MC_NEW_ARRAY(struct mc_item *, mc_node_room_in(node)),
                   **made = MC_NEW_ARRAY(struct mc_item *, mc_node_room_out(node));
    int rc = items && made ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) {
        struct mc_tensor *copy;
        if (!in[i]) continue;
        rc = mc_tensor_clone(&copy, in[i]->constant, err);
        if (rc == MC_OK) items[i] = mc_item_of_tensor(copy);
        if (rc == MC_OK && !items[i]) rc = mc_error_memory(err);
    }
    struct mc_call call = {
        .node = node, .runtime = runtime, .n_in = node->n_inputs, .n_out = node->n_outputs, .in = items, .out = made};
    if (rc == MC_OK) rc = mc_run_node(&call, err);
    if (rc == MC_OK) rc = tensors_of_items(node, made, out, err);
    for (int i = 0; items && i < node->n_inputs; i++) mc_item_release(items[i]);
    for (int i = 0; made && i < node->n_outputs; i++) mc_item_release(made[i]);
    mc_free(made);
    mc_free(items);
    return rc;
}

int mc_plan_evaluate_node(void *context, const struct mc_node *node, const struct mc_fact *const *in,
                          const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err)
{
    int rc;
    if (!out_facts || !node->op->forward || wants_items(node, in, out_facts))
        rc = fold_by_items(context, node, in, out, err);
    else
        rc = run_forward(context, node, in, out_facts, out, err);
    if (rc < 0) destroy_tensors(out, node->n_outputs);
    return rc;
}

int mc_model_outlines(struct mc_outlines *outlines, const struct mc_model *model, struct mc_error *err)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    const int before = mc_runtime_enter(&runtime);
    const int rc = mc_outlines_create(outlines, model, mc_plan_evaluate_node, &runtime, err);
    mc_runtime_leave(before);
    return rc;
}

int mc_model_facts(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims, bool partial,
                   struct mc_error *err)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    const int before = mc_runtime_enter(&runtime);
    const int rc =
        (partial ? mc_facts_create_partial : mc_facts_create)(facts, model, dims, mc_plan_evaluate_node, &runtime, err);
    mc_runtime_leave(before);
    return rc;
}
