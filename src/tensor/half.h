/* half.h - runs of float16 and bfloat16 to float32 and back, fast; the same numbers as convert.c gives. */
#ifndef MC_TENSOR_HALF_H
#define MC_TENSOR_HALF_H

#include <stdint.h>

void mc_halves_to_floats(int64_t n, const uint16_t *from, float *to);
void mc_floats_to_halves(int64_t n, const float *from, uint16_t *to); /* to nearest, ties to even */
void mc_bfloats_to_floats(int64_t n, const uint16_t *from, float *to);
void mc_floats_to_bfloats(int64_t n, const float *from, uint16_t *to);

#endif
