/* functions.h - the functions that a model file brings along, by name.
 *
 * A node calls one if domain, operator and overload are the function's. What the definitions we are built on may not
 * know yet, `overload` (IR version 10) and `attribute_proto` (IR version 9), is taken from the unknown fields.
 */
#ifndef MC_ONNX_FUNCTIONS_H
#define MC_ONNX_FUNCTIONS_H

#include "base/arena.h"
#include "onnx.pb-c.h"
#include "onnx/names.h"

/* Functions whose bodies call others, and graphs within their nodes, one in another. */
#define MC_FUNCTIONS_MOST_NESTED 100

struct mc_function {
    const Onnx__FunctionProto *proto;
    const char *domain, *name, *overload; /* "" for ai.onnx, "" for none */
    size_t n_defaults;
    Onnx__AttributeProto **defaults; /* attributes that a call may leave out */
    int height;                      /* 1 for a body without calls; 0 while that is not known, -1 while it is sought */
};

struct mc_functions {
    struct mc_arena arena;
    size_t n;
    struct mc_function *of; /* sorted by domain, name, overload */
};

/* The functions of a model's message, which has to outlive them. NULL if it has none. MC_ERR_INPUT for two of one name
 * and for one that calls itself, by way of others too. */
int mc_functions_create(struct mc_functions **functions, const Onnx__ModelProto *model, struct mc_error *err);
void mc_functions_destroy(struct mc_functions *functions);

/* The function that a node calls, or NULL. */
const struct mc_function *mc_functions_find(const struct mc_functions *functions, const Onnx__NodeProto *node);

#endif
