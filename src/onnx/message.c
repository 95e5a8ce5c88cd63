/* message.c - protobuf messages from outside; see message.h.
 *
 * Contents are copied out of the file rather than left in its mapping: protobuf puts them at any offset, three in four
 * float32 tensors at one where no float may lie. Nor could a file in use be written to by others, whose changes, or
 * worse its end, would then come up in the middle of a run.
 */
#include "onnx/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/functions.h"
#include "onnx/guard.h"

/* Whenever a block of this size is asked for, the file's pages so far have been unpacked. */
#define LARGE_BYTES ((size_t)1 << 20)

struct unpacking {
    const struct mc_file_view *file;
    bool failed;
};

/* Large blocks, tensor contents above all, are aligned for vector instructions. */
static void *allocate(void *context, size_t size)
{
    struct unpacking *u = context;
    void *block = size >= 1024 ? mc_alloc_aligned(size, 1) : mc_alloc(size, 1);
    if (!block) u->failed = true;
    if (size >= LARGE_BYTES) mc_file_forget(u->file);
    return block;
}

static void release(void *context, void *block)
{
    mc_free(block);
}

static void free_unpacked(ProtobufCMessage *message)
{
    ProtobufCAllocator allocator = {NULL, release, NULL};
    protobuf_c_message_free_unpacked(message, &allocator);
}

static void destroy_message(struct mc_origin *origin)
{
    struct mc_message *message = (struct mc_message *)origin;
    mc_functions_destroy(message->functions);
    free_unpacked(message->root);
    mc_external_drop(&message->external);
    mc_free(message);
}

static int unpack(ProtobufCMessage **message, const ProtobufCMessageDescriptor *type, const struct mc_file_view *file,
                  struct mc_error *err)
{
    struct unpacking unpacking = {.file = file};
    ProtobufCAllocator allocator = {allocate, release, &unpacking};
    *message = protobuf_c_message_unpack(type, &allocator, file->length, file->data);
    if (*message) return MC_OK;
    return unpacking.failed ? mc_error_memory(err)
                            : mc_error_set(err, MC_ERR_INPUT, "the bytes are not a %s", type->short_name);
}

int mc_message_unpack(struct mc_message **message, const ProtobufCMessageDescriptor *type,
                      const struct mc_file_view *file, struct mc_error *err)
{
    int rc = mc_guard_check(type, file->data, file->length, err);
    if (rc < 0) return rc;
    struct mc_message *m = MC_NEW(struct mc_message);
    if (!m) return mc_error_memory(err);
    rc = unpack(&m->root, type, file, err);
    if (rc < 0) {
        mc_free(m);
        return rc;
    }
    atomic_init(&m->origin.users, 1);
    m->origin.destroy = destroy_message;
    *message = m;
    return MC_OK;
}

int mc_message_unpack_bytes(struct mc_message **message, const ProtobufCMessageDescriptor *type, const void *bytes,
                            size_t length, struct mc_error *err)
{
    return mc_message_unpack(message, type, &(struct mc_file_view){.data = bytes, .length = length}, err);
}

/* --- fields that the definitions may not have --- */

static const ProtobufCFieldDescriptor *known_field(const ProtobufCMessage *message, unsigned tag)
{
    return protobuf_c_message_descriptor_get_field(message->descriptor, tag);
}

/* What stands at an offset of a message's struct. */
static const void *member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* The i-th unknown field of this number that is a block of bytes; NULL data if there is none. */
static ProtobufCBinaryData unknown_block(const ProtobufCMessage *message, unsigned tag, size_t i)
{
    for (size_t k = 0; k < message->n_unknown_fields; k++) {
        const ProtobufCMessageUnknownField *f = &message->unknown_fields[k];
        if (f->tag != tag || f->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || i-- > 0) continue;
        size_t prefix = 0; /* its length, a varint, stands in front */
        while (prefix < f->len && f->data[prefix] >= 128) prefix++;
        return (ProtobufCBinaryData){f->len - prefix - 1, f->data + prefix + 1};
    }
    return (ProtobufCBinaryData){0, NULL};
}

ProtobufCBinaryData mc_message_text(const ProtobufCMessage *message, unsigned tag)
{
    const ProtobufCFieldDescriptor *field = known_field(message, tag);
    if (!field) return unknown_block(message, tag, 0);
    char *text = *(char *const *)member(message, field->offset);
    return (ProtobufCBinaryData){text ? strlen(text) : 0, (uint8_t *)text};
}

size_t mc_message_count(const ProtobufCMessage *message, unsigned tag)
{
    const ProtobufCFieldDescriptor *field = known_field(message, tag);
    if (field) return *(const size_t *)member(message, field->quantifier_offset);
    size_t n = 0;
    for (size_t k = 0; k < message->n_unknown_fields; k++)
        n += message->unknown_fields[k].tag == tag &&
             message->unknown_fields[k].wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    return n;
}

int mc_message_part(ProtobufCMessage **part, const ProtobufCMessage *message, unsigned tag, size_t i,
                    const ProtobufCMessageDescriptor *type, struct mc_error *err)
{
    const ProtobufCFieldDescriptor *field = known_field(message, tag);
    if (!field) {
        const ProtobufCBinaryData block = unknown_block(message, tag, i);
        return unpack(part, type, &(struct mc_file_view){.data = block.data, .length = block.len}, err);
    }
    *part = (*(ProtobufCMessage * *const *)member(message, field->offset))[i];
    return MC_OK;
}

void mc_message_part_destroy(const ProtobufCMessage *message, unsigned tag, ProtobufCMessage *part)
{
    if (!known_field(message, tag)) free_unpacked(part);
}
