/* nets.c - building small models and running them; see nets.h. */
#include "nets.h"

#include <math.h>
#include <string.h>

#include "op/ops.h"

struct mc_model *net_create(void)
{
    struct mc_error err = {0};
    struct mc_model *net;
    assert_ok(mc_model_create(&net, 17, &err), err);
    return net;
}

struct mc_value *net_input(struct mc_model *net, const char *name, int rank, const int64_t *dims)
{
    struct mc_error err = {0};
    struct mc_value *v = mc_value_create(net->graph, name);
    v->type = (struct mc_type){.dtype = MC_DOUBLE, .rank = rank};
    for (int i = 0; i < rank; i++) v->type.dim[i] = dims[i];
    assert_ok(mc_graph_add_input(net->graph, v, &err), err);
    return v;
}

struct mc_value *net_param(struct mc_model *net, const char *name, int rank, const int64_t *dims, const double *numbers)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(rank, dims);
    assert_ok(mc_tensor_create(&t, MC_DOUBLE, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, numbers ? numbers[i] : (double)i + 1);
    return mc_graph_add_initializer(net->graph, name, t);
}

struct mc_value *net_ints(struct mc_model *net, const char *name, int n, const int64_t *numbers)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    assert_ok(mc_tensor_create(&t, MC_INT64, &shape, &err), err);
    memcpy(t->data, numbers, (size_t)n * sizeof *numbers);
    return mc_graph_add_initializer(net->graph, name, t);
}

struct mc_value *net_node(struct mc_model *net, const char *type, const char *name, struct mc_value *a,
                          struct mc_value *b)
{
    struct mc_value *out = mc_value_create(net->graph, name);
    assert_non_null(mc_node_create(net->graph, -1, "", type, name, b ? 2 : 1, (struct mc_value *[]){a, b}, 1, &out));
    return out;
}

void net_output(struct mc_model *net, struct mc_value *value)
{
    struct mc_error err = {0};
    assert_ok(mc_graph_add_output(net->graph, value, &err), err);
}

struct mc_plan *net_plan(struct mc_model *net, const struct mc_plan_options *options)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    mc_ops_bind(net);
    assert_ok(mc_plan_create(&plan, net, options, &err), err);
    return plan;
}

void net_fill(struct mc_plan *plan, int input, const double *numbers)
{
    struct mc_tensor *t = mc_plan_input(plan, input);
    memcpy(t->data, numbers, mc_tensor_bytes(t));
}

void net_run(struct mc_plan *plan)
{
    struct mc_error err = {0};
    assert_ok(mc_plan_run(plan, &err), err);
}

void net_expect(const struct mc_tensor *tensor, int n, const double *numbers)
{
    assert_non_null(tensor);
    assert_int_equal(mc_tensor_count(tensor), n);
    for (int i = 0; i < n; i++)
        if (!(fabs(mc_tensor_get_f64(tensor, i) - numbers[i]) <= 1e-12 * fmax(1, fabs(numbers[i]))))
            fail_msg("element %d is %.17g instead of %.17g", i, mc_tensor_get_f64(tensor, i), numbers[i]);
}
