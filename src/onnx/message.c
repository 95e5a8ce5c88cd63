/* message.c - protobuf messages from outside; see message.h. */
#include "onnx/message.h"

#include "base/alloc.h"
#include "base/error.h"
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

static void destroy_message(struct mc_origin *origin)
{
    struct mc_message *message = (struct mc_message *)origin;
    bool failed;
    ProtobufCAllocator allocator = {allocate, release, &failed};
    protobuf_c_message_free_unpacked(message->root, &allocator);
    mc_free(message);
}

int mc_message_unpack(struct mc_message **message, const ProtobufCMessageDescriptor *type, const void *bytes,
                      size_t length, struct mc_error *err)
{
    const int rc = mc_guard_check(type, bytes, length, err);
    if (rc < 0) return rc;
    struct mc_message *m = MC_NEW(struct mc_message);
    if (!m) return mc_error_memory(err);
    bool failed = false;
    ProtobufCAllocator allocator = {allocate, release, &failed};
    m->root = protobuf_c_message_unpack(type, &allocator, length, bytes);
    if (!m->root) {
        mc_free(m);
        return failed ? mc_error_memory(err)
                      : mc_error_set(err, MC_ERR_INPUT, "the bytes are not a %s", type->short_name);
    }
    atomic_init(&m->origin.users, 1);
    m->origin.destroy = destroy_message;
    *message = m;
    return MC_OK;
}
