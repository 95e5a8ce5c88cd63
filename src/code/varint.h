/* varint.h - numbers in as few bytes as they need: seven bits a byte, the lowest first, as protobuf writes them. */
#ifndef MC_CODE_VARINT_H
#define MC_CODE_VARINT_H

#include "base/buf.h"

enum { MC_VARINT_MOST_BYTES = 10 };

/* What is left of bytes from outside. */
struct mc_bytes {
    const unsigned char *at, *end;
};

static inline size_t mc_bytes_left(const struct mc_bytes *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

/* false at the end, or if there are more than 64 bits. */
static inline bool mc_varint_read(struct mc_bytes *bytes, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && bytes->at < bytes->end; shift += 7) {
        const unsigned char byte = *bytes->at++;
        if (shift == 63 && byte > 1) return false;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* A number of at most `most`. */
static inline bool mc_varint_read_size(struct mc_bytes *bytes, size_t most, size_t *value)
{
    uint64_t number;
    if (!mc_varint_read(bytes, &number) || number > most) return false;
    *value = (size_t)number;
    return true;
}

static inline void mc_varint_write(struct mc_buf *out, uint64_t value)
{
    unsigned char bytes[MC_VARINT_MOST_BYTES];
    size_t n = 0;
    for (; value >= 128; value >>= 7) bytes[n++] = (unsigned char)(value | 128);
    bytes[n++] = (unsigned char)value;
    mc_buf_append(out, bytes, n);
}

static inline void mc_byte_write(struct mc_buf *out, int byte)
{
    const unsigned char value = (unsigned char)byte;
    mc_buf_append(out, &value, 1);
}

/* The first n of the bytes, taken off them; NULL if there are not so many. */
static inline const unsigned char *mc_bytes_take(struct mc_bytes *bytes, size_t n)
{
    if (n > mc_bytes_left(bytes)) return NULL;
    bytes->at += n;
    return bytes->at - n;
}

/* A length and as many bytes. */
static inline bool mc_bytes_read_block(struct mc_bytes *bytes, struct mc_bytes *block)
{
    size_t length;
    if (!mc_varint_read_size(bytes, mc_bytes_left(bytes), &length)) return false;
    block->at = mc_bytes_take(bytes, length);
    if (!block->at) return false;
    block->end = block->at + length;
    return true;
}

#endif
