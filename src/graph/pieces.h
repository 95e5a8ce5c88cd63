/* pieces.h - the contents of initializers piece by piece, for models that are larger than memory. */
#ifndef MC_GRAPH_PIECES_H
#define MC_GRAPH_PIECES_H

#include "graph/graph.h"

/* A change of an initializer that waits until it is written to a file: made in memory, it would need room for all that
 * a mapping need not hold. Whoever looks at mc_value.data sees them as they were; those below see the change. It holds
 * from the last step of a recipe to the file. */
struct mc_edit {
    int64_t unit; /* pieces are multiples of so many elements, but for the last */
    /* Change elements [first, first + n), which begin at `elements`. Pieces come in order, from the first on. */
    int (*apply)(const struct mc_edit *edit, int64_t first, int64_t n, void *elements, struct mc_error *err);
    void *context;    /* of apply, in the model's arena */
    int64_t nonzeros; /* elements that are not zero then; -1: nobody has counted */
};

/* Visit the contents of an initializer as they will be written, elements [first, first + n) after each other; what was
 * mapped for that is given back. Strings and types under a byte come in one piece. `visit` returns 0 or a status, which
 * ends it. Where there is a change and several pieces it runs on a thread of its own, while the next piece is made.
 * MC_ERR_SYSTEM without memory. */
typedef int mc_piece_fn(void *context, const void *elements, int64_t n, struct mc_error *err);
int mc_value_visit(const struct mc_value *value, mc_piece_fn *visit, void *context, struct mc_error *err);

/* Make a change in place, the contents being the value's own. */
int mc_edit_contents(const struct mc_edit *edit, struct mc_tensor *tensor, struct mc_error *err);

/* Elements that are not zero, as they will be written. */
int mc_value_nonzeros(const struct mc_value *value, int64_t *nonzeros, struct mc_error *err);

#endif
