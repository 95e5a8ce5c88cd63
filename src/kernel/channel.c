/* channel.c - loops over channels; see channel.h. Compiled once per instruction set. */
#include "kernel/channel.h"

#include "kernel/lanes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_channels MC_VARIANT(mc_channels);

#define T float
#define NAME(name) name##_f32
#include "kernel/channel_loops.inc"
#undef T
#undef NAME
#define T double
#define NAME(name) name##_f64
#include "kernel/channel_loops.inc"
#undef T
#undef NAME

const struct mc_channels MC_VARIANT(mc_channels) = {
    .of = {[MC_CHANNEL_F32] = {moments_f32, affine_f32, grad_sums_f32, grad_f32, moments_of_rows_f32,
                               affine_of_rows_f32, grad_sums_of_rows_f32, grad_of_rows_f32},
           [MC_CHANNEL_F64] = {moments_f64, affine_f64, grad_sums_f64, grad_f64, moments_of_rows_f64,
                               affine_of_rows_f64, grad_sums_of_rows_f64, grad_of_rows_f64}},
};
