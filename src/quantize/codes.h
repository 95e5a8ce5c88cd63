/* codes.h - weights as small integers times scales: w = code * scale, symmetric, so that 0 is 0. */
#ifndef MC_QUANTIZE_CODES_H
#define MC_QUANTIZE_CODES_H

#include "tensor/tensor.h"

enum mc_code_form {
    MC_CODES_INT8, /* [-127, 127] */
    MC_CODES_INT7, /* [-63, 63] in a byte: for processors that add two products of bytes in 16 bits */
    MC_CODES_INT4, /* [-7, 7] */
    MC_CODES_FLOAT16
};

/* Which weights share a scale: all (axis -1), those of an index along an axis, or with a block those of so many
 * neighbours along it. */
struct mc_grain {
    int axis;
    int64_t block; /* 0: none */
};

/* Shape of the scales of a tensor: [], [extent], or the tensor's with the axis divided, rounded up. */
struct mc_shape mc_grain_shape(const struct mc_grain *grain, const struct mc_shape *shape);

/* Codes and float32 scales of a float32 tensor whose numbers are finite; not of MC_CODES_FLOAT16. Each scale is the one
 * of 20 between half of the largest number's and all of it that gives the least squared error; 1 where all weights are
 * 0. Both tensors are the caller's. */
int mc_codes_of(struct mc_tensor **codes, struct mc_tensor **scales, const struct mc_tensor *w, enum mc_code_form form,
                const struct mc_grain *grain, struct mc_error *err);

/* What they stand for, float32, of the shape of `codes`: the caller's. `scales` NULL: float16, to be widened. */
int mc_codes_value(struct mc_tensor **w, const struct mc_tensor *codes, const struct mc_tensor *scales,
                   const struct mc_grain *grain, struct mc_error *err);

#endif
