/* sequence.c - SequenceConstruct, SequenceEmpty, SequenceAt, SequenceInsert, SequenceErase, SequenceLength,
 * SplitToSequence, ConcatFromSequence (ONNX opset 11), SequenceMap (17); Optional, OptionalGetElement,
 * OptionalHasElement (15, 18). */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/control.h"
#include "op/items.h"
#include "op/move.h"

/* A sequence of n items, each with a use for it. */
static int give_sequence(struct mc_call *call, struct mc_item *const *list, int64_t n, struct mc_error *err)
{
    for (int64_t i = 0; i < n; i++) mc_item_retain(list[i]);
    return mc_give_item(call, 0, mc_item_of_elements(n, list), err);
}

/* Position 0 … n (or n - 1), negative counted from the end. */
static int find_position(int64_t at, int64_t n, bool end_too, int64_t *position, struct mc_error *err)
{
    *position = at < 0 ? at + n : at;
    if (*position >= 0 && *position < n + end_too) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "position %" PRId64 " is outside a sequence of %" PRId64, at, n);
}

static int sequence_construct_evaluate(struct mc_call *call, struct mc_error *err)
{
    return give_sequence(call, call->in, call->n_in, err);
}

static int sequence_empty_evaluate(struct mc_call *call, struct mc_error *err)
{
    return give_sequence(call, NULL, 0, err);
}

static int sequence_at_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *sequence = NULL;
    int64_t at, position = 0;
    int rc = mc_take_sequence(call, 0, &sequence, err);
    if (rc == MC_OK) rc = mc_take_integer(call, 1, 0, &at, err);
    if (rc == MC_OK) rc = find_position(at, sequence->n, false, &position, err);
    return rc == MC_OK ? mc_give_item(call, 0, mc_item_retain(sequence->elements[position]), err) : rc;
}

static int sequence_insert_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *sequence = NULL;
    int64_t at, position = 0;
    int rc = mc_take_sequence(call, 0, &sequence, err);
    if (rc == MC_OK) rc = mc_take_integer(call, 2, sequence->n, &at, err);
    if (rc == MC_OK) rc = find_position(at, sequence->n, true, &position, err);
    if (rc < 0) return rc;
    struct mc_item **list = MC_NEW_ARRAY(struct mc_item *, sequence->n + 1);
    if (!list) return mc_error_memory(err);
    for (int64_t i = 0; i <= sequence->n; i++)
        list[i] = i == position ? call->in[1] : sequence->elements[i - (i > position)];
    rc = give_sequence(call, list, sequence->n + 1, err);
    mc_free(list);
    return rc;
}

static int sequence_erase_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *sequence = NULL;
    int64_t at, position = 0;
    int rc = mc_take_sequence(call, 0, &sequence, err);
    if (rc == MC_OK) rc = mc_take_integer(call, 1, -1, &at, err);
    if (rc == MC_OK) rc = find_position(at, sequence->n, false, &position, err);
    if (rc < 0) return rc;
    struct mc_item **list = MC_NEW_ARRAY(struct mc_item *, sequence->n);
    if (!list) return mc_error_memory(err);
    for (int64_t i = 0; i + 1 < sequence->n; i++) list[i] = sequence->elements[i + (i >= position)];
    rc = give_sequence(call, list, sequence->n - 1, err);
    mc_free(list);
    return rc;
}

static int sequence_length_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *sequence = NULL;
    struct mc_tensor *n;
    int rc = mc_take_sequence(call, 0, &sequence, err);
    if (rc == MC_OK) rc = mc_tensor_create(&n, MC_INT64, &(struct mc_shape){.rank = 0}, err);
    if (rc < 0) return rc;
    *(int64_t *)n->data = sequence->n;
    return mc_give_tensor(call, 0, n, err);
}

/* --- cutting and joining --- */

/* How long the part is that begins at `at`: the split's next entry, its one number, or 1. */
static int part_length(const struct mc_tensor *split, int64_t k, int64_t left, int64_t *length, struct mc_error *err)
{
    *length = 1;
    if (split && split->shape.rank == 0) {
        *length = mc_tensor_get_i64(split, 0);
        if (*length > left) *length = left;
    } else if (split) {
        *length = k < mc_tensor_count(split) ? mc_tensor_get_i64(split, k) : -1;
    }
    if (*length >= (split && split->shape.rank > 0 ? 0 : 1) && *length <= left) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input 1: its lengths do not make up %" PRId64 " more", left);
}

static int cut(const struct mc_tensor *x, int axis, int64_t at, int64_t length, bool keep, struct mc_item **item,
               struct mc_error *err)
{
    struct mc_shape shape = x->shape;
    struct mc_tensor *part, *copy;
    if (!keep) return mc_item_slice(item, x, axis, at, err);
    shape.dim[axis] = length;
    int rc = mc_tensor_create(&part, x->dtype, &shape, err);
    if (rc < 0) return rc;
    if (mc_tensor_count(part)) mc_part_get(part, x, axis, at);
    if (x->dtype == MC_STRING) { /* with bytes of its own */
        rc = mc_tensor_clone(&copy, part, err);
        mc_tensor_destroy(part);
        if (rc < 0) return rc;
        part = copy;
    }
    *item = mc_item_of_tensor(part);
    return *item ? MC_OK : mc_error_memory(err);
}

static int split_to_sequence_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL, *split = NULL;
    struct mc_turns parts = {0};
    int axis = 0, rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK && call->in[1]) rc = mc_take_tensor(call, 1, &split, err);
    if (rc == MC_OK) rc = mc_need_axis(mc_node_int(call->node, "axis", 0), x->shape.rank, &axis, err);
    if (rc == MC_OK && mc_dtype_bits(x->dtype) < 8)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "parts of %s", mc_dtype_name(x->dtype));
    if (rc < 0) return rc;
    const bool keep = split || mc_node_int(call->node, "keepdims", 1);
    const int64_t extent = x->shape.dim[axis];
    const bool listed = split && split->shape.rank > 0;
    for (int64_t at = 0, k = 0, length; rc == MC_OK && (at < extent || (listed && k < mc_tensor_count(split)));
         at += length, k++) {
        struct mc_item *item = NULL;
        rc = part_length(split, k, extent - at, &length, err);
        if (rc == MC_OK) rc = cut(x, axis, at, length, keep, &item, err);
        if (rc == MC_OK) rc = mc_turns_add(&parts, item, err);
    }
    if (rc == MC_OK) rc = give_sequence(call, parts.items, (int64_t)parts.n, err);
    mc_turns_finish(&parts);
    return rc;
}

/* All tensors, alike but for the extent along `axis`, one after the other. */
static int join(const struct mc_item *sequence, int axis, struct mc_tensor **joined, struct mc_error *err)
{
    const struct mc_tensor *first = sequence->elements[0]->tensor;
    struct mc_shape whole = first->shape;
    whole.dim[axis] = 0;
    for (int64_t i = 0; i < sequence->n; i++) {
        const struct mc_item *item = sequence->elements[i];
        struct mc_shape like = item->kind == MC_ITEM_TENSOR ? item->tensor->shape : (struct mc_shape){.rank = -1};
        const bool fits = like.rank == whole.rank && item->tensor->dtype == first->dtype;
        const int64_t extent = fits ? like.dim[axis] : 0;
        if (fits) like.dim[axis] = whole.dim[axis];
        if (!fits || !mc_shape_equal(&like, &whole) || !mc_add_i64(whole.dim[axis], extent, &whole.dim[axis]))
            return mc_error_set(err, MC_ERR_INPUT, "element %" PRId64 " does not fit the first", i);
    }
    const int rc = mc_tensor_create(joined, first->dtype, &whole, err);
    for (int64_t i = 0, at = 0; i < sequence->n && rc == MC_OK; i++) {
        const struct mc_tensor *part = sequence->elements[i]->tensor;
        if (mc_tensor_count(part)) mc_part_put(*joined, part, axis, at);
        at += part->shape.dim[axis];
    }
    return rc;
}

static int concat_from_sequence_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *sequence = NULL;
    struct mc_tensor *joined = NULL, *copy = NULL;
    int axis = 0, rc = mc_take_sequence(call, 0, &sequence, err);
    if (rc == MC_OK && (sequence->n < 1 || sequence->elements[0]->kind != MC_ITEM_TENSOR ||
                        mc_dtype_bits(sequence->elements[0]->tensor->dtype) < 8))
        rc = mc_error_set(err, MC_ERR_INPUT, "input 0: needs a tensor at least");
    if (rc < 0) return rc;
    if (mc_node_int(call->node, "new_axis", 0)) {
        const struct mc_turns turns = {.n = (size_t)sequence->n, .items = sequence->elements};
        struct mc_item *stacked = NULL;
        rc = mc_turns_stack(&turns, call->node->inputs[0], mc_node_int(call->node, "axis", 0), false, &stacked, err);
        return rc < 0 ? rc : mc_give_item(call, 0, stacked, err);
    }
    rc = mc_need_axis(mc_node_int(call->node, "axis", 0), sequence->elements[0]->tensor->shape.rank, &axis, err);
    if (rc == MC_OK) rc = join(sequence, axis, &joined, err);
    if (rc == MC_OK && joined->dtype == MC_STRING) {
        rc = mc_tensor_clone(&copy, joined, err);
        mc_tensor_destroy(joined);
        joined = copy;
    }
    return rc < 0 ? rc : mc_give_tensor(call, 0, joined, err);
}

/* --- SequenceMap: a graph run on each element; inputs that are no sequences go to every run as they are --- */

static int map_length(const struct mc_call *call, int64_t *n, struct mc_error *err)
{
    const struct mc_item *first = NULL;
    const int rc = mc_take_sequence(call, 0, &first, err);
    if (rc < 0) return rc;
    *n = first->n;
    for (int i = 1; i < call->n_in; i++)
        if (call->in[i] && call->in[i]->kind == MC_ITEM_SEQUENCE && call->in[i]->n != *n)
            return mc_error_set(err, MC_ERR_INPUT, "input %d: needs %" PRId64 " elements, has %" PRId64, i, *n,
                                call->in[i]->n);
    return MC_OK;
}

static int sequence_map_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_graph *body = NULL;
    int64_t n = 0;
    int rc = mc_need_graph(call->node, "body", &body, err);
    if (rc == MC_OK) rc = map_length(call, &n, err);
    if (rc == MC_OK && body->n_outputs < call->n_out)
        rc = mc_error_set(err, MC_ERR_INPUT, "body '%s' gives %d, the node %d", body->name, body->n_outputs,
                          call->n_out);
    if (rc < 0) return rc;
    struct mc_item **in = MC_NEW_ARRAY(struct mc_item *, call->n_in + 1),
                   **out = MC_NEW_ARRAY(struct mc_item *, body->n_outputs + 1);
    struct mc_turns *made = MC_NEW_ARRAY(struct mc_turns, body->n_outputs + 1);
    if (!in || !out || !made) rc = mc_error_memory(err);
    for (int64_t t = 0; t < n && rc == MC_OK; t++) {
        for (int i = 0; i < call->n_in; i++)
            in[i] = call->in[i] && call->in[i]->kind == MC_ITEM_SEQUENCE ? call->in[i]->elements[t] : call->in[i];
        rc = call->run_graph(call, body, call->n_in, in, out, err);
        for (int i = 0; i < body->n_outputs && rc == MC_OK; i++) {
            rc = mc_turns_add(&made[i], out[i], err);
            for (int k = i + 1; k < body->n_outputs && rc < 0; k++) mc_item_release(out[k]);
        }
    }
    for (int i = 0; i < call->n_out && rc == MC_OK; i++) {
        if (!call->node->outputs[i]) continue;
        for (size_t k = 0; k < made[i].n; k++) mc_item_retain(made[i].items[k]);
        rc = mc_give_item(call, i, mc_item_of_elements((int64_t)made[i].n, made[i].items), err);
    }
    for (int i = 0; made && i < body->n_outputs; i++) mc_turns_finish(&made[i]);
    mc_free(made);
    mc_free(out);
    mc_free(in);
    return rc;
}

/* --- optionals --- */

static int optional_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_item *const given = call->in[0];
    return mc_give_item(call, 0, given ? mc_item_retain(given) : mc_item_none(), err);
}

static int optional_get_element_evaluate(struct mc_call *call, struct mc_error *err)
{
    if (!call->in[0] || call->in[0]->kind == MC_ITEM_NONE)
        return mc_error_set(err, MC_ERR_INPUT, "input 0: the optional holds nothing");
    return mc_give_item(call, 0, mc_item_retain(call->in[0]), err);
}

static int optional_has_element_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_tensor *has;
    const int rc = mc_tensor_create(&has, MC_BOOL, &(struct mc_shape){.rank = 0}, err);
    if (rc < 0) return rc;
    *(bool *)has->data = call->in[0] && call->in[0]->kind != MC_ITEM_NONE;
    return mc_give_tensor(call, 0, has, err);
}

MC_ITEM_OP(concat_from_sequence, "", "ConcatFromSequence", 11, 1, 1, 1)
MC_ITEM_OP(optional, "", "Optional", 15, 0, 1, 1)
MC_ITEM_OP(optional_get_element, "", "OptionalGetElement", 15, 1, 1, 1)
MC_ITEM_OP(optional_has_element, "", "OptionalHasElement", 15, 0, 1, 1)
MC_ITEM_OP(sequence_at, "", "SequenceAt", 11, 2, 2, 1)
MC_ITEM_OP(sequence_construct, "", "SequenceConstruct", 11, 1, -1, 1)
MC_ITEM_OP(sequence_empty, "", "SequenceEmpty", 11, 0, 0, 1)
MC_ITEM_OP(sequence_erase, "", "SequenceErase", 11, 1, 2, 1)
MC_ITEM_OP(sequence_insert, "", "SequenceInsert", 11, 2, 3, 1)
MC_ITEM_OP(sequence_length, "", "SequenceLength", 11, 1, 1, 1)
MC_ITEM_OP(sequence_map, "", "SequenceMap", 17, 1, -1, -1)
MC_ITEM_OP(split_to_sequence, "", "SplitToSequence", 11, 1, 2, 1)
