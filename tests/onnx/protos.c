/* protos.c - ONNX messages made in memory, for tests; see protos.h. */
#include "protos.h"

#include <stdlib.h>
#include <string.h>

struct mc_arena *protos_begin(struct mc_arena *arena)
{
    mc_arena_init(arena);
    return arena;
}

static void *need(void *p)
{
    if (!p) abort();
    return p;
}

static char *text(struct mc_arena *a, const char *s)
{
    return need(mc_arena_strdup(a, s));
}

/* Append to an array of pointers; quadratic, and these arrays are short. */
#define APPEND(a, array, n, item)                                                                                      \
    do {                                                                                                               \
        void **grown_ = need(mc_arena_alloc((a), (n) + 1, sizeof(void *)));                                            \
        if (n) memcpy(grown_, (array), (n) * sizeof(void *));                                                          \
        grown_[(n)++] = (item);                                                                                        \
        (array) = (void *)grown_;                                                                                      \
    } while (0)

Onnx__ModelProto *proto_model(struct mc_arena *a, int64_t opset)
{
    Onnx__ModelProto *m = need(MC_ARENA_NEW(a, Onnx__ModelProto));
    Onnx__OperatorSetIdProto *import = need(MC_ARENA_NEW(a, Onnx__OperatorSetIdProto));
    onnx__model_proto__init(m);
    onnx__operator_set_id_proto__init(import);
    import->has_version = 1;
    import->version = opset;
    APPEND(a, m->opset_import, m->n_opset_import, import);
    m->has_ir_version = 1;
    m->ir_version = 8;
    m->graph = need(MC_ARENA_NEW(a, Onnx__GraphProto));
    onnx__graph_proto__init(m->graph);
    m->graph->name = text(a, "g");
    return m;
}

/* Cut `words` at the blanks; calls back with each. */
static void split(struct mc_arena *a, const char *words, char ***names, size_t *n)
{
    char *copy = text(a, words), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        APPEND(a, *names, *n, text(a, strcmp(word, "-") == 0 ? "" : word));
}

Onnx__NodeProto *proto_node(struct mc_arena *a, Onnx__GraphProto *g, const char *type, const char *name,
                            const char *inputs, const char *outputs)
{
    Onnx__NodeProto *node = need(MC_ARENA_NEW(a, Onnx__NodeProto));
    onnx__node_proto__init(node);
    node->op_type = text(a, type);
    if (name) node->name = text(a, name);
    split(a, inputs, &node->input, &node->n_input);
    split(a, outputs, &node->output, &node->n_output);
    APPEND(a, g->node, g->n_node, node);
    return node;
}

static Onnx__TensorShapeProto *make_shape(struct mc_arena *a, const char *dims)
{
    Onnx__TensorShapeProto *shape = need(MC_ARENA_NEW(a, Onnx__TensorShapeProto));
    char **words = NULL;
    size_t n = 0;
    onnx__tensor_shape_proto__init(shape);
    split(a, dims, &words, &n);
    for (size_t i = 0; i < n; i++) {
        Onnx__TensorShapeProto__Dimension *dim = need(MC_ARENA_NEW(a, Onnx__TensorShapeProto__Dimension));
        onnx__tensor_shape_proto__dimension__init(dim);
        if ((words[i][0] >= '0' && words[i][0] <= '9') || words[i][0] == '-') {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = strtoll(words[i], NULL, 10);
        } else if (words[i][0] != '?') {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = words[i];
        }
        APPEND(a, shape->dim, shape->n_dim, dim);
    }
    return shape;
}

Onnx__ValueInfoProto *proto_info(struct mc_arena *a, const char *name, enum mc_dtype dtype, const char *dims)
{
    Onnx__ValueInfoProto *info = need(MC_ARENA_NEW(a, Onnx__ValueInfoProto));
    onnx__value_info_proto__init(info);
    info->name = text(a, name);
    info->type = need(MC_ARENA_NEW(a, Onnx__TypeProto));
    onnx__type_proto__init(info->type);
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    info->type->tensor_type = need(MC_ARENA_NEW(a, Onnx__TypeProto__Tensor));
    onnx__type_proto__tensor__init(info->type->tensor_type);
    info->type->tensor_type->has_elem_type = 1;
    info->type->tensor_type->elem_type = (int32_t)dtype;
    if (dims) info->type->tensor_type->shape = make_shape(a, dims);
    return info;
}

void proto_input(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info)
{
    APPEND(a, g->input, g->n_input, info);
}

void proto_output(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info)
{
    APPEND(a, g->output, g->n_output, info);
}

void proto_value_info(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info)
{
    APPEND(a, g->value_info, g->n_value_info, info);
}

Onnx__TensorProto *proto_tensor(struct mc_arena *a, const char *name, enum mc_dtype dtype, int rank,
                                const int64_t *dims)
{
    Onnx__TensorProto *t = need(MC_ARENA_NEW(a, Onnx__TensorProto));
    onnx__tensor_proto__init(t);
    if (name) t->name = text(a, name);
    t->has_data_type = 1;
    t->data_type = (int32_t)dtype;
    t->n_dims = (size_t)rank;
    t->dims = need(MC_ARENA_ARRAY(a, int64_t, rank));
    for (int i = 0; i < rank; i++) t->dims[i] = dims[i];
    return t;
}

Onnx__TensorProto *proto_raw(struct mc_arena *a, Onnx__TensorProto *t, const void *bytes, size_t length)
{
    t->has_raw_data = 1;
    t->raw_data.len = length;
    t->raw_data.data = need(mc_arena_strndup(a, bytes, length));
    return t;
}

Onnx__TensorProto *proto_floats(struct mc_arena *a, Onnx__TensorProto *t, size_t n, const float *values)
{
    t->n_float_data = n;
    t->float_data = need(MC_ARENA_ARRAY(a, float, n));
    if (n) memcpy(t->float_data, values, n * sizeof *values);
    return t;
}

Onnx__StringStringEntryProto *proto_entry(struct mc_arena *a, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = need(MC_ARENA_NEW(a, Onnx__StringStringEntryProto));
    onnx__string_string_entry_proto__init(entry);
    entry->key = text(a, key);
    entry->value = text(a, value);
    return entry;
}

Onnx__TensorProto *proto_external(struct mc_arena *a, Onnx__TensorProto *t, const char *location, const char *offset,
                                  const char *length)
{
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (location) APPEND(a, t->external_data, t->n_external_data, proto_entry(a, "location", location));
    if (offset) APPEND(a, t->external_data, t->n_external_data, proto_entry(a, "offset", offset));
    if (length) APPEND(a, t->external_data, t->n_external_data, proto_entry(a, "length", length));
    return t;
}

void proto_initializer(struct mc_arena *a, Onnx__GraphProto *g, Onnx__TensorProto *t)
{
    APPEND(a, g->initializer, g->n_initializer, t);
}

Onnx__SparseTensorProto *proto_sparse(struct mc_arena *a, Onnx__ModelProto *m, bool coordinates)
{
    static const int64_t flat[] = {1, 11}, pairs[] = {0, 1, 2, 3}, dims[] = {3, 4};
    const size_t n = coordinates ? 4 : 2;
    Onnx__SparseTensorProto *p = need(MC_ARENA_NEW(a, Onnx__SparseTensorProto));
    onnx__sparse_tensor_proto__init(p);
    p->values = proto_floats(a, proto_tensor(a, "s", MC_FLOAT, 1, (int64_t[]){2}), 2, (float[]){5, 7});
    p->indices = proto_tensor(a, "", MC_INT64, coordinates ? 2 : 1, (int64_t[]){2, 2});
    p->indices->n_int64_data = n;
    p->indices->int64_data = need(mc_arena_alloc(a, n, sizeof(int64_t)));
    memcpy(p->indices->int64_data, coordinates ? pairs : flat, n * sizeof(int64_t));
    p->n_dims = 2;
    p->dims = need(mc_arena_alloc(a, 2, sizeof(int64_t)));
    memcpy(p->dims, dims, sizeof dims);
    APPEND(a, m->graph->sparse_initializer, m->graph->n_sparse_initializer, p);
    proto_node(a, m->graph, "Neg", NULL, "s", "y");
    return p;
}

Onnx__AttributeProto *proto_attr(struct mc_arena *a, Onnx__NodeProto *n, const char *name,
                                 Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attr = need(MC_ARENA_NEW(a, Onnx__AttributeProto));
    onnx__attribute_proto__init(attr);
    attr->name = text(a, name);
    attr->has_type = 1;
    attr->type = type;
    APPEND(a, n->attribute, n->n_attribute, attr);
    return attr;
}

void proto_attr_int(struct mc_arena *a, Onnx__NodeProto *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr = proto_attr(a, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attr->has_i = 1;
    attr->i = value;
}

void proto_unknown_field(struct mc_arena *a, ProtobufCMessage *message, uint32_t tag, const char *words)
{
    proto_unknown_bytes(a, message, tag, words, strlen(words));
}

void proto_unknown_bytes(struct mc_arena *a, ProtobufCMessage *message, uint32_t tag, const void *bytes, size_t length)
{
    if (length > 127) abort(); /* its length is a varint of one byte */
    ProtobufCMessageUnknownField *field = need(MC_ARENA_NEW(a, ProtobufCMessageUnknownField));
    field->tag = tag;
    field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    field->len = length + 1;
    field->data = need(mc_arena_alloc(a, field->len, 1));
    field->data[0] = (uint8_t)length;
    memcpy(field->data + 1, bytes, length);
    message->unknown_fields = field;
    message->n_unknown_fields = 1;
}

/* --- functions --- */

Onnx__FunctionProto *proto_function(struct mc_arena *a, Onnx__ModelProto *m, const char *domain, const char *name,
                                    const char *inputs, const char *outputs, int64_t opset)
{
    Onnx__FunctionProto *f = need(MC_ARENA_NEW(a, Onnx__FunctionProto));
    Onnx__OperatorSetIdProto *import = need(MC_ARENA_NEW(a, Onnx__OperatorSetIdProto));
    onnx__function_proto__init(f);
    onnx__operator_set_id_proto__init(import);
    f->domain = text(a, domain);
    f->name = text(a, name);
    split(a, inputs, &f->input, &f->n_input);
    split(a, outputs, &f->output, &f->n_output);
    import->has_version = 1;
    import->version = opset;
    APPEND(a, f->opset_import, f->n_opset_import, import);
    APPEND(a, m->functions, m->n_functions, f);
    return f;
}

Onnx__NodeProto *proto_function_node(struct mc_arena *a, Onnx__FunctionProto *f, const char *type, const char *name,
                                     const char *inputs, const char *outputs)
{
    Onnx__GraphProto body;
    onnx__graph_proto__init(&body);
    Onnx__NodeProto *node = proto_node(a, &body, type, name, inputs, outputs);
    APPEND(a, f->node, f->n_node, node);
    return node;
}

Onnx__NodeProto *proto_call(struct mc_arena *a, Onnx__NodeProto *n, const char *domain)
{
    n->domain = text(a, domain);
    return n;
}

void proto_attr_ref(struct mc_arena *a, Onnx__NodeProto *n, const char *name, Onnx__AttributeProto__AttributeType type,
                    const char *of)
{
    proto_attr(a, n, name, type)->ref_attr_name = text(a, of);
}

void proto_function_default(struct mc_arena *a, Onnx__FunctionProto *f, const char *name, float value)
{
    Onnx__NodeProto holder;
    char packed[128];
    onnx__node_proto__init(&holder);
    Onnx__AttributeProto *attr = proto_attr(a, &holder, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attr->has_f = 1;
    attr->f = value;
    const size_t length = onnx__attribute_proto__pack(attr, (uint8_t *)packed);
    proto_unknown_bytes(a, &f->base, 11, packed, length);
}

/* --- whole models --- */

static void add_function(struct mc_arena *a, Onnx__ModelProto *m)
{
    Onnx__FunctionProto *f = proto_function(a, m, "local", "Twice", "x", "y", 17);
    proto_attr_ref(a, proto_function_node(a, f, "Mul", NULL, "x x", "y"), "k",
                   ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, "k");
    proto_unknown_field(a, &f->base, 14, "function");
}

static void add_annotation(struct mc_arena *a, Onnx__GraphProto *g, const char *tensor, const char *scale)
{
    Onnx__TensorAnnotation *note = need(MC_ARENA_NEW(a, Onnx__TensorAnnotation));
    onnx__tensor_annotation__init(note);
    note->tensor_name = text(a, tensor);
    APPEND(a, note->quant_parameter_tensor_names, note->n_quant_parameter_tensor_names,
           proto_entry(a, "SCALE_TENSOR", scale));
    APPEND(a, g->quantization_annotation, g->n_quantization_annotation, note);
}

Onnx__ModelProto *proto_sample(struct mc_arena *a)
{
    static const float w[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, b[3] = {0.5F, -0.5F, 0};
    Onnx__ModelProto *m = proto_model(a, 17);
    Onnx__GraphProto *g = m->graph;
    Onnx__TensorProto *weight = proto_tensor(a, "w", MC_FLOAT, 2, (int64_t[]){4, 3});
    proto_initializer(a, g, proto_raw(a, weight, w, sizeof w));
    proto_initializer(a, g, proto_floats(a, proto_tensor(a, "b", MC_FLOAT, 1, (int64_t[]){3}), 3, b));
    proto_input(a, g, proto_info(a, "x", MC_FLOAT, "batch 4"));
    proto_output(a, g, proto_info(a, "y", MC_FLOAT, "batch 3"));
    proto_value_info(a, g, proto_info(a, "h", MC_FLOAT, "batch 3"));
    proto_value_info(a, g, proto_info(a, "never defined", MC_FLOAT, "7"));
    Onnx__NodeProto *gemm = proto_node(a, g, "Gemm", "fc", "x w b", "h");
    proto_attr_int(a, gemm, "transB", 0);
    proto_node(a, g, "Relu", NULL, "h", "y")->domain = text(a, "ai.onnx");
    add_annotation(a, g, "h", "b");
    add_function(a, m);
    APPEND(a, m->metadata_props, m->n_metadata_props, proto_entry(a, "author", "nobody"));
    m->producer_name = text(a, "tests");
    m->doc_string = text(a, "a model");
    g->doc_string = text(a, "a graph");
    gemm->doc_string = text(a, "a node");
    weight->doc_string = text(a, "a tensor");
    gemm->attribute[0]->doc_string = text(a, "an attribute");
    g->input[0]->doc_string = text(a, "a value");
    proto_unknown_field(a, &m->base, 26, "model");
    proto_unknown_field(a, &g->base, 16, "graph");
    proto_unknown_field(a, &gemm->base, 9, "node");
    proto_unknown_field(a, &weight->base, 16, "tensor");
    proto_unknown_field(a, &gemm->attribute[0]->base, 1000, "attribute");
    proto_unknown_field(a, &g->input[0]->base, 4, "value");
    return m;
}

Onnx__ModelProto *proto_if(struct mc_arena *a)
{
    static const float one = 1;
    Onnx__ModelProto *m = proto_model(a, 16);
    Onnx__GraphProto *g = m->graph, *then = proto_model(a, 16)->graph, *otherwise = proto_model(a, 16)->graph;
    proto_input(a, g, proto_info(a, "c", MC_BOOL, ""));
    proto_input(a, g, proto_info(a, "x", MC_FLOAT, "1"));
    proto_output(a, g, proto_info(a, "y", MC_FLOAT, "1"));
    then->name = text(a, "then");
    proto_node(a, then, "Neg", "minus", "x", "t");
    proto_output(a, then, proto_info(a, "t", MC_FLOAT, "1"));
    otherwise->name = text(a, "else");
    proto_initializer(a, otherwise, proto_raw(a, proto_tensor(a, "k", MC_FLOAT, 1, (int64_t[]){1}), &one, 4));
    proto_node(a, otherwise, "Add", "plus", "x k", "e");
    proto_output(a, otherwise, proto_info(a, "e", MC_FLOAT, "1"));
    Onnx__NodeProto *node = proto_node(a, g, "If", "branch", "c", "y");
    proto_attr(a, node, "then_branch", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = then;
    proto_attr(a, node, "else_branch", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = otherwise;
    return m;
}

/* A branch: z of x by `type`, of domain `local` if it is a call. */
static Onnx__GraphProto *make_branch(struct mc_arena *a, const char *name, const char *type, const char *input,
                                     bool is_call)
{
    Onnx__GraphProto *g = proto_model(a, 17)->graph;
    g->name = text(a, name);
    Onnx__NodeProto *node = proto_node(a, g, type, NULL, input, "z");
    if (is_call) proto_call(a, node, "local");
    proto_output(a, g, proto_info(a, "z", MC_FLOAT, NULL));
    return g;
}

/* Leaky(x): LeakyRelu by `slope`, 0.25 if it is left out; Both(x): two of them; Choose(c): either graph. */
static void add_functions(struct mc_arena *a, Onnx__ModelProto *m)
{
    Onnx__FunctionProto *f = proto_function(a, m, "local", "Leaky", "x low", "y low", 17);
    proto_function_default(a, f, "slope", 0.25F);
    Onnx__NodeProto *node = proto_function_node(a, f, "LeakyRelu", "leak", "x", "t");
    proto_attr_ref(a, node, "alpha", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, "slope");
    proto_function_node(a, f, "Clip", NULL, "t low", "y");
    f = proto_function(a, m, "local", "Both", "x", "y t", 17);
    node = proto_call(a, proto_function_node(a, f, "Leaky", "first", "x", "t"), "local");
    proto_attr_ref(a, node, "slope", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, "k");
    proto_call(a, proto_function_node(a, f, "Leaky", NULL, "t x", "y"), "local");
    f = proto_function(a, m, "local", "Choose", "c", "y", 17);
    node = proto_function_node(a, f, "If", NULL, "c", "y");
    proto_attr_ref(a, node, "then_branch", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH, "yes");
    proto_attr_ref(a, node, "else_branch", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH, "no");
}

Onnx__ModelProto *proto_calls(struct mc_arena *a)
{
    static const float one = 1;
    Onnx__ModelProto *m = proto_model(a, 17);
    Onnx__GraphProto *g = m->graph, *no = make_branch(a, "no", "Add", "h w", false);
    proto_initializer(a, no, proto_raw(a, proto_tensor(a, "w", MC_FLOAT, 1, (int64_t[]){1}), &one, 4));
    proto_input(a, g, proto_info(a, "x", MC_FLOAT, "n"));
    proto_input(a, g, proto_info(a, "c", MC_BOOL, ""));
    proto_output(a, g, proto_info(a, "y", MC_FLOAT, NULL));
    Onnx__NodeProto *both = proto_call(a, proto_node(a, g, "Both", "layer", "x", "h"), "local");
    Onnx__AttributeProto *k = proto_attr(a, both, "k", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    k->has_f = 1;
    k->f = 0.5F;
    Onnx__NodeProto *choose = proto_call(a, proto_node(a, g, "Choose", NULL, "c", "y"), "local");
    proto_attr(a, choose, "yes", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g =
        make_branch(a, "yes", "Leaky", "h", true);
    proto_attr(a, choose, "no", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = no;
    add_functions(a, m);
    return m;
}

unsigned char *proto_pack(struct mc_arena *a, const ProtobufCMessage *message, size_t *length)
{
    *length = protobuf_c_message_get_packed_size(message);
    unsigned char *bytes = need(mc_arena_alloc(a, *length, 1));
    protobuf_c_message_pack(message, bytes);
    return bytes;
}
