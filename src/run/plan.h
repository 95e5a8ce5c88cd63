/* plan.h - a model compiled for given input shapes (DESIGN, idea 2).
 *
 * Compiling infers facts, drops what no output needs, folds constants, binds each node to a step, assigns
 * buffers by lifetime. Running allocates nothing. A training plan keeps what backward needs.
 *
 * A plan reads parameters from the model it was made from, which must outlive it and keep its structure;
 * parameter contents may change between runs when it was compiled for training, or after mc_plan_refresh.
 */
#ifndef MC_RUN_PLAN_H
#define MC_RUN_PLAN_H

#include "graph/outlines.h"
#include "kernel/runtime.h"

/* Overwrite data[..., indices, ...] along `axis` of a value by constants, before anyone reads it (masked twin); of an
 * initializer in a copy that lasts from its first reader to its last. Then show it to `seen`. */
struct mc_clamp {
    const struct mc_value *value;
    int axis;
    int64_t n;
    const int64_t *indices;
    const double *fill;                                            /* one per index */
    void (*seen)(void *context, const struct mc_tensor *contents); /* NULL: to nobody */
    void *context;
};

struct mc_plan_options {
    struct mc_dims dims;
    const struct mc_runtime *runtime;
    bool training; /* keep for backward; parameters may change between runs */
    int n_wrt;     /* training: values whose gradients are wanted (initializers, inputs) */
    const struct mc_value *const *wrt;
    int n_taps; /* further values to hand out after the graph's outputs */
    const struct mc_value *const *taps;
    int n_clamps;
    const struct mc_clamp *clamps;
    bool no_fold; /* run every node (for per-node measurement and tests) */
    bool lean;    /* for few runs in little memory: large weights are read where they lie, and no step packs them */
};

struct mc_plan;

/* MC_ERR_UNSUPPORTED names all nodes without descriptor or forward rule. Training: gradients end at what has no
 * derivative. Options are copied as far as needed; arrays may go after the call. */
int mc_plan_create(struct mc_plan **plan, const struct mc_model *model, const struct mc_plan_options *options,
                   struct mc_error *err);
void mc_plan_destroy(struct mc_plan *plan);

/* Inputs as mc_model_input counts them; of a graph within the model (dims.graph) the ones it declares and then those of
 * dims.given that it sees from outside and that are no constants, in that order. The plan lends its input tensors for
 * filling (their contents may be overwritten by a run), or takes the caller's for one run by mc_plan_bind_input (shape
 * and type must agree; no copy).
 */
int mc_plan_n_inputs(const struct mc_plan *plan);
struct mc_tensor *mc_plan_input(struct mc_plan *plan, int i);
int mc_plan_bind_input(struct mc_plan *plan, int i, const struct mc_tensor *tensor, struct mc_error *err);
/* The same for whatever is no tensor, or has a type or shape that the plan does not know; of a tensor that it does know
 * the bytes have to last until the run is over. Inputs that are not known have to be bound anew for each run. */
int mc_plan_bind_item(struct mc_plan *plan, int i, struct mc_item *item, struct mc_error *err);
/* Graph outputs, then taps; valid until the next run. */
int mc_plan_n_outputs(const struct mc_plan *plan);
const struct mc_tensor *mc_plan_output(const struct mc_plan *plan, int i);
/* The same as an item for the caller to own; of what is no tensor the only way to have it. */
int mc_plan_output_item(const struct mc_plan *plan, int i, struct mc_item **item, struct mc_error *err);

int mc_plan_run(struct mc_plan *plan, struct mc_error *err);

/* After a run of a training plan: the caller fills the gradients of the outputs (graph outputs, then taps; mark the
 * ones that are not zero), backward makes those of `wrt`. Gradients are written, not added. */
struct mc_tensor *mc_plan_grad_output(struct mc_plan *plan, int i); /* asking marks it; cleared by each run. NULL if the
                                                                     * output depends on none of `wrt` */
int mc_plan_backward(struct mc_plan *plan, struct mc_error *err);   /* once per run */
/* Gradient of wrt[i]; NULL if no path leads to it from an output whose gradient was given. Valid until the next run. */
const struct mc_tensor *mc_plan_grad(const struct mc_plan *plan, int i);
/* The first node that a gradient would have to pass on its way to the value and does not, and why; NULL if there is no
 * such node: one is given, or no output that has gradients depends on the value. */
const struct mc_node *mc_plan_gradient_end(struct mc_plan *plan, const struct mc_value *value, const char **why);

/* Parameters were changed from outside a training plan: pack and fold them again. Also after mc_value_set_data with
 * the same shape. After a failure the plan can only be destroyed. */
int mc_plan_refresh(struct mc_plan *plan, struct mc_error *err);

struct mc_runtime *mc_plan_runtime(struct mc_plan *plan);
const struct mc_facts *mc_plan_facts(const struct mc_plan *plan);
size_t mc_plan_bytes(const struct mc_plan *plan); /* activation, gradient and work memory */
/* Does a step take further memory as it runs (shapes that contents decide, graphs within nodes)? */
bool mc_plan_allocates(const struct mc_plan *plan);
int mc_plan_n_steps(const struct mc_plan *plan);
/* The model's node that a step is, the last of several. */
const struct mc_node *mc_plan_step_node(const struct mc_plan *plan, int i);
/* What it computes: that node, or one that stands for several; it lives as long as the plan. */
const struct mc_node *mc_plan_step_call(const struct mc_plan *plan, int i);
/* Nanoseconds that step i took in the last run; 0 unless mc_plan_time(plan, true). */
void mc_plan_time(struct mc_plan *plan, bool on);
int64_t mc_plan_step_ns(const struct mc_plan *plan, int i);

/* Evaluate one node on constant inputs: the mc_evaluate_fn for mc_facts_create; context is a struct mc_runtime. */
int mc_plan_evaluate_node(void *context, const struct mc_node *node, const struct mc_fact *const *in,
                          const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err);

/* Facts with the engine behind them: what most callers want. */
int mc_model_facts(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims, bool partial,
                   struct mc_error *err);
/* Likewise shapes with open dimensions left open (graph/outlines.h). */
int mc_model_outlines(struct mc_outlines *outlines, const struct mc_model *model, struct mc_error *err);

#endif
