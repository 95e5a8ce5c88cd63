/* scan.c - Scan: a graph run along an axis of its inputs (ONNX opset 8; 9 and later).
 *
 * Opset 9 scans along any axis. Opset 8 has a batch along axis 0 of everything, each sample with its own length, and
 * scans along axis 1; it is run sample by sample.
 */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/control.h"
#include "op/outline.h"

/* One scan, over inputs that have no batch. */
struct scan {
    struct mc_call *call;
    const struct mc_graph *body;
    int n_states, n_scanned, n_collected; /* states, inputs scanned, outputs collected */
    int *axes;                            /* of the inputs scanned */
    bool *backwards;                      /* of them, then of the outputs collected */
    struct mc_item **in, **out;           /* of the body */
    struct mc_turns *collected;
};

static void scan_finish(struct scan *s)
{
    for (int i = 0; s->in && i < s->n_states + s->n_scanned; i++) mc_item_release(s->in[i]);
    for (int i = 0; s->collected && i < s->n_collected; i++) mc_turns_finish(&s->collected[i]);
    mc_free(s->collected);
    mc_free(s->out);
    mc_free(s->in);
    mc_free(s->backwards);
    mc_free(s->axes);
}

static int64_t list_entry(const struct mc_node *node, const char *name, int i)
{
    int64_t n;
    const int64_t *list = mc_node_ints(node, name, &n);
    return i < n ? list[i] : 0;
}

/* n_in: inputs that are not sequence lengths. */
static int scan_init(struct scan *s, struct mc_call *call, int n_in, const char *directions, struct mc_error *err)
{
    *s = (struct scan){.call = call};
    const int64_t n_scanned = mc_node_int(call->node, "num_scan_inputs", 0);
    int rc = mc_need_graph(call->node, "body", &s->body, err);
    if (rc < 0) return rc;
    if (n_scanned < 1 || n_scanned > n_in)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'num_scan_inputs': needs 1 to %d, has %" PRId64, n_in,
                            n_scanned);
    s->n_scanned = (int)n_scanned;
    s->n_states = n_in - s->n_scanned;
    s->n_collected = s->body->n_outputs - s->n_states;
    if (mc_graph_n_fed(s->body) != n_in || s->n_collected < 0 || call->n_out > s->body->n_outputs)
        return mc_error_set(err, MC_ERR_INPUT,
                            "body '%s' takes %d inputs and gives %d, which does not fit %d inputs and %d outputs",
                            s->body->name, mc_graph_n_fed(s->body), s->body->n_outputs, n_in, call->n_out);
    s->axes = MC_NEW_ARRAY(int, s->n_scanned);
    s->backwards = MC_NEW_ARRAY(bool, s->n_scanned + s->n_collected);
    s->in = MC_NEW_ARRAY(struct mc_item *, n_in);
    s->out = MC_NEW_ARRAY(struct mc_item *, s->body->n_outputs);
    s->collected = MC_NEW_ARRAY(struct mc_turns, s->n_collected > 0 ? s->n_collected : 1);
    if (!s->axes || !s->backwards || !s->in || !s->out || !s->collected) return mc_error_memory(err);
    for (int i = 0; i < s->n_scanned; i++) s->backwards[i] = list_entry(call->node, directions, i) != 0;
    for (int i = 0; i < s->n_collected; i++)
        s->backwards[s->n_scanned + i] = list_entry(call->node, "scan_output_directions", i) != 0;
    return MC_OK;
}

/* Set the states, whose uses are taken over as they are retained. */
static void set_states(struct scan *s, struct mc_item *const *states)
{
    for (int i = 0; i < s->n_states; i++) {
        mc_item_release(s->in[i]);
        s->in[i] = mc_item_retain(states[i]);
    }
    for (int i = 0; i < s->n_collected; i++) mc_turns_finish(&s->collected[i]);
}

static int turn(struct scan *s, const struct mc_tensor *const *scanned, int64_t t, int64_t n, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < s->n_scanned && rc == MC_OK; i++) {
        struct mc_item **slot = &s->in[s->n_states + i];
        mc_item_release(*slot);
        *slot = NULL;
        rc = mc_item_slice(slot, scanned[i], s->axes[i], s->backwards[i] ? n - 1 - t : t, err);
    }
    if (rc == MC_OK) rc = s->call->run_graph(s->call, s->body, s->n_states + s->n_scanned, s->in, s->out, err);
    if (rc < 0) return rc;
    for (int i = 0; i < s->n_states; i++) {
        mc_item_release(s->in[i]);
        s->in[i] = s->out[i];
    }
    for (int i = 0; i < s->n_collected; i++) {
        const int added = mc_turns_add(&s->collected[i], s->out[s->n_states + i], rc < 0 ? NULL : err);
        if (rc == MC_OK) rc = added;
    }
    return rc;
}

static int run(struct scan *s, const struct mc_tensor *const *scanned, int64_t n, struct mc_error *err)
{
    int rc = MC_OK;
    for (int64_t t = 0; t < n && rc == MC_OK; t++) {
        rc = turn(s, scanned, t, n, err);
        if (rc < 0) mc_error_wrap(err, rc, "turn %" PRId64, t);
    }
    return rc;
}

static int need_tensor(const struct mc_call *call, int i, const struct mc_tensor **tensor, struct mc_error *err)
{
    if (!call->in[i] || call->in[i]->kind != MC_ITEM_TENSOR)
        return mc_error_set(err, MC_ERR_INPUT, "input %d: needs a tensor", i);
    *tensor = call->in[i]->tensor;
    return MC_OK;
}

/* --- opset 9 and later --- */

/* The inputs scanned and how many turns they have, which is one for all. */
static int find_scanned(struct scan *s, const struct mc_tensor **scanned, int64_t *n, struct mc_error *err)
{
    for (int i = 0; i < s->n_scanned; i++) {
        int rc = need_tensor(s->call, s->n_states + i, &scanned[i], err);
        if (rc == MC_OK)
            rc =
                mc_need_axis(list_entry(s->call->node, "scan_input_axes", i), scanned[i]->shape.rank, &s->axes[i], err);
        if (rc < 0) return rc;
        const int64_t extent = scanned[i]->shape.dim[s->axes[i]];
        if (i > 0 && extent != *n)
            return mc_error_set(err, MC_ERR_INPUT, "input %d: needs %" PRId64 " turns, has %" PRId64, s->n_states + i,
                                *n, extent);
        *n = extent;
    }
    return MC_OK;
}

static int scan_9_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct scan s;
    int64_t n = 0;
    int rc = scan_init(&s, call, call->n_in, "scan_input_directions", err);
    const struct mc_tensor **scanned = rc == MC_OK ? MC_NEW_ARRAY(const struct mc_tensor *, s.n_scanned) : NULL;
    if (rc == MC_OK && !scanned) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = find_scanned(&s, scanned, &n, err);
    if (rc == MC_OK) {
        set_states(&s, call->in);
        rc = run(&s, scanned, n, err);
    }
    for (int i = 0; i < call->n_out && rc == MC_OK; i++) {
        const int k = i - s.n_states;
        if (!call->node->outputs[i]) continue;
        if (k < 0)
            call->out[i] = mc_item_retain(s.in[i]);
        else
            rc = mc_turns_stack(&s.collected[k], s.body->outputs[i], list_entry(call->node, "scan_output_axes", k),
                                s.backwards[s.n_scanned + k], &call->out[i], err);
    }
    mc_free(scanned);
    scan_finish(&s);
    return rc;
}

/* A slice of what is scanned. *n: the turns, which have to be the same for all; -1: they are not known. */
static struct mc_fact slice_fact(const struct mc_node *node, const struct mc_fact *scanned, int i, int64_t *n)
{
    struct mc_fact slice = {.dtype = scanned->dtype, .shape = {.rank = scanned->shape.rank - 1}};
    int axis;
    if (scanned->open || mc_need_axis(list_entry(node, "scan_input_axes", i), scanned->shape.rank, &axis, NULL) < 0) {
        *n = -1;
        return (struct mc_fact){.open = true};
    }
    for (int k = 0; k < slice.shape.rank; k++) slice.shape.dim[k] = scanned->shape.dim[k + (k >= axis)];
    const int64_t extent = scanned->shape.dim[axis];
    *n = i == 0 || *n == extent ? extent : -1;
    return slice;
}

static int scan_infer_body(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_inference *inference, const struct mc_graph *body, struct mc_fact *entry,
                           struct mc_error *err)
{
    const int n_states = node->n_inputs - (int)mc_node_int(node, "num_scan_inputs", 0);
    struct mc_facts facts;
    int64_t n = -1;
    for (int i = 0; i < node->n_inputs; i++) {
        if (!in[i]) return MC_OK;
        entry[i] = i < n_states ? (struct mc_fact){.dtype = in[i]->dtype, .shape = in[i]->shape, .open = in[i]->open}
                                : slice_fact(node, in[i], i - n_states, &n);
    }
    const int rc = mc_infer_turns(inference, body, node->n_inputs, entry, n_states, 0, 0, &facts, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++) {
        const struct mc_fact turn = mc_made_fact(&facts, body, i);
        out[i] =
            i < n_states ? entry[i] : mc_stacked_fact(&turn, list_entry(node, "scan_output_axes", i - n_states), n);
    }
    mc_facts_finish(&facts);
    return MC_OK;
}

static int scan_9_infer(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_inference *inference, struct mc_error *err)
{
    const struct mc_graph *body = NULL;
    const int64_t n_scanned = mc_node_int(node, "num_scan_inputs", 0);
    int rc = mc_need_graph(node, "body", &body, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++) out[i] = (struct mc_fact){.open = true};
    if (n_scanned < 1 || n_scanned > node->n_inputs || mc_graph_n_fed(body) != node->n_inputs)
        return MC_OK; /* evaluate says what is wrong */
    struct mc_fact *entry = MC_NEW_ARRAY(struct mc_fact, node->n_inputs);
    if (!entry) return mc_error_memory(err);
    rc = scan_infer_body(node, in, out, inference, body, entry, err);
    mc_free(entry);
    return rc;
}

/* --- opset 8 --- */

/* The length of sample b; all of the axis where none is given. */
static int length_of(const struct mc_call *call, int64_t b, int64_t extent, int64_t *n, struct mc_error *err)
{
    *n = extent;
    if (!call->in[0]) return MC_OK;
    const struct mc_tensor *lengths = NULL;
    const int rc = need_tensor(call, 0, &lengths, err);
    if (rc < 0) return rc;
    if (lengths->dtype != MC_INT64 || b >= mc_tensor_count(lengths))
        return mc_error_set(err, MC_ERR_INPUT, "input 0: needs an int64 for each sample");
    *n = mc_tensor_get_i64(lengths, b);
    if (*n < 0 || *n > extent)
        return mc_error_set(err, MC_ERR_INPUT, "input 0: needs lengths of 0 to %" PRId64 ", has %" PRId64, extent, *n);
    return MC_OK;
}

/* What a sample is short of the longest is zeros. */
static int pad_turns(struct mc_turns *turns, int64_t n, struct mc_error *err)
{
    while (turns->n > 0 && (int64_t)turns->n < n) {
        struct mc_tensor *zeros;
        const struct mc_tensor *like = turns->items[0]->tensor;
        int rc = mc_tensor_create(&zeros, like->dtype, &like->shape, err);
        if (rc < 0) return rc;
        struct mc_item *item = mc_item_of_tensor(zeros);
        rc = item ? mc_turns_add(turns, item, err) : mc_error_memory(err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* One sample; what it leaves goes to samples[output]. */
static int run_sample(struct scan *s, int64_t b, struct mc_turns *samples, struct mc_error *err)
{
    const int n_in = s->n_states + s->n_scanned;
    struct mc_item **slices = MC_NEW_ARRAY(struct mc_item *, n_in);
    const struct mc_tensor **scanned = MC_NEW_ARRAY(const struct mc_tensor *, s->n_scanned), *whole = NULL;
    int rc = slices && scanned ? MC_OK : mc_error_memory(err);
    int64_t n = 0, extent = 0;
    for (int i = 0; i < n_in && rc == MC_OK; i++) {
        rc = need_tensor(s->call, 1 + i, &whole, err);
        if (rc == MC_OK && (whole->shape.rank < 1 + (i >= s->n_states) || b >= whole->shape.dim[0]))
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d: needs a batch%s", 1 + i,
                              i >= s->n_states ? " and a sequence" : "");
        if (rc == MC_OK) rc = mc_item_slice(&slices[i], whole, 0, b, err);
        if (rc < 0 || i < s->n_states) continue;
        scanned[i - s->n_states] = slices[i]->tensor;
        s->axes[i - s->n_states] = 0;
        if (i > s->n_states && slices[i]->tensor->shape.dim[0] != extent)
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d: needs sequences of %" PRId64 ", has %" PRId64, 1 + i,
                              extent, slices[i]->tensor->shape.dim[0]);
        extent = slices[i]->tensor->shape.dim[0];
    }
    if (rc == MC_OK) rc = length_of(s->call, b, extent, &n, err);
    if (rc == MC_OK) {
        set_states(s, slices);
        rc = run(s, scanned, n, err);
    }
    for (int i = 0; i < s->n_states && rc == MC_OK; i++) rc = mc_turns_add(&samples[i], mc_item_retain(s->in[i]), err);
    for (int i = 0; i < s->n_collected && rc == MC_OK; i++) {
        struct mc_item *stacked = NULL;
        rc = pad_turns(&s->collected[i], extent, err);
        if (rc == MC_OK)
            rc = mc_turns_stack(&s->collected[i], s->body->outputs[s->n_states + i], 0, false, &stacked, err);
        if (rc == MC_OK) rc = mc_turns_add(&samples[s->n_states + i], stacked, err);
    }
    for (int i = 0; slices && i < n_in; i++) mc_item_release(slices[i]);
    mc_free(scanned);
    mc_free(slices);
    return rc;
}

static int scan_8_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct scan s;
    const struct mc_tensor *first = NULL;
    int rc = scan_init(&s, call, call->n_in - 1, "directions", err);
    const int n_out = rc == MC_OK ? s.body->n_outputs : 0;
    struct mc_turns *samples = MC_NEW_ARRAY(struct mc_turns, n_out > 0 ? n_out : 1);
    if (rc == MC_OK && !samples) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = need_tensor(call, call->n_in - 1, &first, err);
    if (rc == MC_OK && first->shape.rank < 2)
        rc = mc_error_set(err, MC_ERR_INPUT, "input %d: needs a batch and a sequence", call->n_in - 1);
    for (int64_t b = 0; rc == MC_OK && b < first->shape.dim[0]; b++) {
        rc = run_sample(&s, b, samples, err);
        if (rc < 0) mc_error_wrap(err, rc, "sample %" PRId64, b);
    }
    for (int i = 0; i < call->n_out && rc == MC_OK; i++)
        if (call->node->outputs[i]) rc = mc_turns_stack(&samples[i], s.body->outputs[i], 0, false, &call->out[i], err);
    for (int i = 0; samples && i < n_out; i++) mc_turns_finish(&samples[i]);
    mc_free(samples);
    scan_finish(&s);
    return rc;
}

/* --- shapes with open dimensions, of opset 9 and later --- */

/* A slice of an outline: one axis goes. *n: what is there of it. */
static struct mc_outline slice_outline(const struct mc_outline *whole, int64_t axis, mc_symbol *n)
{
    struct mc_outline part = mc_outline_of_rank(-1);
    int at;
    if (whole->rank < 1 || mc_need_axis(axis, whole->rank, &at, NULL) < 0) return part;
    part.rank = whole->rank - 1;
    for (int k = 0; k < part.rank; k++) part.dim[k] = whole->dim[k + (k >= at)];
    *n = whole->dim[at];
    return part;
}

static bool scan_turns(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                       struct mc_outline_turns *turns)
{
    const int64_t n_scanned = mc_node_int(node, "num_scan_inputs", 0);
    if (n_scanned < 1 || n_scanned > node->n_inputs || mc_graph_n_fed(turns->body) != node->n_inputs) return false;
    turns->n_carried = node->n_inputs - (int)n_scanned;
    turns->axes = mc_node_ints(node, "scan_output_axes", &turns->n_axes);
    for (int i = 0; i < node->n_inputs && !turns->made; i++) {
        const int k = i - turns->n_carried;
        if (!in[i]) return false;
        turns->fed[i] = k < 0 ? *in[i] : slice_outline(in[i], list_entry(node, "scan_input_axes", k), &turns->n_turns);
    }
    return true;
}

const struct mc_op mc_op_scan_8 = {
    .domain = "",
    .type = "Scan",
    .since = 8,
    .min_inputs = 0, /* the lengths, input 0, may be left out */
    .max_inputs = -1,
    .n_outputs = -1,
    .evaluate = scan_8_evaluate,
    .backward = NULL,
    .no_backward = "it is run by itself, without a tape",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

const struct mc_op mc_op_scan_9 = {
    .domain = "",
    .type = "Scan",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = -1,
    .n_outputs = -1,
    .outline_turns = scan_turns,
    .infer = scan_9_infer,
    .evaluate = scan_9_evaluate,
    .backward = NULL,
    .no_backward = "it is run by itself, without a tape",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
