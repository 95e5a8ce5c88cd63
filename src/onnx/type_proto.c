/* type_proto.c - TypeProto to a value's declared type and back; see type_proto.h. */
#include "onnx/type_proto.h"

#include <string.h>

#include "base/error.h"

typedef Onnx__TensorShapeProto__Dimension dimension_proto;

static int read_dimensions(struct mc_type *type, const Onnx__TensorShapeProto *shape, struct mc_error *err)
{
    struct mc_shape known = {0};
    char text[256];
    if (shape->n_dim > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_INPUT, "%zu dimensions are more than %d", shape->n_dim, MC_MAX_RANK);
    type->rank = (int)shape->n_dim;
    for (int i = 0; i < type->rank; i++) {
        const dimension_proto *dim = shape->dim[i];
        type->dim[i] = -1;
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value >= 0) {
            type->dim[i] = dim->dim_value;
            known.dim[known.rank++] = dim->dim_value;
        } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && dim->dim_param &&
                   *dim->dim_param) {
            type->param[i] = dim->dim_param;
        }
    }
    if (mc_shape_count(&known) < 0)
        return mc_error_set(err, MC_ERR_INPUT, "dimensions %s have a product that cannot be counted",
                            mc_shape_text(&known, text, sizeof text));
    return MC_OK;
}

static enum mc_type_kind kind_of(const Onnx__TypeProto *proto)
{
    switch (proto->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
    case ONNX__TYPE_PROTO__VALUE__NOT_SET:
        return MC_TYPE_TENSOR;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return MC_TYPE_SEQUENCE;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        return MC_TYPE_MAP;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return MC_TYPE_OPTIONAL;
    default:
        return MC_TYPE_OTHER;
    }
}

int mc_type_from_proto(struct mc_type *type, const Onnx__TypeProto *proto, struct mc_error *err)
{
    *type = (struct mc_type){.dtype = MC_UNDEFINED, .rank = -1};
    if (!proto) return MC_OK;
    type->kind = kind_of(proto);
    if (type->kind != MC_TYPE_TENSOR || !proto->tensor_type) return MC_OK;
    const Onnx__TypeProto__Tensor *tensor = proto->tensor_type;
    if (tensor->elem_type < 0 || tensor->elem_type >= MC_DTYPE_COUNT)
        return mc_error_set(err, MC_ERR_INPUT, "element type %d is unknown", (int)tensor->elem_type);
    type->dtype = (enum mc_dtype)tensor->elem_type;
    return tensor->shape ? read_dimensions(type, tensor->shape, err) : MC_OK;
}

/* One dimension; `origin` (may be NULL) gives the denotation. */
static dimension_proto *write_dimension(struct mc_arena *arena, int64_t extent, const char *param,
                                        const dimension_proto *origin)
{
    dimension_proto *dim = MC_ARENA_NEW(arena, dimension_proto);
    if (!dim) return NULL;
    if (origin)
        *dim = *origin;
    else
        onnx__tensor_shape_proto__dimension__init(dim);
    dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
    if (extent >= 0) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = extent;
    } else if (param) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = (char *)(uintptr_t)param;
    }
    return dim;
}

static Onnx__TensorShapeProto *write_shape(struct mc_arena *arena, const struct mc_type *type,
                                           const Onnx__TensorShapeProto *origin)
{
    Onnx__TensorShapeProto *shape = MC_ARENA_NEW(arena, Onnx__TensorShapeProto);
    if (!shape) return NULL;
    if (origin)
        *shape = *origin;
    else
        onnx__tensor_shape_proto__init(shape);
    shape->n_dim = (size_t)type->rank;
    shape->dim = MC_ARENA_ARRAY(arena, dimension_proto *, shape->n_dim);
    if (!shape->dim) return NULL;
    const bool same_rank = origin && origin->n_dim == shape->n_dim;
    for (int i = 0; i < type->rank; i++) {
        shape->dim[i] = write_dimension(arena, type->dim[i], type->param[i], same_rank ? origin->dim[i] : NULL);
        if (!shape->dim[i]) return NULL;
    }
    return shape;
}

Onnx__TypeProto *mc_type_to_proto(struct mc_arena *arena, const struct mc_type *type, const Onnx__TypeProto *origin)
{
    Onnx__TypeProto *proto = MC_ARENA_NEW(arena, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *tensor = MC_ARENA_NEW(arena, Onnx__TypeProto__Tensor);
    if (!proto || !tensor) return NULL;
    const bool was_tensor = origin && origin->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && origin->tensor_type;
    if (origin)
        *proto = *origin;
    else
        onnx__type_proto__init(proto);
    if (was_tensor)
        *tensor = *origin->tensor_type;
    else
        onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)type->dtype;
    if (type->rank >= 0) {
        tensor->shape = write_shape(arena, type, tensor->shape);
        if (!tensor->shape) return NULL;
    } else {
        tensor->shape = NULL;
    }
    proto->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    proto->tensor_type = tensor;
    return proto;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool mc_type_equal(const struct mc_type *a, const struct mc_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i] || !same_text(a->param[i], b->param[i])) return false;
    return true;
}

bool mc_type_admits(const struct mc_type *type, const struct mc_tensor *tensor)
{
    if (type->dtype == MC_UNDEFINED) return true;
    if (type->dtype != tensor->dtype) return false;
    if (type->rank < 0) return true;
    if (type->rank != tensor->shape.rank) return false;
    for (int i = 0; i < type->rank; i++)
        if (type->dim[i] >= 0 && type->dim[i] != tensor->shape.dim[i]) return false;
    return true;
}

struct mc_type mc_type_of_tensor(const struct mc_tensor *tensor)
{
    struct mc_type type = {.dtype = tensor->dtype, .rank = tensor->shape.rank};
    for (int i = 0; i < type.rank; i++) type.dim[i] = tensor->shape.dim[i];
    return type;
}
