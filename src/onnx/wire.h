/* wire.h - protobuf's wire format.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
#ifndef MC_ONNX_WIRE_H
#define MC_ONNX_WIRE_H

#include <stdbool.h>
#include <stdint.h>

/* A varint of at most ten bytes, taken off the bytes; false at their end. */
static inline bool mc_wire_varint(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        const unsigned char byte = *(*at)++;
        if (shift < 64) *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

#endif
