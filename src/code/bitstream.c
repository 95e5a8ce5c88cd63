/* bitstream.c - fields of a few bits; see bitstream.h. */
#include "code/bitstream.h"

void mc_bits_write(struct mc_bit_writer *writer, uint64_t value, int n_bits)
{
    writer->held |= value << writer->n_held;
    writer->n_held += n_bits;
    unsigned char bytes[8];
    size_t n = 0;
    for (; writer->n_held >= 8; writer->n_held -= 8, writer->held >>= 8) bytes[n++] = (unsigned char)writer->held;
    if (n > 0) mc_buf_append(writer->out, bytes, n);
}

void mc_bits_flush(struct mc_bit_writer *writer)
{
    if (writer->n_held > 0) mc_bits_write(writer, 0, 8 - writer->n_held);
}

void mc_bits_write_gamma(struct mc_bit_writer *writer, uint32_t value)
{
    const uint64_t number = (uint64_t)value + 1;
    int n_bits = 0;
    while (number >> (n_bits + 1) != 0) n_bits++;
    mc_bits_write(writer, (uint64_t)1 << n_bits, n_bits + 1);
    mc_bits_write(writer, number & (((uint64_t)1 << n_bits) - 1), n_bits);
}

bool mc_bits_read_gamma(struct mc_bit_reader *reader, uint32_t *value)
{
    int n_bits = 0;
    while (n_bits <= 32 && mc_bits_read(reader, 1) == 0) n_bits++;
    if (n_bits > 32) return false;
    const uint64_t number = ((uint64_t)1 << n_bits | mc_bits_read(reader, n_bits)) - 1;
    *value = (uint32_t)number;
    return number <= UINT32_MAX;
}

bool mc_bits_end(const struct mc_bit_reader *reader, size_t *n_bytes)
{
    *n_bytes = (reader->position + 7) / 8;
    return *n_bytes <= reader->length;
}
