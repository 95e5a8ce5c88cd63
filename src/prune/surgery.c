/* surgery.c - cutting groups out of a model: tensors, declared types, then whatever the nodes beside them must mend.
 *
 * Everything is found through the coupling; no operator is known here.
 */
#include "prune/surgery.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/resize.h"
#include "run/plan.h"

bool mc_index_goes(const struct mc_coupling *coupling, const bool *goes, const struct mc_value *v, int axis, int64_t i)
{
    const int group = mc_coupling_group_of(coupling, v, axis, i);
    return group >= 0 && goes[group];
}

int mc_tensor_keep(struct mc_tensor **kept, const struct mc_tensor *of, int axis, const int64_t *indices, int64_t n,
                   struct mc_error *err)
{
    assert(mc_dtype_bits(of->dtype) % 8 == 0 && of->dtype != MC_STRING);
    struct mc_shape shape = of->shape;
    shape.dim[axis] = n;
    const int rc = mc_tensor_create(kept, of->dtype, &shape, err);
    if (rc < 0) return rc;
    const size_t size = (size_t)mc_dtype_bits(of->dtype) / 8;
    const size_t row = (size_t)mc_shape_span(&shape, axis + 1, shape.rank) * size;
    const size_t plane = (size_t)of->shape.dim[axis] * row;
    const int64_t outer = mc_shape_span(&shape, 0, axis);
    unsigned char *to = (*kept)->data;
    const unsigned char *from = of->data;
    for (int64_t o = 0; o < outer; o++, from += plane)
        for (int64_t i = 0; i < n; i++, to += row) memcpy(to, from + (size_t)indices[i] * row, row);
    return 0;
}

int mc_parameter_set(struct mc_model *model, struct mc_value *v, struct mc_tensor *tensor, struct mc_error *err)
{
    if (v->data) {
        mc_value_set_data(v, tensor);
        return 0;
    }
    assert(v->producer && v->producer->n_inputs == 0);
    struct mc_node *producer = v->producer;
    const int rc = mc_value_store(v, tensor, err);
    mc_node_remove(producer);
    return rc;
}

static int cut_parameter(struct mc_model *model, const struct mc_resize *r, struct mc_value *v,
                         const struct mc_tensor *contents, struct mc_error *err)
{
    struct mc_tensor *whole = NULL;
    int rc = mc_tensor_view(&whole, contents, NULL, 0, err);
    for (int axis = 0; axis < contents->shape.rank && rc == 0; axis++) {
        int64_t n;
        const int64_t *indices = mc_resize_kept(r, v, axis, &n);
        struct mc_tensor *kept = NULL;
        if (!indices) continue;
        rc = mc_tensor_keep(&kept, whole, axis, indices, n, err);
        mc_tensor_destroy(whole);
        whole = kept;
    }
    return rc < 0 ? rc : mc_parameter_set(model, v, whole, err);
}

/* Declared extents that were numbers stay numbers. */
static void cut_type(const struct mc_resize *r, struct mc_value *v)
{
    for (int axis = 0; axis < v->type.rank; axis++)
        if (v->type.dim[axis] >= 0) v->type.dim[axis] = mc_resize_new_extent(r, v, axis);
}

int mc_surgery(struct mc_model *model, const struct mc_coupling *coupling, const int *groups, int n_groups,
               struct mc_error *err)
{
    struct mc_resize *r = NULL;
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    int rc = mc_resize_create(&r, model, coupling, groups, n_groups, err);
    if (rc == 0) rc = mc_resize_follow(r, mc_plan_evaluate_node, &runtime, err);
    const int n_values = model->n_values; /* what the cut adds is not to be cut */
    for (int id = 0; id < n_values && rc == 0; id++) {
        struct mc_value *v = model->values[id];
        if (!v || !mc_resize_changed(r, v)) continue;
        if (mc_coupling_is_parameter(coupling, v))
            rc = cut_parameter(model, r, v, mc_coupling_fact(coupling, v)->constant, err);
        else
            cut_type(r, v);
    }
    if (rc == 0) rc = mc_resize_nodes(r, err);
    mc_resize_destroy(r);
    return rc;
}
