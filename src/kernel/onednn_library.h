/* onednn_library.h - oneDNN, opened when the first of its functions is wanted.
 *
 * Its pages and relocations cost 4.5 MB of memory and some milliseconds, and much is done without it: so the program
 * is built against its header, but not linked to it. Where it is not installed, what it is the fastest for is done by
 * other backends.
 */
#ifndef MC_KERNEL_ONEDNN_LIBRARY_H
#define MC_KERNEL_ONEDNN_LIBRARY_H

#include <dnnl.h>

#define MC_ONEDNN_FUNCTIONS(F)                                                                                         \
    F(dilated_convolution_backward_data_desc_init)                                                                     \
    F(dilated_convolution_backward_weights_desc_init)                                                                  \
    F(dilated_convolution_forward_desc_init)                                                                           \
    F(engine_create)                                                                                                   \
    F(engine_destroy)                                                                                                  \
    F(memory_create)                                                                                                   \
    F(memory_desc_equal)                                                                                               \
    F(memory_desc_get_size)                                                                                            \
    F(memory_desc_init_by_tag)                                                                                         \
    F(memory_destroy)                                                                                                  \
    F(memory_get_memory_desc)                                                                                          \
    F(memory_set_data_handle)                                                                                          \
    F(primitive_attr_create)                                                                                           \
    F(primitive_attr_destroy)                                                                                          \
    F(primitive_attr_set_scratchpad_mode)                                                                              \
    F(primitive_create)                                                                                                \
    F(primitive_desc_create)                                                                                           \
    F(primitive_desc_destroy)                                                                                          \
    F(primitive_desc_query)                                                                                            \
    F(primitive_desc_query_md)                                                                                         \
    F(primitive_destroy)                                                                                               \
    F(primitive_execute)                                                                                               \
    F(reorder_primitive_desc_create)                                                                                   \
    F(sgemm)                                                                                                           \
    F(stream_create)                                                                                                   \
    F(stream_destroy)                                                                                                  \
    F(stream_wait)

/* oneDNN's functions, without their prefix: dnnl_engine_create is `engine_create`. */
struct mc_onednn_library {
#define MC_ONEDNN_POINTER(name) __typeof__(&dnnl_##name) name;
    MC_ONEDNN_FUNCTIONS(MC_ONEDNN_POINTER)
#undef MC_ONEDNN_POINTER
};

/* NULL: it is not installed, or lacks one of them. Opened once for the process, whichever thread asks first, and never
 * closed. */
const struct mc_onednn_library *mc_onednn_library(void);

#endif
