/* move.h - what the operators that move or rename data share.
 *
 * These operators compute nothing: they serve every element type whose elements have a fixed width of at least a byte,
 * by size. Gradients exist for float32 and float64.
 */
#ifndef MC_OP_MOVE_H
#define MC_OP_MOVE_H

#include "kernel/copy.h"
#include "op/ops.h"

#define MC_WALK_INPUTS 3

/* Element types that a plain copy serves: all but those narrower than a byte. */
extern const uint64_t mc_types_copied;
/* All but strings: enough where elements keep their order. */
extern const uint64_t mc_types_ordered;

/* Bytes of one element of a copied type. */
size_t mc_element_size(enum mc_dtype dtype);

/* What a shape rule would be told about the inputs of a step; lets forward share the code that reads its parameters.
 * Both lists have mc_node_room_in entries. */
void mc_facts_of_inputs(const struct mc_step *step, struct mc_fact *facts, const struct mc_fact **in);

/* --- views: out[0] has the elements of in[0] in the same order --- */

int mc_view_forward(struct mc_step *step, struct mc_error *err);
int mc_view_backward(struct mc_step *step, struct mc_error *err);

/* Set every element to 0. */
void mc_zero(struct mc_tensor *tensor);
/* to[at + k] += from[i + k] for n elements, float32 or float64 both. */
void mc_add_run(struct mc_tensor *to, int64_t at, const struct mc_tensor *from, int64_t i, int64_t n);

/* --- broadcasting --- */

/* Strides that walk through `small` while the index runs over `large`, to which it broadcasts: 0 where it repeats. */
void mc_broadcast_strides(const struct mc_shape *small, const struct mc_shape *large, int64_t *strides);
/* Fill `small` with the sums of those elements of `large` that broadcasting it would have made of each; float32 and
 * float64. */
void mc_sum_to(const struct mc_step *step, struct mc_tensor *small, const struct mc_tensor *large);

/* A walk over an output, element by element, with the offsets of the inputs that broadcast to it alongside. */
struct mc_walk {
    int rank, n;
    int64_t extent[MC_MAX_RANK];
    int64_t index[MC_MAX_RANK];
    int64_t strides[MC_WALK_INPUTS][MC_MAX_RANK];
    int64_t offset[MC_WALK_INPUTS];
};

void mc_walk_start(struct mc_walk *walk, const struct mc_shape *output, int n, struct mc_tensor *const *inputs);
void mc_walk_next(struct mc_walk *walk);
/* The same walk in runs: make an axis of all those at the end through which every input steps evenly, and give its
 * extent; input i moves by mc_walk_step along it. At least 1. Then mc_walk_next_run goes from run to run. */
int64_t mc_walk_in_runs(struct mc_walk *walk);
int64_t mc_walk_step(const struct mc_walk *walk, int i);
void mc_walk_next_run(struct mc_walk *walk);

/* --- parts of a tensor: indices begin, begin + 1, … of an axis, as many as the part has --- */

/* Write the part into the whole. */
void mc_part_put(struct mc_tensor *whole, const struct mc_tensor *part, int axis, int64_t begin);
/* Read it back. */
void mc_part_get(struct mc_tensor *part, const struct mc_tensor *whole, int axis, int64_t begin);

/* --- parameters that are attributes in older versions and inputs in newer ones --- */

/* A few integers: "starts" or "axes", one an axis; "pads", two. */
struct mc_ints {
    bool given;
    int n;
    int64_t at[2 * MC_MAX_RANK];
};

/* From attribute `name`; MC_ERR_INPUT if it has more than fit. */
int mc_ints_of_attr(const struct mc_node *node, const char *name, struct mc_ints *ints, struct mc_error *err);
/* From input i, which must be constant; not given if the input is left out. */
int mc_ints_of_input(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_ints *ints,
                     struct mc_error *err);
/* Bring axes into 0 … rank-1; MC_ERR_INPUT if one lies outside or comes twice. */
int mc_ints_as_axes(struct mc_ints *axes, int rank, struct mc_error *err);
/* The same; all axes in order if none are given. */
int mc_ints_as_axes_or_all(struct mc_ints *axes, int rank, struct mc_error *err);

/* --- for resize rules --- */

/* The integers that input i holds whatever the graph's inputs are; false if there are none. */
bool mc_resize_ints(const struct mc_resize *resize, const struct mc_node *node, int i, struct mc_ints *ints);
/* The same of an input that is computed from shapes too, as it comes out after the cut. */
bool mc_resize_ints_computed(const struct mc_resize *resize, const struct mc_node *node, int i, struct mc_ints *ints);
/* Give input i of the node these as a constant of its own, in the type of the one it had (int64 if none). */
int mc_resize_set_ints(struct mc_resize *resize, struct mc_node *node, int i, const struct mc_ints *ints,
                       struct mc_error *err);
/* Put those that are wrong right, and leave the others as open as they are: what is computed stays computed, and a
 * Where puts the numbers in. */
int mc_resize_mend_ints(struct mc_resize *resize, struct mc_node *node, int i, const struct mc_ints *ints,
                        const bool *wrong, struct mc_error *err);

#endif
