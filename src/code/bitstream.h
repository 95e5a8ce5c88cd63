/* bitstream.h - fields of a few bits, the lowest bit first. */
#ifndef MC_CODE_BITSTREAM_H
#define MC_CODE_BITSTREAM_H

#include "base/buf.h"

/* Most bits of one field. */
enum { MC_BITS_MOST = 56 };

struct mc_bit_writer {
    struct mc_buf *out;
    uint64_t held; /* the lowest `n_held` bits, fewer than 8 between calls */
    int n_held;
};

void mc_bits_write(struct mc_bit_writer *writer, uint64_t value, int n_bits);
/* A number from 0 on in Exponential-Golomb code of order 0 (2 * log2 + 1 bits). */
void mc_bits_write_gamma(struct mc_bit_writer *writer, uint32_t value);
/* Fill the last byte up. */
void mc_bits_flush(struct mc_bit_writer *writer);

struct mc_bit_reader {
    const unsigned char *bytes;
    size_t length;   /* bytes */
    size_t position; /* bits; may run past the end, where all bits are 0 */
};

/* The 64 bits at a position, of which at least MC_BITS_MOST are good. */
static inline uint64_t mc_bits_peek(const struct mc_bit_reader *reader, size_t position)
{
    const size_t at = position >> 3;
    uint64_t word = 0;
    if (reader->length >= 8 && at <= reader->length - 8) {
        const unsigned char *p = reader->bytes + at; /* compilers make one load of this */
        word = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
               (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
    } else {
        for (size_t i = at; i < reader->length; i++) word |= (uint64_t)reader->bytes[i] << 8 * (i - at);
    }
    return word >> (position & 7);
}

static inline uint64_t mc_bits_read(struct mc_bit_reader *reader, int n_bits)
{
    const uint64_t value = mc_bits_peek(reader, reader->position) & (((uint64_t)1 << n_bits) - 1);
    reader->position += (size_t)n_bits;
    return value;
}

/* false: it is longer than any that was written. */
bool mc_bits_read_gamma(struct mc_bit_reader *reader, uint32_t *value);

/* Bytes that the bits read so far take; false if there are not so many. */
bool mc_bits_end(const struct mc_bit_reader *reader, size_t *n_bytes);

#endif
