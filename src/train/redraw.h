/* redraw.h - the weights of a model drawn anew, as if nobody had trained it. */
#ifndef MC_TRAIN_REDRAW_H
#define MC_TRAIN_REDRAW_H

#include "graph/graph.h"
#include "report/record.h"

/* Of the float32 initializers of the main graph, by what coupling (graph/coupling.h) knows of them:
 * - weights, which make channels of others: normal, with variance 2 / fan-in (He and others 2015, eq. 10), or 1 /
 * fan-in where no weight reads on what they make; fan-in counts the numbers that one of their outputs multiplies
 * - addends 0, factors of normalizations 1; running means 0, running variances 1
 * What is none of these (embeddings, constants of formulas) stays. Contents that are shared with another model are
 * left to that. Operators must be bound. `section` (may be NULL) gets drawn and kept, how many numbers. */
int mc_redraw(struct mc_model *model, uint64_t seed, struct mc_record *section, struct mc_error *err);

#endif
