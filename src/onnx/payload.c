/* payload.c - where the contents of tensors lie; see payload.h. */
#include "onnx/payload.h"

#include <protobuf-c/protobuf-c.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx.pb-c.h"
#include "onnx/guard.h"
#include "onnx/wire.h"

/* Fields of TensorProto. */
enum {
    TAG_DIMS = 1,
    TAG_DATA_TYPE = 2,
    TAG_FLOAT_DATA = 4,
    TAG_INT32_DATA = 5,
    TAG_INT64_DATA = 7,
    TAG_RAW_DATA = 9,
    TAG_DOUBLE_DATA = 10,
    TAG_UINT64_DATA = 11,
    TAG_EXTERNAL_DATA = 13
};

/* Fields of StringStringEntryProto. */
enum { TAG_KEY = 1, TAG_VALUE = 2 };

struct field {
    unsigned tag;
    int wire;
    const unsigned char *prefix; /* the length, of a block */
    const unsigned char *at;     /* contents of a block, or the value */
    uint64_t value;              /* a varint, or the length of the block */
};

struct search {
    const unsigned char *start;
    size_t least;
    bool is_beside; /* which of the two is looked for */
    struct mc_payload *found;
    struct mc_payload_beside *beside;
    size_t n, capacity;
};

/* The next field of a message; false at the end and where none starts. */
static bool next_field(const unsigned char **at, const unsigned char *end, struct field *field)
{
    uint64_t key;
    if (!mc_wire_varint(at, end, &key) || key >> 3 == 0 || key > UINT32_MAX) return false;
    field->tag = (unsigned)(key >> 3);
    field->wire = key & 7;
    field->prefix = field->at = *at;
    field->value = field->wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
    switch (field->wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return mc_wire_varint(at, end, &field->value);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!mc_wire_varint(at, end, &field->value)) return false;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        break;
    default:
        return false;
    }
    field->at = *at;
    if (field->value > (uint64_t)(end - *at)) return false;
    *at += field->value;
    return true;
}

/* --- one tensor --- */

/* Product of all axes, of those from the second on, and from the third on; 0 where it is beyond counting. */
struct extents {
    int rank;
    int64_t count, columns, pitch;
};

static void multiply(int64_t *product, uint64_t dim)
{
    if (dim > INT64_MAX || !mc_mul_i64(*product, (int64_t)dim, product)) *product = 0;
}

static void add_dim(struct extents *extents, uint64_t dim)
{
    extents->rank++;
    multiply(&extents->count, dim);
    if (extents->rank > 1) multiply(&extents->columns, dim);
    if (extents->rank > 2) multiply(&extents->pitch, dim);
}

static bool holds_contents(const struct field *field)
{
    if (field->wire != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) return false;
    return field->tag == TAG_RAW_DATA || field->tag == TAG_FLOAT_DATA || field->tag == TAG_DOUBLE_DATA ||
           field->tag == TAG_INT32_DATA || field->tag == TAG_INT64_DATA || field->tag == TAG_UINT64_DATA;
}

/* Of raw data the type is what the tensor declares, perhaps later; varints are bytes. */
static enum mc_dtype dtype_of(unsigned tag)
{
    return tag == TAG_RAW_DATA      ? MC_UNDEFINED
           : tag == TAG_FLOAT_DATA  ? MC_FLOAT
           : tag == TAG_DOUBLE_DATA ? MC_DOUBLE
                                    : MC_UINT8;
}

static bool add_payload(struct search *search, const struct field *field)
{
    if (!mc_grow((void **)&search->found, search->n, &search->capacity, sizeof *search->found)) return false;
    search->found[search->n++] = (struct mc_payload){.prefix = (size_t)(field->prefix - search->start),
                                                     .offset = (size_t)(field->at - search->start),
                                                     .length = (size_t)field->value,
                                                     .dtype = dtype_of(field->tag)};
    return true;
}

static void complete(struct mc_payload *payload, const struct extents *extents, uint64_t declared)
{
    if (payload->dtype == MC_UNDEFINED)
        payload->dtype = declared > 0 && declared < MC_DTYPE_COUNT ? (enum mc_dtype)declared : MC_UINT8;
    if (extents->rank < 2) return;
    payload->columns = extents->columns;
    payload->pitch = extents->pitch;
}

/* --- one that lies beside the model --- */

struct beside {
    struct field location, offset, length; /* their values; `at` NULL: not given */
};

static bool is_text(const struct field *field, const char *text)
{
    return field->at && field->value == strlen(text) && memcmp(field->at, text, strlen(text)) == 0;
}

static void add_entry(struct beside *beside, const struct field *entry)
{
    struct field field, key = {0}, value = {0};
    const unsigned char *at = entry->at;
    while (next_field(&at, entry->at + entry->value, &field)) {
        if (field.wire != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) continue;
        if (field.tag == TAG_KEY) key = field;
        if (field.tag == TAG_VALUE) value = field;
    }
    if (is_text(&key, "location")) beside->location = value;
    if (is_text(&key, "offset")) beside->offset = value;
    if (is_text(&key, "length")) beside->length = value;
}

/* Digits; `otherwise` where there are none, 0 where they are something else. */
static size_t number_of(const struct field *text, size_t otherwise)
{
    size_t n = 0;
    if (!text->at) return otherwise;
    for (uint64_t i = 0; i < text->value; i++) {
        const unsigned char c = text->at[i];
        if (c < '0' || c > '9' || n > (SIZE_MAX - 9) / 10) return 0;
        n = n * 10 + (size_t)(c - '0');
    }
    return n;
}

static bool add_beside(struct search *search, const struct beside *beside, const struct extents *extents,
                       uint64_t declared)
{
    if (!beside->location.at) return true;
    if (!mc_grow((void **)&search->beside, search->n, &search->capacity, sizeof *search->beside)) return false;
    struct mc_payload payload = {.offset = number_of(&beside->offset, 0)};
    size_t bytes;
    complete(&payload, extents, declared);
    if (!mc_dtype_size(payload.dtype, extents->count, &bytes)) bytes = 0;
    payload.prefix = payload.offset;
    payload.length = number_of(&beside->length, bytes);
    search->beside[search->n++] =
        (struct mc_payload_beside){beside->location.at, (size_t)beside->location.value, payload};
    return true;
}

/* Type and shape may stand behind the contents: they are put in when all is read. */
static bool search_tensor(struct search *search, const unsigned char *at, const unsigned char *end)
{
    const size_t first = search->n;
    struct extents extents = {.count = 1, .columns = 1, .pitch = 1};
    struct beside beside = {0};
    uint64_t declared = 0, dim;
    struct field field;
    while (next_field(&at, end, &field)) {
        const bool is_varint = field.wire == PROTOBUF_C_WIRE_TYPE_VARINT;
        if (field.tag == TAG_DATA_TYPE && is_varint) declared = field.value;
        if (field.tag == TAG_DIMS && is_varint) add_dim(&extents, field.value);
        if (field.tag == TAG_DIMS && field.wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            for (const unsigned char *d = field.at; mc_wire_varint(&d, at, &dim);) add_dim(&extents, dim);
        if (field.tag == TAG_EXTERNAL_DATA && field.wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            add_entry(&beside, &field);
        if (search->is_beside || !holds_contents(&field) || field.value < search->least) continue;
        if (!add_payload(search, &field)) return false;
    }
    if (search->is_beside) return add_beside(search, &beside, &extents, declared);
    for (size_t i = first; i < search->n; i++) complete(&search->found[i], &extents, declared);
    return true;
}

/* --- the model: messages within messages, on a stack of fixed size --- */

struct level {
    const ProtobufCMessageDescriptor *type;
    const unsigned char *end;
};

static bool search_model(struct search *search, const unsigned char *at, const unsigned char *end)
{
    struct level stack[MC_GUARD_MAX_NESTING] = {{&onnx__model_proto__descriptor, end}};
    int depth = 1;
    while (depth > 0) {
        const struct level *top = &stack[depth - 1];
        struct field field;
        if (at == top->end) {
            depth--;
            continue;
        }
        if (!next_field(&at, top->end, &field)) return true; /* no message: what was found stands */
        const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(top->type, field.tag);
        if (!known || known->type != PROTOBUF_C_TYPE_MESSAGE || field.wire != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        if (known->descriptor == &onnx__tensor_proto__descriptor) {
            if (!search_tensor(search, field.at, at)) return false;
        } else if (depth < MC_GUARD_MAX_NESTING) {
            stack[depth++] = (struct level){known->descriptor, at};
            at = field.at;
        }
    }
    return true;
}

int mc_payloads_find(struct mc_payload **payloads, size_t *n, const unsigned char *bytes, size_t length, size_t least,
                     struct mc_error *err)
{
    struct search search = {.start = bytes, .least = least};
    if (!search_model(&search, bytes, bytes + length)) {
        mc_free(search.found);
        return mc_error_memory(err);
    }
    *payloads = search.found;
    *n = search.n;
    return MC_OK;
}

int mc_payloads_find_beside(struct mc_payload_beside **found, size_t *n, const unsigned char *bytes, size_t length,
                            struct mc_error *err)
{
    struct search search = {.start = bytes, .is_beside = true};
    if (!search_model(&search, bytes, bytes + length)) {
        mc_free(search.beside);
        return mc_error_memory(err);
    }
    *found = search.beside;
    *n = search.n;
    return MC_OK;
}
