/* coupling.h - which indices of which axes can only be removed together (DESIGN, idea 3).
 *
 * Every index along every axis of every value has a label. A coupling rule ties labels (union-find), says
 * where a label is contracted (summed away, with the weight that does it), or freezes what it cannot vouch
 * for. What remains connected is a group: its indices go together or stay together.
 *
 * Rules only ever speak of values and axes, so that this room and the surgery know no operator.
 */
#ifndef MC_GRAPH_COUPLING_H
#define MC_GRAPH_COUPLING_H

#include "graph/facts.h"

/* What an index of a parameter does to the channel that it belongs to. Decides what counts in importance and what
 * stays when the channel is silenced to find the constant it leaves behind. */
enum mc_role {
    MC_ROLE_NONE,     /* not a parameter, or no statement */
    MC_ROLE_PRODUCES, /* a filter or row of a weight: makes the channel */
    MC_ROLE_CONSUMES, /* a slice of a weight that reads the channel */
    MC_ROLE_SCALE,    /* the factor of a normalization: the channel at its mean is the shift alone, as if this were 0. A
                       * plain factor, a divisor or a slope has no role: the constant passes through it as it is */
    MC_ROLE_SHIFT,    /* an addend: bias, batch-norm shift */
    MC_ROLE_STATISTIC /* a running mean or variance */
};

/* Facts are available to rules: shapes are concrete, constants known. */
const struct mc_fact *mc_coupling_fact(const struct mc_coupling *c, const struct mc_value *v);
/* Extent of an axis, 0 if unknown. */
int64_t mc_coupling_extent(const struct mc_coupling *c, const struct mc_value *v, int axis);

/* Index i of axis `a` of x is index i of axis `b` of y, for all i (equal extents). */
int mc_couple_axes(struct mc_coupling *c, const struct mc_value *x, int a, const struct mc_value *y, int b,
                   struct mc_error *err);
/* Index i of (x, a) and index j of (y, b) go together. */
int mc_couple_index(struct mc_coupling *c, const struct mc_value *x, int a, int64_t i, const struct mc_value *y, int b,
                    int64_t j, struct mc_error *err);
/* All axes of x and y that line up under Numpy broadcasting from the right; size-1 axes of an operand are left alone.
 */
int mc_couple_broadcast(struct mc_coupling *c, const struct mc_value *x, const struct mc_value *y,
                        struct mc_error *err);
/* Freeze an axis, or every axis of a value (axis -1); `why` is kept for the report ("graph output", "sum over …"), so
 * it must be a literal. Axes of a node's operands that its rule does not mention are frozen right after it. */
int mc_couple_freeze(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                     const char *why, struct mc_error *err);
/* Freeze index i of an axis. */
int mc_couple_freeze_index(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                           int64_t i, const char *why, struct mc_error *err);
/* Has every index of the axis been frozen, by graph inputs or by the rules of earlier nodes? Where a rule may choose
 * which of several axes shall carry the channels (a reshape that merges them), it leaves these aside. */
bool mc_couple_is_frozen(const struct mc_coupling *c, const struct mc_value *v, int axis);
/* State the role of a parameter's axis. Also of a weight that is computed from a stored one (transposed, say): what is
 * stored takes the role over. */
int mc_couple_role(struct mc_coupling *c, const struct mc_value *v, int axis, enum mc_role role, struct mc_error *err);

/* A place where a channel ends: `node` sums data (x, axis) against weight (w, w_axis). The rule has also tied the two.
 * When a channel with constant contents k is removed, k * (sum of the weight's slice) belongs into the bias. The
 * weight may be computed too (queries against keys): the channel still ends here, and is not movable. Every such place
 * has to be stated: it is where the masked twin masks. */
struct mc_contraction {
    const struct mc_node *node;
    const struct mc_value *data;
    int data_axis;
    const struct mc_value *weight;
    int weight_axis;     /* the axis summed with the data's */
    int weight_out_axis; /* the axis that becomes the output channel */
    int64_t groups;      /* convolution groups (1: dense) */
    int bias_input;      /* input of the node that takes a bias [outputs], or -1: an Add must follow */
    int out_axis;        /* axis of the output that has the weight's output channels */
    bool movable;        /* false: zero padding or the like make a constant not equal to a bias */
};
int mc_couple_contraction(struct mc_coupling *c, const struct mc_contraction *contraction, struct mc_error *err);

/* A node that takes statistics along an axis of its input: a mean, a norm, a sum. */
struct mc_statistic {
    const struct mc_node *node;
    const struct mc_value *value;
    int axis;
};

/* When indices of (x, axis) are gone the node takes its statistics over what is left, and there removal is more than
 * masking: the masked twin does the same (prune/narrow.h). An axis of what is fixed is frozen: a weight would change
 * with its neighbours. */
int mc_couple_statistic(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *x, int axis,
                        struct mc_error *err);

/* A rule that cannot say all that could be said asks which of n ways to take (n <= MC_MAX_RANK), in the order of its
 * preference: in way w index after index of (v, axes[w]) can go. Where nothing of that axis can in the end, another way
 * is tried. Returns the way, or -1 without memory. */
int mc_couple_way(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, const int *axes, int n);
/* (v, axis) counts products that have nothing to do with each other, as those of attention heads: who removes whole
 * heads prefers a way along it. */
int mc_couple_heads(struct mc_coupling *c, const struct mc_value *v, int axis, struct mc_error *err);

/* Contents that depend on no graph input, not even on its shape: initializers, Constants, and what is computed from
 * those alone. */
bool mc_coupling_is_fixed(const struct mc_coupling *c, const struct mc_value *v);
/* Is it stored in the model (initializer, or output of a node without inputs), so that the surgery can cut it? */
bool mc_coupling_is_parameter(const struct mc_coupling *c, const struct mc_value *v);

/* Stock rules, for descriptors. */
int mc_coupling_elementwise(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err); /* broadcasting,
    any number of inputs; a parameter that broadcasts along an axis is no obstacle */
int mc_coupling_first_input(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err); /* output 0 has
    the axes of input 0 one to one */
int mc_coupling_statistics(struct mc_coupling *c, const struct mc_node *node, const int64_t *axes, int n,
                           struct mc_error *err); /* the same, with statistics along n axes */
int mc_coupling_freeze_all(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err);

/* One set of indices that go together. */
struct mc_slice {
    const struct mc_value *value;
    int32_t *indices; /* ascending */
    int32_t n, axis;  /* there is one of these for each channel of each tensor: short numbers keep that small */
};

struct mc_group {
    int n_slices;
    struct mc_slice *slices;         /* parameters and activations */
    const struct mc_node *frozen_by; /* NULL if it may go (or frozen by the graph itself) */
    const char *frozen_why;          /* NULL: it may go */
    int family; /* groups that lie along the same axes (all channels of one layer and what is tied to it) share one */
};

/* Walk the nodes, apply their rules, freeze graph inputs and outputs and whatever an unknown operator touches.
 * `whole_heads`: where attention splits an axis into heads and their features, heads can go, and not features of all
 * heads. */
int mc_coupling_create(struct mc_coupling **coupling, const struct mc_model *model, const struct mc_facts *facts,
                       bool whole_heads, struct mc_error *err);
void mc_coupling_destroy(struct mc_coupling *coupling);

int mc_coupling_n_groups(const struct mc_coupling *c);
int mc_coupling_n_families(const struct mc_coupling *c);
const struct mc_group *mc_coupling_group(const struct mc_coupling *c, int i); /* frozen ones too */
/* The group that index i of (v, axis) belongs to, or -1: no rule spoke of that axis. */
int mc_coupling_group_of(const struct mc_coupling *c, const struct mc_value *v, int axis, int64_t i);
int mc_coupling_n_contractions(const struct mc_coupling *c);
const struct mc_contraction *mc_coupling_contraction(const struct mc_coupling *c, int i);
int mc_coupling_n_statistics(const struct mc_coupling *c);
const struct mc_statistic *mc_coupling_statistic(const struct mc_coupling *c, int i);
enum mc_role mc_coupling_role(const struct mc_coupling *c, const struct mc_value *v, int axis);

/* After the tensors were cut: what a resize rule may ask. */
/* Indices along (v, axis) that stay, ascending, and how many; NULL with *n = old extent when all stay. */
const int64_t *mc_resize_kept(const struct mc_resize *r, const struct mc_value *v, int axis, int64_t *n);
int64_t mc_resize_old_extent(const struct mc_resize *r, const struct mc_value *v, int axis);
int64_t mc_resize_new_extent(const struct mc_resize *r, const struct mc_value *v, int axis);
/* What was known of a value before the cut; NULL: nothing. */
const struct mc_fact *mc_resize_fact(const struct mc_resize *r, const struct mc_value *v);
/* Was any index of any axis of it removed? */
bool mc_resize_changed(const struct mc_resize *r, const struct mc_value *v);
/* The constant that input i of the node holds (initializer or folded); NULL if it is computed at run time. */
const struct mc_tensor *mc_resize_constant(const struct mc_resize *r, const struct mc_node *node, int i);
/* What input i of the node holds once shapes are smaller, where that follows from shapes alone; NULL if it does not. */
const struct mc_tensor *mc_resize_computed(const struct mc_resize *r, const struct mc_node *node, int i);
/* Give input i of the node a constant of its own (a fresh initializer; takes over the tensor). */
int mc_resize_set_constant(struct mc_resize *r, struct mc_node *node, int i, struct mc_tensor *tensor,
                           struct mc_error *err);

#endif
