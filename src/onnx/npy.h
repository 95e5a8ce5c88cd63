/* npy.h - NumPy's array file: a header in Python's syntax, then the elements.
 *
 * Source: NumPy's numpy/lib/format.py (format versions 1.0 to 3.0). Read and written are the types that NumPy itself
 * has: bool, integers of 8 to 64 bits, float16/32/64, complex64/128; little endian, in C order.
 */
#ifndef MC_ONNX_NPY_H
#define MC_ONNX_NPY_H

#include "base/buf.h"
#include "tensor/tensor.h"

/* Tensor from the bytes of a file (copied). MC_ERR_INPUT for anything broken, more or fewer elements than the shape
 * needs, bools other than 0 and 1; MC_ERR_UNSUPPORTED for other types, big endian, and Fortran order where it makes a
 * difference. */
int mc_npy_parse(struct mc_tensor **tensor, const void *bytes, size_t length, struct mc_error *err);

/* Append magic and header, format 1.0, padded to a multiple of 64 bytes as NumPy does; the elements follow as they
 * lie in memory. MC_ERR_UNSUPPORTED for a type that NumPy does not have. */
int mc_npy_header(struct mc_buf *out, const struct mc_tensor *tensor, struct mc_error *err);

#endif
