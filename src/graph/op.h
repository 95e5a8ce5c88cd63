/* op.h - the operator descriptor: all that the rest of the program may ask of an operator.
 *
 * Each file in src/op ends with one or more constants of this type; op/ops.c lists them in one table
 * sorted by domain, name and version. Graph passes, engine, trainer and surgery call these rules and
 * know no operator by name. A rule is absent (NULL) only with a reason beside it.
 */
#ifndef MC_GRAPH_OP_H
#define MC_GRAPH_OP_H

#include "graph/graph.h"
#include "graph/item.h"

struct mc_coupling; /* graph/coupling.h */
struct mc_facts;    /* graph/facts.h */
struct mc_resize;   /* graph/coupling.h */
struct mc_outline;  /* graph/outlines.h */
struct mc_outline_turns;
struct mc_symbols; /* graph/symbol.h */
struct mc_runtime; /* kernel/runtime.h */
struct mc_rng;

/* What is known of a value for given input shapes. */
struct mc_fact {
    enum mc_dtype dtype;
    struct mc_shape shape;
    const struct mc_tensor *constant; /* its contents, if they do not depend on the graph's inputs or only on their
                                       * shapes; else NULL. Parameters are constants here; the shape driver
                                       * evaluates a node whose inputs are all constant and small. */
    bool open;                        /* what it is, is only known at run time: its shape depends on the contents of
                                       * the graph's inputs, or it is no tensor. Then nothing else here is set */
};

/* What a shape rule returns, with words, when it cannot tell before the contents of its inputs are known (a Reshape to
 * a shape that the model is fed). The driver makes the outputs open, the plan runs the node by itself; who cannot have
 * that passes the words on. Never leaves the library. */
#define MC_ERR_OPEN (-100)

/* Multiply-accumulates and traffic of one node; parameters are counted by the graph. */
struct mc_cost {
    int64_t macs;       /* as papers count: contractions only; element-wise work is 0 */
    int64_t flops;      /* all arithmetic, a multiply-accumulate being 2 */
    int64_t bytes_read; /* inputs, parameters included */
    int64_t bytes_written;
};

/* One node made ready to run: what forward and backward see. Filled by the plan. */
struct mc_step {
    const struct mc_node *node;
    struct mc_runtime *runtime; /* threads, kernels, seed */
    int n_in, n_out;        /* of the node; the arrays below go on with NULLs up to the most that the operator takes */
    struct mc_tensor **in;  /* NULL entry: left out */
    struct mc_tensor **out; /* NULL entry: nobody asked for it, and it is optional; never NULL for output 0,
                             * unless the operator says first_optional */
    struct mc_tensor **grad_in;  /* backward: where to WRITE d loss / d in[i]; NULL: not wanted */
    struct mc_tensor **grad_out; /* backward: d loss / d out[i]; NULL: zero */
    const bool *in_constant;     /* in[i] never changes while the plan lives (may be packed by prepare) */
    bool training;               /* batch statistics, live dropout; parameters change between runs */
    bool bfloat16;               /* floats that come in are bfloat16 in the model, shown wide (mc_op.widens) */
    size_t workspace_bytes;      /* set by prepare: scratch, alive during one call */
    void *workspace;             /* 64-byte aligned */
    size_t saved_bytes;          /* set by prepare: what forward leaves for backward (training only) */
    void *saved;
    void *state;     /* made by prepare, freed by release */
    uint32_t packed; /* set by prepare: bit i: it made its own copy of in[i], a constant; forward does not read that */
    bool is_view; /* set by prepare: out[0] is in[0] under another shape in this plan, as with mc_op.view (dropout that
                   * is off, a cast to the same type). Ignored when other outputs are asked for */
};

/* One node run by itself, on whatever its inputs turn out to be: how operators run that have no shape before they ran,
 * or whose values are not tensors. */
struct mc_call {
    const struct mc_node *node;
    struct mc_runtime *runtime;
    int n_in, n_out;           /* of the node; the arrays go on with NULLs up to the most that the operator takes */
    struct mc_item *const *in; /* lent; NULL: left out */
    struct mc_item **out;      /* to be made, all that the node names; whoever called owns them, after a failure too */

    /* Run a graph among the node's attributes: its declared inputs are given, those of the graphs around it are found.
     * The outputs, as many as the graph has, belong to the caller; after a failure there are none. */
    int (*run_graph)(struct mc_call *call, const struct mc_graph *graph, int n_in, struct mc_item *const *in,
                     struct mc_item **out, struct mc_error *err);
    void *context; /* of run_graph */
};

/* What an operator that runs graphs may ask about them while shapes are inferred. */
struct mc_inference {
    /* Facts about a graph among the node's attributes, for what is known of its declared inputs (open: nothing is);
     * what it sees of the graphs around it is known here. As far as they go; to be finished by the caller. */
    int (*graph)(struct mc_inference *inference, const struct mc_graph *graph, int n_in, const struct mc_fact *in,
                 struct mc_facts *facts, struct mc_error *err);
};

/* Which tensors backward reads; what nobody keeps, the plan may overwrite. */
enum mc_keep {
    MC_KEEP_NONE = 0,
    MC_KEEP_IN = 1,  /* all inputs */
    MC_KEEP_OUT = 2, /* all outputs */
};

/* Does the operator turn scores into probabilities? A loss on its output is better taken on its input, where neither
 * value nor gradient runs out of range. */
enum mc_link {
    MC_LINK_NONE,
    MC_LINK_SOFTMAX,  /* out[0] = softmax(in[0]), over the last axis of a matrix */
    MC_LINK_LOGISTIC, /* out[0] = 1 / (1 + exp(-in[0])) */
};

/* How activations [N, C, spatial...] of a step may lie in memory: row-major, or channels last, [N, spatial..., C]; each
 * tensor says which (mc_tensor.channels_last), and so do gradients. Where C or the spatial extents are 1 the two are
 * one and the tensor says row-major. */
enum mc_order {
    MC_ORDER_FIRST, /* row-major alone */
    MC_ORDER_SAME,  /* either, but in[0], out[0] and further inputs of out[0]'s shape all alike; the rest row-major */
    MC_ORDER_ANY,   /* in[0] and out[0] either way, each for itself; the rest row-major */
    MC_ORDER_LAST,  /* as ANY, and faster where they lie last */
    MC_ORDER_LAST_SUM, /* as LAST, and the last input lies as out[0] does */
};

/* What an operator computes, for those who rewrite graphs: they know none by name. Versions that broadcast or count
 * axes in another way are OTHER. */
enum mc_meaning {
    MC_MEANS_OTHER,
    MC_MEANS_IDENTITY,
    MC_MEANS_DROPOUT,
    MC_MEANS_CAST,
    MC_MEANS_TRANSPOSE,
    MC_MEANS_RESHAPE, /* to a shape that is input 1 */
    MC_MEANS_CONV,
    MC_MEANS_CONV_TRANSPOSE,
    MC_MEANS_GEMM,
    MC_MEANS_MATMUL,
    MC_MEANS_BATCH_NORM,
    MC_MEANS_ADD,
    MC_MEANS_SUB,
    MC_MEANS_MUL,
    MC_MEANS_DIV,
    MC_MEANS_ERF,
    MC_MEANS_POW,
    MC_MEANS_SQRT,
    MC_MEANS_RECIPROCAL,
    MC_MEANS_REDUCE_MEAN,
    MC_MEANS_DEQUANTIZE,
    MC_MEANS_WHERE,
    MC_MEANS_IS_NAN,
};

/* Of what an output of an operator that only moves is made: its axis k goes along axis[k] of in[0], step[k] at a time,
 * and start[] is where in in[0] it begins. */
struct mc_picked {
    int axis[MC_MAX_RANK];
    int64_t step[MC_MAX_RANK], start[MC_MAX_RANK];
};

/* Several nodes that one operator does, for a merge rule to find. Whether anybody else reads what the inner ones make
 * is not its business. */
enum { MC_MERGE_MOST = 12, MC_MERGE_THROUGH = 48, MC_MERGE_INPUTS = 12, MC_MERGE_NUMBERS = 3, MC_MERGE_INTS = 64 };

struct mc_merge {
    /* Contents of a value that are known; NULL: they are not. */
    const struct mc_tensor *(*constant)(const struct mc_merge *merge, const struct mc_value *v);
    /* Is it a constant, whether its contents are at hand already or not? */
    bool (*is_fixed)(const struct mc_merge *merge, const struct mc_value *v);
    const void *context; /* of these */
    const struct mc_facts *facts;
    bool portable; /* for a model that is written: what the standard lacks will not do */
    /* found */
    int n_inner;
    const struct mc_node *inner[MC_MERGE_MOST]; /* all but the last */
    int n_through;
    const struct mc_node *through[MC_MERGE_THROUGH]; /* looked through: others may read what they make */
    int n_inputs;
    const struct mc_value *inputs[MC_MERGE_INPUTS]; /* what the operator is given; NULL: left out */
    const struct mc_op *op;                         /* what does it; need not be registered */
    int opset;                                      /* from which on the standard has it; INT_MAX: never */
    const struct mc_node *like;                     /* whose attributes it has; NULL: none */
    struct {
        const char *name;
        float value;
    } numbers[MC_MERGE_NUMBERS]; /* and attributes of its own */
    int n_numbers;
    int axis;              /* the attribute of this name; 0: none */
    const char *ints_name; /* and of one that is a list; NULL: none */
    int n_ints;
    int64_t ints[MC_MERGE_INTS];
};

/* How many inputs of all these nodes v is. */
int mc_merge_reads(const struct mc_merge *merge, const struct mc_node *last, const struct mc_value *v);

struct mc_op {
    const char *domain; /* "" for ai.onnx */
    const char *type;
    int since; /* first opset version with these semantics */
    int until; /* first opset version that has the operator no more; 0: none so far */
    enum mc_meaning means;
    int min_inputs, max_inputs, n_outputs; /* max_inputs -1: variadic; n_outputs: the most; -1: variadic */
    uint32_t grad_inputs;                  /* bit i: backward can give d/d in[i]; bit 31 stands for 31 and up */
    enum mc_keep keep;                     /* for backward */
    bool inplace; /* out[0] may share memory with in[inplace_input] when shapes and types agree */
    int inplace_input;
    enum mc_link link;
    /* For inference on float32: does this node, the last of several, finish what one operator makes? */
    bool (*merge)(const struct mc_node *last, struct mc_merge *merge);
    /* The same for this node between numbers that DequantizeLinear makes and the `quantize` that alone reads it: does
     * one operator make the same of 8 bits, or what is one step apart where rounding decides? */
    bool (*on_bytes)(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
    bool random; /* draws random numbers: never folded, never merged */
    bool (*picks)(const struct mc_node *node, const struct mc_fact *const *in, int output, struct mc_picked *picked);
    /* NULL, or false for this node: an output is not simply some of in[0] */
    bool view;             /* out[0] is in[0] under another shape: same elements, same order. The plan
                            * may let the two (and their gradients) share storage and call no rule */
    bool widens;           /* its rules know float32 alone of the small floats: inputs of float16 and bfloat16 are shown
                            * to them as float32, and outputs that they make float32 become what the first such input
                            * was. The plan converts */
    bool widens_integers;  /* the same for integers: 8 and 16 bits are shown as int32, uint32 as int64; what comes back
                            * is cut off */
    uint32_t stays_wide;   /* bit i: output i stays float32 all the same */
    bool straight_through; /* integers that it takes or makes stand for floats: gradients pass through them as if they
                            * were, in float32 */
    bool opaque;           /* looks at no element: its operands of one type, the output's, may all be of another */
    bool first_optional;   /* output 0 may be left out like the others: out[0] is NULL then. Elsewhere it is required */
    bool branches;   /* each run is one of the graphs among its attributes, which take no inputs, and its outputs are
                      * that graph's: gradients go through the one that was run. No rule backward then */
    bool shape_only; /* outputs depend on the shapes of the inputs alone: constants once those
                      * are known; forward looks at no contents, in[i]->data may be NULL */

    /* Shapes and types of the outputs from facts about the inputs (in[i] NULL: left out; the array goes on with NULLs
     * up to max_inputs, and `out` has an entry for every output, asked for or not). Refuses, with
     * required and found, whatever the specification refuses: MC_ERR_INPUT for a model that breaks the
     * specification, MC_ERR_UNSUPPORTED for an attribute value or type that is missing here. */
    int (*shape)(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                 struct mc_error *err);

    /* Instead, of an operator that runs graphs: what is known of its outputs before it ran, the rest being open. Inputs
     * may be open here; outputs are constants only where that is all they can be. */
    int (*infer)(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                 struct mc_inference *inference, struct mc_error *err);

    /* The same where dimensions of the model are open (graph/outlines.h): shapes as expressions, and the contents of
     * small integers. Both lists are as above; `out` comes in unknown, and stays so where nothing certain can be said.
     * The node has its required inputs. NULL: nothing can. */
    void (*outline)(struct mc_symbols *symbols, const struct mc_node *node, const struct mc_outline *const *in,
                    struct mc_outline *out);
    /* Instead of it, of an operator that runs the one graph among its attributes turn by turn. False: nothing can be
     * said. */
    bool (*outline_turns)(struct mc_symbols *symbols, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline_turns *turns);

    /* What orders it takes; asked before prepare, when shapes and runtime are known. NULL: MC_ORDER_FIRST. */
    enum mc_order (*order)(const struct mc_step *step);

    /* Once per plan, and again by mc_plan_refresh: choose kernels, pack constants, ask for workspace. Shapes are
     * known; data only of constant inputs. May be NULL. `release` follows each prepare, one that failed included. */
    int (*prepare)(struct mc_step *step, struct mc_error *err);
    void (*release)(struct mc_step *step);

    int (*forward)(struct mc_step *step, struct mc_error *err);

    /* Instead of forward: run it on items, see mc_call. `shape` may then return MC_ERR_OPEN, or be NULL, which says the
     * same; where it does tell a shape, what is made must have it. */
    int (*evaluate)(struct mc_call *call, struct mc_error *err);

    /* Write the gradient of every wanted input. The plan adds where a value has several consumers. */
    int (*backward)(struct mc_step *step, struct mc_error *err);
    const char *no_backward; /* why backward is NULL */
    const char *others;      /* what the inputs are that backward can give no gradient by; NULL: there are none */

    /* Tie the labels of the axes of inputs and outputs (graph/coupling.h). */
    int (*coupling)(struct mc_coupling *coupling, const struct mc_node *node, struct mc_error *err);
    /* Of an operator that sums in[0] against a weight in[1] in one piece: the terms of sums at n places of the output,
     * as rows [n, K] of float32, so that row r times the weight, seen as [K, outputs], is the output there, but for a
     * bias. A place counts row-major over the axes of the output other than that of its channels, K over those of the
     * weight likewise. x: float32, row-major. MC_ERR_UNSUPPORTED for a node that does not sum like that. NULL: none
     * does. */
    int (*terms)(const struct mc_node *node, const struct mc_tensor *x, const struct mc_shape *w, const int64_t *places,
                 int64_t n, float *rows, struct mc_error *err);
    /* After surgery on the tensors: mend attributes and shape constants (Reshape's shape, Split's sizes,
     * Conv's group) to the new extents. NULL when nothing can need it. */
    int (*resize)(struct mc_resize *resize, struct mc_node *node, struct mc_error *err);

    /* Make a node of the version before this one of this one, for a model whose opset rises: `x` is what is known of
     * in[0] (dtype MC_UNDEFINED: nothing). A node that cannot be gives *why, a literal. NULL: none can. */
    int (*upgrade)(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err);

    /* Multiply-accumulates for these shapes. */
    void (*cost)(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                 struct mc_cost *cost);
};

/* Entries that lists of a node's inputs and outputs have: those that it names and NULLs up to the most that its
 * operator takes. */
static inline int mc_node_room_in(const struct mc_node *node)
{
    return node->op->max_inputs > node->n_inputs ? node->op->max_inputs : node->n_inputs;
}

static inline int mc_node_room_out(const struct mc_node *node)
{
    return node->op->n_outputs > node->n_outputs ? node->op->n_outputs : node->n_outputs;
}

/* What there is to know of a tensor that is there. */
static inline struct mc_fact mc_fact_of(const struct mc_tensor *tensor)
{
    return (struct mc_fact){.dtype = tensor->dtype, .shape = tensor->shape, .constant = tensor};
}

#endif
