/* widths.h - bounds of widths for single layers: "NAMES=BOUNDS, …", as "conv*=16..64/8, head=32".
 *
 * BOUNDS are a number, or LEAST..MOST of which either may be missing, then perhaps /MULTIPLE. NAMES has * and ?, and
 * stands for the tensor that makes a layer's channels. The first entry that fits counts; of entries that fit a name
 * letter for letter each is good for one layer (of several that one tensor makes), in their order.
 */
#ifndef MC_PRUNE_WIDTHS_H
#define MC_PRUNE_WIDTHS_H

#include "compress/compress.h"

struct mc_widths;

struct mc_width_bounds {
    int64_t least, most; /* least >= 1; most INT64_MAX: no bound */
    int64_t multiple;    /* 0: not said */
};

/* NULL `text` has no entries. MC_ERR_USAGE names the entry that is none. */
int mc_widths_create(struct mc_widths **widths, const char *text, struct mc_error *err);
void mc_widths_destroy(struct mc_widths *widths);

/* Bounds of the next layer whose channels the tensor makes; false: none were given. */
bool mc_widths_take(struct mc_widths *widths, const char *tensor, struct mc_width_bounds *bounds);
/* Once all layers have taken theirs: MC_ERR_USAGE names an entry that was none's. */
int mc_widths_check_taken(const struct mc_widths *widths, struct mc_error *err);

#endif
