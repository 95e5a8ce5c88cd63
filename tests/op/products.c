/* products.c - see products.h. */
#include "products.h"

#include <string.h>

#include "product_vectors.h"

/* Runtimes that differ in backend, instruction set and number of threads. */
enum { N_RUNTIMES = 4 };

static struct mc_runtime runtime_of(int i)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1 + i % 2, i == 1 ? MC_CPU_PORTABLE : i == 2 ? MC_CPU_AVX2 : MC_CPU_AVX512);
    runtime.use_onednn = i == 0 || i == 3;
    return runtime;
}

static const struct product_vector *next_of(const char *type, const struct product_vector *v)
{
    const struct product_vector *end = product_vectors + sizeof product_vectors / sizeof *product_vectors;
    for (v = v ? v + 1 : product_vectors; v < end; v++)
        if (strcmp(v->given.type, type) == 0) return v;
    return NULL;
}

void products_check(const char *type)
{
    const struct product_vector *v = next_of(type, NULL);
    assert_non_null(v);
    for (; v; v = next_of(type, v)) {
        for (int i = 0; i < N_RUNTIMES; i++) {
            const struct mc_runtime runtime = runtime_of(i);
            struct op_case c = v->given;
            c.runtime = &runtime;
            op_check(&c, v->expected, 1e-5);
            c.in[1].initializer = c.n_in > 1;
            op_check(&c, v->expected, 1e-5);
            c.training = true;
            op_check(&c, v->expected, 1e-5);
        }
    }
}

void products_check_gradients(const char *type)
{
    for (const struct product_vector *v = next_of(type, NULL); v; v = next_of(type, v)) {
        for (int i = 0; i < N_RUNTIMES; i += N_RUNTIMES - 1) {
            const struct mc_runtime runtime = runtime_of(i);
            struct op_case c = v->given;
            c.runtime = &runtime;
            op_check_gradient(&c);
        }
    }
}

void products_check_memory(const char *type)
{
    for (const struct product_vector *v = next_of(type, NULL); v; v = next_of(type, v)) op_check_memory(&v->given);
}
