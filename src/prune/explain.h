/* explain.h - what a removal of groups did and why, into records. */
#ifndef MC_PRUNE_EXPLAIN_H
#define MC_PRUNE_EXPLAIN_H

#include "prune/choose.h"
#include "prune/twin.h"
#include "prune/unshare.h"

/* Everything that was settled; all of it lent. */
struct mc_account {
    const struct mc_shrink_options *options;
    const struct mc_unshared *unshared;
    const struct mc_coupling *coupling;
    const double *importance; /* by group */
    const struct mc_choice *choice;
    const struct mc_twin *twin;
    int64_t n_moved;
    const char *unmeasured; /* why constants could not be found; "": they were */
};

/* The keys that mc_shrink documents for its section. */
void mc_explain_section(const struct mc_account *account, struct mc_record *section);
/* Those of its explanation. */
void mc_explain_groups(const struct mc_account *account, struct mc_record *explain);

#endif
