/* outlines.h - shapes of values with the dimensions that a model leaves open still open, as expressions over their
 * names.
 *
 * Where facts (facts.h) answer for one assignment of the open dimensions, outlines answer for all: [batch, 2*seq + 1].
 * What depends on no open dimension is taken from the facts; for the rest each operator's rule `outline` says it, and
 * follows the contents of small integer tensors as well, from which exporters compute shapes. What no rule can say is
 * unknown.
 */
#ifndef MC_GRAPH_OUTLINES_H
#define MC_GRAPH_OUTLINES_H

#include "graph/facts.h"
#include "graph/symbol.h"

/* Contents of more elements are not followed: shapes, and pads of them. */
enum { MC_OUTLINE_ITEMS = 2 * MC_MAX_RANK };

struct mc_outline {
    int rank; /* -1: unknown, as all that follows */
    mc_symbol dim[MC_MAX_RANK];
    int n_items; /* of an integer tensor whose contents are followed; -1: they are not */
    mc_symbol item[MC_OUTLINE_ITEMS];
    const struct mc_tensor *constant; /* the contents, whatever they are, if they depend on no open dimension */
};

struct mc_outlines {
    int n_values;
    struct mc_outline *of; /* by value id, of the main graph's values; those of graphs within are unknown */
    struct mc_symbols *symbols;
    struct mc_facts facts; /* of what depends on no open dimension */
};

/* How a node runs a graph turn by turn, said by its operator's rule `outline_turns`: before the first turn, and once
 * more when it is known what all turns make. */
struct mc_outline_turns {
    const struct mc_graph *body;
    struct mc_outline *fed;        /* what each input of the body is given that is no initializer; comes in unknown */
    const struct mc_outline *made; /* each output of the body; NULL: not known yet */
    /* Output first_made + i of a turn is input first_fed + i of the next, and after the last one output i of the node;
     * what the body makes behind those is put side by side along a new axis, axes[0] and so on, 0 beyond the list. */
    int n_carried, first_fed, first_made;
    const int64_t *axes;
    int64_t n_axes;
    mc_symbol n_turns;
};

/* Never fails for the model's sake. An open dimension without a name is called as --dims calls it: x.2 for the third of
 * input x; one that the model's extents settle is that number. */
int mc_outlines_create(struct mc_outlines *outlines, const struct mc_model *model, mc_evaluate_fn *evaluate,
                       void *context, struct mc_error *err);
void mc_outlines_finish(struct mc_outlines *outlines);

/* "[batch,2*seq + 1]"; "?" if not even the rank is known. */
void mc_outline_print(const struct mc_outlines *outlines, const struct mc_value *v, struct mc_buf *out);

#endif
