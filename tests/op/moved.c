/* moved.c - see moved.h. */
#include "moved.h"

#include <string.h>

#include "base/alloc.h"
#include "move_vectors.h"

static const struct move_vector *next(const char *type, const struct move_vector *after)
{
    const struct move_vector *v = after ? after + 1 : move_vectors;
    for (; v < move_vectors + MC_COUNT(move_vectors); v++)
        if (!strcmp(v->given.type, type)) return v;
    return NULL;
}

/* The first vector of the operator; there is one. */
static const struct move_vector *first(const char *type)
{
    const struct move_vector *const v = next(type, NULL);
    assert_non_null(v);
    return v;
}

void moved_check(const char *type)
{
    for (const struct move_vector *v = first(type); v; v = next(type, v)) {
        print_message("[          ] %s\n", v->name);
        op_check(&v->given, v->expected, 0);
    }
}

static void set_dtype(struct op_tensor *tensors, int n, enum mc_dtype dtype)
{
    for (int i = 0; i < n; i++)
        if (!tensors[i].dtype) tensors[i].dtype = dtype;
}

void moved_check_types(const char *type)
{
    static const enum mc_dtype types[] = {MC_INT8, MC_BFLOAT16, MC_INT32, MC_INT64};
    for (const struct move_vector *v = first(type); v; v = next(type, v)) {
        for (size_t t = 0; t < MC_COUNT(types); t++) {
            struct move_vector other = *v;
            set_dtype(other.given.in, other.given.n_in, types[t]);
            set_dtype(other.expected, other.given.n_out, types[t]);
            op_check(&other.given, other.expected, 0);
        }
    }
}

void moved_check_gradients(const char *type)
{
    for (const struct move_vector *v = first(type); v; v = next(type, v)) {
        print_message("[          ] %s\n", v->name);
        op_check_gradient(&v->given);
    }
}

void moved_check_memory(const char *type)
{
    op_check_memory(&first(type)->given);
}
