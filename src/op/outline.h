/* outline.h - what outline rules share: shapes with open dimensions (graph/outlines.h).
 *
 * An outline rule tells what it can and leaves the rest unknown. It refuses nothing, that is the shape rule's business,
 * and may take the model to be right: what is to agree, agrees. An extent that is computed is taken not to be 0.
 */
#ifndef MC_OP_OUTLINE_H
#define MC_OP_OUTLINE_H

#include "graph/outlines.h"
#include "op/move.h"

/* Out 0 has the shape of in 0. */
void mc_outline_same(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                     struct mc_outline *out);
/* All outputs have it. */
void mc_outline_same_all(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out);
/* Out 0 has the shape of in 0, and its contents where they are integers. */
void mc_outline_copy(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                     struct mc_outline *out);
/* Out 0 has the shape to which all inputs broadcast. */
void mc_outline_broadcast(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out);

/* The extent to which two broadcast. */
mc_symbol mc_outline_wider(struct mc_symbols *s, mc_symbol a, mc_symbol b);
/* The shape to which two broadcast; contents are not followed. */
struct mc_outline mc_outline_join(struct mc_symbols *s, const struct mc_outline *a, const struct mc_outline *b);
/* Element i of the contents, of which there is one for all or one each; unknown if they are not followed. */
mc_symbol mc_outline_item(const struct mc_outline *outline, int i);
/* Out 0 has the shape to which the two inputs broadcast, and where both are single numbers or lists, f of their
 * contents. */
void mc_outline_combine(struct mc_symbols *s, const struct mc_outline *const *in, struct mc_outline *out,
                        mc_symbol (*f)(struct mc_symbols *s, mc_symbol a, mc_symbol b));
/* The product of the extents first … last - 1. */
mc_symbol mc_outline_span(struct mc_symbols *s, const struct mc_outline *outline, int first, int last);
/* One more extent behind the others; the rank becomes unknown if there are too many. */
void mc_outline_append(struct mc_outline *outline, mc_symbol extent);
/* An outline of this rank with unknown extents; of unknown rank if it is none. */
struct mc_outline mc_outline_of_rank(int rank);

/* Integers that are an attribute in older versions and input i in newer ones. */
struct mc_outline_list {
    bool given;
    bool known; /* if it is given: how many there are, and each */
    int n;
    mc_symbol at[MC_OUTLINE_ITEMS];
};
struct mc_outline_list mc_outline_list_of(struct mc_symbols *s, const struct mc_node *node,
                                          const struct mc_outline *const *in, const char *attribute, int i);
/* The list as axes of a tensor, in 0 … rank-1; all in order where it is not given. False: not known, or no such axes.
 */
bool mc_outline_axes(const struct mc_symbols *s, const struct mc_outline_list *list, int rank, struct mc_ints *axes);
/* An axis attribute likewise. */
bool mc_outline_axis(const struct mc_node *node, int64_t otherwise, int rank, int *axis);

#endif
