/* items.c - what operators that run by themselves share; see items.h. */
#include "op/items.h"

#include "base/error.h"

int mc_take_tensor(const struct mc_call *call, int i, const struct mc_tensor **tensor, struct mc_error *err)
{
    const struct mc_item *item = i < call->n_in ? call->in[i] : NULL;
    if (!item || item->kind != MC_ITEM_TENSOR) return mc_error_set(err, MC_ERR_INPUT, "input %d: needs a tensor", i);
    *tensor = item->tensor;
    return MC_OK;
}

int mc_take_sequence(const struct mc_call *call, int i, const struct mc_item **sequence, struct mc_error *err)
{
    const struct mc_item *item = i < call->n_in ? call->in[i] : NULL;
    if (!item || item->kind != MC_ITEM_SEQUENCE)
        return mc_error_set(err, MC_ERR_INPUT, "input %d: needs a sequence", i);
    *sequence = item;
    return MC_OK;
}

int mc_take_integer(const struct mc_call *call, int i, int64_t otherwise, int64_t *number, struct mc_error *err)
{
    const struct mc_tensor *tensor = NULL;
    *number = otherwise;
    if (i >= call->n_in || !call->in[i]) return MC_OK;
    const int rc = mc_take_tensor(call, i, &tensor, err);
    if (rc < 0) return rc;
    if (!mc_dtype_is_integer(tensor->dtype) || mc_tensor_count(tensor) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "input %d: needs one integer", i);
    *number = mc_tensor_get_i64(tensor, 0);
    return MC_OK;
}

int mc_give_item(struct mc_call *call, int i, struct mc_item *item, struct mc_error *err)
{
    if (i < call->n_out && call->node->outputs[i])
        call->out[i] = item;
    else
        mc_item_release(item);
    return item ? MC_OK : mc_error_memory(err);
}

int mc_give_tensor(struct mc_call *call, int i, struct mc_tensor *tensor, struct mc_error *err)
{
    return mc_give_item(call, i, mc_item_of_tensor(tensor), err);
}
