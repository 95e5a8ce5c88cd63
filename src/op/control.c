/* control.c - If and Loop: operators that run graphs among their attributes (ONNX opset 1 and later).
 *
 * The engine runs the graphs (mc_call.run_graph); here stands only which, how often, and what becomes of the outputs.
 */
#include "op/control.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/outline.h"

/* --- shared: see control.h --- */

int mc_turns_add(struct mc_turns *turns, struct mc_item *item, struct mc_error *err)
{
    if (!mc_grow((void **)&turns->items, turns->n, &turns->capacity, sizeof *turns->items)) {
        mc_item_release(item);
        return mc_error_memory(err);
    }
    turns->items[turns->n++] = item;
    return MC_OK;
}

void mc_turns_finish(struct mc_turns *turns)
{
    for (size_t i = 0; i < turns->n; i++) mc_item_release(turns->items[i]);
    mc_free(turns->items);
    *turns = (struct mc_turns){0};
}

static int wrap(struct mc_item **item, struct mc_tensor *tensor, struct mc_error *err)
{
    *item = mc_item_of_tensor(tensor);
    return *item ? MC_OK : mc_error_memory(err);
}

static int empty_stack(const struct mc_value *value, int axis, struct mc_item **stacked, struct mc_error *err)
{
    struct mc_shape shape = {.rank =
                                 value->type.rank >= 0 && value->type.rank < MC_MAX_RANK ? value->type.rank + 1 : 1};
    struct mc_tensor *tensor;
    if (value->type.dtype == MC_UNDEFINED)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output '%s' of no turns: its type is not declared", value->name);
    for (int k = 0, from = 0; k < shape.rank; k++)
        if (k != axis && from < value->type.rank) {
            const int64_t extent = value->type.dim[from++];
            shape.dim[k] = extent > 0 ? extent : 0;
        }
    const int rc = mc_tensor_create(&tensor, value->type.dtype, &shape, err);
    return rc < 0 ? rc : wrap(stacked, tensor, err);
}

static int check_turn(const struct mc_item *item, const struct mc_tensor *first, const char *name, size_t turn,
                      struct mc_error *err)
{
    char need[128], have[128];
    if (item->kind != MC_ITEM_TENSOR)
        return mc_error_set(err, MC_ERR_INPUT, "output '%s' of turn %zu: needs a tensor", name, turn);
    if (item->tensor->dtype == first->dtype && mc_shape_equal(&item->tensor->shape, &first->shape)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "output '%s' of turn %zu: needs %s %s like the first, has %s %s", name, turn,
                        mc_dtype_name(first->dtype), mc_shape_text(&first->shape, need, sizeof need),
                        mc_dtype_name(item->tensor->dtype), mc_shape_text(&item->tensor->shape, have, sizeof have));
}

int mc_turns_stack(const struct mc_turns *turns, const struct mc_value *value, int64_t axis, bool reverse,
                   struct mc_item **stacked, struct mc_error *err)
{
    int at;
    const bool known = turns->n > 0 && turns->items[0]->kind == MC_ITEM_TENSOR;
    const int rank = known ? turns->items[0]->tensor->shape.rank : value->type.rank > 0 ? value->type.rank : 0;
    int rc = mc_need_axis(axis, rank + 1, &at, err);
    if (rc < 0) return rc;
    if (turns->n == 0) return empty_stack(value, at, stacked, err);
    for (size_t t = 0; t < turns->n; t++) {
        rc = check_turn(turns->items[t], turns->items[0]->tensor, value->name, t, err);
        if (rc < 0) return rc;
    }
    const struct mc_tensor *first = turns->items[0]->tensor;
    if (first->shape.rank == MC_MAX_RANK || mc_dtype_bits(first->dtype) < 8)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output '%s': %s of %d dimensions cannot be stacked", value->name,
                            mc_dtype_name(first->dtype), first->shape.rank);
    struct mc_shape part = {.rank = first->shape.rank + 1};
    for (int k = 0; k < part.rank; k++) part.dim[k] = k == at ? 1 : first->shape.dim[k - (k > at)];
    struct mc_shape whole = part;
    whole.dim[at] = (int64_t)turns->n;
    struct mc_tensor *sum, *copy = NULL;
    rc = mc_tensor_create(&sum, first->dtype, &whole, err);
    if (rc < 0) return rc;
    for (size_t t = 0; t < turns->n; t++) {
        struct mc_tensor turn = *turns->items[t]->tensor;
        turn.shape = part;
        mc_part_put(sum, &turn, at, (int64_t)(reverse ? turns->n - 1 - t : t));
    }
    if (first->dtype != MC_STRING) return wrap(stacked, sum, err);
    rc = mc_tensor_clone(&copy, sum, err); /* with bytes of its own */
    mc_tensor_destroy(sum);
    return rc < 0 ? rc : wrap(stacked, copy, err);
}

int mc_item_slice(struct mc_item **slice, const struct mc_tensor *of, int axis, int64_t i, struct mc_error *err)
{
    struct mc_shape shape = of->shape;
    struct mc_tensor *part, *copy = NULL;
    if (mc_dtype_bits(of->dtype) < 8)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "slices of %s", mc_dtype_name(of->dtype));
    shape.dim[axis] = 1;
    int rc = mc_tensor_create(&part, of->dtype, &shape, err);
    if (rc < 0) return rc;
    mc_part_get(part, of, axis, i);
    for (int k = axis; k + 1 < shape.rank; k++) part->shape.dim[k] = part->shape.dim[k + 1];
    part->shape.rank--;
    if (of->dtype != MC_STRING) return wrap(slice, part, err);
    rc = mc_tensor_clone(&copy, part, err);
    mc_tensor_destroy(part);
    return rc < 0 ? rc : wrap(slice, copy, err);
}

int mc_need_graph(const struct mc_node *node, const char *name, const struct mc_graph **graph, struct mc_error *err)
{
    const struct mc_attr *attr = mc_node_attr(node, name);
    if (!attr || attr->type != MC_ATTR_GRAPH)
        return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs a graph", name);
    *graph = attr->g;
    return MC_OK;
}

int mc_item_scalar(struct mc_item **item, enum mc_dtype dtype, int64_t number, const struct mc_value *value,
                   struct mc_error *err)
{
    const struct mc_shape shape = {.rank = value->type.rank == 1, .dim = {1}};
    struct mc_tensor *tensor;
    const int rc = mc_tensor_create(&tensor, dtype, &shape, err);
    if (rc < 0) return rc;
    if (dtype == MC_BOOL)
        *(bool *)tensor->data = number != 0;
    else
        *(int64_t *)tensor->data = number;
    return wrap(item, tensor, err);
}

int mc_item_truth(const struct mc_item *item, const char *name, bool *truth, struct mc_error *err)
{
    if (!item || item->kind != MC_ITEM_TENSOR || item->tensor->dtype != MC_BOOL || mc_tensor_count(item->tensor) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs one boolean", name);
    *truth = *(const bool *)item->tensor->data;
    return MC_OK;
}

struct mc_fact mc_made_fact(const struct mc_facts *facts, const struct mc_graph *graph, int i)
{
    const struct mc_fact *fact = i < graph->n_outputs ? &facts->of[graph->outputs[i]->id] : NULL;
    if (!fact || fact->dtype == MC_UNDEFINED) return (struct mc_fact){.open = true};
    return (struct mc_fact){.dtype = fact->dtype, .shape = fact->shape};
}

bool mc_agree(struct mc_fact *fact, const struct mc_fact *other)
{
    if (fact->open) return true;
    if (!other->open && fact->dtype == other->dtype && mc_shape_equal(&fact->shape, &other->shape)) return true;
    *fact = (struct mc_fact){.open = true};
    return false;
}

/* Loops in loops are gone through again for each round of the one around them: rounds, and depths at which there are
 * any, have to have an end. Beyond it what is carried is open. */
enum { MOST_ROUNDS = 4, MOST_DEPTH = 4 };

int mc_infer_turns(struct mc_inference *inference, const struct mc_graph *body, int n_in, struct mc_fact *in,
                   int n_carried, int first_in, int first_out, struct mc_facts *facts, struct mc_error *err)
{
    int depth = 0;
    for (const struct mc_graph *around = body->parent; around; around = around->parent) depth++;
    for (int round = 1;; round++) {
        const bool last = depth > MOST_DEPTH || round == MOST_ROUNDS;
        for (int i = 0; i < n_carried && last; i++) in[first_in + i] = (struct mc_fact){.open = true};
        const int rc = inference->graph(inference, body, n_in, in, facts, err);
        if (rc < 0) return rc;
        bool agree = true;
        for (int i = 0; i < n_carried; i++) {
            const struct mc_fact made = mc_made_fact(facts, body, first_out + i);
            agree = mc_agree(&in[first_in + i], &made) && agree;
        }
        if (agree) return MC_OK; /* else there is one more that is open */
        mc_facts_finish(facts);
    }
}

struct mc_fact mc_stacked_fact(const struct mc_fact *turn, int64_t axis, int64_t n)
{
    struct mc_fact stacked = {.dtype = turn->dtype, .shape = {.rank = turn->shape.rank + 1}};
    int at;
    if (turn->open || n < 1 || turn->shape.rank == MC_MAX_RANK ||
        mc_need_axis(axis, turn->shape.rank + 1, &at, NULL) < 0)
        return (struct mc_fact){.open = true};
    for (int k = 0; k < stacked.shape.rank; k++) stacked.shape.dim[k] = k == at ? n : turn->shape.dim[k - (k > at)];
    return mc_shape_count(&stacked.shape) < 0 ? (struct mc_fact){.open = true} : stacked;
}

/* --- If --- */

/* The first `n` outputs of a graph are handed on, more are dropped. */
static int run_and_take(struct mc_call *call, const struct mc_graph *graph, struct mc_error *err)
{
    struct mc_item **made = MC_NEW_ARRAY(struct mc_item *, graph->n_outputs > 0 ? graph->n_outputs : 1);
    if (!made) return mc_error_memory(err);
    int rc = MC_OK;
    if (graph->n_outputs < call->n_out)
        rc = mc_error_set(err, MC_ERR_INPUT, "graph '%s' has %d outputs, the node %d", graph->name, graph->n_outputs,
                          call->n_out);
    if (rc == MC_OK) rc = call->run_graph(call, graph, 0, NULL, made, err);
    for (int i = 0; i < graph->n_outputs; i++) {
        if (i < call->n_out && call->node->outputs[i])
            call->out[i] = made[i];
        else
            mc_item_release(made[i]);
    }
    mc_free(made);
    return rc;
}

static int if_evaluate(struct mc_call *call, struct mc_error *err)
{
    bool condition = false;
    const struct mc_graph *graph = NULL;
    int rc = mc_item_truth(call->in[0], call->node->inputs[0]->name, &condition, err);
    if (rc == MC_OK) rc = mc_need_graph(call->node, condition ? "then_branch" : "else_branch", &graph, err);
    return rc == MC_OK ? run_and_take(call, graph, err) : rc;
}

/* The branch that a condition which is known takes, or both: NULL. */
static const char *taken(const struct mc_fact *condition)
{
    if (!condition->constant || condition->dtype != MC_BOOL || mc_tensor_count(condition->constant) != 1) return NULL;
    return *(const bool *)condition->constant->data ? "then_branch" : "else_branch";
}

static int if_infer(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                    struct mc_inference *inference, struct mc_error *err)
{
    static const char *const branches[] = {"then_branch", "else_branch"};
    const char *only = taken(in[0]);
    bool first = true;
    for (size_t k = 0; k < MC_COUNT(branches); k++) {
        const struct mc_graph *branch = NULL;
        struct mc_facts facts;
        if (only && strcmp(branches[k], only) != 0) continue;
        int rc = mc_need_graph(node, branches[k], &branch, err);
        if (rc == MC_OK) rc = inference->graph(inference, branch, 0, NULL, &facts, err);
        if (rc < 0) return rc;
        for (int i = 0; i < node->n_outputs; i++) {
            const struct mc_fact made = mc_made_fact(&facts, branch, i);
            if (first)
                out[i] = made;
            else
                mc_agree(&out[i], &made);
        }
        first = false;
        mc_facts_finish(&facts);
    }
    return MC_OK;
}

const struct mc_op mc_op_if_1 = {
    .domain = "",
    .type = "If",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = -1,
    .branches = true,
    .infer = if_infer,
    .evaluate = if_evaluate,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

/* --- Loop --- */

struct loop {
    struct mc_call *call;
    const struct mc_graph *body;
    int n_carried, n_scanned;
    struct mc_item **in;  /* of the body: turn, condition, what is carried */
    struct mc_item **out; /* of the body: condition, what is carried, what is collected */
    struct mc_turns *scanned;
};

static void loop_finish(struct loop *l)
{
    for (int i = 0; l->in && i < 2 + l->n_carried; i++) mc_item_release(l->in[i]);
    for (int i = 0; l->scanned && i < l->n_scanned; i++) mc_turns_finish(&l->scanned[i]);
    mc_free(l->scanned);
    mc_free(l->out);
    mc_free(l->in);
}

static int loop_init(struct loop *l, struct mc_call *call, struct mc_error *err)
{
    *l = (struct loop){.call = call, .n_carried = call->n_in > 2 ? call->n_in - 2 : 0};
    int rc = mc_need_graph(call->node, "body", &l->body, err);
    if (rc < 0) return rc;
    l->n_scanned = l->body->n_outputs - 1 - l->n_carried;
    if (mc_graph_n_fed(l->body) != 2 + l->n_carried || l->n_scanned < 0 || call->n_out > l->n_carried + l->n_scanned)
        return mc_error_set(err, MC_ERR_INPUT,
                            "body '%s' takes %d inputs and gives %d, which does not fit %d inputs and %d outputs",
                            l->body->name, mc_graph_n_fed(l->body), l->body->n_outputs, call->n_in, call->n_out);
    l->in = MC_NEW_ARRAY(struct mc_item *, 2 + l->n_carried);
    l->out = MC_NEW_ARRAY(struct mc_item *, l->body->n_outputs);
    l->scanned = MC_NEW_ARRAY(struct mc_turns, l->n_scanned > 0 ? l->n_scanned : 1);
    if (!l->in || !l->out || !l->scanned) return mc_error_memory(err);
    for (int i = 0; i < l->n_carried; i++) {
        l->in[2 + i] = mc_item_retain(call->in[2 + i]);
        if (!l->in[2 + i]) return mc_error_set(err, MC_ERR_INPUT, "input %d is required and left out", 2 + i);
    }
    return MC_OK;
}

/* One run of the body. *go: its condition for the next. */
static int turn(struct loop *l, int64_t t, bool *go, struct mc_error *err)
{
    mc_item_release(l->in[0]);
    mc_item_release(l->in[1]);
    l->in[0] = l->in[1] = NULL;
    int rc = mc_item_scalar(&l->in[0], MC_INT64, t, mc_graph_fed(l->body, 0), err);
    if (rc == MC_OK) rc = mc_item_scalar(&l->in[1], MC_BOOL, *go, mc_graph_fed(l->body, 1), err);
    if (rc == MC_OK) rc = l->call->run_graph(l->call, l->body, 2 + l->n_carried, l->in, l->out, err);
    if (rc < 0) return rc;
    rc = mc_item_truth(l->out[0], l->body->outputs[0]->name, go, err);
    mc_item_release(l->out[0]);
    for (int i = 0; i < l->n_carried; i++) {
        mc_item_release(l->in[2 + i]);
        l->in[2 + i] = l->out[1 + i];
    }
    for (int i = 0; i < l->n_scanned; i++) {
        struct mc_item *const item = l->out[1 + l->n_carried + i];
        const int added = mc_turns_add(&l->scanned[i], item, rc < 0 ? NULL : err);
        if (rc == MC_OK) rc = added;
    }
    return rc;
}

static int loop_outputs(struct loop *l, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < l->call->n_out && rc == MC_OK; i++) {
        const int scanned = i - l->n_carried;
        if (!l->call->node->outputs[i]) continue;
        if (scanned < 0)
            l->call->out[i] = mc_item_retain(l->in[2 + i]);
        else
            rc = mc_turns_stack(&l->scanned[scanned], l->body->outputs[1 + i], 0, false, &l->call->out[i], err);
    }
    return rc;
}

/* The number of turns at most; what is left out bounds nothing. */
static int trip_count(const struct mc_call *call, int64_t *n, struct mc_error *err)
{
    const struct mc_item *item = call->n_in > 0 ? call->in[0] : NULL;
    *n = INT64_MAX;
    if (!item) return MC_OK;
    if (item->kind != MC_ITEM_TENSOR || item->tensor->dtype != MC_INT64 || mc_tensor_count(item->tensor) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': needs one int64", call->node->inputs[0]->name);
    *n = mc_tensor_get_i64(item->tensor, 0);
    return MC_OK;
}

static int loop_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct loop l;
    int64_t most = 0;
    bool go = true;
    int rc = loop_init(&l, call, err);
    if (rc == MC_OK) rc = trip_count(call, &most, err);
    if (rc == MC_OK && call->n_in > 1 && call->in[1])
        rc = mc_item_truth(call->in[1], call->node->inputs[1]->name, &go, err);
    for (int64_t t = 0; rc == MC_OK && go && t < most; t++) {
        rc = turn(&l, t, &go, err);
        if (rc < 0) mc_error_wrap(err, rc, "turn %" PRId64, t);
    }
    if (rc == MC_OK) rc = loop_outputs(&l, err);
    loop_finish(&l);
    return rc;
}

static bool is_true(const struct mc_tensor *t)
{
    return t && t->dtype == MC_BOOL && mc_tensor_count(t) == 1 && *(const bool *)t->data;
}

static const struct mc_value *behind_identity(const struct mc_value *v)
{
    const struct mc_node *const node = v->producer;
    return node && node->op && node->op->means == MC_MEANS_IDENTITY ? mc_node_input(node, 0) : NULL;
}

/* Does each turn hand its own condition on? */
static bool keeps_condition(const struct mc_graph *body)
{
    const struct mc_value *v = body->outputs[0], *before;
    while ((before = behind_identity(v))) v = before;
    return v == mc_graph_fed(body, 1);
}

/* All turns that are asked for, if none can be the last before. */
static mc_symbol turns_of(struct mc_symbols *s, const struct mc_outline *const *in,
                          const struct mc_outline_turns *turns, int n_in)
{
    const struct mc_outline *const most = n_in > 0 ? in[0] : NULL, *const first = n_in > 1 ? in[1] : NULL;
    const bool goes_on = is_true(turns->made[0].constant) || keeps_condition(turns->body);
    if (!most || most->n_items != 1 || (first && !is_true(first->constant)) || !goes_on) return MC_SYMBOL_UNKNOWN;
    return mc_symbol_greatest(s, most->item[0], mc_symbol_number(s, 0));
}

/* The number of the turn and the condition: a scalar, or [1]. */
static struct mc_outline outline_of_one(struct mc_symbols *s, const struct mc_value *v)
{
    struct mc_outline one = mc_outline_of_rank(v->type.rank == 1);
    one.dim[0] = mc_symbol_number(s, 1);
    return one;
}

static bool loop_turns(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                       struct mc_outline_turns *turns)
{
    const struct mc_graph *const body = turns->body;
    turns->n_carried = node->n_inputs > 2 ? node->n_inputs - 2 : 0;
    turns->first_fed = 2;
    turns->first_made = 1;
    if (mc_graph_n_fed(body) != 2 + turns->n_carried || body->n_outputs < 1) return false;
    if (turns->made) {
        turns->n_turns = turns_of(s, in, turns, node->n_inputs);
        return true;
    }
    for (int i = 0; i < 2; i++) turns->fed[i] = outline_of_one(s, mc_graph_fed(body, i));
    for (int i = 2; i < node->n_inputs; i++)
        if (in[i]) turns->fed[i] = *in[i];
    return true;
}

/* What every turn is given: the number of the turn, the condition, which held or there were no turn, what is carried.
 */
static void enter_turn(const struct mc_node *node, const struct mc_graph *body, const struct mc_fact *const *in,
                       const struct mc_tensor *holds, struct mc_fact *entry)
{
    const struct mc_shape one[] = {{.rank = mc_graph_fed(body, 0)->type.rank == 1, .dim = {1}},
                                   {.rank = mc_graph_fed(body, 1)->type.rank == 1, .dim = {1}}};
    entry[0] = (struct mc_fact){.dtype = MC_INT64, .shape = one[0]};
    entry[1] = (struct mc_fact){.dtype = MC_BOOL, .shape = one[1], .constant = holds};
    for (int i = 2; i < node->n_inputs; i++)
        entry[i] = in[i] ? (struct mc_fact){.dtype = in[i]->dtype, .shape = in[i]->shape, .open = in[i]->open}
                         : (struct mc_fact){.open = true};
}

/* The number of turns, if that is known: nothing ends the loop but the count. -1: it is not. */
static int64_t known_turns(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *goes_on)
{
    const struct mc_fact *count = node->n_inputs > 0 ? in[0] : NULL, *first = node->n_inputs > 1 ? in[1] : NULL;
    if (!count || !count->constant || count->dtype != MC_INT64 || mc_tensor_count(count->constant) != 1) return -1;
    return (!first || is_true(first->constant)) && is_true(goes_on->constant) ? mc_tensor_get_i64(count->constant, 0)
                                                                              : -1;
}

static int infer_body(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_inference *inference, const struct mc_graph *body, struct mc_fact *entry,
                      struct mc_error *err)
{
    const int n_carried = node->n_inputs - 2;
    struct mc_facts facts;
    const int rc = mc_infer_turns(inference, body, node->n_inputs, entry, n_carried, 2, 1, &facts, err);
    if (rc < 0) return rc;
    const int64_t n = known_turns(node, in, &facts.of[body->outputs[0]->id]);
    for (int i = 0; i < node->n_outputs; i++) {
        const struct mc_fact turn = mc_made_fact(&facts, body, 1 + i);
        out[i] = i < n_carried ? entry[2 + i] : mc_stacked_fact(&turn, 0, n);
    }
    mc_facts_finish(&facts);
    return MC_OK;
}

static int loop_infer(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_inference *inference, struct mc_error *err)
{
    const struct mc_graph *body = NULL;
    bool yes = true;
    struct mc_tensor holds = {.dtype = MC_BOOL, .data = &yes};
    int rc = mc_need_graph(node, "body", &body, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++) out[i] = (struct mc_fact){.open = true};
    if (node->n_inputs < 2 || mc_graph_n_fed(body) != node->n_inputs || body->n_outputs < node->n_inputs - 1)
        return MC_OK; /* evaluate says what is wrong */
    struct mc_fact *entry = MC_NEW_ARRAY(struct mc_fact, node->n_inputs);
    if (!entry) return mc_error_memory(err);
    enter_turn(node, body, in, &holds, entry);
    holds.shape = entry[1].shape;
    rc = infer_body(node, in, out, inference, body, entry, err);
    mc_free(entry);
    return rc;
}

const struct mc_op mc_op_loop_1 = {
    .domain = "",
    .type = "Loop",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = -1,
    .n_outputs = -1,
    .outline_turns = loop_turns,
    .infer = loop_infer,
    .evaluate = loop_evaluate,
    .backward = NULL,
    .no_backward = "it is run by itself, without a tape",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
