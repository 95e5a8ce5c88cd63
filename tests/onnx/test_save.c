/* test_save.c - models to files: nothing lost, nothing stale, nothing left behind. */
#include "scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "onnx/onnx.h"
#include "protos.h"

static struct mc_model *load(struct mc_arena *a, const Onnx__ModelProto *p)
{
    struct mc_error err = {0};
    struct mc_model *model;
    size_t length;
    const unsigned char *bytes = proto_pack(a, &p->base, &length);
    assert_ok(mc_onnx_load_bytes(&model, bytes, length, NULL, "net.onnx", &err), err);
    return model;
}

static void *allocate(void *arena, size_t size)
{
    return mc_arena_alloc(arena, size, 1);
}

static void leave(void *arena, void *block) {}

/* The message that saving gives, in the arena. */
static Onnx__ModelProto *save(struct mc_arena *a, const struct mc_model *model)
{
    struct mc_error err = {0};
    unsigned char *bytes;
    size_t length;
    ProtobufCAllocator allocator = {allocate, leave, a};
    assert_ok(mc_onnx_save_bytes(model, &bytes, &length, &err), err);
    Onnx__ModelProto *proto = onnx__model_proto__unpack(&allocator, length, bytes);
    mc_free(bytes);
    assert_non_null(proto);
    return proto;
}

/* Field for field, by protobuf-c's canonical order. */
static void check_same_message(struct mc_arena *a, const ProtobufCMessage *x, const ProtobufCMessage *y)
{
    size_t n, m;
    const unsigned char *before = proto_pack(a, x, &n), *after = proto_pack(a, y, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
}

static void check_comes_back(struct mc_arena *a, const Onnx__ModelProto *p)
{
    struct mc_error err = {0};
    struct mc_model *model = load(a, p), *copy;
    check_same_message(a, &p->base, &save(a, model)->base);
    for (int share = 0; share < 2; share++) {
        assert_ok(mc_model_clone(&copy, model, share, &err), err);
        check_same_message(a, &p->base, &save(a, copy)->base);
        mc_model_destroy(copy);
    }
    mc_model_destroy(model);
}

/* --- untouched models --- */

static void test_untouched_models_come_back_field_for_field(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    check_comes_back(a, proto_sample(a));
    check_comes_back(a, proto_if(a));
    mc_arena_finish(a);
}

static void test_old_and_odd_heads_come_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    p->ir_version = 3; /* with initializers that are no inputs: wrong, but not our business */
    p->opset_import[0]->domain = mc_arena_strdup(a, "ai.onnx");
    check_comes_back(a, p);
    p = proto_if(a);
    p->ir_version = 2;
    p->n_opset_import = 0;
    check_comes_back(a, p);
    mc_arena_finish(a);
}

/* Different words about one value in two places stay different. */
static void test_declarations_that_differ_come_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    proto_value_info(a, p->graph, proto_info(a, "y", MC_FLOAT, "? ?"));
    proto_value_info(a, p->graph, proto_info(a, "w", MC_FLOAT, "n 3"));
    proto_value_info(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    check_comes_back(a, p);
    mc_arena_finish(a);
}

/* --- changed models --- */

static void test_contents_changed_in_place_are_written(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const Onnx__ModelProto *p = proto_sample(a);
    struct mc_model *model = load(a, p), *copy;
    assert_ok(mc_model_clone(&copy, model, false, &err), err);
    for (int i = 0; i < 2; i++) mc_tensor_set_f64(copy->graph->initializers[i]->data, 0, 42);
    const Onnx__GraphProto *g = save(a, copy)->graph;
    assert_true(((float *)g->initializer[0]->raw_data.data)[0] == 42);
    assert_true(g->initializer[1]->float_data[0] == 42); /* in the form it came in */
    assert_string_equal(g->initializer[0]->doc_string, "a tensor");
    check_same_message(a, &p->base, &save(a, model)->base); /* the original is as it was */
    mc_model_destroy(copy);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

/* What surgery does: smaller tensors, other types, a node gone. */
static void test_types_follow_surgery(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    Onnx__ModelProto *p = proto_sample(a);
    proto_value_info(a, p->graph, proto_info(a, "w", MC_FLOAT, "4 3"));
    struct mc_model *model = load(a, p);
    struct mc_graph *g = model->graph;
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){4, 2});
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    mc_value_set_data(g->initializers[0], tensor);
    g->nodes[0]->outputs[0]->type.dim[1] = 2;
    g->outputs[0]->type.dim[1] = 2;

    const Onnx__GraphProto *s = save(a, model)->graph;
    assert_int_equal(s->initializer[0]->dims[1], 2);
    assert_int_equal(s->initializer[0]->raw_data.len, 32);
    assert_int_equal(s->n_value_info, 3);
    assert_int_equal(s->value_info[0]->type->tensor_type->shape->dim[1]->dim_value, 2); /* h */
    assert_string_equal(s->value_info[0]->type->tensor_type->shape->dim[0]->dim_param, "batch");
    assert_string_equal(s->value_info[1]->name, "never defined");
    assert_int_equal(s->value_info[2]->type->tensor_type->shape->dim[1]->dim_value, 2); /* w */
    assert_int_equal(s->output[0]->type->tensor_type->shape->dim[1]->dim_value, 2);
    assert_int_equal(s->input[0]->base.n_unknown_fields, 1);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_a_forgotten_type_is_not_declared(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_model *model = load(a, proto_sample(a));
    model->graph->nodes[0]->outputs[0]->type = (struct mc_type){.rank = -1};
    const Onnx__GraphProto *s = save(a, model)->graph;
    assert_int_equal(s->n_value_info, 1);
    assert_string_equal(s->value_info[0]->name, "never defined");
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_what_is_said_of_a_value_goes_with_it(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *model = load(a, proto_sample(a));
    struct mc_graph *g = model->graph;
    assert_ok(mc_node_set_input(g->nodes[1], 0, g->inputs[0], &err), err);
    mc_node_remove(g->nodes[0]);
    const Onnx__GraphProto *s = save(a, model)->graph;
    assert_int_equal(s->n_node, 1);
    assert_string_equal(s->node[0]->input[0], "x");
    assert_int_equal(s->n_value_info, 1);
    assert_string_equal(s->value_info[0]->name, "never defined"); /* wrong before, and not ours to mend */
    assert_int_equal(s->n_quantization_annotation, 0);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_attributes_set_anew_keep_their_doc_string(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *model = load(a, proto_sample(a));
    struct mc_node *gemm = model->graph->nodes[0];
    struct mc_tensor *tensor;
    const struct mc_shape scalar = mc_shape_of(0, NULL);
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &scalar, &err), err);
    assert_ok(mc_node_set_int(gemm, "transB", 1, &err), err);
    assert_ok(mc_node_set_float(gemm, "alpha", 0.5F, &err), err);
    assert_ok(mc_node_set_ints(gemm, "pads", (int64_t[]){1, 2}, 2, &err), err);
    assert_ok(mc_node_set_string(gemm, "mode", "linear", &err), err);
    assert_ok(mc_node_set_tensor(gemm, "value", tensor, &err), err);
    const Onnx__NodeProto *node = save(a, model)->graph->node[0];
    assert_int_equal(node->n_attribute, 5);
    assert_int_equal(node->attribute[0]->i, 1);
    assert_string_equal(node->attribute[0]->doc_string, "an attribute");
    assert_int_equal(node->attribute[1]->type, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    assert_true(node->attribute[1]->has_f && node->attribute[1]->f == 0.5F);
    assert_int_equal(node->attribute[2]->ints[1], 2);
    assert_memory_equal(node->attribute[3]->s.data, "linear", 6);
    assert_int_equal(node->attribute[4]->t->raw_data.len, 4);
    assert_string_equal(node->doc_string, "a node");
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_new_initializers_raise_the_ir_version(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    Onnx__ModelProto *p = proto_sample(a);
    p->ir_version = 3;
    struct mc_model *model = load(a, p);
    struct mc_tensor *tensor;
    const struct mc_shape scalar = mc_shape_of(0, NULL);
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &scalar, &err), err);
    assert_non_null(mc_graph_add_initializer(model->graph, "new", tensor));
    assert_int_equal(save(a, model)->ir_version, 4);
    assert_ok(mc_tensor_create(&tensor, MC_INT4, &scalar, &err), err);
    assert_non_null(mc_graph_add_initializer(model->graph, "narrow", tensor));
    assert_int_equal(save(a, model)->ir_version, 10);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

/* --- models made here --- */

static struct mc_model *make_model(int64_t opset)
{
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){3});
    assert_ok(mc_model_create(&model, opset, &err), err);
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    struct mc_value *x = mc_value_create(model->graph, "x"), *y = mc_value_create(model->graph, "y");
    struct mc_value *in[3] = {x, NULL, mc_graph_add_initializer(model->graph, "w", tensor)};
    x->type = y->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {-1, 3}, .param = {"batch"}};
    assert_ok(mc_graph_add_input(model->graph, x, &err), err);
    assert_ok(mc_graph_add_output(model->graph, y, &err), err);
    assert_non_null(mc_node_create(model->graph, -1, "", "Clip", "clip", 3, in, 1, &y));
    return model;
}

static void test_models_made_here(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *model = make_model(17);
    unsigned char *once, *twice;
    size_t n, m;
    const Onnx__ModelProto *p = save(a, model);
    assert_int_equal(p->ir_version, 8);
    assert_string_equal(p->producer_name, "compress");
    assert_string_equal(p->producer_version, MC_VERSION);
    assert_int_equal(p->n_opset_import, 1);
    assert_int_equal(p->opset_import[0]->version, 17);
    assert_string_equal(p->graph->name, "main");
    assert_string_equal(p->graph->node[0]->input[1], "");
    assert_string_equal(p->graph->output[0]->type->tensor_type->shape->dim[0]->dim_param, "batch");
    assert_int_equal(p->graph->input[0]->type->tensor_type->shape->dim[1]->dim_value, 3);
    assert_ok(mc_onnx_save_bytes(model, &once, &n, &err), err);
    assert_ok(mc_onnx_save_bytes(model, &twice, &m, &err), err);
    assert_int_equal(n, m);
    assert_memory_equal(once, twice, n);
    mc_free(once);
    mc_free(twice);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_later_opsets_need_later_ir_versions(void **state)
{
    static const int64_t versions[][2] = {{7, 8}, {18, 8}, {19, 9}, {20, 9}, {21, 10}, {23, 11}, {24, 12}, {25, 13}};
    struct mc_arena arena, *a = protos_begin(&arena);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct mc_model *model = make_model(versions[i][0]);
        assert_int_equal(save(a, model)->ir_version, versions[i][1]);
        mc_model_destroy(model);
    }
    mc_arena_finish(a);
}

/* --- files --- */

static void test_external_data_come_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const struct mc_onnx_save_options outside = {.external_threshold = 13}, inside = {0};
    const char *path = scratch_path(state, "m.onnx");
    struct mc_model *model = load(a, proto_sample(a)), *again;
    assert_ok(mc_onnx_save(model, path, &outside, &err), err);
    assert_int_equal(scratch_count(state), 2);
    assert_ok(mc_onnx_load(&again, path, &err), err);
    const Onnx__TensorProto *w = again->graph->initializers[0]->origin_tensor;
    assert_int_equal(w->data_location, ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
    assert_string_equal(w->external_data[0]->value, "m.onnx.data");
    assert_string_equal(w->doc_string, "a tensor");
    assert_int_equal(((const Onnx__TensorProto *)again->graph->initializers[1]->origin_tensor)->n_float_data, 3);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(again->graph->initializers[i]->data->data, model->graph->initializers[i]->data->data,
                            mc_tensor_bytes(model->graph->initializers[i]->data));
    /* Back into the message: the model stands alone. */
    const Onnx__TensorProto *back = save(a, again)->graph->initializer[0];
    assert_int_equal(back->n_external_data, 0);
    assert_false(back->has_data_location);
    assert_int_equal(back->raw_data.len, 48);
    assert_ok(mc_onnx_save(again, scratch_path(state, "alone.onnx"), &inside, &err), err);
    assert_int_equal(scratch_count(state), 3);
    mc_model_destroy(again);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_external_tensors_begin_on_pages(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const struct mc_onnx_save_options all = {.external_threshold = 1};
    struct mc_model *model = load(a, proto_sample(a)), *again;
    assert_ok(mc_onnx_save(model, scratch_path(state, "m.onnx"), &all, &err), err);
    assert_ok(mc_onnx_load(&again, scratch_path(state, "m.onnx"), &err), err);
    const Onnx__TensorProto *b = again->graph->initializers[1]->origin_tensor;
    assert_string_equal(b->external_data[1]->value, "4096");
    assert_string_equal(b->external_data[2]->value, "12");
    assert_true(mc_tensor_get_f64(again->graph->initializers[1]->data, 1) == -0.5);
    mc_model_destroy(again);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_existing_files_are_kept_unless_told(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_onnx_save_options options = {.external_threshold = 1};
    const char *path = scratch_path(state, "m.onnx");
    struct mc_model *model = load(a, proto_sample(a)), *again;
    scratch_file(state, "m.onnx.data", "old", 3);
    assert_int_equal(mc_onnx_save(model, path, &options, &err), MC_ERR_USAGE);
    assert_int_equal(scratch_count(state), 1); /* not even the model */
    options.overwrite = true;
    assert_ok(mc_onnx_save(model, path, &options, &err), err);
    assert_ok(mc_onnx_save(model, path, &options, &err), err);
    options.overwrite = false;
    assert_int_equal(mc_onnx_save(model, path, &options, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "m.onnx' exists"));
    assert_ok(mc_onnx_load(&again, path, &err), err);
    mc_model_destroy(again);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

/* --- sparse initializers --- */

static void test_sparse_initializers_come_back_field_for_field(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    for (int coordinates = 0; coordinates < 2; coordinates++) {
        Onnx__ModelProto *p = proto_model(a, 17);
        proto_sparse(a, p, coordinates);
        check_comes_back(a, p);
    }
    mc_arena_finish(a);
}

static void test_changed_sparse_initializers_are_sparse_while_that_is_shorter(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_sparse(a, p, false);
    struct mc_model *model = load(a, p);
    float *s = model->graph->initializers[0]->data->data;
    s[11] = 0;
    const Onnx__GraphProto *g = save(a, model)->graph;
    assert_int_equal(g->n_initializer, 0);
    assert_int_equal(g->n_sparse_initializer, 1);
    assert_int_equal(g->sparse_initializer[0]->indices->n_int64_data, 1);
    assert_int_equal(g->sparse_initializer[0]->indices->int64_data[0], 1);
    assert_int_equal(g->sparse_initializer[0]->dims[1], 4);
    assert_string_equal(g->sparse_initializer[0]->values->name, "s");
    for (int i = 0; i < 12; i++) s[i] = 3;
    g = save(a, model)->graph;
    assert_int_equal(g->n_sparse_initializer, 0);
    assert_int_equal(g->n_initializer, 1);
    assert_string_equal(g->initializer[0]->name, "s");
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_a_model_is_stored_sparse_where_that_is_shorter(void **state)
{
    struct mc_error err = {0};
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    float w[12] = {0}, full[40] = {0};
    full[0] = -0.0F;
    full[39] = 2;
    for (int i = 0; i < 12; i++) w[i] = (float)(i + 1);
    p->ir_version = 4;
    proto_raw(a, p->graph->initializer[0], w, sizeof w);
    proto_initializer(a, p->graph,
                      proto_raw(a, proto_tensor(a, "zeros", MC_FLOAT, 2, (int64_t[]){5, 8}), full, sizeof full));
    proto_node(a, p->graph, "Neg", NULL, "zeros", "z");
    struct mc_model *model = load(a, p), *again;
    for (int twice = 0; twice < 2; twice++) assert_ok(mc_onnx_store_sparse(model, &err), err);
    const Onnx__ModelProto *saved = save(a, model);
    assert_int_equal(saved->ir_version, 6);
    assert_int_equal(saved->graph->n_initializer, 2);
    assert_int_equal(saved->graph->n_sparse_initializer, 1);
    assert_int_equal(saved->graph->sparse_initializer[0]->indices->n_int64_data, 2); /* -0 has a bit set */
    again = load(a, saved);
    assert_int_equal(again->graph->n_initializers, 3);
    assert_memory_equal(again->graph->initializers[2]->data->data, full, sizeof full);
    check_same_message(a, &saved->base, &save(a, again)->base);
    mc_model_destroy(again);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

/* A model whose data are mapped from the very files that it is written to. */
static void test_a_model_may_be_saved_over_itself(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = make_model(17), *again;
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){1 << 19});
    const struct mc_onnx_save_options options = {.overwrite = true, .external_threshold = 1};
    const char *path = scratch_path(state, "m.onnx");
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < shape.dim[0]; i++) mc_tensor_set_f64(tensor, i, (double)i);
    assert_non_null(mc_graph_add_initializer(model->graph, "large", tensor));
    assert_ok(mc_onnx_save(model, path, &options, &err), err);
    mc_model_destroy(model);
    for (int round = 0; round < 2; round++) {
        assert_ok(mc_onnx_load(&again, path, &err), err);
        assert_true(mc_tensor_get_f64(again->graph->initializers[1]->data, (1 << 19) - 1) == (1 << 19) - 1);
        assert_ok(mc_onnx_save(again, path, &options, &err), err);
        mc_model_destroy(again);
    }
    assert_int_equal(scratch_count(state), 2);
}

static void test_a_failed_save_leaves_nothing(void **state)
{
    struct mc_error err = {0};
    const struct mc_onnx_save_options options = {.overwrite = true, .external_threshold = 1};
    struct mc_model *model = make_model(17);
    const char *path = scratch_path(state, "taken");
    assert_int_equal(mkdir(path, 0777), 0);
    assert_true(mc_onnx_save(model, path, &options, &err) < 0); /* a folder cannot be replaced by a file */
    assert_int_equal(scratch_count(state), 1);
    assert_true(mc_onnx_save(model, scratch_path(state, "no/m.onnx"), &options, &err) < 0);
    assert_int_equal(scratch_count(state), 1);
    mc_model_destroy(model);
}

/* A limit on the size of files fails as a full disk does: in the middle of writing. */
static void test_a_full_disk_leaves_nothing(void **state)
{
    const struct mc_onnx_save_options inside = {0}, outside = {.external_threshold = 1};
    struct mc_model *model = make_model(17);
    struct rlimit limit, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    for (rlim_t bytes = 0; bytes <= 16; bytes += 8) { /* 12 are enough for the data, not for the model */
        struct mc_error err = {0};
        small.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &small);
        const int first = mc_onnx_save(model, scratch_path(state, "m.onnx"), &inside, &err);
        const int second = mc_onnx_save(model, scratch_path(state, "m.onnx"), &outside, &err);
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_int_equal(first, MC_ERR_SYSTEM);
        assert_int_equal(second, MC_ERR_SYSTEM);
        assert_non_null(strstr(err.text, "cannot save"));
        assert_int_equal(scratch_count(state), 0);
    }
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sparse_initializers_come_back_field_for_field),
        cmocka_unit_test(test_changed_sparse_initializers_are_sparse_while_that_is_shorter),
        cmocka_unit_test(test_a_model_is_stored_sparse_where_that_is_shorter),
        cmocka_unit_test(test_untouched_models_come_back_field_for_field),
        cmocka_unit_test(test_old_and_odd_heads_come_back),
        cmocka_unit_test(test_declarations_that_differ_come_back),
        cmocka_unit_test(test_contents_changed_in_place_are_written),
        cmocka_unit_test(test_types_follow_surgery),
        cmocka_unit_test(test_a_forgotten_type_is_not_declared),
        cmocka_unit_test(test_what_is_said_of_a_value_goes_with_it),
        cmocka_unit_test(test_attributes_set_anew_keep_their_doc_string),
        cmocka_unit_test(test_new_initializers_raise_the_ir_version),
        cmocka_unit_test(test_models_made_here),
        cmocka_unit_test(test_later_opsets_need_later_ir_versions),
        cmocka_unit_test_setup_teardown(test_external_data_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_external_tensors_begin_on_pages, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_existing_files_are_kept_unless_told, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_model_may_be_saved_over_itself, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_save_leaves_nothing, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_leaves_nothing, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
