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

bool mc_value_is_decoded(const struct mc_coupling *coupling, const struct mc_value *v)
{
    const struct mc_fact *fact = mc_coupling_fact(coupling, v);
    const struct mc_node *node = v->producer;
    if (!fact || !node || !mc_dtype_is_float(fact->dtype) || !mc_coupling_is_fixed(coupling, v)) return false;
    if (node->n_outputs != 1 || node->n_inputs == 0 || !node->inputs[0]) return false;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !mc_coupling_is_parameter(coupling, node->inputs[i])) return false;
    return !mc_dtype_is_float(mc_coupling_fact(coupling, node->inputs[0])->dtype);
}

int mc_value_decode(const struct mc_coupling *coupling, const struct mc_value *v, struct mc_tensor **contents,
                    struct mc_error *err)
{
    const struct mc_node *node = v->producer;
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, mc_node_room_in(node));
    struct mc_runtime runtime;
    if (!in) return mc_error_memory(err);
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    for (int i = 0; i < node->n_inputs; i++)
        in[i] = node->inputs[i] ? mc_coupling_fact(coupling, node->inputs[i]) : NULL;
    const int rc = mc_plan_evaluate_node(&runtime, node, in, mc_coupling_fact(coupling, v), contents, err);
    mc_free(in);
    return rc;
}

/* What is left of a tensor, and how far the copy has come. */
struct keeping {
    const int64_t *indices[MC_MAX_RANK]; /* NULL: all */
    int64_t n[MC_MAX_RANK];
    size_t stride[MC_MAX_RANK]; /* bytes, in the whole */
    int last;                   /* the last axis that loses any: what lies below is copied in one piece */
    unsigned char *to;
};

static void keep_words(struct keeping *k, const unsigned char *from)
{
    const int64_t n = k->n[k->last], *indices = k->indices[k->last];
    for (int64_t i = 0; i < n; i++) memcpy(k->to + i * 4, from + indices[i] * 4, 4);
    k->to += n * 4;
}

static void keep_from(struct keeping *k, int axis, const unsigned char *from)
{
    const size_t stride = k->stride[axis];
    if (axis == k->last && stride == 4) {
        keep_words(k, from);
        return;
    }
    for (int64_t i = 0; i < k->n[axis]; i++) {
        const unsigned char *at = from + (size_t)(k->indices[axis] ? k->indices[axis][i] : i) * stride;
        if (axis < k->last) {
            keep_from(k, axis + 1, at);
        } else {
            memcpy(k->to, at, stride);
            k->to += stride;
        }
    }
}

/* Both axes of a matrix at once: what is cut is never there a third time. */
static int keep(struct mc_tensor **kept, const struct mc_tensor *of, struct keeping *k, struct mc_error *err)
{
    struct mc_shape shape = of->shape;
    size_t stride = (size_t)mc_dtype_bits(of->dtype) / 8;
    assert(mc_dtype_bits(of->dtype) % 8 == 0 && of->dtype != MC_STRING);
    k->last = 0;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        k->stride[axis] = stride;
        stride *= (size_t)of->shape.dim[axis];
        shape.dim[axis] = k->n[axis];
        if (k->indices[axis] && axis > k->last) k->last = axis;
    }
    const int rc = mc_tensor_create(kept, of->dtype, &shape, err);
    if (rc < 0) return rc;
    k->to = (*kept)->data;
    keep_from(k, 0, of->data);
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
    struct mc_tensor *kept = NULL;
    struct keeping k = {0};
    for (int axis = 0; axis < contents->shape.rank; axis++) k.indices[axis] = mc_resize_kept(r, v, axis, &k.n[axis]);
    const int rc = keep(&kept, contents, &k, err);
    return rc < 0 ? rc : mc_parameter_set(model, v, kept, err);
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
