/* harness.c - checking one operator; see harness.h. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/rng.h"
#include "kernel/convolution.h"
#include "op/ops.h"
#include "run/plan_state.h"

/* --- building the model --- */

static int count_inputs(const struct op_case *c)
{
    static const struct op_tensor nothing;
    if (c->no_inputs) return 0;
    if (c->n_in) return c->n_in;
    int n = OP_MAX_INPUTS;
    while (n > 1 && memcmp(&c->in[n - 1], &nothing, sizeof nothing) == 0) n--;
    return n;
}

static int count_outputs(const struct op_case *c)
{
    return c->n_out ? c->n_out : 1;
}

static enum mc_dtype type_of(const struct op_tensor *t, enum mc_dtype float_type)
{
    return t->dtype == MC_UNDEFINED || t->dtype == MC_FLOAT ? float_type : t->dtype;
}

static double draw(const struct op_case *c, const struct op_tensor *t, struct mc_rng *rng)
{
    const bool open = t->low == 0 && t->high == 0;
    double x;
    do x = mc_rng_range(rng, open ? -1 : t->low, open ? 1 : t->high);
    while (fabs(x) < c->kink);
    return x;
}

/* The same numbers in every type: drawn as double, rounded to float32. */
static struct mc_tensor *make_tensor(const struct op_case *c, const struct op_tensor *t, enum mc_dtype dtype,
                                     uint64_t stream)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    struct mc_rng rng;
    const struct mc_shape shape = mc_shape_of(t->rank, t->dim);
    mc_rng_init(&rng, c->seed + mc_hash(c->type), stream);
    assert_ok(mc_tensor_create(&tensor, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(tensor); i++)
        mc_tensor_set_f64(tensor, i, t->data ? t->data[i] : (double)(float)draw(c, t, &rng));
    return tensor;
}

static void add_attr(const struct op_case *c, struct mc_node *node, const struct op_attr *a)
{
    struct mc_error err = {0};
    switch (a->type) {
    case MC_ATTR_INT:
        assert_ok(mc_node_set_int(node, a->name, a->i, &err), err);
        break;
    case MC_ATTR_FLOAT:
        assert_ok(mc_node_set_float(node, a->name, a->f, &err), err);
        break;
    case MC_ATTR_STRING:
        assert_ok(mc_node_set_string(node, a->name, a->s, &err), err);
        break;
    case MC_ATTR_INTS:
        assert_ok(mc_node_set_ints(node, a->name, a->ints, a->n, &err), err);
        break;
    case MC_ATTR_FLOATS:
        assert_ok(mc_node_set_floats(node, a->name, a->floats, a->n, &err), err);
        break;
    case MC_ATTR_STRINGS:
        assert_ok(mc_node_set_strings(node, a->name, a->strings, a->n, &err), err);
        break;
    case MC_ATTR_TENSOR:
        assert_ok(mc_node_set_tensor(node, a->name, make_tensor(c, a->t, type_of(a->t, MC_FLOAT), 99), &err), err);
        break;
    default:
        fail_msg("attribute '%s' has a type that the harness does not make", a->name);
    }
}

static struct mc_value *add_input(const struct op_case *c, struct mc_graph *graph, int i, enum mc_dtype float_type)
{
    struct mc_error err = {0};
    const struct op_tensor *t = &c->in[i];
    const enum mc_dtype dtype = type_of(t, float_type);
    char name[16];
    if (t->absent) return NULL;
    snprintf(name, sizeof name, "in%d", i);
    if (mc_dtype_is_float(dtype) ? t->initializer : !t->fed)
        return mc_graph_add_initializer(graph, name, make_tensor(c, t, dtype, (uint64_t)i));
    struct mc_value *value = mc_value_create(graph, name);
    value->type.dtype = dtype;
    value->type.rank = t->rank;
    for (int k = 0; k < t->rank; k++) value->type.dim[k] = t->dim[k];
    assert_ok(mc_graph_add_input(graph, value, &err), err);
    return value;
}

struct mc_model *op_model(const struct op_case *c, enum mc_dtype float_type)
{
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_value *in[OP_MAX_INPUTS], *out[OP_MAX_OUTPUTS];
    const int n_in = count_inputs(c), n_out = count_outputs(c);
    assert_ok(mc_model_create(&model, c->opset, &err), err);
    if (c->domain) { /* beside the standard's, which neighbours of the node are of */
        struct mc_opset *opsets = MC_ARENA_ARRAY(&model->arena, struct mc_opset, 2);
        assert_non_null(opsets);
        opsets[0] = (struct mc_opset){.domain = c->domain, .version = c->opset};
        opsets[1] = (struct mc_opset){.domain = "", .version = 17};
        model->opsets = opsets;
        model->n_opsets = 2;
    }
    for (int i = 0; i < n_in; i++) in[i] = add_input(c, model->graph, i, float_type);
    for (int i = 0; i < n_out; i++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", i);
        out[i] = mc_value_create(model->graph, name);
        assert_ok(mc_graph_add_output(model->graph, out[i], &err), err);
    }
    struct mc_node *node =
        mc_node_create(model->graph, -1, c->domain ? c->domain : "", c->type, "node", n_in, in, n_out, out);
    assert_non_null(node);
    for (int i = 0; i < OP_MAX_ATTRS && c->attrs[i].name; i++) add_attr(c, node, &c->attrs[i]);
    mc_ops_bind(model);
    return model;
}

/* --- a model with its plan --- */

struct bench {
    const struct op_case *c;
    struct mc_model *model;
    struct mc_plan *plan;
    int n_wrt;
    const struct mc_value *wrt[OP_MAX_INPUTS];
    int wrt_input[OP_MAX_INPUTS]; /* which input of the plan it is, or -1 */
};

struct mode {
    enum mc_dtype float_type;
    bool training, no_fold, gradients;
};

static int plan_input_of(const struct mc_model *model, const struct mc_value *v)
{
    for (int i = 0; i < mc_model_n_inputs(model); i++)
        if (mc_model_input(model, i) == v) return i;
    return -1;
}

/* What gradients are asked for: the float inputs that the descriptor differentiates. */
static void find_wrt(struct bench *b)
{
    const struct mc_node *node = b->model->graph->nodes[0];
    if (!node->op || !node->op->backward) return;
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        if (!v || !mc_dtype_is_float(v->type.dtype) || !(node->op->grad_inputs >> (i < 31 ? i : 31) & 1)) continue;
        b->wrt_input[b->n_wrt] = plan_input_of(b->model, v);
        b->wrt[b->n_wrt++] = v;
    }
}

static void fill_inputs(struct bench *b)
{
    const struct mc_node *node = b->model->graph->nodes[0];
    for (int i = 0; i < node->n_inputs; i++) {
        const int k = node->inputs[i] ? plan_input_of(b->model, node->inputs[i]) : -1;
        if (k < 0) continue;
        struct mc_tensor *to = mc_plan_input(b->plan, k);
        struct mc_tensor *from = make_tensor(b->c, &b->c->in[i], to->dtype, (uint64_t)i);
        memcpy(to->data, from->data, mc_tensor_bytes(from));
        mc_tensor_destroy(from);
    }
}

static int open_plan(struct bench *b, const struct op_case *c, struct mode mode, struct mc_error *err)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 2, MC_CPU_AVX512);
    if (mode.gradients) find_wrt(b);
    const struct mc_plan_options options = {.runtime = c->runtime ? c->runtime : &runtime,
                                            .training = mode.training,
                                            .no_fold = mode.no_fold,
                                            .n_wrt = b->n_wrt,
                                            .wrt = b->wrt};
    return mc_plan_create(&b->plan, b->model, &options, err);
}

static void bench_open(struct bench *b, const struct op_case *c, struct mode mode)
{
    struct mc_error err = {0};
    *b = (struct bench){.c = c, .model = op_model(c, mode.float_type)};
    assert_ok(open_plan(b, c, mode, &err), err);
    fill_inputs(b);
}

static void bench_close(struct bench *b)
{
    mc_plan_destroy(b->plan);
    mc_model_destroy(b->model);
}

/* --- numbers --- */

static void compare(const struct op_case *c, const char *mode, int k, const struct mc_tensor *out,
                    const struct op_tensor *expected, double tolerance)
{
    const struct mc_shape shape = mc_shape_of(expected->rank, expected->dim);
    char has[128], needs[128];
    if (!mc_shape_equal(&out->shape, &shape))
        fail_msg("%s (%s): output %d has shape %s instead of %s", c->type, mode, k,
                 mc_shape_text(&out->shape, has, sizeof has), mc_shape_text(&shape, needs, sizeof needs));
    if (expected->dtype != MC_UNDEFINED && expected->dtype != MC_FLOAT && expected->dtype != out->dtype)
        fail_msg("%s (%s): output %d is %s instead of %s", c->type, mode, k, mc_dtype_name(out->dtype),
                 mc_dtype_name(expected->dtype));
    for (int64_t i = 0; expected->data && i < mc_tensor_count(out); i++) {
        const double x = mc_tensor_get_f64(out, i), y = expected->data[i];
        const bool same = x == y || (isnan(x) && isnan(y));
        if (!same && !(fabs(x - y) <= tolerance * fmax(1, fabs(y))))
            fail_msg("%s (%s): element %lld of output %d is %.9g instead of %.9g", c->type, mode, (long long)i, k, x,
                     y);
    }
}

void op_check(const struct op_case *c, const struct op_tensor *expected, double tolerance)
{
    static const char *const names[] = {"float32", "float32, folded", "float64", "float64, folded"};
    for (int k = 0; k < (c->f32_only ? 2 : 4); k++) {
        struct mc_error err = {0};
        struct bench b;
        bench_open(
            &b, c,
            (struct mode){.float_type = k < 2 ? MC_FLOAT : MC_DOUBLE, .training = c->training, .no_fold = k % 2 == 0});
        for (int again = 0; again < 2; again++) { /* a second run must not depend on the first */
            fill_inputs(&b);
            assert_ok(mc_plan_run(b.plan, &err), err);
        }
        for (int i = 0; i < count_outputs(c); i++)
            compare(c, names[k], i, mc_plan_output(b.plan, i), &expected[i], tolerance);
        bench_close(&b);
    }
}

/* Largest difference, as a share of the largest number. */
static void agree(const struct op_case *c, const char *what, int k, const struct mc_tensor *a,
                  const struct mc_tensor *b, double tolerance)
{
    double largest = 0, difference = 0;
    assert_true(mc_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < mc_tensor_count(a); i++) {
        const double x = mc_tensor_get_f64(a, i), y = mc_tensor_get_f64(b, i);
        if (isnan(x) != isnan(y)) fail_msg("%s: %s %d: element %lld is NaN in one", c->type, what, k, (long long)i);
        if (x == y || isnan(x)) continue;
        largest = fmax(largest, fabs(y));
        difference = fmax(difference, fabs(x - y));
    }
    if (difference > tolerance * largest)
        fail_msg("%s: %s %d differs by %.3g of at most %.3g between the two runs (seed %llu)", c->type, what, k,
                 difference, largest, (unsigned long long)c->seed);
}

void op_check_precision(const struct op_case *c, double tolerance)
{
    struct mc_error err = {0};
    struct bench b[2];
    for (int k = 0; k < 2; k++) {
        bench_open(&b[k], c,
                   (struct mode){.float_type = k ? MC_DOUBLE : MC_FLOAT, .training = c->training, .no_fold = true});
        assert_ok(mc_plan_run(b[k].plan, &err), err);
    }
    for (int i = 0; i < count_outputs(c); i++)
        agree(c, "output", i, mc_plan_output(b[0].plan, i), mc_plan_output(b[1].plan, i), tolerance);
    for (int k = 0; k < 2; k++) bench_close(&b[k]);
}

/* --- gradients --- */

/* The weight of element i of output k in the loss. */
static double weight(int k, int64_t i)
{
    return 0.5 + 0.37 * sin(1.0 + 3.1 * (double)i + 7.7 * k);
}

static double run_loss(struct bench *b)
{
    struct mc_error err = {0};
    double loss = 0;
    assert_ok(mc_plan_run(b->plan, &err), err);
    for (int k = 0; k < mc_plan_n_outputs(b->plan); k++) {
        const struct mc_tensor *out = mc_plan_output(b->plan, k);
        if (!mc_dtype_is_float(out->dtype)) continue;
        for (int64_t i = 0; i < mc_tensor_count(out); i++) loss += weight(k, i) * mc_tensor_get_f64(out, i);
    }
    return loss;
}

static void run_backward(struct bench *b)
{
    struct mc_error err = {0};
    for (int k = 0; k < mc_plan_n_outputs(b->plan); k++) {
        struct mc_tensor *grad = mc_plan_grad_output(b->plan, k);
        for (int64_t i = 0; grad && i < mc_tensor_count(grad); i++) mc_tensor_set_f64(grad, i, weight(k, i));
    }
    assert_ok(mc_plan_backward(b->plan, &err), err);
}

/* Element i of what gradient w is taken by. */
static double get(const struct bench *b, int w, int64_t i)
{
    return mc_tensor_get_f64(b->wrt_input[w] < 0 ? b->wrt[w]->data : mc_plan_input(b->plan, b->wrt_input[w]), i);
}

static void set(struct bench *b, int w, int64_t i, double x)
{
    mc_tensor_set_f64(b->wrt_input[w] < 0 ? b->wrt[w]->data : mc_plan_input(b->plan, b->wrt_input[w]), i, x);
}

static double loss_at(struct bench *b, int w, int64_t i, double x)
{
    fill_inputs(b); /* a run may have used their memory */
    const double before = get(b, w, i);
    set(b, w, i, x);
    const double loss = run_loss(b);
    if (b->wrt_input[w] < 0) set(b, w, i, before);
    return loss;
}

static void check_differences(struct bench *b, int w, const struct mc_tensor *grad, double h, double tolerance)
{
    const int64_t n = mc_tensor_count(grad), step = n > 150 ? n / 150 : 1;
    double largest = 1;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(mc_tensor_get_f64(grad, i)));
    for (int64_t i = 0; i < n; i += step) {
        fill_inputs(b);
        const double x = get(b, w, i);
        const double numeric = (loss_at(b, w, i, x + h) - loss_at(b, w, i, x - h)) / (2 * h);
        const double analytic = mc_tensor_get_f64(grad, i);
        if (!(fabs(numeric - analytic) <= tolerance * largest))
            fail_msg("%s: gradient by '%s'[%lld] is %.9g, differences give %.9g (seed %llu)", b->c->type,
                     b->wrt[w]->name, (long long)i, analytic, numeric, (unsigned long long)b->c->seed);
    }
}

/* Gradients in one precision, copied, as later runs overwrite them. */
static void take_gradients(struct bench *b, const struct op_case *c, enum mc_dtype float_type, struct mc_tensor **grads)
{
    struct mc_error err = {0};
    bench_open(b, c, (struct mode){.float_type = float_type, .training = true, .no_fold = true, .gradients = true});
    if (b->n_wrt == 0) fail_msg("%s has no input to differentiate by", c->type);
    run_loss(b);
    run_backward(b);
    for (int w = 0; w < b->n_wrt; w++) {
        if (!mc_plan_grad(b->plan, w)) fail_msg("%s: no gradient by '%s'", c->type, b->wrt[w]->name);
        assert_ok(mc_tensor_clone(&grads[w], mc_plan_grad(b->plan, w), &err), err);
    }
}

void op_check_gradient(const struct op_case *c)
{
    struct bench b32, b64;
    struct mc_tensor *g32[OP_MAX_INPUTS], *g64[OP_MAX_INPUTS];
    take_gradients(&b32, c, MC_FLOAT, g32);
    if (c->f32_only) {
        for (int w = 0; w < b32.n_wrt; w++) check_differences(&b32, w, g32[w], 1e-2, 1e-2);
    } else {
        take_gradients(&b64, c, MC_DOUBLE, g64);
        for (int w = 0; w < b64.n_wrt; w++) check_differences(&b64, w, g64[w], 1e-5, 1e-7);
        for (int w = 0; w < b64.n_wrt; w++) {
            agree(c, "gradient", w, g32[w], g64[w], 1e-4);
            mc_tensor_destroy(g64[w]);
        }
        bench_close(&b64);
    }
    for (int w = 0; w < b32.n_wrt; w++) mc_tensor_destroy(g32[w]);
    bench_close(&b32);
}

/* --- channels last --- */

static struct mc_value *add_convolution(struct mc_graph *graph, const char *name, struct mc_value *x, int64_t channels)
{
    struct mc_error err = {0};
    struct mc_tensor *w;
    const struct mc_shape shape = mc_shape_of(4, (int64_t[]){channels, channels, 1, 1});
    assert_ok(mc_tensor_create(&w, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < channels * channels; i++)
        mc_tensor_set_f64(w, i, (i % (channels + 1) == 0) + 0.1 * sin((double)i));
    char weight_name[32];
    snprintf(weight_name, sizeof weight_name, "%s_w", name);
    struct mc_value *y = mc_value_create(graph, name);
    struct mc_value *in[] = {x, mc_graph_add_initializer(graph, weight_name, w)};
    assert_non_null(mc_node_create(graph, x->producer ? -1 : 0, "", "Conv", name, 2, in, 1, &y));
    return y;
}

/* The case's node between two convolutions of one tap. */
static struct mc_model *between_convolutions(const struct op_case *c)
{
    struct mc_error err = {0};
    struct mc_model *model = op_model(c, MC_FLOAT);
    struct mc_graph *graph = model->graph;
    struct mc_value *x = graph->inputs[0], *y = graph->outputs[0];
    struct mc_node *node = graph->nodes[0];
    struct mc_value *before = add_convolution(graph, "before", x, c->in[0].dim[1]);
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == x) assert_ok(mc_node_set_input(node, i, before, &err), err);
    graph->outputs[0] = add_convolution(graph, "after", y, c->in[0].dim[1]);
    graph->outputs[0]->is_output = true;
    y->is_output = false;
    mc_ops_bind(model);
    return model;
}

static void run_between(struct bench *b, const struct op_case *c, bool no_fold)
{
    struct mc_error err = {0};
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 2, MC_CPU_AVX512);
    *b = (struct bench){.c = c, .model = between_convolutions(c)};
    b->wrt[0] = b->model->graph->inputs[0];
    b->n_wrt = 1;
    const struct mc_plan_options options = {
        .runtime = &runtime, .training = true, .no_fold = no_fold, .n_wrt = 1, .wrt = b->wrt};
    assert_ok(mc_plan_create(&b->plan, b->model, &options, &err), err);
    struct mc_tensor *x = make_tensor(c, &c->in[0], MC_FLOAT, 0);
    assert_ok(mc_plan_bind_input(b->plan, 0, x, &err), err);
    run_loss(b);
    run_backward(b);
    mc_tensor_destroy(x);
}

void op_check_channels_last(const struct op_case *c)
{
    struct bench b[2];
    for (int k = 0; k < 2; k++) run_between(&b[k], c, k == 1);
    const struct mc_value *x = b[0].model->graph->nodes[1]->inputs[0];
    const bool last = b[0].plan->values[x->id].tensor.channels_last;
    if (!last && mc_convolver_wants_last(MC_FLOAT, &b[0].plan->runtime))
        fail_msg("%s: its input does not lie channels last", c->type);
    agree(c, "output, channels last,", 0, mc_plan_output(b[0].plan, 0), mc_plan_output(b[1].plan, 0), 1e-5);
    agree(c, "gradient, channels last,", 0, mc_plan_grad(b[0].plan, 0), mc_plan_grad(b[1].plan, 0), 1e-5);
    for (int k = 0; k < 2; k++) bench_close(&b[k]);
}

/* --- refusals and memory --- */

void op_check_refused(const struct op_case *c, int status, const char *text)
{
    struct mc_error err = {0};
    struct bench b = {.c = c, .model = op_model(c, MC_FLOAT)};
    const int rc = open_plan(&b, c, (struct mode){.float_type = MC_FLOAT, .no_fold = true}, &err);
    if (rc == MC_OK) fail_msg("%s: compiled instead of being refused for '%s'", c->type, text);
    if (rc != status) fail_msg("%s: refused as '%s' (%s)", c->type, mc_status_name(rc), err.text);
    if (!strstr(err.text, text)) fail_msg("%s: the refusal does not say '%s': %s", c->type, text, err.text);
    mc_model_destroy(b.model);
}

struct attempt {
    const struct op_case *c;
    struct mc_model *model;
    struct mode mode;
};

static int attempt(void *context)
{
    const struct attempt *a = context;
    struct mc_error err = {0};
    struct bench b = {.c = a->c, .model = a->model};
    int rc = open_plan(&b, a->c, a->mode, &err);
    if (rc == MC_OK) rc = mc_plan_run(b.plan, &err);
    if (rc == MC_OK && a->mode.gradients) {
        for (int k = 0; k < mc_plan_n_outputs(b.plan); k++) {
            struct mc_tensor *grad = mc_plan_grad_output(b.plan, k);
            for (int64_t i = 0; grad && i < mc_tensor_count(grad); i++) mc_tensor_set_f64(grad, i, 1);
        }
        rc = mc_plan_backward(b.plan, &err);
    }
    mc_plan_destroy(b.plan);
    return rc;
}

void op_check_memory(const struct op_case *c)
{
    struct attempt a = {.c = c, .model = op_model(c, MC_FLOAT)};
    const struct mc_op *op = a.model->graph->nodes[0]->op;
    alloc_fail_each(attempt, &a); /* folded, inference */
    a.mode = (struct mode){.no_fold = true, .training = true, .gradients = op && op->backward};
    alloc_fail_each(attempt, &a);
    mc_model_destroy(a.model);
}
