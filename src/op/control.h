/* control.h - what the operators that run graphs share: taking slices of tensors, and stacking what turns leave. */
#ifndef MC_OP_CONTROL_H
#define MC_OP_CONTROL_H

#include "op/ops.h"

/* A list of items that grows by one with each turn. */
struct mc_turns {
    size_t n, capacity;
    struct mc_item **items;
};

/* Takes over the item, also on failure. */
int mc_turns_add(struct mc_turns *turns, struct mc_item *item, struct mc_error *err);
void mc_turns_finish(struct mc_turns *turns);
/* The tensors of all turns side by side along a new axis (from 0; counted within what results), the last turn first if
 * `reverse`. They have to agree in type and shape. Without turns there is an empty tensor of the type that `value`, the
 * output of the graph, declares. */
int mc_turns_stack(const struct mc_turns *turns, const struct mc_value *value, int64_t axis, bool reverse,
                   struct mc_item **stacked, struct mc_error *err);

/* Index i of the axis, which goes. */
int mc_item_slice(struct mc_item **slice, const struct mc_tensor *of, int axis, int64_t i, struct mc_error *err);

/* What is known of output i of a graph, contents left out; open if nothing is. */
struct mc_fact mc_made_fact(const struct mc_facts *facts, const struct mc_graph *graph, int i);
/* Is nothing known of *fact that is not true of *other? Else *fact becomes open. */
bool mc_agree(struct mc_fact *fact, const struct mc_fact *other);
/* What every turn of `body` is given, where outputs first_out … first_out + n_carried - 1 of one are inputs from
 * first_in on of the next: in[n_in] is what the first is given, and becomes that. *facts: of the body then; to be
 * finished by the caller. */
int mc_infer_turns(struct mc_inference *inference, const struct mc_graph *body, int n_in, struct mc_fact *in,
                   int n_carried, int first_in, int first_out, struct mc_facts *facts, struct mc_error *err);
/* Of n turns that are stacked (mc_turns_stack); open if that cannot be known. */
struct mc_fact mc_stacked_fact(const struct mc_fact *turn, int64_t axis, int64_t n);

/* The graph of attribute `name`; MC_ERR_INPUT without one. */
int mc_need_graph(const struct mc_node *node, const char *name, const struct mc_graph **graph, struct mc_error *err);

/* A scalar, or [1] where `value` declares one dimension. */
int mc_item_scalar(struct mc_item **item, enum mc_dtype dtype, int64_t number, const struct mc_value *value,
                   struct mc_error *err);
/* Is item the truth value true? MC_ERR_INPUT, naming it, unless it is one boolean. */
int mc_item_truth(const struct mc_item *item, const char *name, bool *truth, struct mc_error *err);

#endif
