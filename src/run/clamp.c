/* clamp.c - holding slices of values at constants (the masked twin); see struct mc_clamp in plan.h. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "kernel/copy.h"
#include "run/plan_state.h"

static int check(const struct mc_plan *plan, const struct mc_clamp *c, struct mc_error *err)
{
    const struct mc_fact *fact = &plan->facts.of[c->value->id];
    const char *name = c->value->name;
    if (plan->options.training) return mc_error_set(err, MC_ERR_USAGE, "a training plan cannot clamp '%s'", name);
    if (fact->dtype == MC_UNDEFINED || mc_dtype_bits(fact->dtype) < 8 || fact->dtype == MC_STRING)
        return mc_error_set(err, MC_ERR_USAGE, "cannot clamp '%s' of type %s", name, mc_dtype_name(fact->dtype));
    if (c->axis < 0 || c->axis >= fact->shape.rank)
        return mc_error_set(err, MC_ERR_USAGE, "cannot clamp '%s' along axis %d of %d", name, c->axis,
                            fact->shape.rank);
    for (int64_t i = 0; i < c->n; i++)
        if (c->indices[i] < 0 || c->indices[i] >= fact->shape.dim[c->axis])
            return mc_error_set(err, MC_ERR_USAGE, "cannot clamp '%s' at index %" PRId64 " of %" PRId64, name,
                                c->indices[i], fact->shape.dim[c->axis]);
    return MC_OK;
}

static int create(struct mc_plan *plan, const struct mc_clamp *from, struct mc_plan_clamp *to, struct mc_error *err)
{
    int rc = check(plan, from, err);
    if (rc < 0) return rc;
    int64_t *indices = MC_PLAN_ARRAY(plan, int64_t, from->n);
    if (!indices) return mc_error_memory(err);
    if (from->n) memcpy(indices, from->indices, (size_t)from->n * sizeof *indices);
    const struct mc_shape shape = mc_shape_of(1, &from->n);
    rc = mc_tensor_create(&to->fill, plan->facts.of[from->value->id].dtype, &shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < from->n; i++) mc_tensor_set_f64(to->fill, i, from->fill[i]);
    to->value = &plan->values[from->value->id];
    to->value->clamped = true;
    to->axis = from->axis;
    to->n = from->n;
    to->seen = from->seen;
    to->context = from->context;
    to->indices = indices;
    return MC_OK;
}

/* Clamps of one value stand together afterwards, so that whoever produces it takes a run of them. */
static void sort_by_value(struct mc_plan_clamp *clamps, int n)
{
    for (int i = 1; i < n; i++) {
        const struct mc_plan_clamp c = clamps[i];
        int k = i;
        for (; k > 0 && clamps[k - 1].value > c.value; k--) clamps[k] = clamps[k - 1];
        clamps[k] = c;
    }
}

int mc_clamps_create(struct mc_plan *plan, struct mc_error *err)
{
    plan->clamps = MC_PLAN_ARRAY(plan, struct mc_plan_clamp, plan->options.n_clamps);
    if (!plan->clamps) return mc_error_memory(err);
    for (int i = 0; i < plan->options.n_clamps; i++) {
        const int rc = create(plan, &plan->options.clamps[i], &plan->clamps[plan->n_clamps++], err);
        if (rc < 0) return rc;
    }
    sort_by_value(plan->clamps, plan->n_clamps);
    return MC_OK;
}

void mc_clamps_finish(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_clamps; i++) mc_tensor_destroy(plan->clamps[i].fill);
    plan->n_clamps = 0;
}

const struct mc_plan_clamp *mc_clamps_of(const struct mc_plan *plan, const struct mc_plan_value *value, int *n)
{
    int first = 0;
    while (first < plan->n_clamps && plan->clamps[first].value != value) first++;
    *n = 0;
    while (first + *n < plan->n_clamps && plan->clamps[first + *n].value == value) ++*n;
    return plan->clamps + first;
}

void mc_clamp_apply(const struct mc_plan_clamp *clamps, int n)
{
    for (int i = 0; i < n; i++) {
        const struct mc_plan_clamp *c = &clamps[i];
        const struct mc_tensor *t = &c->value->tensor;
        const int64_t outer = mc_shape_span(&t->shape, 0, c->axis);
        const int64_t inner = mc_shape_span(&t->shape, c->axis + 1, t->shape.rank);
        const size_t size = (size_t)mc_dtype_bits(t->dtype) / 8;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t k = 0; k < c->n; k++) {
                const int64_t at = (o * t->shape.dim[c->axis] + c->indices[k]) * inner;
                mc_fill((char *)t->data + (size_t)at * size, (const char *)c->fill->data + (size_t)k * size, inner,
                        size);
            }
        if (c->seen) c->seen(c->context, t);
    }
}

void mc_clamps_copy(const struct mc_plan *plan, int k)
{
    for (int i = 0; i < plan->n_clamps; i++) {
        struct mc_plan_value *v = plan->clamps[i].value;
        const struct mc_value *value = plan->model->values[v - plan->values];
        if (!value->data || v->buffer == MC_NO_BUFFER || v->first != k) continue;
        if (i == 0 || plan->clamps[i - 1].value != v)
            memcpy(v->tensor.data, value->data->data, mc_tensor_bytes(value->data));
        mc_clamp_apply(&plan->clamps[i], 1);
    }
}
