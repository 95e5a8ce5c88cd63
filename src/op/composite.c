/* composite.c - operators that are made of others; see composite.h. */
#include "op/composite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/broadcast.h"
#include "op/elementwise.h"
#include "op/move.h"

/* Values and parts beside those that each input may need; no composing function has more. */
enum { VALUES = 96, PARTS = 48, MAX_OUTPUTS = 8, MAX_DETOURS = 16 };

/* Where something lies in a block of memory while it lives. */
struct place {
    int first, last;
    size_t bytes, offset;
    bool taken; /* it needs one */
};

/* A value: an input of the node, a constant, or what a part makes. */
struct value {
    struct mc_fact fact;
    struct mc_value name;    /* for the messages of rules */
    struct mc_tensor tensor; /* its data are set when the step runs, unless they never change */
    int root;                /* whose storage it has */
    int shown;               /* whose elements it has: itself, or what it is a view of */
    int made, last;          /* parts that make it and that read it last, backward being beyond all; -1: none */
    int output;              /* of roots: the node's output whose storage this is; -1: none */
    bool used;
    bool constant;      /* data are there from prepare on */
    void *own;          /* what prepare computed; of roots */
    struct place place; /* in the workspace, or with backward to come among what is saved; of roots */
    /* training */
    struct mc_tensor grad; /* shaped as the value, data as `shown` has them */
    struct place grad_place;
    bool wanted, grad_present; /* of what is shown: depends on what has a gradient; something has been written */
};

/* One operator to run. */
struct part {
    struct mc_node node;
    int n_in, n_out, first; /* first: its first output */
    const int *in;
    struct mc_step step;
    bool prepared, constant;
    size_t saved; /* where what it leaves for backward lies among what is saved */
};

struct mc_composite {
    struct mc_arena arena;
    const struct mc_node *node;
    int rc;
    struct mc_error *err;
    int n_values, n_parts, cap_values, cap_parts;
    struct value *values;
    struct part *parts;
    int out[MAX_OUTPUTS];
    struct mc_fact nothing;
    size_t values_bytes;               /* of the workspace, before what the parts need */
    size_t grads_bytes, detours_bytes; /* the same going back */
};

/* --- composing --- */

const struct mc_node *mc_compose_node(const struct mc_composite *c)
{
    return c->node;
}

int mc_compose_in(const struct mc_composite *c, int i)
{
    return i < c->node->n_inputs && c->values[i].used ? i : MC_NO_VALUE;
}

const struct mc_fact *mc_compose_fact(const struct mc_composite *c, int value)
{
    return value < 0 ? &c->nothing : &c->values[value].fact;
}

struct mc_error *mc_compose_error(struct mc_composite *c)
{
    return c->err;
}

bool mc_compose_check(struct mc_composite *c, int status)
{
    if (c->rc == MC_OK) c->rc = status;
    return c->rc == MC_OK;
}

void mc_compose_refuse(struct mc_composite *c, int status, const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (c->rc < 0) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->rc = mc_error_set(c->err, status, "%s", text);
}

void mc_compose_out(struct mc_composite *c, int i, int value)
{
    assert(i < MAX_OUTPUTS);
    if (c->rc < 0 || value < 0) return;
    c->out[i] = value;
    c->values[value].used = true;
}

static int add_value(struct mc_composite *c, const struct mc_fact *fact)
{
    assert(c->n_values < c->cap_values);
    const int at = c->n_values++;
    c->values[at] = (struct value){
        .fact = *fact,
        .name = {.name = "inside", .id = -1},
        .root = at,
        .shown = at,
        .made = -1,
        .last = -1,
        .output = -1,
    };
    return at;
}

int mc_compose_constant(struct mc_composite *c, enum mc_dtype dtype, const struct mc_shape *shape, const void *data)
{
    size_t bytes;
    if (c->rc < 0) return MC_NO_VALUE;
    struct mc_tensor *tensor = MC_ARENA_NEW(&c->arena, struct mc_tensor);
    void *copy = mc_dtype_size(dtype, mc_shape_count(shape), &bytes) ? mc_arena_alloc(&c->arena, bytes + 1, 1) : NULL;
    if (!tensor || !copy) {
        c->rc = mc_error_memory(c->err);
        return MC_NO_VALUE;
    }
    memcpy(copy, data, bytes);
    *tensor = (struct mc_tensor){.dtype = dtype, .shape = *shape, .data = copy};
    const int at = add_value(c, &(struct mc_fact){.dtype = dtype, .shape = *shape, .constant = tensor});
    c->values[at].constant = true;
    c->values[at].tensor = *tensor;
    return at;
}

int mc_compose_ints(struct mc_composite *c, const int64_t *values, int64_t n)
{
    return mc_compose_constant(c, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {n}}, values);
}

int mc_compose_number(struct mc_composite *c, enum mc_dtype dtype, double value)
{
    double room = 0;
    struct mc_tensor one = {.dtype = dtype, .data = &room};
    mc_tensor_set_f64(&one, 0, value);
    return mc_compose_constant(c, dtype, &one.shape, &room);
}

int mc_compose_view(struct mc_composite *c, int value, int rank, const int64_t *dims)
{
    if (c->rc < 0 || value < 0) return MC_NO_VALUE;
    struct mc_fact fact = c->values[value].fact;
    fact.shape = mc_shape_of(rank, dims);
    fact.constant = NULL;
    if (mc_shape_count(&fact.shape) != mc_shape_count(&c->values[value].fact.shape)) {
        mc_compose_refuse(c, MC_ERR_INPUT, "its inputs do not go together");
        return MC_NO_VALUE;
    }
    const int at = add_value(c, &fact);
    c->values[at].root = c->values[value].root;
    c->values[at].shown = c->values[value].shown;
    c->values[at].made = c->values[value].made;
    c->values[value].used = true;
    return at;
}

/* The node that the part's rules are shown. */
static bool make_node(struct mc_composite *c, struct part *p, const struct mc_op *op, const struct mc_attr *attrs,
                      int n_attrs)
{
    struct mc_node *node = &p->node;
    *node = *c->node;
    node->type = op->type;
    node->domain = op->domain;
    node->op = op;
    node->opset = op->since;
    node->n_inputs = p->n_in;
    node->n_outputs = p->n_out;
    node->inputs = MC_ARENA_ARRAY(&c->arena, struct mc_value *, p->n_in + 1);
    node->outputs = MC_ARENA_ARRAY(&c->arena, struct mc_value *, p->n_out + 1);
    node->n_attrs = n_attrs;
    node->attrs = MC_ARENA_ARRAY(&c->arena, struct mc_attr, n_attrs + 1);
    if (!node->inputs || !node->outputs || !node->attrs) return false;
    if (n_attrs) memcpy(node->attrs, attrs, (size_t)n_attrs * sizeof *attrs);
    for (int i = 0; i < n_attrs; i++) {
        struct mc_attr *a = &node->attrs[i];
        if (a->type != MC_ATTR_INTS) continue;
        int64_t *copy = MC_ARENA_ARRAY(&c->arena, int64_t, a->n + 1);
        if (!copy) return false;
        if (a->n) memcpy(copy, a->ints, (size_t)a->n * sizeof *copy);
        a->ints = copy;
    }
    return true;
}

/* Its outputs' types and shapes. */
static int ask_shape(struct mc_composite *c, struct part *p)
{
    const struct mc_op *op = p->node.op;
    const int room = mc_node_room_in(&p->node), room_out = mc_node_room_out(&p->node);
    const struct mc_fact **in = MC_ARENA_ARRAY(&c->arena, const struct mc_fact *, room + 1);
    struct mc_fact *out = MC_ARENA_ARRAY(&c->arena, struct mc_fact, room_out + 1);
    if (!in || !out) return mc_error_memory(c->err);
    for (int i = 0; i < p->n_in; i++) {
        if (p->in[i] < 0) continue;
        in[i] = &c->values[p->in[i]].fact;
        p->node.inputs[i] = &c->values[p->in[i]].name;
        c->values[p->in[i]].used = true;
    }
    p->first = c->n_values;
    for (int i = 0; i < p->n_out; i++) {
        const int at = add_value(c, &c->nothing);
        c->values[at].made = c->n_parts;
        p->node.outputs[i] = &c->values[at].name;
    }
    const int rc = op->shape(&p->node, in, out, c->err);
    for (int i = 0; i < p->n_out; i++) c->values[p->first + i].fact = out[i];
    return rc;
}

int mc_compose(struct mc_composite *c, const struct mc_op *op, int n_out, const struct mc_attr *attrs, int n_attrs,
               const int *in, int n_in)
{
    if (c->rc < 0) return MC_NO_VALUE;
    assert(c->n_parts < c->cap_parts && op->forward);
    struct part *p = &c->parts[c->n_parts];
    int *copy = MC_ARENA_ARRAY(&c->arena, int, n_in + 1);
    *p = (struct part){.n_in = n_in, .n_out = n_out, .in = copy};
    if (!copy) {
        c->rc = mc_error_memory(c->err);
        return MC_NO_VALUE;
    }
    memcpy(copy, in, (size_t)n_in * sizeof *copy);
    while (p->n_in > 0 && copy[p->n_in - 1] < 0) p->n_in--;
    for (int i = 0; i < op->min_inputs; i++)
        if (i >= p->n_in || copy[i] < 0) mc_compose_refuse(c, MC_ERR_INPUT, "an input that it needs is left out");
    if (c->rc < 0) return MC_NO_VALUE;
    c->rc = make_node(c, p, op, attrs, n_attrs) ? ask_shape(c, p) : mc_error_memory(c->err);
    if (c->rc < 0) return MC_NO_VALUE;
    c->n_parts++;
    return p->first;
}

int mc_compose_range(struct mc_composite *c, int64_t n)
{
    const int first = mc_compose_number(c, MC_INT64, 0), step = mc_compose_number(c, MC_INT64, 1);
    const int limit = mc_compose_number(c, MC_INT64, (double)n);
    return mc_compose(c, &mc_op_range_11, 1, MC_NO_ATTRS, MC_LIST(first, limit, step));
}

int mc_compose_plus(struct mc_composite *c, int x, int addend)
{
    return addend < 0 ? x : mc_compose(c, &mc_op_add_7, 1, MC_NO_ATTRS, MC_LIST(x, addend));
}

int mc_compose_cast(struct mc_composite *c, int x, enum mc_dtype to)
{
    return mc_compose(c, &mc_op_cast_6, 1, MC_ATTRS(MC_ATTR_OF_INT("to", to)), MC_LIST(x));
}

int mc_compose_transpose(struct mc_composite *c, int x, const int64_t *perm)
{
    const int rank = mc_compose_fact(c, x)->shape.rank;
    const struct mc_attr attr = {.name = "perm", .type = MC_ATTR_INTS, .n = rank, .ints = (int64_t *)perm};
    return mc_compose(c, &mc_op_transpose_1, 1, &attr, 1, MC_LIST(x));
}

/* --- life --- */

static void destroy(struct mc_composite *c)
{
    if (!c) return;
    for (int k = 0; k < c->n_parts; k++)
        if (c->parts[k].prepared && c->parts[k].node.op->release) c->parts[k].node.op->release(&c->parts[k].step);
    for (int i = 0; i < c->n_values; i++) mc_free(c->values[i].own);
    mc_arena_finish(&c->arena);
    mc_free(c);
}

static int create(struct mc_composite **composite, const struct mc_node *node, const struct mc_fact *const *in,
                  mc_compose_fn *compose, struct mc_error *err)
{
    struct mc_composite *c = MC_NEW(struct mc_composite);
    *composite = c;
    if (!c) return mc_error_memory(err);
    mc_arena_init(&c->arena);
    c->node = node;
    c->err = err;
    c->cap_values = VALUES + 2 * node->n_inputs;
    c->cap_parts = PARTS + node->n_inputs;
    c->values = MC_ARENA_ARRAY(&c->arena, struct value, c->cap_values);
    c->parts = MC_ARENA_ARRAY(&c->arena, struct part, c->cap_parts);
    if (!c->values || !c->parts) return mc_error_memory(err);
    for (int i = 0; i < MAX_OUTPUTS; i++) c->out[i] = MC_NO_VALUE;
    for (int i = 0; i < node->n_inputs; i++) {
        add_value(c, in[i] ? in[i] : &c->nothing);
        if (!in[i]) continue;
        c->values[i].used = true;
        c->values[i].name = *node->inputs[i];
    }
    compose(c);
    c->err = NULL;
    return c->rc;
}

int mc_composite_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       mc_compose_fn *compose, struct mc_error *err)
{
    struct mc_composite *c;
    const int rc = create(&c, node, in, compose, err);
    for (int i = 0; i < node->op->n_outputs && rc == MC_OK; i++) {
        if (c->out[i] < 0) continue;
        out[i] = c->values[c->out[i]].fact;
        out[i].constant = NULL;
    }
    destroy(c);
    return rc;
}

void mc_composite_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                       mc_compose_fn *compose, struct mc_cost *cost)
{
    struct mc_composite *c;
    mc_cost_free(node, in, out, cost);
    if (create(&c, node, in, compose, NULL) == MC_OK)
        for (int k = 0; k < c->n_parts; k++) {
            struct part *p = &c->parts[k];
            const struct mc_fact **inside =
                MC_ARENA_ARRAY(&c->arena, const struct mc_fact *, mc_node_room_in(&p->node) + 1);
            struct mc_fact *made = MC_ARENA_ARRAY(&c->arena, struct mc_fact, mc_node_room_out(&p->node) + 1);
            struct mc_cost part = {0};
            if (!inside || !made) break;
            for (int i = 0; i < p->n_in; i++)
                if (p->in[i] >= 0) inside[i] = &c->values[p->in[i]].fact;
            for (int i = 0; i < p->n_out; i++) made[i] = c->values[p->first + i].fact;
            p->node.op->cost(&p->node, inside, made, &part);
            cost->macs += part.macs;
            cost->flops += part.flops;
        }
    destroy(c);
}

/* --- memory --- */

static bool is_inner(const struct mc_composite *c, int value)
{
    return value >= c->node->n_inputs && !c->values[value].constant;
}

static void use_until(struct mc_composite *c, int value, int time)
{
    if (value < 0) return;
    struct value *root = &c->values[c->values[value].root];
    if (root->last < time) root->last = time;
}

/* Does a gradient go from the part to its input i? */
static bool passes(const struct mc_composite *c, const struct part *p, int i)
{
    const struct mc_op *op = p->node.op;
    return p->in[i] >= 0 && op->backward && (op->grad_inputs >> (i < 31 ? i : 31) & 1) &&
           c->values[c->values[p->in[i]].shown].wanted;
}

static bool goes_back(const struct mc_composite *c, const struct part *p)
{
    for (int i = 0; i < p->n_in; i++)
        if (passes(c, p, i)) return true;
    return false;
}

/* What depends on inputs that gradients are wanted by: all that may be, as long as nobody says which are. */
static void mark_wanted(struct mc_composite *c, const struct mc_step *step, bool all)
{
    for (int i = 0; i < c->n_values; i++) c->values[i].wanted = false;
    for (int i = 0; i < c->node->n_inputs; i++) {
        const bool can = step->in[i] && !c->values[i].constant && mc_dtype_is_float(c->values[i].fact.dtype);
        c->values[i].wanted =
            can && (all ? (c->node->op->grad_inputs >> (i < 31 ? i : 31) & 1) != 0 : step->grad_in[i] != NULL);
    }
    for (int k = 0; k < c->n_parts; k++) {
        const struct part *p = &c->parts[k];
        if (p->constant || !goes_back(c, p)) continue;
        for (int i = 0; i < p->n_out; i++)
            if (p->step.out[i] && mc_dtype_is_float(c->values[p->first + i].fact.dtype))
                c->values[p->first + i].wanted = true;
    }
}

/* Backward is a time after all parts. */
static void find_lifetimes(struct mc_composite *c, bool training)
{
    for (int k = 0; k < c->n_parts; k++) {
        const struct part *p = &c->parts[k];
        const int keep = training && !p->constant && goes_back(c, p) ? (int)p->node.op->keep : 0;
        for (int i = 0; i < p->n_in; i++) use_until(c, p->in[i], keep & MC_KEEP_IN ? c->n_parts + 1 : k);
        for (int i = 0; i < p->n_out; i++) use_until(c, p->first + i, keep & MC_KEEP_OUT ? c->n_parts + 1 : k);
    }
    for (int i = 0; i < MAX_OUTPUTS; i++) use_until(c, c->out[i], c->n_parts);
}

static bool is_kept(const struct mc_composite *c, const struct value *root)
{
    return root->last > c->n_parts;
}

/* Let results take the place of what nobody reads any more. */
static void place_in(struct mc_composite *c)
{
    for (int k = 0; k < c->n_parts; k++) {
        const struct part *p = &c->parts[k];
        if (!p->node.op->inplace || p->n_in < 1 || p->in[0] < 0 || p->constant) continue;
        const struct value *from = &c->values[p->in[0]], *to = &c->values[p->first];
        const int root = from->root;
        if (!is_inner(c, root) || c->values[root].last != k || from->fact.dtype != to->fact.dtype ||
            !mc_shape_equal(&from->fact.shape, &to->fact.shape))
            continue;
        const int last = c->values[p->first].last;
        for (int i = p->first; i < c->n_values; i++)
            if (c->values[i].root == p->first) c->values[i].root = root;
        c->values[root].last = last;
    }
}

static struct place *place_of(struct mc_composite *c, int i, bool grads)
{
    return grads ? &c->values[i].grad_place : &c->values[i].place;
}

/* First fit: the lowest place that is free while it lives. Gives the end of all. */
static size_t find_places(struct mc_composite *c, bool grads)
{
    size_t total = 0;
    for (int at = 0; at < c->n_values; at++) {
        struct place *v = place_of(c, at, grads);
        if (!v->taken) continue;
        for (bool moved = true; moved;) {
            moved = false;
            for (int i = 0; i < at; i++) {
                const struct place *o = place_of(c, i, grads);
                const size_t end = o->offset + mc_align(o->bytes);
                if (!o->taken || o->last < v->first || v->last < o->first) continue;
                if (v->offset >= end || v->offset + v->bytes <= o->offset) continue;
                v->offset = end;
                moved = true;
            }
        }
        if (total < v->offset + mc_align(v->bytes)) total = v->offset + mc_align(v->bytes);
    }
    return total;
}

/* Values that are outputs get the outputs' storage, what backward reads a place of its own, the rest one in the
 * workspace. */
static void place_values(struct mc_composite *c, struct mc_step *step)
{
    if (step->training) mark_wanted(c, step, true);
    find_lifetimes(c, step->training);
    place_in(c);
    for (int i = 0; i < step->n_out; i++) {
        if (c->out[i] < 0 || !step->out[i]) continue;
        struct value *root = &c->values[c->values[c->out[i]].root];
        if (is_inner(c, c->values[c->out[i]].root) && root->output < 0) root->output = i;
    }
    for (int i = 0; i < c->n_values; i++) {
        struct value *v = &c->values[i];
        if (v->root != i) c->values[v->root].used |= v->used;
    }
    for (int i = 0; i < c->n_values; i++) {
        struct value *v = &c->values[i];
        if (v->root != i || !is_inner(c, i) || v->output >= 0 || !v->used) continue;
        v->place = (struct place){.first = v->made, .last = v->last, .bytes = mc_tensor_bytes(&v->tensor)};
        if (is_kept(c, v)) {
            v->place.offset = step->saved_bytes;
            step->saved_bytes += mc_align(v->place.bytes);
        } else {
            v->place.taken = true;
        }
    }
    c->values_bytes = find_places(c, false);
}

/* Gradients: part k goes back at time n_parts - k, what comes in is there at time 0. The first to give one writes it,
 * others take a detour. */
static void place_gradients(struct mc_composite *c, const struct mc_step *step)
{
    for (int i = 0; i < c->n_values; i++) {
        struct value *v = &c->values[i], *shown = &c->values[v->shown];
        v->grad = v->tensor;
        v->grad.data = NULL;
        if (v->shown != i || !v->wanted || i < c->node->n_inputs) continue;
        shown->grad_place = (struct place){
            .taken = true, .bytes = mc_tensor_bytes(&v->tensor), .first = c->n_parts, .last = c->n_parts - v->made};
    }
    for (int i = 0; i < step->n_out; i++)
        if (c->out[i] >= 0) c->values[c->values[c->out[i]].shown].grad_place.first = 0;
    for (int k = c->n_parts - 1; k >= 0; k--) {
        const struct part *p = &c->parts[k];
        size_t detours = 0;
        for (int i = 0; i < p->n_in && !p->constant; i++) {
            if (!passes(c, p, i)) continue;
            struct place *place = &c->values[c->values[p->in[i]].shown].grad_place;
            if (place->first > c->n_parts - k) place->first = c->n_parts - k;
            detours += mc_align(mc_tensor_bytes(&c->values[p->in[i]].tensor));
        }
        if (c->detours_bytes < detours) c->detours_bytes = detours;
    }
    c->grads_bytes = find_places(c, true);
}

/* --- preparing --- */

static int make_step(struct mc_composite *c, struct part *p, const struct mc_step *whole, struct mc_error *err)
{
    const int room_in = mc_node_room_in(&p->node) + 1, room_out = mc_node_room_out(&p->node) + 1;
    struct mc_step *step = &p->step;
    bool *constant = MC_ARENA_ARRAY(&c->arena, bool, room_in);
    *step = (struct mc_step){
        .node = &p->node, .runtime = whole->runtime, .n_in = p->n_in, .n_out = p->n_out, .training = whole->training};
    step->in = MC_ARENA_ARRAY(&c->arena, struct mc_tensor *, room_in);
    step->out = MC_ARENA_ARRAY(&c->arena, struct mc_tensor *, room_out);
    step->grad_in = MC_ARENA_ARRAY(&c->arena, struct mc_tensor *, room_in);
    step->grad_out = MC_ARENA_ARRAY(&c->arena, struct mc_tensor *, room_out);
    step->in_constant = constant;
    if (!constant || !step->in || !step->out || !step->grad_in || !step->grad_out) return mc_error_memory(err);
    p->constant = true;
    for (int i = 0; i < p->n_in; i++) {
        if (p->in[i] < 0) continue;
        step->in[i] = &c->values[p->in[i]].tensor;
        constant[i] = c->values[c->values[p->in[i]].root].constant;
        p->constant &= constant[i];
    }
    for (int i = 0; i < p->n_out; i++) {
        struct value *v = &c->values[p->first + i];
        if (i == 0 || v->used)
            step->out[i] = &v->tensor;
        else
            p->node.outputs[i] = NULL;
        v->used |= i == 0;
    }
    return MC_OK;
}

/* What depends on constants alone, now and for good. */
static int compute(struct mc_composite *c, struct part *p, struct mc_error *err)
{
    struct mc_step *step = &p->step;
    for (int i = 0; i < p->n_out; i++) {
        struct value *v = &c->values[p->first + i];
        if (!step->out[i]) continue;
        v->own = v->tensor.data = mc_alloc_aligned(mc_tensor_bytes(&v->tensor) + 1, 1);
        if (!v->own) return mc_error_memory(err);
        v->constant = true;
    }
    step->workspace = mc_alloc_aligned(step->workspace_bytes + 1, 1);
    step->saved = mc_alloc_aligned(step->saved_bytes + 1, 1);
    const int rc = step->workspace && step->saved ? p->node.op->forward(step, err) : mc_error_memory(err);
    mc_free(step->workspace);
    mc_free(step->saved);
    step->workspace = step->saved = NULL;
    step->saved_bytes = 0;
    return rc;
}

static void make_tensors(struct mc_composite *c, const struct mc_step *step)
{
    for (int i = 0; i < c->n_values; i++) {
        struct value *v = &c->values[i];
        const bool is_input = i < c->node->n_inputs;
        v->constant |= is_input && step->in[i] && step->in_constant[i];
        if (is_input && step->in[i]) v->tensor = *step->in[i];
        v->tensor.dtype = v->fact.dtype;
        v->tensor.shape = v->fact.shape;
        if (!is_input && step->out[0] && step->out[0]->channels_last &&
            mc_shape_equal(&v->fact.shape, &step->out[0]->shape))
            v->tensor.channels_last = true;
    }
}

static int prepare(struct mc_composite *c, struct mc_step *step, struct mc_error *err)
{
    size_t scratch = 0;
    make_tensors(c, step);
    for (int k = 0; k < c->n_parts; k++) {
        struct part *p = &c->parts[k];
        int rc = make_step(c, p, step, err);
        for (int i = 0; i < p->n_in; i++) { /* views of constants */
            if (p->in[i] < 0) continue;
            const struct value *root = &c->values[c->values[p->in[i]].root];
            if (root->constant) c->values[p->in[i]].tensor.data = root->tensor.data;
        }
        if (rc == MC_OK && p->node.op->prepare) {
            p->prepared = true;
            rc = p->node.op->prepare(&p->step, err);
        }
        if (rc == MC_OK && p->constant) rc = compute(c, p, err);
        if (rc < 0) return rc;
        if (!p->constant && scratch < p->step.workspace_bytes) scratch = p->step.workspace_bytes;
    }
    place_values(c, step);
    step->workspace_bytes = c->values_bytes + scratch;
    if (!step->training) return MC_OK;
    place_gradients(c, step);
    const size_t back = c->grads_bytes + c->detours_bytes + scratch;
    if (step->workspace_bytes < back) step->workspace_bytes = back;
    for (int k = 0; k < c->n_parts; k++) {
        struct part *p = &c->parts[k];
        p->saved = step->saved_bytes;
        step->saved_bytes += mc_align(p->step.saved_bytes);
    }
    return MC_OK;
}

int mc_composite_prepare(struct mc_step *step, mc_compose_fn *compose, struct mc_error *err)
{
    const int room = mc_node_room_in(step->node);
    struct mc_fact *facts = MC_NEW_ARRAY(struct mc_fact, room + 1);
    const struct mc_fact **in = MC_NEW_ARRAY(const struct mc_fact *, room + 1);
    struct mc_composite *c = NULL;
    int rc = facts && in ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < step->n_in && rc == MC_OK; i++) {
        if (!step->in[i]) continue;
        facts[i] = mc_fact_of(step->in[i]);
        if (!step->in_constant[i]) facts[i].constant = NULL;
        in[i] = &facts[i];
    }
    if (rc == MC_OK) rc = create(&c, step->node, in, compose, err);
    step->state = c;
    if (rc == MC_OK) rc = prepare(c, step, err);
    mc_free(in);
    mc_free(facts);
    return rc;
}

void mc_composite_release(struct mc_step *step)
{
    destroy(step->state);
}

/* --- running --- */

static void point(struct mc_composite *c, const struct mc_step *step)
{
    for (int i = 0; i < c->n_values; i++) { /* a root stands before what shows it */
        struct value *v = &c->values[i];
        const struct value *root = &c->values[v->root];
        if (v->root != i)
            v->tensor.data = root->tensor.data;
        else if (i < c->node->n_inputs)
            v->tensor.data = step->in[i] ? step->in[i]->data : NULL;
        else if (!v->constant && v->output >= 0)
            v->tensor.data = step->out[v->output]->data;
        else if (!v->constant)
            v->tensor.data = (char *)(is_kept(c, v) ? step->saved : step->workspace) + v->place.offset;
    }
}

int mc_composite_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_composite *c = step->state;
    int rc = MC_OK;
    point(c, step);
    for (int k = 0; k < c->n_parts && rc == MC_OK; k++) {
        struct part *p = &c->parts[k];
        if (p->constant) continue;
        p->step.workspace = (char *)step->workspace + c->values_bytes;
        p->step.saved = (char *)step->saved + p->saved;
        rc = p->node.op->forward(&p->step, err);
    }
    for (int i = 0; i < step->n_out && rc == MC_OK; i++) {
        if (c->out[i] < 0 || !step->out[i]) continue;
        const struct mc_tensor *from = &c->values[c->out[i]].tensor;
        if (from->data != step->out[i]->data && mc_tensor_bytes(from))
            memcpy(step->out[i]->data, from->data, mc_tensor_bytes(from));
    }
    return rc;
}

/* --- going back --- */

static void point_gradients(struct mc_composite *c, const struct mc_step *step)
{
    mark_wanted(c, step, false);
    for (int i = 0; i < c->n_values; i++) {
        struct value *v = &c->values[i];
        const bool is_input = i < c->node->n_inputs;
        v->grad_present = false;
        if (v->shown != i)
            v->grad.data = c->values[v->shown].grad.data;
        else if (is_input)
            v->grad.data = step->grad_in[i] ? step->grad_in[i]->data : NULL;
        else
            v->grad.data = v->grad_place.taken ? (char *)step->workspace + v->grad_place.offset : NULL;
    }
}

static void add(const struct mc_step *step, const struct mc_tensor *grad, const struct mc_tensor *more)
{
    const struct mc_shape all = {.rank = 1, .dim = {mc_tensor_count(more)}};
    const enum mc_loop_type type = mc_loop_type(grad->dtype);
    struct mc_nest nest;
    mc_nest_init(&nest, &all, &all, &all);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_ADD], type, grad->data, more->data, grad->data, 1);
}

/* What comes in through the outputs. */
static void take_gradients(struct mc_composite *c, const struct mc_step *step)
{
    for (int i = 0; i < step->n_out; i++) {
        if (c->out[i] < 0 || !step->grad_out[i]) continue;
        struct value *v = &c->values[c->out[i]], *shown = &c->values[v->shown];
        if (!shown->wanted || mc_tensor_bytes(&v->grad) == 0) continue;
        if (shown->grad_present)
            add(step, &v->grad, step->grad_out[i]);
        else
            memcpy(v->grad.data, step->grad_out[i]->data, mc_tensor_bytes(&v->grad));
        shown->grad_present = true;
    }
}

static int part_back(struct mc_composite *c, struct part *p, const struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor detour[MAX_DETOURS];
    char *room = (char *)step->workspace + c->grads_bytes;
    bool any = false;
    for (int i = 0; i < p->n_out; i++) {
        struct value *v = &c->values[p->first + i];
        p->step.grad_out[i] = v->wanted && v->grad_present ? &v->grad : NULL;
        any |= p->step.grad_out[i] != NULL;
    }
    if (!any) return MC_OK;
    for (int i = 0; i < p->n_in; i++) {
        p->step.grad_in[i] = NULL;
        if (!passes(c, p, i)) continue;
        struct value *v = &c->values[p->in[i]], *shown = &c->values[v->shown];
        p->step.grad_in[i] = &v->grad;
        if (shown->grad_present) {
            assert(i < MAX_DETOURS);
            detour[i] = v->grad;
            detour[i].data = room;
            room += mc_align(mc_tensor_bytes(&v->grad));
            p->step.grad_in[i] = &detour[i];
        }
        shown->grad_present = true;
    }
    p->step.workspace = (char *)step->workspace + c->grads_bytes + c->detours_bytes;
    p->step.saved = (char *)step->saved + p->saved;
    const int rc = p->node.op->backward(&p->step, err);
    for (int i = 0; i < p->n_in && rc == MC_OK; i++)
        if (p->step.grad_in[i] && p->step.grad_in[i] != &c->values[p->in[i]].grad)
            add(step, &c->values[p->in[i]].grad, p->step.grad_in[i]);
    return rc;
}

int mc_composite_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_composite *c = step->state;
    int rc = MC_OK;
    point_gradients(c, step);
    take_gradients(c, step);
    for (int k = c->n_parts - 1; k >= 0 && rc == MC_OK; k--) {
        struct part *p = &c->parts[k];
        if (!p->constant && goes_back(c, p)) rc = part_back(c, p, step, err);
    }
    for (int i = 0; i < step->n_in && rc == MC_OK; i++)
        if (step->grad_in[i] && !c->values[i].grad_present) mc_zero(step->grad_in[i]);
    return rc;
}
