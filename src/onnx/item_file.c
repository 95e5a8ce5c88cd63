/* item_file.c - sequences, maps and optionals in files; see item_file.h. */
#include "onnx/item_file.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "onnx-data.pb-c.h"
#include "onnx/guard.h"
#include "onnx/message.h"
#include "onnx/onnx.h"
#include "onnx/tensor_proto.h"

enum elem { NOTHING, TENSOR, SPARSE_TENSOR, SEQUENCE, MAP, OPTIONAL };

/* --- reading --- */

struct reader {
    struct mc_origin *origin;
    struct mc_external external;
    struct mc_error *err;
};

static int read_sequence(struct reader *r, const Onnx__SequenceProto *p, struct mc_item **item);
static int read_map(struct reader *r, const Onnx__MapProto *p, struct mc_item **item);
static int read_optional(struct reader *r, const Onnx__OptionalProto *p, struct mc_item **item);

static int hold(struct reader *r, struct mc_item *made, struct mc_item **item)
{
    *item = made;
    return made ? MC_OK : mc_error_memory(r->err);
}

static int read_tensor(struct reader *r, const Onnx__TensorProto *p, struct mc_item **item)
{
    struct mc_tensor *tensor;
    const int rc = mc_tensor_from_proto(&tensor, p, r->origin, &r->external, r->err);
    return rc < 0 ? rc : hold(r, mc_item_of_tensor(tensor), item);
}

static int read_element(struct reader *r, const Onnx__SequenceProto *p, size_t i, struct mc_item **item)
{
    switch (p->elem_type) {
    case TENSOR:
        return read_tensor(r, p->tensor_values[i], item);
    case SEQUENCE:
        return read_sequence(r, p->sequence_values[i], item);
    case MAP:
        return read_map(r, p->map_values[i], item);
    default:
        return read_optional(r, p->optional_values[i], item);
    }
}

static int count_elements(struct reader *r, const Onnx__SequenceProto *p, size_t *n)
{
    switch (p->elem_type) {
    case NOTHING:
        *n = 0;
        return MC_OK;
    case TENSOR:
        *n = p->n_tensor_values;
        return MC_OK;
    case SEQUENCE:
        *n = p->n_sequence_values;
        return MC_OK;
    case MAP:
        *n = p->n_map_values;
        return MC_OK;
    case OPTIONAL:
        *n = p->n_optional_values;
        return MC_OK;
    default:
        return mc_error_set(r->err, MC_ERR_UNSUPPORTED, "elements of kind %d", (int)p->elem_type);
    }
}

static int read_sequence(struct reader *r, const Onnx__SequenceProto *p, struct mc_item **item)
{
    size_t n = 0, made = 0;
    int rc = count_elements(r, p, &n);
    if (rc < 0) return rc;
    struct mc_item **elements = MC_NEW_ARRAY(struct mc_item *, n + 1);
    if (!elements) return mc_error_memory(r->err);
    while (made < n && rc == MC_OK) {
        rc = read_element(r, p, made, &elements[made]);
        if (rc == MC_OK)
            made++;
        else
            mc_error_wrap(r->err, rc, "element %zu", made);
    }
    if (rc == MC_OK)
        rc = hold(r, mc_item_of_elements((int64_t)n, elements), item);
    else
        while (made-- > 0) mc_item_release(elements[made]);
    mc_free(elements);
    return rc;
}

/* Values of a map lie one after the other, as tensors of one element each or as one tensor. */
static int read_values(struct reader *r, const Onnx__SequenceProto *p, int64_t n, struct mc_tensor **values)
{
    struct mc_tensor *part = NULL;
    if (!p || p->elem_type != TENSOR || (int64_t)p->n_tensor_values != n || n == 0)
        return mc_error_set(r->err, MC_ERR_UNSUPPORTED, "a map needs as many tensors of one element as keys");
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    int rc = mc_tensor_from_proto(&part, p->tensor_values[0], r->origin, &r->external, r->err);
    if (rc == MC_OK && mc_dtype_bits(part->dtype) < 8)
        rc = mc_error_set(r->err, MC_ERR_UNSUPPORTED, "a map of %s", mc_dtype_name(part->dtype));
    if (rc == MC_OK) rc = mc_tensor_create(values, part->dtype, &shape, r->err);
    const size_t size = rc == MC_OK ? (size_t)mc_dtype_bits(part->dtype) / 8 : 0;
    for (int64_t i = 0; i < n && rc == MC_OK; i++) {
        mc_tensor_destroy(part);
        part = NULL;
        rc = mc_tensor_from_proto(&part, p->tensor_values[i], r->origin, &r->external, r->err);
        if (rc == MC_OK && (part->dtype != (*values)->dtype || mc_tensor_count(part) != 1 || part->dtype == MC_STRING))
            rc = mc_error_set(r->err, MC_ERR_UNSUPPORTED, "values of a map that are not one number each");
        if (rc == MC_OK) memcpy((char *)(*values)->data + (size_t)i * size, part->data, size);
    }
    mc_tensor_destroy(part);
    if (rc < 0) {
        mc_tensor_destroy(*values);
        *values = NULL;
    }
    return rc;
}

static int read_keys(struct reader *r, const Onnx__MapProto *p, struct mc_tensor **keys)
{
    const bool texts = p->key_type == MC_STRING;
    const struct mc_shape shape = {.rank = 1, .dim = {(int64_t)(texts ? p->n_string_keys : p->n_keys)}};
    if (!texts) {
        const int rc = mc_tensor_create(keys, MC_INT64, &shape, r->err);
        if (rc == MC_OK && p->n_keys) memcpy((*keys)->data, p->keys, p->n_keys * sizeof *p->keys);
        return rc;
    }
    struct mc_text *list = MC_NEW_ARRAY(struct mc_text, p->n_string_keys + 1);
    if (!list) return mc_error_memory(r->err);
    for (size_t i = 0; i < p->n_string_keys; i++)
        list[i] = (struct mc_text){(const char *)p->string_keys[i].data, p->string_keys[i].len};
    const int rc = mc_tensor_create_texts(keys, &shape, list, r->err);
    mc_free(list);
    return rc;
}

static int read_map(struct reader *r, const Onnx__MapProto *p, struct mc_item **item)
{
    struct mc_tensor *keys = NULL, *values = NULL;
    int rc = read_keys(r, p, &keys);
    if (rc == MC_OK) rc = read_values(r, p->values, mc_tensor_count(keys), &values);
    if (rc == MC_OK) return hold(r, mc_item_of_map(keys, values), item);
    mc_tensor_destroy(keys);
    return rc;
}

static int read_optional(struct reader *r, const Onnx__OptionalProto *p, struct mc_item **item)
{
    if (p->elem_type == TENSOR && p->tensor_value) return read_tensor(r, p->tensor_value, item);
    if (p->elem_type == SEQUENCE && p->sequence_value) return read_sequence(r, p->sequence_value, item);
    if (p->elem_type == MAP && p->map_value) return read_map(r, p->map_value, item);
    if (p->elem_type == OPTIONAL && p->optional_value) return read_optional(r, p->optional_value, item);
    if (p->elem_type == SPARSE_TENSOR) return mc_error_set(r->err, MC_ERR_UNSUPPORTED, "a sparse tensor");
    return hold(r, mc_item_none(), item);
}

static const ProtobufCMessageDescriptor *descriptor_of(enum mc_type_kind kind)
{
    return kind == MC_TYPE_SEQUENCE ? &onnx__sequence_proto__descriptor
           : kind == MC_TYPE_MAP    ? &onnx__map_proto__descriptor
                                    : &onnx__optional_proto__descriptor;
}

static int parse(struct mc_item **item, enum mc_type_kind kind, const struct mc_file_view *file, const char *path,
                 struct mc_error *err)
{
    struct mc_message *message;
    int rc = mc_message_unpack(&message, descriptor_of(kind), file, err);
    if (rc < 0) return rc;
    char *dir = mc_path_dir(path);
    struct reader r = {.origin = &message->origin, .external = {.dir = dir}, .err = err};
    if (!dir)
        rc = mc_error_memory(err);
    else if (kind == MC_TYPE_SEQUENCE)
        rc = read_sequence(&r, (const Onnx__SequenceProto *)message->root, item);
    else if (kind == MC_TYPE_MAP)
        rc = read_map(&r, (const Onnx__MapProto *)message->root, item);
    else
        rc = read_optional(&r, (const Onnx__OptionalProto *)message->root, item);
    mc_free(dir);
    mc_origin_release(&message->origin); /* tensors have their own use of it */
    return rc;
}

int mc_item_load(struct mc_item **item, enum mc_type_kind kind, const char *path, struct mc_error *err)
{
    struct mc_file_view file;
    int rc;
    if (kind == MC_TYPE_TENSOR) {
        struct mc_tensor *tensor;
        rc = mc_tensor_load(&tensor, path, err);
        if (rc < 0) return rc;
        *item = mc_item_of_tensor(tensor);
        return *item ? MC_OK : mc_error_memory(err);
    }
    if (kind == MC_TYPE_OTHER)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "'%s': no value of the declared type can be read", path);
    rc = mc_file_open(&file, path, MC_GUARD_MAX_BYTES, err);
    if (rc < 0) return rc;
    rc = parse(item, kind, &file, path, err);
    mc_file_close(&file);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot load '%s'", path) : MC_OK;
}

/* --- writing: messages in an arena; NULL without memory --- */

static Onnx__SequenceProto *write_sequence(struct mc_arena *arena, const struct mc_item *item);

static Onnx__SequenceProto *write_values(struct mc_arena *arena, const struct mc_tensor *values)
{
    Onnx__SequenceProto *p = MC_ARENA_NEW(arena, Onnx__SequenceProto);
    const int64_t n = mc_tensor_count(values);
    const size_t size = (size_t)mc_dtype_bits(values->dtype) / 8;
    if (!p) return NULL;
    onnx__sequence_proto__init(p);
    p->has_elem_type = 1;
    p->elem_type = TENSOR;
    p->n_tensor_values = (size_t)n;
    p->tensor_values = MC_ARENA_ARRAY(arena, Onnx__TensorProto *, (size_t)n + 1);
    for (int64_t i = 0; p->tensor_values && i < n; i++) {
        struct mc_tensor one = *values;
        one.shape = (struct mc_shape){.rank = 0};
        one.data = (char *)values->data + (size_t)i * size;
        p->tensor_values[i] = mc_tensor_to_proto(arena, &one, NULL, NULL);
        if (!p->tensor_values[i]) return NULL;
    }
    return p->tensor_values ? p : NULL;
}

static Onnx__MapProto *write_map(struct mc_arena *arena, const struct mc_item *item)
{
    Onnx__MapProto *p = MC_ARENA_NEW(arena, Onnx__MapProto);
    const size_t n = (size_t)mc_tensor_count(item->keys);
    if (!p) return NULL;
    onnx__map_proto__init(p);
    p->has_key_type = 1;
    p->key_type = item->keys->dtype;
    if (item->keys->dtype == MC_STRING) {
        const struct mc_text *texts = item->keys->data;
        p->n_string_keys = n;
        p->string_keys = MC_ARENA_ARRAY(arena, ProtobufCBinaryData, n + 1);
        for (size_t i = 0; p->string_keys && i < n; i++)
            p->string_keys[i] = (ProtobufCBinaryData){texts[i].length, (uint8_t *)(uintptr_t)texts[i].bytes};
        if (!p->string_keys) return NULL;
    } else {
        p->n_keys = n;
        p->keys = MC_ARENA_ARRAY(arena, int64_t, n + 1);
        for (size_t i = 0; p->keys && i < n; i++) p->keys[i] = mc_tensor_get_i64(item->keys, (int64_t)i);
        if (!p->keys) return NULL;
    }
    p->values = write_values(arena, item->tensor);
    return p->values ? p : NULL;
}

static Onnx__OptionalProto *write_optional(struct mc_arena *arena, const struct mc_item *item)
{
    Onnx__OptionalProto *p = MC_ARENA_NEW(arena, Onnx__OptionalProto);
    if (!p) return NULL;
    onnx__optional_proto__init(p);
    p->has_elem_type = 1;
    switch (item->kind) {
    case MC_ITEM_TENSOR:
        p->elem_type = TENSOR;
        p->tensor_value = mc_tensor_to_proto(arena, item->tensor, NULL, NULL);
        return p->tensor_value ? p : NULL;
    case MC_ITEM_SEQUENCE:
        p->elem_type = SEQUENCE;
        p->sequence_value = write_sequence(arena, item);
        return p->sequence_value ? p : NULL;
    case MC_ITEM_MAP:
        p->elem_type = MAP;
        p->map_value = write_map(arena, item);
        return p->map_value ? p : NULL;
    case MC_ITEM_NONE:
        break;
    }
    return p;
}

/* Elements are of the kind of the first; one that is not makes all of them optionals. */
static enum elem elements_of(const struct mc_item *item)
{
    static const enum elem kinds[] = {
        [MC_ITEM_TENSOR] = TENSOR, [MC_ITEM_SEQUENCE] = SEQUENCE, [MC_ITEM_MAP] = MAP, [MC_ITEM_NONE] = OPTIONAL};
    if (item->n == 0) return TENSOR;
    for (int64_t i = 1; i < item->n; i++)
        if (item->elements[i]->kind != item->elements[0]->kind) return OPTIONAL;
    return kinds[item->elements[0]->kind];
}

static Onnx__SequenceProto *write_sequence(struct mc_arena *arena, const struct mc_item *item)
{
    Onnx__SequenceProto *p = MC_ARENA_NEW(arena, Onnx__SequenceProto);
    const size_t n = (size_t)item->n;
    void **list = MC_ARENA_ARRAY(arena, void *, n + 1);
    if (!p || !list) return NULL;
    onnx__sequence_proto__init(p);
    p->has_elem_type = 1;
    p->elem_type = elements_of(item);
    for (size_t i = 0; i < n; i++) {
        const struct mc_item *element = item->elements[i];
        list[i] = p->elem_type == TENSOR     ? (void *)mc_tensor_to_proto(arena, element->tensor, NULL, NULL)
                  : p->elem_type == SEQUENCE ? (void *)write_sequence(arena, element)
                  : p->elem_type == MAP      ? (void *)write_map(arena, element)
                                             : (void *)write_optional(arena, element);
        if (!list[i]) return NULL;
    }
    switch (p->elem_type) {
    case TENSOR:
        p->n_tensor_values = n;
        p->tensor_values = (Onnx__TensorProto **)list;
        break;
    case SEQUENCE:
        p->n_sequence_values = n;
        p->sequence_values = (Onnx__SequenceProto **)list;
        break;
    case MAP:
        p->n_map_values = n;
        p->map_values = (Onnx__MapProto **)list;
        break;
    default:
        p->n_optional_values = n;
        p->optional_values = (Onnx__OptionalProto **)list;
    }
    return p;
}

static ProtobufCMessage *write_item(struct mc_arena *arena, const struct mc_item *item, enum mc_type_kind kind,
                                    const char *name)
{
    const bool optional = kind == MC_TYPE_OPTIONAL || item->kind == MC_ITEM_NONE;
    char *copy = mc_arena_strdup(arena, name);
    if (!copy) return NULL;
    if (optional) {
        Onnx__OptionalProto *p = write_optional(arena, item);
        if (p) p->name = copy;
        return p ? &p->base : NULL;
    }
    if (item->kind == MC_ITEM_MAP) {
        Onnx__MapProto *p = write_map(arena, item);
        if (p) p->name = copy;
        return p ? &p->base : NULL;
    }
    Onnx__SequenceProto *p = write_sequence(arena, item);
    if (p) p->name = copy;
    return p ? &p->base : NULL;
}

int mc_item_save(const struct mc_item *item, enum mc_type_kind kind, const char *name, const char *path, bool overwrite,
                 struct mc_error *err)
{
    struct mc_arena arena;
    unsigned char *bytes = NULL;
    if (item->kind == MC_ITEM_TENSOR && kind != MC_TYPE_OPTIONAL)
        return mc_tensor_save_pb(item->tensor, name, path, overwrite, err);
    mc_arena_init(&arena);
    const ProtobufCMessage *message = write_item(&arena, item, kind, name);
    const size_t length = message ? protobuf_c_message_get_packed_size(message) : 0;
    int rc = message ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && length > MC_GUARD_MAX_BYTES)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "the message would have %zu bytes, protobuf allows %zu", length,
                          MC_GUARD_MAX_BYTES);
    if (rc == MC_OK && !(bytes = mc_alloc_aligned(length + 1, 1))) rc = mc_error_memory(err);
    if (rc == MC_OK) {
        protobuf_c_message_pack(message, bytes);
        rc = mc_file_save(path, bytes, length, overwrite, err);
    }
    mc_free(bytes);
    mc_arena_finish(&arena);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot save '%s'", path) : MC_OK;
}
