/* message.c - protobuf messages from outside; see message.h. */
#include "onnx/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/functions.h"
#include "onnx/guard.h"

/* Large blocks, tensor contents above all, are aligned for vector instructions. */
static void *allocate(void *failed, size_t size)
{
    void *block = size >= 1024 ? mc_alloc_aligned(size, 1) : mc_alloc(size, 1);
    if (!block) *(bool *)failed = true;
    return block;
}

static void release(void *failed, void *block)
{
    mc_free(block);
}

static void free_unpacked(ProtobufCMessage *message)
{
    bool failed;
    ProtobufCAllocator allocator = {allocate, release, &failed};
    protobuf_c_message_free_unpacked(message, &allocator);
}

static void destroy_message(struct mc_origin *origin)
{
    struct mc_message *message = (struct mc_message *)origin;
    mc_functions_destroy(message->functions);
    free_unpacked(message->root);
    mc_free(message->dir);
    mc_free(message);
}

static int unpack(ProtobufCMessage **message, const ProtobufCMessageDescriptor *type, const void *bytes, size_t length,
                  struct mc_error *err)
{
    bool failed = false;
    ProtobufCAllocator allocator = {allocate, release, &failed};
    *message = protobuf_c_message_unpack(type, &allocator, length, bytes);
    if (*message) return MC_OK;
    return failed ? mc_error_memory(err) : mc_error_set(err, MC_ERR_INPUT, "the bytes are not a %s", type->short_name);
}

int mc_message_unpack(struct mc_message **message, const ProtobufCMessageDescriptor *type, const void *bytes,
                      size_t length, struct mc_error *err)
{
    int rc = mc_guard_check(type, bytes, length, err);
    if (rc < 0) return rc;
    struct mc_message *m = MC_NEW(struct mc_message);
    if (!m) return mc_error_memory(err);
    rc = unpack(&m->root, type, bytes, length, err);
    if (rc < 0) {
        mc_free(m);
        return rc;
    }
    atomic_init(&m->origin.users, 1);
    m->origin.destroy = destroy_message;
    *message = m;
    return MC_OK;
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
        return unpack(part, type, block.data, block.len, err);
    }
    *part = (*(ProtobufCMessage * *const *)member(message, field->offset))[i];
    return MC_OK;
}

void mc_message_part_destroy(const ProtobufCMessage *message, unsigned tag, ProtobufCMessage *part)
{
    if (!known_field(message, tag)) free_unpacked(part);
}
