/* item.h - what a value is at run time where it need not be a tensor: a sequence, a map, or nothing.
 *
 * Items are made once and never changed, so they are shared freely: counted, and gone with the last use. An optional
 * (ONNX optional_type) that holds something is that thing itself, an empty one is MC_ITEM_NONE.
 */
#ifndef MC_GRAPH_ITEM_H
#define MC_GRAPH_ITEM_H

#include "tensor/tensor.h"

enum mc_item_kind { MC_ITEM_TENSOR, MC_ITEM_SEQUENCE, MC_ITEM_MAP, MC_ITEM_NONE };

struct mc_item {
    enum mc_item_kind kind;
    int uses;
    struct mc_tensor *tensor; /* TENSOR; of a MAP its values, [n] */
    struct mc_tensor *keys;   /* MAP: [n], integers or strings */
    int64_t n;                /* SEQUENCE */
    struct mc_item **elements;
};

/* All return NULL without memory, and take over what they are given then too: the tensors, one use of each element (the
 * list itself is copied). */
struct mc_item *mc_item_of_tensor(struct mc_tensor *tensor);
struct mc_item *mc_item_of_elements(int64_t n, struct mc_item *const *elements);
struct mc_item *mc_item_of_map(struct mc_tensor *keys, struct mc_tensor *values);
struct mc_item *mc_item_none(void);

/* One more use; returns `item`, for which NULL is fine. */
struct mc_item *mc_item_retain(struct mc_item *item);
/* mc_item_release is in compress.h */

#endif
