/* upgrade.c - nodes of one version into nodes of the next; see upgrade.h. */
#include "op/upgrade.h"

#include <string.h>

#include "base/error.h"

int mc_upgrade_same(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    return MC_OK;
}

int mc_upgrade_axes(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    return mc_upgrade_ints(node, "axes", 1, err);
}

/* An initializer "<output>_<attr>" in the place of the attribute; takes over the tensor. */
static int move(struct mc_node *node, const char *attr, int input, struct mc_tensor *t, struct mc_error *err)
{
    struct mc_value *v = mc_graph_add_initializer_part(node->graph, node->outputs[0]->name, attr, t);
    if (!v) return mc_error_memory(err);
    mc_node_remove_attr(node, attr);
    return mc_node_set_input(node, input, v, err);
}

int mc_upgrade_ints(struct mc_node *node, const char *attr, int input, struct mc_error *err)
{
    int64_t n;
    struct mc_tensor *t;
    const int64_t *values = mc_node_ints(node, attr, &n);
    if (!mc_node_attr(node, attr)) return MC_OK;
    const struct mc_shape shape = mc_shape_of(1, &n);
    const int rc = mc_tensor_create(&t, MC_INT64, &shape, err);
    if (rc < 0) return rc;
    if (n > 0) memcpy(t->data, values, (size_t)n * sizeof *values);
    return move(node, attr, input, t, err);
}

int mc_upgrade_float(struct mc_node *node, const char *attr, int input, const struct mc_fact *x, struct mc_error *err)
{
    const struct mc_shape scalar = {.rank = 0};
    struct mc_tensor *t;
    if (!mc_node_attr(node, attr)) return MC_OK;
    const int rc = mc_tensor_create(&t, x->dtype, &scalar, err);
    if (rc < 0) return rc;
    mc_tensor_set_f64(t, 0, (double)mc_node_float(node, attr, 0));
    return move(node, attr, input, t, err);
}
