/* merge_rule.h - what merge rules (mc_op.merge) look at graphs with. */
#ifndef MC_OP_MERGE_RULE_H
#define MC_OP_MERGE_RULE_H

#include "graph/facts.h"

/* What is known of a value; NULL: nothing before it runs. */
static inline const struct mc_fact *mc_merge_fact(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_fact *fact = v && v->id < m->facts->n_values ? &m->facts->of[v->id] : NULL;
    return fact && fact->dtype != MC_UNDEFINED && !fact->open ? fact : NULL;
}

/* What makes v, if that is its meaning. */
static inline const struct mc_node *mc_merge_maker(const struct mc_value *v, enum mc_meaning means)
{
    const struct mc_node *node = v ? v->producer : NULL;
    return node && node->op && node->op->means == means ? node : NULL;
}

/* One known float; NULL: it is not. */
static inline const struct mc_tensor *mc_merge_number(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_tensor *t = m->constant(m, v);
    return t && t->dtype == MC_FLOAT && mc_tensor_count(t) == 1 ? t : NULL;
}

/* A further inner node; false: there are too many. */
static inline bool mc_merge_take(struct mc_merge *m, const struct mc_node *node)
{
    if (m->n_inner == MC_MERGE_MOST) return false;
    m->inner[m->n_inner++] = node;
    return true;
}

#endif
