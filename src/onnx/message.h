/* message.h - protobuf messages from outside, unpacked once and kept for as long as anyone points into them. */
#ifndef MC_ONNX_MESSAGE_H
#define MC_ONNX_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "compress/compress.h"
#include "graph/origin.h"

struct mc_message {
    struct mc_origin origin; /* first: a struct mc_origin * of this room is a struct mc_message * */
    ProtobufCMessage *root;  /* of the type that was asked for */
};

/* Check and unpack `bytes`, which may go afterwards. The caller holds the only use; mc_origin_release ends it.
 * Unknown fields are kept by protobuf-c in each message. MC_ERR_INPUT, MC_ERR_SYSTEM. */
int mc_message_unpack(struct mc_message **message, const ProtobufCMessageDescriptor *type, const void *bytes,
                      size_t length, struct mc_error *err);

#endif
