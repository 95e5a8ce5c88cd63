/* item.c - tensors, sequences, maps and nothing, counted; see item.h. */
#include "graph/item.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static struct mc_item *create(enum mc_item_kind kind)
{
    struct mc_item *item = MC_NEW(struct mc_item);
    if (item) *item = (struct mc_item){.kind = kind, .uses = 1};
    return item;
}

struct mc_item *mc_item_of_tensor(struct mc_tensor *tensor)
{
    struct mc_item *item = create(MC_ITEM_TENSOR);
    if (item)
        item->tensor = tensor;
    else
        mc_tensor_destroy(tensor);
    return item;
}

struct mc_item *mc_item_of_elements(int64_t n, struct mc_item *const *elements)
{
    struct mc_item *item = create(MC_ITEM_SEQUENCE);
    if (item) item->elements = MC_NEW_ARRAY(struct mc_item *, n > 0 ? n : 1);
    if (!item || !item->elements) {
        for (int64_t i = 0; i < n; i++) mc_item_release(elements[i]);
        mc_free(item);
        return NULL;
    }
    item->n = n;
    if (n) memcpy(item->elements, elements, (size_t)n * sizeof *elements);
    return item;
}

struct mc_item *mc_item_of_map(struct mc_tensor *keys, struct mc_tensor *values)
{
    struct mc_item *item = create(MC_ITEM_MAP);
    if (!item) {
        mc_tensor_destroy(keys);
        mc_tensor_destroy(values);
        return NULL;
    }
    item->keys = keys;
    item->tensor = values;
    return item;
}

struct mc_item *mc_item_none(void)
{
    return create(MC_ITEM_NONE);
}

struct mc_item *mc_item_retain(struct mc_item *item)
{
    if (item) item->uses++;
    return item;
}

void mc_item_release(struct mc_item *item)
{
    if (!item || --item->uses > 0) return;
    for (int64_t i = 0; i < item->n; i++) mc_item_release(item->elements[i]);
    mc_free(item->elements);
    mc_tensor_destroy(item->keys);
    mc_tensor_destroy(item->tensor);
    mc_free(item);
}
