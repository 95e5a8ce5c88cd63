/* message.h - protobuf messages from outside, unpacked once and kept for as long as anyone points into them. */
#ifndef MC_ONNX_MESSAGE_H
#define MC_ONNX_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/file.h"
#include "graph/origin.h"
#include "onnx/external.h"

struct mc_functions;

struct mc_message {
    struct mc_origin origin; /* first: a struct mc_origin * of this room is a struct mc_message * */
    ProtobufCMessage *root;  /* of the type that was asked for */
    /* Of models: the functions of the file (NULL: none), and where their external data lie. */
    struct mc_functions *functions;
    struct mc_external external;
};

/* Check and unpack a file, which may go afterwards. The caller holds the only use; mc_origin_release ends it. Unknown
 * fields are kept by protobuf-c in each message, and every block in it may be taken out and given to mc_free. A file
 * that is mapped is given back piece by piece while it is unpacked, so that large contents are never in memory twice.
 * MC_ERR_INPUT, MC_ERR_SYSTEM. */
int mc_message_unpack(struct mc_message **message, const ProtobufCMessageDescriptor *type,
                      const struct mc_file_view *file, struct mc_error *err);
/* The same for bytes in memory. */
int mc_message_unpack_bytes(struct mc_message **message, const ProtobufCMessageDescriptor *type, const void *bytes,
                            size_t length, struct mc_error *err);

/* --- fields that the definitions we are built on may not have ---
 * By number: from where the definitions put them, or else from the unknown fields. */

/* A text, lent, not ended by a zero; empty if it is absent. */
ProtobufCBinaryData mc_message_text(const ProtobufCMessage *message, unsigned tag);
/* A repeated message: how many there are, and one of them, of type `type`; what is not known has to be unpacked for
 * that. The part is given to mc_message_part_destroy before the message goes. */
size_t mc_message_count(const ProtobufCMessage *message, unsigned tag);
int mc_message_part(ProtobufCMessage **part, const ProtobufCMessage *message, unsigned tag, size_t i,
                    const ProtobufCMessageDescriptor *type, struct mc_error *err);
void mc_message_part_destroy(const ProtobufCMessage *message, unsigned tag, ProtobufCMessage *part);

#endif
