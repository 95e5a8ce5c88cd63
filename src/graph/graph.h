/* graph.h - a model in memory: values, nodes, attributes, graphs.
 *
 * Ownership: a graph, its subgraphs and all their parts live in the model's arena and die with the
 * model; only tensors are counted. Pointers between parts are therefore plain. A removed node or value
 * stays in the arena until then.
 *
 * `origin` fields point to what the file said about the thing, for the writer alone: whatever is not
 * modelled here (doc strings, unknown fields, annotations) is carried from there into the file that is
 * written. NULL for things that this program made.
 *
 * This room knows no operator. What one does is asked of `node->op` (graph/op.h).
 */
#ifndef MC_GRAPH_GRAPH_H
#define MC_GRAPH_GRAPH_H

#include "base/arena.h"
#include "graph/origin.h"
#include "tensor/tensor.h"

struct mc_graph;
struct mc_node;
struct mc_op;

enum mc_type_kind { MC_TYPE_TENSOR, MC_TYPE_SEQUENCE, MC_TYPE_OPTIONAL, MC_TYPE_MAP, MC_TYPE_OTHER };

/* Declared type of a value. A dimension is a number, or -1 with a name (`param`), or -1 with NULL. */
struct mc_type {
    enum mc_type_kind kind; /* of what is declared no more is kept than this, unless it is a tensor */
    enum mc_dtype dtype;    /* MC_UNDEFINED: not a tensor, or not declared */
    int rank;               /* -1: unknown */
    int64_t dim[MC_MAX_RANK];
    const char *param[MC_MAX_RANK];
};

/* An edge of the graph: graph input, initializer, or output of one node. */
struct mc_value {
    int id; /* index in model->values */
    const char *name;
    struct mc_type type;
    struct mc_tensor *data; /* initializer (owned by the value), else NULL */
    const struct mc_edit
        *edit; /* what is yet to be done to `data` when they are written (graph/pieces.h); NULL: nothing */
    struct mc_node *producer; /* NULL for inputs and initializers */
    struct mc_graph *graph;   /* where it is defined */
    bool is_input;            /* declared as input of its graph (an initializer may be one as well) */
    bool is_output;
    const void *origin;        /* ValueInfoProto; the writer uses it while it still says `type` */
    const void *origin_tensor; /* TensorProto of the initializer: the form in which the writer stores it. Kept when the
                                * contents change, NULL once other data is put in its place */
};

enum mc_attr_type { /* ONNX's numbers (AttributeProto.AttributeType) */
                    MC_ATTR_UNDEFINED = 0,
                    MC_ATTR_FLOAT = 1,
                    MC_ATTR_INT = 2,
                    MC_ATTR_STRING = 3,
                    MC_ATTR_TENSOR = 4,
                    MC_ATTR_GRAPH = 5,
                    MC_ATTR_FLOATS = 6,
                    MC_ATTR_INTS = 7,
                    MC_ATTR_STRINGS = 8,
                    MC_ATTR_TENSORS = 9,
                    MC_ATTR_GRAPHS = 10,
                    MC_ATTR_OTHER =
                        11, /* sparse tensors, types, references to a function's attribute: kept in `origin` */
};

struct mc_attr {
    const char *name;
    enum mc_attr_type type;
    int64_t n; /* elements of the list forms */
    union {
        float f;
        int64_t i;
        struct mc_text s;
        struct mc_tensor *t;
        struct mc_graph *g;
        float *floats;
        int64_t *ints;
        struct mc_text *strings;
        struct mc_tensor **tensors;
        struct mc_graph **graphs;
    };
    const void *origin; /* AttributeProto; dropped when the value is changed */
};

struct mc_node {
    int id; /* unique in the model */
    const char *name;
    const char *type;
    const char *domain; /* "" for ai.onnx */
    int n_inputs;
    struct mc_value **inputs; /* NULL: optional input left out */
    int n_outputs;
    struct mc_value **outputs; /* NULL: optional output left out */
    int n_attrs;
    struct mc_attr *attrs;
    int opset;               /* version of `domain` that the model imports; 0 if it imports none */
    const struct mc_op *op;  /* set by mc_ops_bind (op/ops.h); NULL: unknown operator */
    const char *known_attrs; /* names of all attributes that it has, separated by spaces; set along with it */
    struct mc_graph *graph;
    const void *origin;         /* NodeProto */
    const struct mc_node *does; /* a plan's own node: the one whose attributes it has */
};

struct mc_graph {
    const char *name;
    struct mc_graph *parent; /* graph whose values this one may see; NULL for the main graph */
    struct mc_model *model;
    int n_nodes, cap_nodes;
    struct mc_node **nodes; /* in an order in which they can run */
    int n_inputs, cap_inputs;
    struct mc_value **inputs;
    int n_outputs, cap_outputs;
    struct mc_value **outputs;
    int n_initializers, cap_initializers;
    struct mc_value **initializers; /* in file order */
    const void *origin;             /* GraphProto */
};

struct mc_opset {
    const char *domain; /* "" for ai.onnx */
    int64_t version;
};

struct mc_model {
    struct mc_arena arena;
    struct mc_graph *graph;
    int n_values, cap_values;
    struct mc_value **values; /* all graphs' values by id; NULL once removed */
    int n_node_ids;
    int n_opsets;
    struct mc_opset *opsets;
    bool inlined;             /* the bodies of the file's functions stand in the place of their calls */
    const char *extents;      /* extents.h: what open dimensions are taken to be (arena); NULL: nothing is said */
    const char *path;         /* where it was read from, for messages (arena); NULL if made here */
    struct mc_origin *origin; /* the ModelProto, with all that the origins above point into; one use is this model's */
    bool spent;               /* by mc_model_spend: initializers may have been shed */
};

/* --- making --- */

/* Empty model with a main graph, importing ai.onnx at `opset`. */
int mc_model_create(struct mc_model **model, int64_t opset, struct mc_error *err);
/* Independent copy: parameters are copied unless `share_data`, all else is duplicated; the origin is
 * shared (mc_origin_retain), so that the fields `origin` of the copy's parts stay good. Values and nodes
 * keep their ids, by which the two models can be compared part by part. */
int mc_model_clone(struct mc_model **copy, const struct mc_model *of, bool share_data, struct mc_error *err);

/* MC_ERR_USAGE if contents of initializers are gone (mc_model_spend). */
int mc_model_check_whole(const struct mc_model *model, struct mc_error *err);

/* The version at which the model imports `domain` ("" and "ai.onnx" are one); 0 if it does not. */
int mc_model_opset(const struct mc_model *model, const char *domain);

struct mc_graph *mc_graph_create(struct mc_model *model, struct mc_graph *parent, const char *name);
/* New value; the name is copied. NULL without memory. The caller places it (input, output of a node, …). */
struct mc_value *mc_value_create(struct mc_graph *graph, const char *name);
/* As above, under `stem` or the first free of stem_1, stem_2, … */
struct mc_value *mc_value_create_fresh(struct mc_graph *graph, const char *stem);
/* As above, with the stem "OF_PART". */
struct mc_value *mc_value_create_part(struct mc_graph *graph, const char *of, const char *part);
/* New initializer; takes over `data` (also on failure). */
struct mc_value *mc_graph_add_initializer(struct mc_graph *graph, const char *name, struct mc_tensor *data);
/* As above, under `stem` or the first free of stem_1, stem_2, … */
struct mc_value *mc_graph_add_initializer_fresh(struct mc_graph *graph, const char *stem, struct mc_tensor *data);
struct mc_value *mc_graph_add_initializer_part(struct mc_graph *graph, const char *of, const char *part,
                                               struct mc_tensor *data);
int mc_graph_add_input(struct mc_graph *graph, struct mc_value *value, struct mc_error *err);
int mc_graph_add_output(struct mc_graph *graph, struct mc_value *value, struct mc_error *err);

/* New node at position `at` (-1: last). Inputs and outputs are copied arrays; producers are set. The op is not
 * bound yet. NULL without memory. */
struct mc_node *mc_node_create(struct mc_graph *graph, int at, const char *domain, const char *type, const char *name,
                               int n_inputs, struct mc_value *const *inputs, int n_outputs,
                               struct mc_value *const *outputs);
/* Take a node out; its outputs lose their producer, and the tensors of its attributes go. */
void mc_node_remove(struct mc_node *node);
/* The same for many: those of the first n nodes for which gone[i]. */
void mc_graph_remove_nodes(struct mc_graph *graph, int n, const bool *gone);
/* Input and output i; NULL: left out, or the node has not so many. */
struct mc_value *mc_node_input(const struct mc_node *node, int i);
struct mc_value *mc_node_output(const struct mc_node *node, int i);
int mc_node_position(const struct mc_node *node);                        /* index in graph->nodes */
int mc_node_reads(const struct mc_node *node, const struct mc_value *v); /* how many of its inputs v is */
/* Graphs among the attributes (the branches of an If), counted through. */
int mc_node_n_subgraphs(const struct mc_node *node);
struct mc_graph *mc_node_subgraph(const struct mc_node *node, int i);
/* Set or replace input i (grows the list with NULLs). */
int mc_node_set_input(struct mc_node *node, int i, struct mc_value *value, struct mc_error *err);
/* Make every consumer of `from` (nodes and graph outputs, also in subgraphs) use `to`. */
int mc_value_replace(struct mc_value *from, struct mc_value *to, struct mc_error *err);
/* Put other contents into an initializer, whose declared type follows; takes over `data`. */
void mc_value_set_data(struct mc_value *value, struct mc_tensor *data);
/* Make an initializer of what a node makes, which makes it no more; takes over `data`, also on failure. */
int mc_value_store(struct mc_value *value, struct mc_tensor *data, struct mc_error *err);
/* Take a value out that nobody produces, consumes or gives out. */
void mc_value_remove(struct mc_value *value);
/* Does a node or a graph output use it? */
bool mc_value_is_used(const struct mc_value *value);
struct mc_value *mc_graph_find(const struct mc_graph *graph, const char *name); /* also in parents; NULL */

void mc_model_destroy(struct mc_model *model);
/* Exchange the contents of two models; pointers to their parts follow the contents. */
void mc_model_swap(struct mc_model *a, struct mc_model *b);

/* --- attributes: the value, or `otherwise` when it is absent --- */

const struct mc_attr *mc_node_attr(const struct mc_node *node, const char *name); /* NULL: absent */
int64_t mc_node_int(const struct mc_node *node, const char *name, int64_t otherwise);
float mc_node_float(const struct mc_node *node, const char *name, float otherwise);
/* List of integers; *n = 0 and NULL when absent. */
const int64_t *mc_node_ints(const struct mc_node *node, const char *name, int64_t *n);
/* Does a string attribute equal `text`? `otherwise` when it is absent. */
bool mc_node_string_is(const struct mc_node *node, const char *name, const char *text, bool otherwise);
/* Index of the attribute's text among n; `otherwise` if there is none; -1 if it is another. */
int mc_node_choice(const struct mc_node *node, const char *name, const char *const *texts, int n, int otherwise);
int mc_node_set_int(struct mc_node *node, const char *name, int64_t value, struct mc_error *err);
int mc_node_set_float(struct mc_node *node, const char *name, float value, struct mc_error *err);
int mc_node_set_ints(struct mc_node *node, const char *name, const int64_t *values, int64_t n, struct mc_error *err);
int mc_node_set_floats(struct mc_node *node, const char *name, const float *values, int64_t n, struct mc_error *err);
int mc_node_set_string(struct mc_node *node, const char *name, const char *value, struct mc_error *err);
int mc_node_set_strings(struct mc_node *node, const char *name, const char *const *values, int64_t n,
                        struct mc_error *err);
int mc_node_set_tensor(struct mc_node *node, const char *name, struct mc_tensor *value, struct mc_error *err);
int mc_node_set_graph(struct mc_node *node, const char *name, struct mc_graph *value, struct mc_error *err);
void mc_node_remove_attr(struct mc_node *node, const char *name); /* nothing happens when it is absent */

/* --- who uses what --- */

struct mc_use {
    struct mc_node *node; /* NULL: the value is output `index` of its graph */
    int index;            /* which input */
};

/* Consumers of every value, by value id: uses->of[id][0 … uses->n[id]-1]. A snapshot. */
struct mc_uses {
    int n_values;
    int *n;
    struct mc_use **of;
    struct mc_use *pool;
};

int mc_uses_create(struct mc_uses *uses, const struct mc_model *model, struct mc_error *err);
void mc_uses_finish(struct mc_uses *uses);

/* "'conv2' (Conv)", or "#12 (Conv)" for a nameless node, into `out`, which is returned. For messages. */
const char *mc_node_text(const struct mc_node *node, char *out, size_t size);

#endif
