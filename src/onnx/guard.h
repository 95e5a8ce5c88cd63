/* guard.h - looks over protobuf bytes before protobuf-c unpacks them.
 *
 * protobuf-c recurses into nested messages and allocates for whatever it meets, so a few hostile kilobytes could
 * exhaust the stack or the memory. This walk needs neither: it follows the wire format under the guidance of the
 * message descriptors, with a stack of fixed size, and refuses what would go too far or would lose bytes.
 */
#ifndef MC_ONNX_GUARD_H
#define MC_ONNX_GUARD_H

#include <protobuf-c/protobuf-c.h>

#include "compress/compress.h"

/* Messages within messages; the default limit of Google's own parsers. */
#define MC_GUARD_MAX_NESTING 100

/* Longest message that protobuf knows: lengths are signed 32-bit numbers. */
#define MC_GUARD_MAX_BYTES ((size_t)INT32_MAX)

/* Check that `bytes` are one message of this type that protobuf-c can unpack with bounded stack and memory: at most
 * 1 GiB and eight times the length, which no honest model comes near. Also refused are
 *   - groups, which ONNX does not have and protobuf-c does not read;
 *   - a zero byte in a string, which would cut it short in C;
 *   - a singular message given twice: merging those takes quadratic time.
 * MC_ERR_INPUT, with the position in the file. */
int mc_guard_check(const ProtobufCMessageDescriptor *type, const unsigned char *bytes, size_t length,
                   struct mc_error *err);

#endif
