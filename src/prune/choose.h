/* choose.h - which coupled groups go. */
#ifndef MC_PRUNE_CHOOSE_H
#define MC_PRUNE_CHOOSE_H

#include "prune/prune.h"

/* Groups that lie along the same axes, of which some may go. */
struct mc_family {
    int n_groups;                  /* that may go or are frozen */
    int n_free;                    /* that may go */
    int *free;                     /* those, the least important first */
    int64_t size;                  /* indices of a group along `axis` of `tensor` */
    int unit;                      /* a kept width is a multiple of what it should be when this many groups are */
    int least, most;               /* groups that have to go, and that may */
    int n_removed;                 /* the first of `free` */
    const struct mc_value *tensor; /* the parameter that stands for the family */
    int axis;
    const char *why; /* n_free == 0: why the first of its groups has to stay */
    const struct mc_node *by;
};

struct mc_choice {
    int n_families;
    struct mc_family *families; /* by the coupling's numbers; without `tensor` where no weight belongs to one */
    int *pool;                  /* of all `free` */
    bool *goes;                 /* by group */
    int n_groups;
    int *groups; /* those that go, ascending */
    int64_t macs_before, macs_after;
    int64_t cost_before; /* of what the budget counts */
    int64_t cost_after;  /* the same, set for a budget */
};

/* `importance`: mc_importance. MC_ERR_USAGE for options out of range and for a budget that
 * cannot be met (the message says what can); MC_ERR_UNSUPPORTED when nothing may go at all. */
int mc_choose(struct mc_choice *choice, const struct mc_model *model, const struct mc_facts *facts,
              const struct mc_coupling *coupling, const double *importance, const struct mc_shrink_options *options,
              struct mc_error *err);
void mc_choice_finish(struct mc_choice *choice);

/* Set `goes` of n_groups groups by what is removed of the families. */
void mc_choice_mark(struct mc_choice *choice, int n_groups);
/* Those for which `goes` says so, ascending; returns how many. */
int mc_list_going(const bool *goes, int n_groups, int *groups);

/* Indices of an axis that go with the chosen groups. */
int64_t mc_choice_count(const struct mc_choice *choice, const struct mc_coupling *coupling, const struct mc_value *v,
                        int axis);
/* Why a group has to stay, and the node that says so (NULL: none does); NULL: it may go. */
const char *mc_choice_objection(const struct mc_coupling *coupling, const struct mc_shrink_options *options,
                                const struct mc_group *group, const struct mc_node **by);

/* What the budget counts in the model without the groups for which `goes` says so (NULL: in all of it). */
int mc_choice_cost(int64_t *cost, enum mc_budget budget, const struct mc_model *model, const struct mc_facts *facts,
                   const struct mc_coupling *coupling, const bool *goes, struct mc_error *err);

#endif
