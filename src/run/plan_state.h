/* plan_state.h - what a plan consists of; shared by the files that build it (compile.c, tape.c) and the one that runs
 * it (plan.c).
 *
 * Time. With n steps, step k runs forward at time k, the outputs are handed out and their gradients come in at time n,
 * and step k runs backward at time 2n - k. Everything the caller may look at until the next run lives to 2n + 1.
 *
 * Storage. Every value has a root: itself, or for a view the value whose elements it shows. Roots that a run computes,
 * and graph inputs, have a buffer in the plan's block; constants and parameters lie where they are. A step that works
 * in place shares the buffer of its input, not its root: the input's contents are gone then.
 */
#ifndef MC_RUN_PLAN_STATE_H
#define MC_RUN_PLAN_STATE_H

#include "base/arena.h"
#include "graph/op.h"
#include "run/memory.h"
#include "run/plan.h"

enum { MC_NO_BUFFER = -1 };

/* One value of the model, by its id. */
struct mc_plan_value {
    struct mc_tensor tensor; /* what steps see; `data` is settled at the end of compilation */
    struct mc_tensor grad;   /* same, of its gradient */
    int root;
    int buffer;
    bool needed; /* some output depends on it */
    bool varies; /* may change between runs, or during one */
    bool folds;  /* it does not vary, and a step or the caller reads it, or what makes such a constant */
    bool clamped;
    bool is_wrt;
    bool held;            /* it varies and no buffer can be laid out for it: it is, at run time, */
    struct mc_item *item; /* this; NULL before and after */
    /* training */
    bool reached; /* while looking where a gradient ends */
    bool wanted;  /* depends on something whose gradient is asked for */
    bool carries; /* and an output depends on it: a gradient will pass */
    /* of roots only */
    int first, last; /* the first step that uses the contents (0: none does), time of the last use */
    int grad_buffer;
    int grad_first, grad_last; /* -1: nothing gives one yet */
    bool grad_present;         /* during backward: something has been written */
};

/* Where the gradient by one operand of a step goes. The first to come writes directly, later ones by way of a tensor of
 * their own that is added. */
struct mc_plan_route {
    struct mc_plan_value *root; /* NULL: no gradient asked for */
    struct mc_tensor *direct;   /* shaped as the operand, not as the root */
    struct mc_tensor *detour;   /* NULL where this one is always the first, and for branches, which have their own */
    int detour_buffer;
};

struct mc_plan_clamp {
    struct mc_plan_value *value;
    int axis;
    int64_t n;
    const int64_t *indices;
    struct mc_tensor *fill; /* [n], of the value's type; owned */
    void (*seen)(void *context, const struct mc_tensor *contents);
    void *context;
};

/* A tensor of float16 or bfloat16 as a step that knows float32 sees it. */
struct mc_plan_wide {
    struct mc_tensor tensor;
    struct mc_tensor *narrow;
    bool constant; /* then it lies in `own` */
    void *own;
    int buffer;
};

struct mc_plans; /* plans.h */

struct mc_plan_step {
    struct mc_step call;        /* its node may be of the plan's own making: */
    const struct mc_node *last; /* this is the model's, or the last of those that were merged */
    const struct mc_op *op;
    bool prepared;
    int n_wide_in, n_wide; /* inputs, then outputs */
    struct mc_plan_wide *wide;
    /* run by itself, on items (dynamic.c) */
    bool dynamic;
    struct mc_item **items_in, **items_out;
    int n_uses; /* inputs, and what the graphs among its attributes see of this one */
    const struct mc_value **uses;
    struct mc_plans *plans; /* of those graphs */
    uint64_t turns;         /* graphs run so far in this run */
    struct mc_plan *taken;  /* of these, with mc_op.branches: the one of the last run */
    int n_operands;         /* where gradients may go: its inputs, or what its branches see and can differentiate by */
    const struct mc_value *const *operands;
    bool backward;        /* a gradient passes through it */
    int workspace, saved; /* buffers */
    int backward_workspace;
    void *room;   /* in the place of the workspace, where mc_plan_refresh found that it takes more; NULL: it does not */
    bool clamped; /* some of its outputs is */
    bool copies;  /* it is the first that reads some clamped initializer */
    struct mc_plan_route *routes;     /* by operand */
    struct mc_plan_value **out_roots; /* by output; NULL: no gradient will come */
    int64_t ns;
};

struct mc_plan_input {
    struct mc_plan_value *value;
    struct mc_tensor own;     /* in the block; lent to the caller */
    const void *bound;        /* the caller's bytes for the next run, or NULL */
    int n_views;              /* the value itself and its views */
    struct mc_tensor **views; /* whose data follow */
    int n_clamps;
    const struct mc_plan_clamp *clamps;
};

struct mc_plan_output {
    struct mc_plan_value *value;
    struct mc_tensor seed; /* its gradient as the caller gives it; dtype MC_UNDEFINED: nobody wants it */
    int seed_buffer;       /* of its own, or the one of the value's gradient */
    bool owns_grad;        /* the latter */
    bool given;
};

struct mc_plan {
    struct mc_arena arena; /* all lists below */
    struct mc_runtime runtime;
    const struct mc_model *model;
    const struct mc_graph *graph;   /* of it */
    struct mc_plan_options options; /* with lists of our own */
    struct mc_facts facts;
    struct mc_plan_value *values;
    int n_values;
    struct mc_plan_step *steps;
    int n_steps;
    struct mc_plan_input *inputs;
    int n_inputs;
    struct mc_plan_output *outputs;
    int n_outputs;
    struct mc_plan_value **carriers; /* roots through which gradients pass */
    int n_carriers;
    struct mc_plan_clamp *clamps; /* those of one value together */
    int n_clamps;
    struct mc_extents extents;
    unsigned char *block;
    size_t block_bytes;
    bool timed;
    bool ran; /* a run of a training plan is there to go back through */
};

/* plan.c: rc; in front of a message, where this is a model's own graph, the file that it is of. */
int mc_plan_named(const struct mc_plan *plan, int rc, struct mc_error *err);

/* tape.c, for steps that go back by themselves: add more to the gradient of a root, or make it the first. */
void mc_tape_give(const struct mc_plan *plan, const struct mc_plan_route *route, const struct mc_tensor *more);

/* order.c: settle which values lie channels last, before steps are prepared. */
int mc_plan_choose_order(struct mc_plan *plan, struct mc_error *err);

/* By value id, `uses` has how many read a value: struct mc_uses, and who taps it.
 * merge.c: before steps are filled in. */
int mc_plan_merge(struct mc_plan *plan, int *uses, struct mc_error *err);
/* shed.c: after the step is prepared. Counts down who still reads a value. */
void mc_plan_shed(struct mc_plan *plan, struct mc_plan_step *step, int *uses);

/* layout.c */
int mc_plan_lay_out(struct mc_plan *plan, struct mc_error *err); /* memory, once steps are prepared */
void mc_plan_point_constants(struct mc_plan *plan);              /* addresses of constants and parameters */
void mc_plan_point(struct mc_plan *plan);                        /* all addresses */
void *mc_plan_address(const struct mc_plan *plan, int buffer);   /* NULL for MC_NO_BUFFER */

/* tape.c */
int mc_tape_mark(struct mc_plan *plan, struct mc_error *err);    /* what gradients pass through */
int mc_tape_lay_out(struct mc_plan *plan, struct mc_error *err); /* add the buffers that they need */
void mc_tape_point(struct mc_plan *plan);                        /* settle their addresses */

/* narrow.c */
int mc_narrow_create(struct mc_plan *plan, struct mc_error *err);       /* once all steps are there */
int mc_narrow_prepare(struct mc_plan_step *step, struct mc_error *err); /* before the operator's own */
void mc_narrow_release(struct mc_plan_step *step);
int mc_narrow_lay_out(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err);
void mc_narrow_point(const struct mc_plan *plan, struct mc_plan_step *step);
int mc_narrow_forward(struct mc_plan_step *step, struct mc_error *err);

/* dynamic.c */
int mc_dynamic_create(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err); /* if it is one */
int mc_dynamic_run(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err);
/* The gradients of the outputs that are there back through the branch that was run. */
int mc_dynamic_backward(const struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err);
void mc_dynamic_release(struct mc_plan_step *step);
/* What the value is now, for the caller to own; a planned tensor is copied. */
int mc_plan_item(const struct mc_plan_value *value, struct mc_item **item, struct mc_error *err);
void mc_plan_hold(struct mc_plan_value *value, struct mc_item *item); /* a further use of it; NULL: nothing any more */

/* clamp.c */
int mc_clamps_create(struct mc_plan *plan, struct mc_error *err);
void mc_clamps_finish(struct mc_plan *plan);
const struct mc_plan_clamp *mc_clamps_of(const struct mc_plan *plan, const struct mc_plan_value *value, int *n);
void mc_clamp_apply(const struct mc_plan_clamp *clamps, int n);
/* Copy the clamped initializers whose first reader is step k. */
void mc_clamps_copy(const struct mc_plan *plan, int k);

static inline struct mc_plan_value *mc_plan_value(const struct mc_plan *plan, const struct mc_value *v)
{
    return v ? &plan->values[v->id] : NULL;
}

static inline struct mc_plan_value *mc_plan_root(const struct mc_plan *plan, const struct mc_value *v)
{
    return v ? &plan->values[plan->values[v->id].root] : NULL;
}

/* An array of the plan's arena, of at least one element so that it can be told from failure. */
#define MC_PLAN_ARRAY(plan, type, n) MC_ARENA_ARRAY(&(plan)->arena, type, (n) > 0 ? (n) : 1)

#endif
