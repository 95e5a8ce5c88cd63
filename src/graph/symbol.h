/* symbol.h - integers as expressions over dimensions that a model leaves open.
 *
 * An expression is a sum of products of atoms: named dimensions, quotients rounded down, minima, maxima. Sums are kept
 * in one order and stored once, so that two expressions that multiply out to the same sum are the same number, and can
 * be compared like one. A named dimension is at least 1; what follows from that (max(n, 1) is n) is used.
 *
 * MC_SYMBOL_UNKNOWN stands for what cannot be said: it goes in, it comes out; so does whatever outgrows a limit, or
 * memory. Nobody has to check on the way.
 */
#ifndef MC_GRAPH_SYMBOL_H
#define MC_GRAPH_SYMBOL_H

#include "base/arena.h"
#include "base/buf.h"

typedef int32_t mc_symbol;
enum { MC_SYMBOL_UNKNOWN = 0 };

struct mc_symbols; /* where expressions are stored */

struct mc_symbols *mc_symbols_create(void); /* NULL: no memory */
void mc_symbols_destroy(struct mc_symbols *symbols);

mc_symbol mc_symbol_number(struct mc_symbols *symbols, int64_t value);
mc_symbol mc_symbol_named(struct mc_symbols *symbols, const char *name); /* the name is copied */

mc_symbol mc_symbol_add(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
mc_symbol mc_symbol_subtract(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
mc_symbol mc_symbol_multiply(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
/* a / b rounded down; unknown unless b is certainly at least 1. */
mc_symbol mc_symbol_divide(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
mc_symbol mc_symbol_divide_up(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
mc_symbol mc_symbol_least(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);
mc_symbol mc_symbol_greatest(struct mc_symbols *symbols, mc_symbol a, mc_symbol b);

/* a + number and a * number */
mc_symbol mc_symbol_plus(struct mc_symbols *symbols, mc_symbol a, int64_t number);
mc_symbol mc_symbol_times(struct mc_symbols *symbols, mc_symbol a, int64_t number);

bool mc_symbol_is_number(const struct mc_symbols *symbols, mc_symbol a, int64_t *value);
/* Is it certain that a >= bound, whatever the dimensions? */
bool mc_symbol_at_least(const struct mc_symbols *symbols, mc_symbol a, int64_t bound);

/* Its value when each named dimension is what `extent` says; false if it is unknown or beyond 64 bits. */
typedef int64_t mc_symbol_extent_fn(void *context, const char *name);
bool mc_symbol_value(const struct mc_symbols *symbols, mc_symbol a, mc_symbol_extent_fn *extent, void *context,
                     int64_t *value);

/* "2*seq + 1", "floor((h + 1)/2)", "?" for the unknown */
void mc_symbol_print(const struct mc_symbols *symbols, mc_symbol a, struct mc_buf *out);

#endif
