/* coupled.h - a model of a few nodes whose coupling and resize rules are put to the test.
 *
 * Values come from initializers, which nothing freezes, and no value is an output of the graph: what is frozen, a rule
 * has frozen.
 */
#ifndef MC_TESTS_OP_COUPLED_H
#define MC_TESTS_OP_COUPLED_H

#include "graph/coupling.h"
#include "graph/resize.h"

struct coupled {
    struct mc_model *model;
    struct mc_facts facts;
    struct mc_coupling *coupling;
};

void coupled_init(struct coupled *t, int opset);
void coupled_finish(struct coupled *t);

/* An initializer: float zeros, or integers. */
struct mc_value *coupled_value(struct coupled *t, const char *name, struct mc_shape shape);
struct mc_value *coupled_ints(struct coupled *t, const char *name, int n, const int64_t *ints);
/* Something that depends on the input of the graph, with axes as free as an initializer's. */
struct mc_value *coupled_computed(struct coupled *t, struct mc_shape shape);
/* A node with outputs named after its type. Attributes may be set until coupled_couple. */
struct mc_node *coupled_node(struct coupled *t, const char *type, int n_in, struct mc_value *const *in, int n_out);
/* Infer shapes and let all rules speak. */
void coupled_couple(struct coupled *t);

/* Do index i of (x, a) and index j of (y, b) go together, and may they go? */
bool coupled_tied(const struct coupled *t, const struct mc_value *x, int a, int64_t i, const struct mc_value *y, int b,
                  int64_t j);
/* May index i of an axis not go? */
bool coupled_frozen(const struct coupled *t, const struct mc_value *v, int axis, int64_t i);
/* May no index of an axis go? */
bool coupled_all_frozen(const struct coupled *t, const struct mc_value *v, int axis);
/* Remove these indices of an axis and what goes with them, and let the nodes mend themselves. */
void coupled_cut(struct coupled *t, const struct mc_value *v, int axis, int n, const int64_t *indices);

/* The integers that input i of the node, or attribute `name`, now holds; compared with `n` expected ones. */
void coupled_expect_input(const struct mc_node *node, int i, int n, const int64_t *expected);
void coupled_expect_attr(const struct mc_node *node, const char *name, int n, const int64_t *expected);

#define INTS(...)                                                                                                      \
    (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[])                                 \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

#endif
