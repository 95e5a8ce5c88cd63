/* guard.c - looks over protobuf bytes before protobuf-c unpacks them; see guard.h. */
#include "onnx/guard.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "onnx.pb-c.h"
#include "onnx/wire.h"

/* What protobuf-c 1.4 allocates beyond the bytes themselves, rounded up: bookkeeping for one field while it scans a
 * message, and what the allocator adds to each block. */
#define SCAN_BYTES 64
#define BLOCK_BYTES 96

struct frame {
    const ProtobufCMessageDescriptor *type;
    const unsigned char *end;
    uint64_t seen; /* bit i: the singular message field i was met */
};

struct walk {
    const unsigned char *start, *at;
    size_t budget; /* bytes that unpacking may still take */
    int depth;
    struct frame stack[MC_GUARD_MAX_NESTING];
};

static int refuse(const struct walk *w, struct mc_error *err, const char *what)
{
    return mc_error_set(err, MC_ERR_INPUT, "byte %zu: %s", (size_t)(w->at - w->start), what);
}

static int refuse_field(const struct walk *w, const struct frame *f, const ProtobufCFieldDescriptor *field,
                        struct mc_error *err, const char *what)
{
    return mc_error_set(err, MC_ERR_INPUT, "byte %zu: field '%s' of %s %s", (size_t)(w->at - w->start),
                        field ? field->name : "(unknown)", f->type->short_name, what);
}

static int spend(struct walk *w, size_t bytes, struct mc_error *err)
{
    if (bytes > w->budget) return refuse(w, err, "the contents would take far more memory than the file has bytes");
    w->budget -= bytes;
    return MC_OK;
}

static int push(struct walk *w, const ProtobufCMessageDescriptor *type, size_t length, struct mc_error *err)
{
    if (w->depth == MC_GUARD_MAX_NESTING)
        return mc_error_set(err, MC_ERR_INPUT, "byte %zu: messages are nested more than %d deep",
                            (size_t)(w->at - w->start), MC_GUARD_MAX_NESTING);
    assert(type->n_fields <= 64);
    w->stack[w->depth++] = (struct frame){.type = type, .end = w->at + length};
    return spend(w, type->sizeof_message + BLOCK_BYTES, err);
}

static int wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* The bytes of a repeated number in one block: whole elements, and what they take unpacked. */
static int check_packed(struct walk *w, const struct frame *f, const ProtobufCFieldDescriptor *field, size_t length,
                        struct mc_error *err)
{
    const int wire = wire_type_of(field->type);
    const size_t width = wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 1;
    if (length % width != 0) return refuse_field(w, f, field, err, "ends in the middle of an element");
    if (width == 1 && length > 0 && w->at[length - 1] >= 128)
        return refuse_field(w, f, field, err, "ends in the middle of an element");
    return spend(w, length / width * 8, err); /* no element takes more than 8 */
}

/* A message in a field that is newer than the definitions, and which functions.c unpacks all the same: the default
 * values of a function's attributes. */
static const ProtobufCMessageDescriptor *hidden_message(const struct frame *f, unsigned tag)
{
    const bool is_default = f->type == &onnx__function_proto__descriptor && tag == 11;
    return is_default ? &onnx__attribute_proto__descriptor : NULL;
}

/* A length-prefixed field whose contents begin at w->at and have been found to lie within the message. */
static int check_block(struct walk *w, struct frame *f, unsigned tag, const ProtobufCFieldDescriptor *field,
                       size_t length, struct mc_error *err)
{
    int rc = MC_OK;
    if (!field && hidden_message(f, tag)) {
        rc = spend(w, length + 2 * BLOCK_BYTES, err);
        return rc < 0 ? rc : push(w, hidden_message(f, tag), length, err);
    }
    if (!field || field->type == PROTOBUF_C_TYPE_BYTES) {
        rc = spend(w, length + 2 * BLOCK_BYTES, err);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const uint64_t bit = (uint64_t)1 << (field - f->type->fields);
        if (field->label != PROTOBUF_C_LABEL_REPEATED && (f->seen & bit))
            return refuse_field(w, f, field, err, "is given twice");
        f->seen |= bit;
        return push(w, field->descriptor, length, err); /* its fields are next */
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        if (memchr(w->at, 0, length)) return refuse_field(w, f, field, err, "has a zero byte in its text");
        rc = spend(w, length + BLOCK_BYTES, err);
    } else {
        rc = check_packed(w, f, field, length, err);
    }
    w->at += length;
    return rc;
}

static bool wire_type_fits(const ProtobufCFieldDescriptor *field, int wire)
{
    const int own = wire_type_of(field->type);
    return wire == own || (field->label == PROTOBUF_C_LABEL_REPEATED && wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
}

static int check_field(struct walk *w, struct frame *f, struct mc_error *err)
{
    uint64_t key, value;
    if (!mc_wire_varint(&w->at, f->end, &key) || key >> 3 == 0 || key > UINT32_MAX)
        return refuse(w, err, "no field of a message starts here");
    const int wire = key & 7;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(f->type, (unsigned)(key >> 3));
    if (field && !wire_type_fits(field, wire)) return refuse_field(w, f, field, err, "has another type than it should");
    int rc = spend(w, SCAN_BYTES, err);
    if (rc < 0) return rc;

    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!mc_wire_varint(&w->at, f->end, &value)) return refuse_field(w, f, field, err, "is cut short");
        return MC_OK;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        value = wire == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        if (value > (size_t)(f->end - w->at)) return refuse_field(w, f, field, err, "is cut short");
        w->at += value;
        return MC_OK;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!mc_wire_varint(&w->at, f->end, &value)) return refuse_field(w, f, field, err, "is cut short");
        if (value > (size_t)(f->end - w->at))
            return mc_error_set(err, MC_ERR_INPUT, "byte %zu: field '%s' of %s should have %llu bytes, %zu are left",
                                (size_t)(w->at - w->start), field ? field->name : "(unknown)", f->type->short_name,
                                (unsigned long long)value, (size_t)(f->end - w->at));
        return check_block(w, f, (unsigned)(key >> 3), field, (size_t)value, err);
    default:
        return refuse(w, err, "no field of a message starts here");
    }
}

int mc_guard_check(const ProtobufCMessageDescriptor *type, const unsigned char *bytes, size_t length,
                   struct mc_error *err)
{
    if (length > MC_GUARD_MAX_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "%zu bytes are more than a protobuf message can have (%zu)", length,
                            MC_GUARD_MAX_BYTES);
    struct walk w = {.start = bytes, .at = bytes, .budget = ((size_t)1 << 30) + 8 * length};
    int rc = push(&w, type, length, err);
    while (rc == MC_OK && w.depth > 0) {
        struct frame *top = &w.stack[w.depth - 1];
        if (w.at == top->end)
            w.depth--;
        else
            rc = check_field(&w, top, err);
    }
    return rc;
}
