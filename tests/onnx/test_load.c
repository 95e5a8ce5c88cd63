/* test_load.c - models from files: what they become, and every way in which they are refused. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "onnx/onnx.h"
#include "protos.h"

static int load(struct mc_model **model, struct mc_arena *a, const Onnx__ModelProto *p, struct mc_error *err)
{
    size_t length;
    const unsigned char *bytes = proto_pack(a, &p->base, &length);
    return mc_onnx_load_bytes(model, bytes, length, NULL, "net.onnx", err);
}

static struct mc_model *load_good(struct mc_arena *a, const Onnx__ModelProto *p)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(load(&model, a, p, &err), err);
    return model;
}

/* Refused with exactly this text after "cannot load 'net.onnx': ". */
static void check_refused(struct mc_arena *a, const Onnx__ModelProto *p, const char *why)
{
    static const char start[] = "cannot load 'net.onnx': ";
    struct mc_error err = {0};
    struct mc_model *model;
    assert_int_equal(load(&model, a, p, &err), MC_ERR_INPUT);
    assert_memory_equal(err.text, start, sizeof start - 1);
    assert_string_equal(err.text + sizeof start - 1, why);
}

/* --- what models become --- */

static void test_parts_of_a_model(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_model *m = load_good(a, proto_sample(a));
    struct mc_graph *g = m->graph;
    assert_string_equal(m->path, "net.onnx");
    assert_int_equal(mc_model_opset(m, ""), 17);
    assert_string_equal(g->name, "g");
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->n_outputs, 1);
    assert_int_equal(g->n_initializers, 2);
    const struct mc_value *x = g->inputs[0], *y = g->outputs[0], *w = g->initializers[0];
    assert_string_equal(x->name, "x");
    assert_true(x->is_input && !x->is_output);
    assert_string_equal(x->type.param[0], "batch");
    assert_int_equal(x->type.dim[1], 4);
    assert_true(y->is_output);
    assert_ptr_equal(y->producer, g->nodes[1]);
    assert_string_equal(w->name, "w");
    assert_int_equal(w->type.dim[0], 4);
    assert_true(mc_tensor_get_f64(w->data, 11) == 12);
    const struct mc_node *gemm = g->nodes[0];
    assert_string_equal(gemm->type, "Gemm");
    assert_string_equal(gemm->name, "fc");
    assert_int_equal(gemm->opset, 17);
    assert_ptr_equal(gemm->inputs[1], w);
    assert_int_equal(mc_node_int(gemm, "transB", 7), 0);
    assert_string_equal(g->nodes[1]->domain, ""); /* "ai.onnx" is another name of it */
    assert_int_equal(gemm->outputs[0]->type.dim[1], 3);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_omitted_inputs_and_outputs_are_null(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_input(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    proto_node(a, p->graph, "Clip", NULL, "x - x", "y");
    proto_node(a, p->graph, "Dropout", NULL, "y", "- m");
    struct mc_model *m = load_good(a, p);
    const struct mc_node *clip = m->graph->nodes[0], *dropout = m->graph->nodes[1];
    assert_int_equal(clip->n_inputs, 3);
    assert_null(clip->inputs[1]);
    assert_ptr_equal(clip->inputs[2], clip->inputs[0]);
    assert_null(dropout->outputs[0]);
    assert_string_equal(dropout->outputs[1]->name, "m");
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_an_initializer_may_be_an_input_too(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    proto_input(a, p->graph, proto_info(a, "w", MC_FLOAT, "4 3"));
    struct mc_model *m = load_good(a, p);
    assert_ptr_equal(m->graph->inputs[1], m->graph->initializers[0]);
    assert_true(m->graph->inputs[1]->is_input && m->graph->inputs[1]->data);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_subgraphs_see_values_outside(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_model *m = load_good(a, proto_if(a));
    const struct mc_node *node = m->graph->nodes[0];
    const struct mc_graph *then = mc_node_attr(node, "then_branch")->g, *other = mc_node_attr(node, "else_branch")->g;
    assert_ptr_equal(then->parent, m->graph);
    assert_ptr_equal(then->nodes[0]->inputs[0], m->graph->inputs[1]);
    assert_ptr_equal(then->outputs[0]->producer, then->nodes[0]);
    assert_ptr_equal(other->nodes[0]->inputs[1], other->initializers[0]);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_attributes_of_every_kind(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    Onnx__NodeProto *n = proto_node(a, p->graph, "Op", NULL, "", "y");
    Onnx__TensorProto *t = proto_floats(a, proto_tensor(a, NULL, MC_FLOAT, 0, NULL), 1, (float[]){2.5F});
    Onnx__AttributeProto *attr = proto_attr(a, n, "f", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attr->has_f = 1;
    attr->f = 0.5F;
    proto_attr(a, n, "zero", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT); /* proto3 writers leave zeroes out */
    attr = proto_attr(a, n, "s", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    attr->has_s = 1;
    attr->s = (ProtobufCBinaryData){3, (uint8_t *)(char[]){'a', 0, 'b'}};
    attr = proto_attr(a, n, "ints", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attr->n_ints = 2;
    attr->ints = (int64_t[]){-1, 5};
    attr = proto_attr(a, n, "strings", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    attr->n_strings = 2;
    attr->strings = (ProtobufCBinaryData[]){{1, (uint8_t *)(char[]){'x'}}, {0, NULL}};
    attr = proto_attr(a, n, "tensors", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS);
    attr->n_tensors = 2;
    attr->tensors = (Onnx__TensorProto *[]){t, t};
    attr = proto_attr(a, n, "old", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED); /* IR version 1: no type */
    attr->has_type = 0;
    attr->n_floats = 1;
    attr->floats = (float[]){4};
    proto_attr(a, n, "type", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO);
    struct mc_model *m = load_good(a, p);
    const struct mc_node *node = m->graph->nodes[0];
    int64_t count;
    assert_true(mc_node_float(node, "f", 0) == 0.5F);
    assert_int_equal(mc_node_int(node, "zero", 9), 0);
    assert_int_equal(mc_node_attr(node, "s")->s.length, 3);
    assert_int_equal(mc_node_ints(node, "ints", &count)[1], 5);
    assert_int_equal(count, 2);
    assert_int_equal(mc_node_attr(node, "strings")->n, 2);
    assert_true(mc_tensor_get_f64(mc_node_attr(node, "tensors")->tensors[1], 0) == 2.5);
    assert_int_equal(mc_node_attr(node, "old")->type, MC_ATTR_FLOATS);
    assert_int_equal(mc_node_attr(node, "type")->type, MC_ATTR_OTHER);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_nodes_out_of_order_are_sorted(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_input(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    proto_node(a, p->graph, "Relu", "second", "h", "y");
    proto_node(a, p->graph, "Neg", "first", "x", "h");
    struct mc_model *m = load_good(a, p);
    assert_string_equal(m->graph->nodes[0]->name, "first");
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_of_two_imports_the_higher_holds(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a), *q = proto_model(a, 19);
    Onnx__OperatorSetIdProto *both[2] = {p->opset_import[0], q->opset_import[0]};
    both[1]->domain = mc_arena_strdup(a, "ai.onnx");
    p->opset_import = both;
    p->n_opset_import = 2;
    struct mc_model *m = load_good(a, p);
    assert_int_equal(m->n_opsets, 1);
    assert_int_equal(mc_model_opset(m, ""), 19);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_sparse_initializers_become_dense(void **state)
{
    for (int coordinates = 0; coordinates < 2; coordinates++) {
        struct mc_arena arena, *a = protos_begin(&arena);
        Onnx__ModelProto *p = proto_model(a, 17);
        proto_sparse(a, p, coordinates);
        struct mc_model *m = load_good(a, p);
        const struct mc_value *s = m->graph->nodes[0]->inputs[0];
        assert_int_equal(m->graph->n_initializers, 1);
        assert_ptr_equal(m->graph->initializers[0], s);
        static const float wanted[12] = {[1] = 5, [11] = 7};
        assert_int_equal(s->data->shape.dim[1], 4);
        assert_memory_equal(s->data->data, wanted, sizeof wanted);
        mc_model_destroy(m);
        mc_arena_finish(a);
    }
}

static void test_sparse_texts_are_values_of_a_known_type(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    Onnx__SparseTensorProto *sparse = proto_sparse(a, p, false);
    static ProtobufCBinaryData texts[2] = {{1, (uint8_t *)"a"}, {1, (uint8_t *)"b"}};
    sparse->values = proto_tensor(a, "s", MC_STRING, 1, (int64_t[]){2});
    sparse->values->n_string_data = 2;
    sparse->values->string_data = texts;
    struct mc_model *m = load_good(a, p);
    const struct mc_value *s = m->graph->nodes[0]->inputs[0];
    assert_int_equal(s->type.dtype, MC_STRING);
    assert_int_equal(s->type.dim[1], 4);
    assert_null(s->data);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

/* --- refusals --- */

static void test_heads_that_cannot_be_are_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    p->graph = NULL;
    check_refused(a, p, "the model has no graph");
    p = proto_sample(a);
    p->n_opset_import = 0;
    check_refused(a, p, "the model imports no opset, IR version 8 needs one");
    p = proto_sample(a);
    p->opset_import[0]->version = 0;
    check_refused(a, p, "version 0 of opset '' cannot be");
    p = proto_sample(a);
    p->opset_import[0]->domain = mc_arena_strdup(a, "other");
    check_refused(a, p, "graph 'g': node 'fc' (Gemm): the model imports no opset of ONNX's own operators");
    mc_arena_finish(a);
}

static void test_values_must_be_defined_once(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    proto_node(a, p->graph, "Neg", "again", "x", "h");
    check_refused(a, p, "graph 'g': node 'again' (Neg): output 'h' is defined before");
    p = proto_sample(a);
    proto_node(a, p->graph, "Neg", NULL, "x", "w");
    check_refused(a, p, "graph 'g': node #2 (Neg): output 'w' is defined before");
    p = proto_sample(a);
    proto_input(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    check_refused(a, p, "graph 'g': value 'x' is defined twice");
    p = proto_sample(a);
    proto_initializer(a, p->graph, p->graph->initializer[0]);
    check_refused(a, p, "graph 'g': value 'w' is defined twice");
    proto_input(a, p->graph, proto_info(a, "w", MC_FLOAT, NULL));
    check_refused(a, p, "graph 'g': initializer 'w': the name is given to two initializers");
    mc_arena_finish(a);
}

static void test_values_must_be_defined_at_all(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    proto_node(a, p->graph, "Neg", "lost", "nowhere", "z");
    check_refused(a, p, "graph 'g': node 'lost' (Neg): input 'nowhere' is defined nowhere");
    p = proto_sample(a);
    proto_output(a, p->graph, proto_info(a, "nothing", MC_FLOAT, NULL));
    check_refused(a, p, "graph 'g': output 'nothing' is defined nowhere");
    p = proto_sample(a);
    p->graph->input[0]->name = NULL;
    check_refused(a, p, "graph 'g': input 0 has no name");
    p = proto_sample(a);
    p->graph->initializer[1]->name = NULL;
    check_refused(a, p, "graph 'g': initializer 1 has no name");
    p = proto_sample(a);
    p->graph->node[1]->op_type = NULL;
    check_refused(a, p, "graph 'g': node #1 (): the operator is not named");
    mc_arena_finish(a);
}

/* As proto_sparse, with one thing wrong. */
static void check_sparse_refused(void (*spoil)(struct mc_arena *a, Onnx__SparseTensorProto *p), const char *why)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    spoil(a, proto_sparse(a, p, false));
    check_refused(a, p, why);
    mc_arena_finish(a);
}

static void leave_out_indices(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices = NULL;
}

static void turn_indices_round(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices->int64_data[0] = 11;
    p->indices->int64_data[1] = 1;
}

static void point_outside(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices->int64_data[1] = 12;
}

static void point_before(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices->int64_data[0] = -1;
}

static void take_an_index_away(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices->dims[0] = 1;
    p->indices->n_int64_data = 1;
}

static void narrow_indices(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->indices = proto_raw(a, proto_tensor(a, "", MC_INT32, 1, (int64_t[]){2}), (int32_t[]){1, 11}, 8);
}

static void grow_beyond_messages(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->dims[0] = (int64_t)1 << 30;
}

static void shrink_below_nothing(struct mc_arena *a, Onnx__SparseTensorProto *p)
{
    p->dims[1] = -4;
}

static void test_sparse_initializers_that_cannot_be_are_refused(void **state)
{
#define WHERE "graph 'g': sparse initializer 0: 's': "
    check_sparse_refused(leave_out_indices, WHERE "it needs values and indices");
    check_sparse_refused(turn_indices_round, WHERE "index 1 is outside, or not behind the one before it");
    check_sparse_refused(point_outside, WHERE "index 1 is outside, or not behind the one before it");
    check_sparse_refused(point_before, WHERE "index 0 is outside, or not behind the one before it");
    check_sparse_refused(take_an_index_away, WHERE "indices need the shape [2] or [2,2], have [1]");
    check_sparse_refused(narrow_indices, WHERE "indices need int64, have int32");
    check_sparse_refused(grow_beyond_messages,
                         WHERE "it would be longer than the 2147483647 bytes that are left for sparse ones");
    check_sparse_refused(shrink_below_nothing, WHERE "dimension 1 is -4");
}

static void test_subgraph_values_stay_inside(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_if(a);
    proto_node(a, p->graph, "Neg", "peek", "t", "z");
    check_refused(a, p, "graph 'g': node 'peek' (Neg): input 't' is defined nowhere");
    p = proto_if(a);
    p->graph->node[0]->attribute[0]->g->node[0]->output[0] = mc_arena_strdup(a, "x");
    check_refused(a, p,
                  "graph 'g': node 'branch' (If): attribute 'then_branch': graph 'then': node 'minus' (Neg): "
                  "output 'x' has the name of a value outside the graph");
    p = proto_if(a);
    p->graph->node[0]->attribute[1]->g->initializer[0]->raw_data.len = 3;
    check_refused(a, p,
                  "graph 'g': node 'branch' (If): attribute 'else_branch': graph 'else': initializer 'k': "
                  "raw_data has 3 bytes, float32 [1] needs 4");
    mc_arena_finish(a);
}

static void test_cycles_are_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_node(a, p->graph, "Neg", "egg", "chicken", "egg");
    proto_node(a, p->graph, "Neg", "chicken", "egg", "chicken");
    check_refused(a, p, "graph 'g': node 'chicken' (Neg) needs its own output: the graph has a cycle");
    p = proto_if(a); /* a branch that reads what its own node makes */
    p->graph->node[0]->attribute[0]->g->node[0]->input[0] = mc_arena_strdup(a, "y");
    check_refused(a, p, "graph 'g': node 'branch' (If) needs its own output: the graph has a cycle");
    mc_arena_finish(a);
}

static void test_tensors_and_types_are_refused_with_their_place(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    p->graph->initializer[0]->dims = (int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31};
    check_refused(a, p,
                  "graph 'g': initializer 'w': shape [4294967296,2147483648] has more elements than can be counted");
    p = proto_sample(a);
    p->graph->input[0] = proto_info(a, "x", MC_FLOAT, "4294967296 2147483648");
    check_refused(a, p,
                  "graph 'g': type of 'x': dimensions [4294967296,2147483648] have a product that cannot be counted");
    p = proto_sample(a);
    proto_attr(a, p->graph->node[1], "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)->t =
        proto_tensor(a, NULL, MC_FLOAT, 1, (int64_t[]){2});
    check_refused(a, p, "graph 'g': node #1 (Relu): attribute 'value': 0 elements are stored, float32 [2] needs 2");
    mc_arena_finish(a);
}

static void test_attributes_that_cannot_be_are_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *p = proto_sample(a);
    proto_attr_int(a, p->graph->node[0], "transB", 1);
    check_refused(a, p, "graph 'g': node 'fc' (Gemm): attribute 'transB' is given twice");
    p = proto_sample(a);
    proto_attr_int(a, p->graph->node[0], "", 1);
    check_refused(a, p, "graph 'g': node 'fc' (Gemm): attribute 1 has no name");
    p = proto_if(a);
    p->graph->node[0]->attribute[0]->g = NULL;
    check_refused(a, p, "graph 'g': node 'branch' (If): attribute 'then_branch': the graph is missing");
    mc_arena_finish(a);
}

/* --- files --- */

static void check_file_refused(const char *path, const char *why)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_int_equal(mc_onnx_load(&model, path, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
}

static void test_files_that_hold_no_model_are_refused(void **state)
{
    check_file_refused(scratch_path(state, "absent.onnx"), "No such file");
    check_file_refused(scratch_path(state, "."), "is a directory");
    check_file_refused(scratch_file(state, "empty.onnx", "", 0), "the file is empty");
    check_file_refused(scratch_file(state, "text.onnx", "hello, world", 12), "byte");
    check_file_refused(scratch_file(state, "other.onnx", "\x12\x01x", 3), "the model has no graph");
}

/* The file is given back while it is unpacked, and is the caller's again afterwards. */
static void test_large_contents_of_a_file_come_whole(void **state)
{
    enum { N = 700001 };
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_tensor *kept;
    const int64_t dims[] = {N};
    float *numbers = malloc(N * sizeof *numbers);
    Onnx__ModelProto *p = proto_model(a, 17);
    size_t length;
    for (int i = 0; i < N; i++) numbers[i] = (float)i;
    for (int k = 0; k < 3; k++) {
        char name[] = {'a', (char)('0' + k), 0}; /* 11 bytes or so apart: not all are aligned in the file */
        proto_initializer(a, p->graph,
                          proto_raw(a, proto_tensor(a, name, MC_FLOAT, 1, dims), numbers, N * sizeof(float)));
    }
    const unsigned char *bytes = proto_pack(a, &p->base, &length);
    const char *path = scratch_file(state, "large.onnx", bytes, length);
    assert_ok(mc_onnx_load(&model, path, &err), err);
    assert_true(truncate(path, 0) == 0);
    assert_int_equal(model->graph->n_initializers, 3);
    for (int k = 0; k < 3; k++)
        assert_memory_equal(model->graph->initializers[k]->data->data, numbers, N * sizeof(float));
    assert_ok(mc_tensor_view(&kept, model->graph->initializers[1]->data, NULL, 0, &err), err);
    mc_model_destroy(model);
    assert_memory_equal(kept->data, numbers, N * sizeof(float));
    mc_tensor_destroy(kept);
    free(numbers);
    mc_arena_finish(a);
}

static void test_every_prefix_is_refused_or_loaded(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length;
    int n_loaded = 0;
    const unsigned char *bytes = proto_pack(a, &proto_sample(a)->base, &length);
    for (size_t n = 0; n < length; n++) {
        struct mc_error err = {0};
        struct mc_model *model;
        unsigned char *exact = malloc(n ? n : 1); /* of its own, so that the sanitizer sees a step beyond */
        memcpy(exact, bytes, n);
        const int rc = mc_onnx_load_bytes(&model, exact, n, NULL, "net.onnx", &err);
        free(exact);
        if (rc == MC_OK) {
            n_loaded++;
            mc_model_destroy(model);
        } else {
            assert_int_equal(rc, MC_ERR_INPUT);
            assert_true(strlen(err.text) > sizeof "cannot load 'net.onnx': ");
        }
    }
    assert_in_range(n_loaded, 1, 20); /* a cut between two fields after the opset leaves a model */
    mc_arena_finish(a);
}

static void test_every_flipped_bit_is_refused_or_loaded(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length, n;
    unsigned char *bytes = proto_pack(a, &proto_if(a)->base, &length), *saved;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        struct mc_error err = {0};
        struct mc_model *model;
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        const int rc = mc_onnx_load_bytes(&model, bytes, length, NULL, "net.onnx", &err);
        if (rc == MC_OK) {
            assert_ok(mc_onnx_save_bytes(model, &saved, &n, &err), err);
            mc_free(saved);
            mc_model_destroy(model);
        } else {
            assert_true(rc == MC_ERR_INPUT || rc == MC_ERR_UNSUPPORTED);
        }
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    mc_arena_finish(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_a_model),
        cmocka_unit_test(test_omitted_inputs_and_outputs_are_null),
        cmocka_unit_test(test_an_initializer_may_be_an_input_too),
        cmocka_unit_test(test_subgraphs_see_values_outside),
        cmocka_unit_test(test_attributes_of_every_kind),
        cmocka_unit_test(test_nodes_out_of_order_are_sorted),
        cmocka_unit_test(test_of_two_imports_the_higher_holds),
        cmocka_unit_test(test_sparse_initializers_become_dense),
        cmocka_unit_test(test_sparse_texts_are_values_of_a_known_type),
        cmocka_unit_test(test_sparse_initializers_that_cannot_be_are_refused),
        cmocka_unit_test(test_heads_that_cannot_be_are_refused),
        cmocka_unit_test(test_values_must_be_defined_once),
        cmocka_unit_test(test_values_must_be_defined_at_all),
        cmocka_unit_test(test_subgraph_values_stay_inside),
        cmocka_unit_test(test_cycles_are_refused),
        cmocka_unit_test(test_tensors_and_types_are_refused_with_their_place),
        cmocka_unit_test(test_attributes_that_cannot_be_are_refused),
        cmocka_unit_test_setup_teardown(test_files_that_hold_no_model_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_large_contents_of_a_file_come_whole, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_every_prefix_is_refused_or_loaded),
        cmocka_unit_test(test_every_flipped_bit_is_refused_or_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
