/* test_quantization.c - models with weights in fewer bits compute what their codes stand for. */
#include "quantize/quantization.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "nets.h"
#include "onnx/onnx.h"
#include "op/byte_rules.h"
#include "op/ops.h"
#include "run/plan.h"
#include "test.h"

enum { ROOM = 256 };

static int outputs_of(const struct mc_model *model, double *numbers)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    const struct mc_plan_options options = {.dims = {.batch = 3}, .runtime = &runtime};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    struct mc_tensor *x = mc_plan_input(plan, 0);
    for (int64_t k = 0; k < mc_tensor_count(x); k++) mc_tensor_set_f64(x, k, sin((double)k));
    assert_ok(mc_plan_run(plan, &err), err);
    const struct mc_tensor *y = mc_plan_output(plan, 0);
    const int n = (int)mc_tensor_count(y);
    assert_true(n > 0 && n <= ROOM);
    for (int k = 0; k < n; k++) numbers[k] = mc_tensor_get_f64(y, k);
    mc_plan_destroy(plan);
    return n;
}

/* A convolution and its normalization, a depthwise one, two dense layers, with every second weight zero. */
static void build(struct net *net)
{
    net_start(net, 3);
    struct mc_value *x = net_input(net, 3, 6, 6);
    x = net_batch_norm(net, net_conv(net, x, 3, 8, 3, 1, 1, 1, true), 8);
    x = net_node(net, "Relu", net_conv(net, net_node(net, "Relu", x, NULL, NULL), 8, 8, 3, 1, 0, 8, false), NULL, NULL);
    x = net_gemm(net, net_node(net, "Flatten", x, NULL, NULL), 8 * 4 * 4, 40);
    net_output(net, net_matmul(net, net_node(net, "Relu", x, NULL, NULL), 40, 10));
    for (int i = 0; i < net->model->graph->n_initializers; i++) {
        const struct mc_tensor *t = net->model->graph->initializers[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(t) && t->shape.rank > 1; k += 2) ((float *)t->data)[k] = 0;
    }
}

static double distance(const double *a, const double *b, int n)
{
    double off = 0, size = 0;
    for (int i = 0; i < n; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        size += a[i] * a[i];
    }
    return sqrt(off / size);
}

static int n_of_type(const struct mc_model *model, const char *type)
{
    int n = 0;
    for (int i = 0; i < model->graph->n_nodes; i++) n += strcmp(model->graph->nodes[i]->type, type) == 0;
    return n;
}

static const struct mc_node *maker(const struct mc_model *model, const char *type)
{
    for (int i = 0; i < model->graph->n_nodes; i++)
        if (strcmp(model->graph->nodes[i]->type, type) == 0) return model->graph->nodes[i];
    fail_msg("no %s", type);
    return NULL;
}

/* Weights of each form: how near the outputs are, and how many bytes the file has. */
static void test_outputs_are_near_and_files_are_small(void **state)
{
    static const struct {
        enum mc_code_form form;
        bool by_tensor;
        double near, bytes; /* of the float file's */
        int opset;
    } cases[] = {
        {MC_CODES_INT8, false, 0.02, 0.5, 17}, {MC_CODES_INT8, true, 0.03, 0.5, 17},
        {MC_CODES_INT7, false, 0.04, 0.5, 17}, {MC_CODES_INT4, false, 0.3, 0.45, 21},
        {MC_CODES_INT4, true, 0.5, 0.4, 21},   {MC_CODES_FLOAT16, false, 0.002, 0.7, 17},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_error err = {0};
        struct net net;
        struct mc_record *section;
        struct mc_quantize_options options;
        double before[ROOM], after[ROOM];
        size_t dense, small;
        build(&net);
        assert_ok(mc_record_create(&section, &err), err);
        mc_quantize_options_init(&options);
        options.form = cases[i].form;
        options.by_tensor = cases[i].by_tensor;
        const int n = outputs_of(net.model, before);
        assert_ok(mc_onnx_save_size(net.model, &dense, &err), err);
        assert_ok(mc_quantize(net.model, &options, section, &err), err);
        assert_int_equal(outputs_of(net.model, after), n);
        assert_ok(mc_onnx_save_size(net.model, &small, &err), err);
        const double off = distance(before, after, n);
        if (!(off <= cases[i].near && off > 0)) fail_msg("case %zu: the outputs are %g away", i, off);
        if (!((double)small < cases[i].bytes * (double)dense)) fail_msg("case %zu: %zu of %zu bytes", i, small, dense);
        assert_int_equal(mc_model_opset(net.model, ""), cases[i].opset);
        assert_int_equal(mc_record_get_int(section, "tensors", -1), 4);
        assert_true(mc_record_get_bool(section, "check.checked", false));
        assert_int_equal(n_of_type(net.model, "BatchNormalization"), 0);
        assert_int_equal(n_of_type(net.model, cases[i].form == MC_CODES_FLOAT16 ? "Cast" : "DequantizeLinear"), 4);
        mc_record_destroy(section);
        net_finish(&net);
    }
}

static void test_zeros_stay(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_quantize_options options;
    build(&net);
    mc_quantize_options_init(&options);
    options.form = MC_CODES_INT4;
    assert_ok(mc_quantize(net.model, &options, NULL, &err), err);
    int n_codes = 0;
    for (int i = 0; i < net.model->graph->n_initializers; i++) {
        const struct mc_tensor *t = net.model->graph->initializers[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(t) && t->dtype == MC_INT4; k += 2, n_codes++)
            assert_int_equal(mc_tensor_get_i64(t, k), 0);
    }
    assert_true(n_codes > 1000);
    net_finish(&net);
}

static void test_what_is_excluded_or_cannot_be_stored_is_told(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_quantize_options options;
    struct mc_record *section;
    net_start(&net, 3);
    struct mc_value *x = net_gemm(&net, net_input(&net, 4, 0, 0), 4, 5);
    net_output(&net, net_matmul(&net, net_matmul(&net, x, 5, 6), 6, 3));
    struct mc_graph *graph = net.model->graph;
    const char *gemm = graph->nodes[0]->inputs[1]->name;
    ((float *)graph->nodes[1]->inputs[1]->data->data)[0] = 1e5f;
    assert_ok(mc_record_create(&section, &err), err);
    mc_quantize_options_init(&options);
    options.form = MC_CODES_FLOAT16;
    options.exclude = gemm;
    assert_ok(mc_quantize(net.model, &options, section, &err), err);
    assert_int_equal(mc_record_get_int(section, "tensors", -1), 1);
    assert_int_equal(mc_record_size(mc_record_get(section, "left")), 2);
    assert_string_equal(mc_record_get_text(section, "left.0.why", ""), "it is excluded");
    assert_string_equal(mc_record_get_text(section, "left.1.why", ""), "it has numbers beyond 65504");
    mc_record_destroy(section);
    net_finish(&net);
}

/* An embedding is stored row by row. */
static void test_tables_of_rows_are_stored(void **state)
{
    for (int form = MC_CODES_INT8; form <= MC_CODES_INT4; form += MC_CODES_INT4 - MC_CODES_INT8) {
        struct mc_error err = {0};
        struct net net;
        struct mc_quantize_options options;
        struct mc_record *section;
        net_start(&net, 3);
        struct mc_value *x = net_input(&net, 1, 0, 0), *rows = net_weight(&net, "rows", 0, 1, 9, 64, 0, 0);
        x->type.dtype = MC_INT64;
        x = net_node(&net, "Gather", rows, x, NULL); /* [N, 1, 64] */
        net_output(&net, net_matmul(&net, x, 64, 3));
        assert_ok(mc_record_create(&section, &err), err);
        mc_quantize_options_init(&options);
        options.form = (enum mc_code_form)form;
        assert_ok(mc_quantize(net.model, &options, section, &err), err);
        assert_int_equal(mc_record_get_int(section, "tensors", -1), 2);
        assert_true(mc_record_get_bool(section, "check.checked", false));
        const struct mc_node *floats = maker(net.model, "Gather")->inputs[0]->producer;
        assert_ptr_equal(floats->inputs[0], net_find(net.model, "rows"));
        const struct mc_shape *scales = &floats->inputs[1]->data->shape;
        assert_int_equal(scales->dim[0], 9);
        assert_int_equal(scales->rank, form == MC_CODES_INT4 ? 2 : 1);
        mc_record_destroy(section);
        net_finish(&net);
    }
}

/* --- activations --- */

/* What a model of images of 28 by 28 may have: a convolution that is held to a range, one that is not, what moves, a
 * sum, a function, dense layers. */
static void build_image_net(struct net *net)
{
    net_start(net, 4);
    struct mc_value *x =
        net_node(net, "Relu", net_conv(net, net_input(net, 1, 28, 28), 1, 4, 5, 2, 0, 1, true), NULL, NULL);
    x = net_pool(net, "MaxPool", x, 2, 2);
    struct mc_value *y = net_conv(net, x, 4, 4, 3, 1, 1, 1, true);
    x = net_node(net, "Relu", net_node(net, "Add", x, y, NULL), NULL, NULL);
    x = net_node(net, "Sigmoid", net_gemm(net, net_node(net, "Flatten", x, NULL, NULL), 4 * 6 * 6, 20), NULL, NULL);
    net_output(net, net_gemm(net, x, 20, 10));
}

static struct mc_dataset *glyphs(void)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    assert_ok(mc_dataset_open(&data, "glyphs,train=60,test=20", NULL, &err), err);
    return data;
}

/* Steps of its plan that an operator does. */
static int n_steps(const struct mc_model *model, const struct mc_op *op)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    struct mc_runtime runtime;
    int n = 0;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    const struct mc_plan_options options = {.dims = {.batch = 3}, .runtime = &runtime};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    for (int i = 0; i < mc_plan_n_steps(plan); i++) n += mc_plan_step_call(plan, i)->op == op;
    mc_plan_destroy(plan);
    return n;
}

static void test_everything_between_input_and_output_runs_on_bytes(void **state)
{
    struct mc_dataset *data = glyphs();
    for (int by = MC_CALIBRATION_MINMAX; by <= MC_CALIBRATION_MSE; by++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            struct mc_error err = {0};
            struct net net;
            struct mc_record *section;
            struct mc_quantize_options options;
            build_image_net(&net);
            const char *name = net.model->graph->outputs[0]->name;
            char output[64];
            snprintf(output, sizeof output, "%s", name);
            assert_ok(mc_record_create(&section, &err), err);
            mc_quantize_options_init(&options);
            options.scheme = MC_QUANTIZE_STATIC;
            options.signed_activations = is_signed;
            options.calibration = (enum mc_calibration)by;
            options.samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = 40};
            assert_ok(mc_quantize(net.model, &options, section, &err), err);
            assert_int_equal(mc_record_get_int(section, "nodes", -1), 10);
            assert_true(mc_record_get_bool(section, "agreement.checked", false));
            const double noise = mc_record_get_num(section, "agreement.noise", -1);
            if (!(noise > 0 && noise < 0.2)) fail_msg("calibration %d: noise %g", by, noise);
            assert_int_equal(n_steps(net.model, &mc_op_byte_conv), 2);
            assert_int_equal(n_steps(net.model, &mc_op_byte_gemm), 2);
            /* the input, Relu, MaxPool, Conv, Add, Relu, Flatten, Gemm, Sigmoid, Gemm; not the Conv that is held */
            assert_int_equal(n_of_type(net.model, "QuantizeLinear"), 10);
            assert_string_equal(net.model->graph->outputs[0]->name, output);
            const struct mc_node *pool = maker(net.model, "MaxPool"), *conv = maker(net.model, "Conv");
            const struct mc_node *before = pool->inputs[0]->producer,
                                 *after = maker(net.model, "Add")->inputs[0]->producer;
            assert_string_equal(before->type, "DequantizeLinear");
            assert_ptr_equal(before->inputs[1], after->inputs[1]); /* one scale for what is moved */
            assert_int_equal(before->inputs[0]->type.dtype, is_signed ? MC_INT8 : MC_UINT8);
            assert_int_equal(conv->inputs[2]->producer->inputs[0]->data->dtype, MC_INT32);
            mc_record_destroy(section);
            net_finish(&net);
        }
    mc_dataset_destroy(data);
}

static void test_dense_layers_run_on_integers(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_record *section;
    struct mc_quantize_options options;
    double before[ROOM], after[ROOM];
    build(&net);
    const int n = outputs_of(net.model, before);
    assert_ok(mc_record_create(&section, &err), err);
    mc_quantize_options_init(&options);
    options.scheme = MC_QUANTIZE_DYNAMIC;
    assert_ok(mc_quantize(net.model, &options, section, &err), err);
    assert_int_equal(mc_record_get_int(section, "nodes", -1), 2);
    assert_int_equal(outputs_of(net.model, after), n);
    const double off = distance(before, after, n);
    if (!(off > 0 && off < 0.05)) fail_msg("the outputs are %g away", off);
    assert_int_equal(n_of_type(net.model, "MatMulInteger"), 2);
    assert_int_equal(n_of_type(net.model, "DynamicQuantizeLinear"), 2);
    assert_int_equal(n_of_type(net.model, "Gemm") + n_of_type(net.model, "MatMul"), 0);
    assert_int_equal(n_of_type(net.model, "DequantizeLinear"), 2); /* of the convolutions' weights */
    mc_record_destroy(section);
    net_finish(&net);
}

/* Queries, keys and values of one input, say. */
static void test_one_rounding_serves_all_who_read(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_quantize_options options;
    net_start(&net, 3);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 4, 0, 0), 4, 8), NULL, NULL);
    net_output(&net, net_node(&net, "Add", net_matmul(&net, x, 8, 6), net_matmul(&net, x, 8, 6), NULL));
    mc_quantize_options_init(&options);
    options.scheme = MC_QUANTIZE_DYNAMIC;
    assert_ok(mc_quantize(net.model, &options, NULL, &err), err);
    assert_int_equal(n_of_type(net.model, "MatMulInteger"), 3);
    assert_int_equal(n_of_type(net.model, "DynamicQuantizeLinear"), 2);
    net_finish(&net);
}

/* A failure leaves the model as it was. */
static void test_a_model_without_such_nodes_is_refused(void **state)
{
    for (int scheme = MC_QUANTIZE_STATIC; scheme <= MC_QUANTIZE_DYNAMIC; scheme++) {
        struct mc_error err = {0};
        struct net net;
        struct mc_quantize_options options;
        struct mc_dataset *data = glyphs();
        net_start(&net, 3);
        net_output(&net, net_gemm(&net, net_node(&net, "Flatten", net_input(&net, 1, 28, 28), NULL, NULL), 784, 10));
        mc_quantize_options_init(&options);
        options.scheme = (enum mc_quantize_scheme)scheme;
        options.samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = 8};
        options.exclude = "*";
        assert_int_equal(mc_quantize(net.model, &options, NULL, &err), MC_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "no node of the model"));
        assert_int_equal(net.model->graph->n_nodes, 2);
        mc_dataset_destroy(data);
        net_finish(&net);
    }
}

static int attempt(void *context)
{
    struct mc_error err = {0};
    const struct mc_model *model = context;
    struct mc_quantize_options options;
    struct mc_model *copy;
    int rc = mc_model_clone(&copy, model, false, &err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    mc_quantize_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.scheme = MC_QUANTIZE_DYNAMIC;
    rc = mc_quantize(copy, &options, NULL, &err);
    assert_int_equal(n_of_type(copy, "Gemm"), rc == MC_OK ? 0 : 1);
    mc_model_destroy(copy);
    return rc;
}

static void test_failed_allocations_leave_the_model_alone(void **state)
{
    struct net net;
    net_start(&net, 3);
    net_output(&net, net_matmul(&net, net_gemm(&net, net_input(&net, 4, 0, 0), 4, 5), 5, 3));
    alloc_fail_each(attempt, net.model);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_are_near_and_files_are_small),
        cmocka_unit_test(test_zeros_stay),
        cmocka_unit_test(test_what_is_excluded_or_cannot_be_stored_is_told),
        cmocka_unit_test(test_tables_of_rows_are_stored),
        cmocka_unit_test(test_everything_between_input_and_output_runs_on_bytes),
        cmocka_unit_test(test_dense_layers_run_on_integers),
        cmocka_unit_test(test_one_rounding_serves_all_who_read),
        cmocka_unit_test(test_a_model_without_such_nodes_is_refused),
        cmocka_unit_test(test_failed_allocations_leave_the_model_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
