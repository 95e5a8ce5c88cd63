/* composite.h - operators that are made of others, such as those that ONNX Runtime's optimizer fuses.
 *
 * A composing function looks at the node and at what is known of its inputs, and writes down which operators to run on
 * which values. Shape, cost and running follow from it: each is asked of those operators' descriptors. What depends on
 * constants alone is computed when the step is prepared; a result that an operator may put in the place of its input
 * is put there. Going back asks the same operators, last to first; in training what they read then is kept.
 *
 * The operators' rules are called as they are: they are given types that they know without widening.
 */
#ifndef MC_OP_COMPOSITE_H
#define MC_OP_COMPOSITE_H

#include "op/op_list.h"
#include "op/ops.h"

enum { MC_NO_VALUE = -1 };

struct mc_composite;
typedef void mc_compose_fn(struct mc_composite *c);

/* --- for composing functions: values are numbers. After a failure all of these do nothing --- */

const struct mc_node *mc_compose_node(const struct mc_composite *c);
/* Input i of the node; MC_NO_VALUE if it is left out. */
int mc_compose_in(const struct mc_composite *c, int i);
/* What is known of a value. It has a constant if it depends on no input of the graph; after a failure all is 0. */
const struct mc_fact *mc_compose_fact(const struct mc_composite *c, int value);
/* The node's output i is this value. */
void mc_compose_out(struct mc_composite *c, int i, int value);
/* Refuse the node. */
void mc_compose_refuse(struct mc_composite *c, int status, const char *fmt, ...) MC_PRINTF(3, 4);
/* Take over the status of a check (mc_need_…), whose words are in mc_compose_error. */
bool mc_compose_check(struct mc_composite *c, int status);
struct mc_error *mc_compose_error(struct mc_composite *c);

/* Run `op` on the inputs (MC_LIST); gives the first of its n_out outputs, the others have the numbers after it. */
int mc_compose(struct mc_composite *c, const struct mc_op *op, int n_out, const struct mc_attr *attrs, int n_attrs,
               const int *in, int n_in);
/* The same elements under another shape. */
int mc_compose_view(struct mc_composite *c, int value, int rank, const int64_t *dims);
/* Constants: int64 [n]; one number. `data` is copied. */
int mc_compose_ints(struct mc_composite *c, const int64_t *values, int64_t n);
int mc_compose_number(struct mc_composite *c, enum mc_dtype dtype, double value);
int mc_compose_constant(struct mc_composite *c, enum mc_dtype dtype, const struct mc_shape *shape, const void *data);
/* 0 … n - 1 as int64. */
int mc_compose_range(struct mc_composite *c, int64_t n);
/* x + addend; x if there is none. */
int mc_compose_plus(struct mc_composite *c, int x, int addend);
int mc_compose_cast(struct mc_composite *c, int x, enum mc_dtype to);
/* Axes put in the order of `perm`, one for each. */
int mc_compose_transpose(struct mc_composite *c, int x, const int64_t *perm);

#define MC_LIST(...) (const int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int))
#define MC_DIMS(...)                                                                                                   \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[])                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define MC_NO_ATTRS NULL, 0
#define MC_ATTR_OF_INT(key, value)                                                                                     \
    {                                                                                                                  \
        .name = key, .type = MC_ATTR_INT, .i = value                                                                   \
    }
#define MC_ATTR_OF_FLOAT(key, value)                                                                                   \
    {                                                                                                                  \
        .name = key, .type = MC_ATTR_FLOAT, .f = value                                                                 \
    }
#define MC_ATTR_OF_INTS(key, values, count)                                                                            \
    {                                                                                                                  \
        .name = key, .type = MC_ATTR_INTS, .n = count, .ints = values                                                  \
    }
#define MC_ATTRS(...)                                                                                                  \
    (const struct mc_attr[]){__VA_ARGS__}, (int)(sizeof((struct mc_attr[]){__VA_ARGS__}) / sizeof(struct mc_attr))

/* --- rules --- */

int mc_composite_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       mc_compose_fn *compose, struct mc_error *err);
int mc_composite_prepare(struct mc_step *step, mc_compose_fn *compose, struct mc_error *err);
void mc_composite_release(struct mc_step *step);
int mc_composite_forward(struct mc_step *step, struct mc_error *err);
int mc_composite_backward(struct mc_step *step, struct mc_error *err);
void mc_composite_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                       mc_compose_fn *compose, struct mc_cost *cost);

/* The descriptor mc_op_<name>_<version> of an operator that name##_compose composes. Further fields follow, among them
 * the derivative or why there is none. `rule`: how its axes are tied; `counts`: what it costs. */
#define MC_COMPOSITE_TRAINS(inputs)                                                                                    \
    .grad_inputs = inputs, .keep = MC_KEEP_IN | MC_KEEP_OUT, .backward = mc_composite_backward
#define MC_COMPOSITE_OP_BY(rule, counts, name, op_domain, onnx_type, version, least, most, outputs, ...)               \
    static int name##_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,          \
                            struct mc_error *err)                                                                      \
    {                                                                                                                  \
        return mc_composite_shape(node, in, out, name##_compose, err);                                                 \
    }                                                                                                                  \
    static int name##_prepare(struct mc_step *step, struct mc_error *err)                                              \
    {                                                                                                                  \
        return mc_composite_prepare(step, name##_compose, err);                                                        \
    }                                                                                                                  \
    static inline void name##_cost(const struct mc_node *node, const struct mc_fact *const *in,                        \
                                   const struct mc_fact *out, struct mc_cost *cost)                                    \
    {                                                                                                                  \
        mc_composite_cost(node, in, out, name##_compose, cost);                                                        \
    }                                                                                                                  \
    const struct mc_op mc_op_##name##_##version = {.domain = op_domain,                                                \
                                                   .type = onnx_type,                                                  \
                                                   .since = version,                                                   \
                                                   .min_inputs = least,                                                \
                                                   .max_inputs = most,                                                 \
                                                   .n_outputs = outputs,                                               \
                                                   .widens = true,                                                     \
                                                   .shape = name##_shape,                                              \
                                                   .prepare = name##_prepare,                                          \
                                                   .release = mc_composite_release,                                    \
                                                   .forward = mc_composite_forward,                                    \
                                                   .coupling = rule,                                                   \
                                                   .cost = counts,                                                     \
                                                   __VA_ARGS__};
/* As most are: nothing is said of channels, and what the parts cost is added up. */
#define MC_COMPOSITE_OP(name, ...) MC_COMPOSITE_OP_BY(mc_coupling_freeze_all, name##_cost, name, __VA_ARGS__)

#endif
