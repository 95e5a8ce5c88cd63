/* origin.c - counting the users of what a model was read from; see origin.h. */
#include "graph/origin.h"

#include <stddef.h>

struct mc_origin *mc_origin_retain(struct mc_origin *origin)
{
    if (origin) atomic_fetch_add_explicit(&origin->users, 1, memory_order_relaxed);
    return origin;
}

void mc_origin_release(void *origin)
{
    struct mc_origin *o = origin;
    if (o && atomic_fetch_sub_explicit(&o->users, 1, memory_order_acq_rel) == 1) o->destroy(o);
}
