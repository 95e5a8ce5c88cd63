/* steps.c - the table of steps; see steps.h. */
#include "recipe/steps.h"

#include <string.h>

#include "base/alloc.h"

const struct mc_step_kind *const mc_steps[] = {&mc_step_train,   &mc_step_finetune, &mc_step_prune,
                                               &mc_step_distill, &mc_step_cluster,  &mc_step_optimize};
const size_t mc_steps_count = MC_COUNT(mc_steps);

const struct mc_step_kind *mc_steps_find(const char *name)
{
    for (size_t i = 0; i < mc_steps_count; i++)
        if (strcmp(mc_steps[i]->name, name) == 0) return mc_steps[i];
    return NULL;
}
