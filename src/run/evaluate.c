/* evaluate.c - running one node on constant inputs, for folding; see plan.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "run/plan.h"

/* The tensors and lists that a step points to. */
struct scratch {
    struct mc_tensor *tensors; /* of the inputs */
    struct mc_tensor **in, **out, **none_in, **none_out;
    bool *in_constant;
};

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

static void scratch_finish(struct scratch *s)
{
    mc_free(s->in_constant);
    mc_free(s->none_out);
    mc_free(s->none_in);
    mc_free(s->out);
    mc_free(s->in);
    mc_free(s->tensors);
}

static int scratch_init(struct scratch *s, const struct mc_node *node, struct mc_error *err)
{
    const int n_in = at_least(at_least(node->n_inputs, node->op->max_inputs), 1);
    const int n_out = at_least(at_least(node->n_outputs, node->op->n_outputs), 1);
    s->tensors = MC_NEW_ARRAY(struct mc_tensor, n_in);
    s->in = MC_NEW_ARRAY(struct mc_tensor *, n_in);
    s->out = MC_NEW_ARRAY(struct mc_tensor *, n_out);
    s->none_in = MC_NEW_ARRAY(struct mc_tensor *, n_in);
    s->none_out = MC_NEW_ARRAY(struct mc_tensor *, n_out);
    s->in_constant = MC_NEW_ARRAY(bool, n_in);
    if (s->tensors && s->in && s->out && s->none_in && s->none_out && s->in_constant) return MC_OK;
    return mc_error_memory(err);
}

/* Inputs whose contents nobody asks for (mc_op.shape_only) have a shape and no data. */
static void bind_inputs(struct scratch *s, const struct mc_node *node, const struct mc_fact *const *in)
{
    for (int i = 0; i < node->n_inputs; i++) {
        if (!in[i]) continue;
        if (in[i]->constant) s->tensors[i] = *in[i]->constant;
        s->tensors[i].dtype = in[i]->dtype;
        s->tensors[i].shape = in[i]->shape;
        s->in[i] = &s->tensors[i];
        s->in_constant[i] = in[i]->constant != NULL;
    }
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

int mc_plan_evaluate_node(void *context, const struct mc_node *node, const struct mc_fact *const *in,
                          const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err)
{
    struct scratch s = {0};
    int rc = scratch_init(&s, node, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) rc = mc_tensor_create(&s.out[i], out_facts[i].dtype, &out_facts[i].shape, err);
    if (rc == MC_OK) {
        bind_inputs(&s, node, in);
        struct mc_step step = {.node = node,
                               .runtime = context,
                               .n_in = node->n_inputs,
                               .n_out = node->n_outputs,
                               .in = s.in,
                               .out = s.out,
                               .grad_in = s.none_in,
                               .grad_out = s.none_out,
                               .in_constant = s.in_constant};
        rc = run(&step, err);
    }
    for (int i = 0; s.out && i < node->n_outputs; i++)
        if (rc == MC_OK)
            out[i] = s.out[i];
        else
            mc_tensor_destroy(s.out[i]);
    scratch_finish(&s);
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
