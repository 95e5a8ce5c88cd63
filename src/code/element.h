/* element.h - elements of tensors as unsigned numbers, little endian as ONNX stores them. */
#ifndef MC_CODE_ELEMENT_H
#define MC_CODE_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What the encoder is told of the elements that it gets. It may be wrong: it costs bytes, never truth. */
struct mc_element_kind {
    int width;               /* bytes: 1, 2, 4 or 8 */
    int exponent_bits;       /* of floats with a leading sign; 0: no floats */
    uint32_t columns, pitch; /* elements that differ in the first index alone are `columns` apart, those of neighbouring
                                kernels `pitch`; 0: no such rows */
};

/* `width` is a constant wherever this is called, so that it becomes one load. */
static inline uint64_t mc_element_load(const unsigned char *p, int width)
{
    uint64_t x = 0;
    for (int b = 0; b < width; b++) x |= (uint64_t)p[b] << 8 * b;
    return x;
}

static inline void mc_element_store(unsigned char *p, int width, uint64_t x)
{
    for (int b = 0; b < width; b++) p[b] = (unsigned char)(x >> 8 * b);
}

/* The sign of a float to the lowest place, so that its exponent comes first; and back. */
static inline uint64_t mc_element_rotate(uint64_t x, int width)
{
    const int n_bits = 8 * width;
    return (x << 1 | x >> (n_bits - 1)) & (UINT64_MAX >> (64 - n_bits));
}

static inline uint64_t mc_element_unrotate(uint64_t x, int width)
{
    return x >> 1 | (x & 1) << (8 * width - 1);
}

#endif
