/* explain.h - what a removal of groups did and why, into records. */
#ifndef MC_PRUNE_EXPLAIN_H
#define MC_PRUNE_EXPLAIN_H

#include "prune/cut.h"

/* The keys that mc_shrink documents for its section, up to the twin. */
void mc_explain_section(const struct mc_cut *cut, struct mc_record *section);
/* One object for a family: tensor, axis, width; groups, scores and what is tied, or why all of it stays. */
void mc_explain_family(const struct mc_cut *cut, int family, struct mc_record *object);
/* The keys of mc_shrink's explanation. */
void mc_explain_groups(const struct mc_cut *cut, struct mc_record *explain);

#endif
