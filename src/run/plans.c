/* plans.c - plans kept by shapes; see plans.h. */
#include "run/plans.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static bool same_fact(const struct mc_fact *a, const struct mc_fact *b)
{
    return a->open == b->open && a->dtype == b->dtype && a->constant == b->constant &&
           mc_shape_equal(&a->shape, &b->shape);
}

static bool same_dims(const struct mc_dims *a, const struct mc_dims *b)
{
    if (a->batch != b->batch || a->graph != b->graph || a->n_inputs != b->n_inputs || a->n_given != b->n_given)
        return false;
    for (int i = 0; i < a->n_inputs; i++)
        if (!mc_shape_equal(&a->shape[i], &b->shape[i])) return false;
    for (int i = 0; i < a->n_given; i++)
        if (a->given[i].value != b->given[i].value || !same_fact(&a->given[i].fact, &b->given[i].fact)) return false;
    return true;
}

static void finish(struct mc_plans_entry *entry)
{
    mc_plan_destroy(entry->plan);
    mc_free((void *)entry->dims.shape);
    mc_free((void *)entry->dims.given);
    *entry = (struct mc_plans_entry){0};
}

static int copy_dims(struct mc_dims *to, const struct mc_dims *from, struct mc_error *err)
{
    struct mc_shape *shape = MC_NEW_ARRAY(struct mc_shape, from->n_inputs + 1);
    struct mc_given *given = MC_NEW_ARRAY(struct mc_given, from->n_given + 1);
    *to = *from;
    to->shape = shape;
    to->given = given;
    if (!shape || !given) return mc_error_memory(err);
    if (from->n_inputs) memcpy(shape, from->shape, (size_t)from->n_inputs * sizeof *shape);
    if (from->n_given) memcpy(given, from->given, (size_t)from->n_given * sizeof *given);
    return MC_OK;
}

/* A place for one more. */
static struct mc_plans_entry *make_room(struct mc_plans *plans)
{
    struct mc_plans_entry *oldest = &plans->at[0];
    if (plans->n < MC_PLANS_MOST) return &plans->at[plans->n++];
    for (int i = 1; i < plans->n; i++)
        if (plans->at[i].used < oldest->used) oldest = &plans->at[i];
    finish(oldest);
    return oldest;
}

int mc_plans_find(struct mc_plans *plans, const struct mc_model *model, const struct mc_plan_options *options,
                  struct mc_plan **plan, struct mc_error *err)
{
    struct mc_plans_entry *entry = NULL;
    for (int i = 0; i < plans->n && !entry; i++)
        if (plans->at[i].plan && same_dims(&plans->at[i].dims, &options->dims)) entry = &plans->at[i];
    if (!entry) {
        entry = make_room(plans);
        int rc = copy_dims(&entry->dims, &options->dims, err);
        if (rc == MC_OK) rc = mc_plan_create(&entry->plan, model, options, err);
        if (rc < 0) {
            finish(entry);
            return rc;
        }
    }
    entry->used = ++plans->clock;
    *plan = entry->plan;
    return MC_OK;
}

void mc_plans_finish(struct mc_plans *plans)
{
    for (int i = 0; i < plans->n; i++) finish(&plans->at[i]);
    *plans = (struct mc_plans){0};
}
