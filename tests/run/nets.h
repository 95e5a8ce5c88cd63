/* nets.h - building small models and running them, for the tests of this room. */
#ifndef MC_TESTS_RUN_NETS_H
#define MC_TESTS_RUN_NETS_H

#include "graph/graph.h"
#include "run/plan.h"
#include "test.h"

/* An empty model of ai.onnx 17. */
struct mc_model *net_create(void);
/* A graph input, an initializer (numbers NULL: 1, 2, …), a node with one output of the same name; all but the node's
 * inputs are named `name`. Types are float64 unless the name says otherwise. */
struct mc_value *net_input(struct mc_model *net, const char *name, int rank, const int64_t *dims);
struct mc_value *net_param(struct mc_model *net, const char *name, int rank, const int64_t *dims,
                           const double *numbers);
struct mc_value *net_ints(struct mc_model *net, const char *name, int n, const int64_t *numbers);
struct mc_value *net_node(struct mc_model *net, const char *type, const char *name, struct mc_value *a,
                          struct mc_value *b);
void net_output(struct mc_model *net, struct mc_value *value);

/* Compile after binding operators; fails the test on error. */
struct mc_plan *net_plan(struct mc_model *net, const struct mc_plan_options *options);
void net_fill(struct mc_plan *plan, int input, const double *numbers);
void net_run(struct mc_plan *plan);
void net_expect(const struct mc_tensor *tensor, int n, const double *numbers);

#define DIMS(...)                                                                                                      \
    ((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))), (const int64_t[])                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define INTS(...) DIMS(__VA_ARGS__)
#define NUMBERS(...) ((const double[]){__VA_ARGS__})
#define EXPECT(tensor, ...)                                                                                            \
    net_expect((tensor), (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__})

#endif
