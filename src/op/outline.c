/* outline.c - what outline rules share; see outline.h. */
#include "op/outline.h"

struct mc_outline mc_outline_of_rank(int rank)
{
    return (struct mc_outline){.rank = rank <= MC_MAX_RANK ? rank : -1, .n_items = -1};
}

void mc_outline_append(struct mc_outline *outline, mc_symbol extent)
{
    if (outline->rank < 0 || outline->rank == MC_MAX_RANK)
        outline->rank = -1;
    else
        outline->dim[outline->rank++] = extent;
}

mc_symbol mc_outline_item(const struct mc_outline *outline, int i)
{
    if (outline->n_items < 1) return MC_SYMBOL_UNKNOWN;
    return outline->item[outline->n_items == 1 ? 0 : i];
}

mc_symbol mc_outline_span(struct mc_symbols *s, const struct mc_outline *outline, int first, int last)
{
    mc_symbol span = mc_symbol_number(s, 1);
    for (int k = first; k < last; k++) span = mc_symbol_multiply(s, span, outline->dim[k]);
    return span;
}

/* --- shapes of inputs --- */

void mc_outline_same(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                     struct mc_outline *out)
{
    out[0] = *in[0];
    out[0].n_items = -1;
    out[0].constant = NULL;
}

void mc_outline_same_all(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    for (int i = 0; i < node->n_outputs; i++) mc_outline_same(s, node, in, &out[i]);
}

void mc_outline_copy(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                     struct mc_outline *out)
{
    out[0] = *in[0];
    out[0].constant = NULL;
}

/* --- broadcasting --- */

mc_symbol mc_outline_wider(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    int64_t x, y;
    const bool number_a = mc_symbol_is_number(s, a, &x), number_b = mc_symbol_is_number(s, b, &y);
    if (a == b || (number_b && y == 1) || (number_a && x != 1)) return a;
    if ((number_a && x == 1) || (number_b && y != 1)) return b;
    return mc_symbol_greatest(s, a, b);
}

struct mc_outline mc_outline_join(struct mc_symbols *s, const struct mc_outline *a, const struct mc_outline *b)
{
    if (a->rank < b->rank) return mc_outline_join(s, b, a);
    struct mc_outline both = mc_outline_of_rank(b->rank < 0 ? -1 : a->rank);
    const int shift = a->rank - b->rank;
    for (int k = 0; k < both.rank; k++)
        both.dim[k] = k < shift ? a->dim[k] : mc_outline_wider(s, a->dim[k], b->dim[k - shift]);
    return both;
}

void mc_outline_broadcast(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    out[0] = mc_outline_of_rank(0);
    for (int i = 0; i < node->n_inputs; i++)
        if (in[i]) out[0] = mc_outline_join(s, &out[0], in[i]);
}

/* --- parameters --- */

struct mc_outline_list mc_outline_list_of(struct mc_symbols *s, const struct mc_node *node,
                                          const struct mc_outline *const *in, const char *attribute, int i)
{
    struct mc_outline_list list = {.given = true, .known = true};
    const struct mc_attr *attr = attribute ? mc_node_attr(node, attribute) : NULL;
    int64_t n = 0;
    if (attr) {
        const int64_t *ints = mc_node_ints(node, attribute, &n);
        list.known = attr->type == MC_ATTR_INTS && n <= MC_OUTLINE_ITEMS;
        for (; list.known && list.n < n; list.n++) list.at[list.n] = mc_symbol_number(s, ints[list.n]);
    } else if (i < node->n_inputs && in[i]) {
        list.known = in[i]->n_items >= 0;
        for (; list.known && list.n < in[i]->n_items; list.n++) list.at[list.n] = in[i]->item[list.n];
    } else {
        list.given = false;
    }
    return list;
}

bool mc_outline_axes(const struct mc_symbols *s, const struct mc_outline_list *list, int rank, struct mc_ints *axes)
{
    if (list->given && !list->known) return false;
    *axes = (struct mc_ints){.given = list->given, .n = list->given ? list->n : rank};
    for (int k = 0; k < axes->n; k++) {
        axes->at[k] = k;
        if (list->given && !mc_symbol_is_number(s, list->at[k], &axes->at[k])) return false;
    }
    return mc_ints_as_axes(axes, rank, NULL) == 0;
}

bool mc_outline_axis(const struct mc_node *node, int64_t otherwise, int rank, int *axis)
{
    return rank >= 0 && mc_need_axis(mc_node_int(node, "axis", otherwise), rank, axis, NULL) == 0;
}

/* --- contents --- */

void mc_outline_combine(struct mc_symbols *s, const struct mc_outline *const *in, struct mc_outline *out,
                        mc_symbol (*f)(struct mc_symbols *s, mc_symbol a, mc_symbol b))
{
    out[0] = mc_outline_join(s, in[0], in[1]);
    const int a = in[0]->n_items, b = in[1]->n_items, n = a > b ? a : b;
    if (out[0].rank < 0 || out[0].rank > 1 || a < 1 || b < 1 || (a != b && a != 1 && b != 1)) return;
    out[0].n_items = n;
    for (int i = 0; i < n; i++) out[0].item[i] = f(s, mc_outline_item(in[0], i), mc_outline_item(in[1], i));
}
