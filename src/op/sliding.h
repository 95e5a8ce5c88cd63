/* sliding.h - the attributes that convolution and pooling share: kernel_shape, strides, dilations, pads, auto_pad. */
#ifndef MC_OP_SLIDING_H
#define MC_OP_SLIDING_H

#include "graph/op.h"
#include "kernel/window.h"
#include "op/outline.h"

/* Fill `window` from a node's attributes for input x [N, C, spatial…] of rank 3 to 5. `kernel`: extents of the kernel,
 * one for each spatial axis, as a weight has them; NULL: the attribute kernel_shape says. `ceil_mode` as pooling has
 * it: the last window may hang over the end, but starts inside the input or its padding before it (PyTorch's rule, and
 * ONNX's since opset 19). Errors: MC_ERR_INPUT for lists of the wrong length, values out of range, a kernel larger
 * than the padded input; MC_ERR_UNSUPPORTED for other ranks. */
int mc_sliding_window(const struct mc_node *node, const struct mc_fact *x, const int64_t *kernel, bool ceil_mode,
                      struct mc_window *window, struct mc_error *err);

/* The window of the convolution whose data gradient ConvTranspose is: its `out` is x [N, C, spatial…] of rank 3 to 5,
 * its `in` what comes out. Reads output_padding and output_shape as well; errors are those of mc_sliding_window. */
int mc_sliding_transposed(const struct mc_node *node, const struct mc_shape *x, const int64_t *kernel,
                          struct mc_window *window, struct mc_error *err);

/* Shape [N, channels, out…]. */
/* The spatial extents of `out`, which has its rank, where dimensions of x are open (graph/outlines.h). kernel: the
 * weights' form; NULL: the attribute alone says it. */
void mc_sliding_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *x,
                        const struct mc_outline *kernel, bool ceil_mode, struct mc_outline *out);
void mc_sliding_transposed_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *x,
                                   const struct mc_outline *kernel, struct mc_outline *out);

struct mc_shape mc_sliding_shape(const struct mc_window *window, int64_t n, int64_t channels);

/* Does any padding reach into the input? */
bool mc_sliding_pads(const struct mc_window *window);

#endif
