/* kernels.c - the tables of each instruction set; see kernels.h. */
#include "kernel/kernels.h"

#include "config.h"

/* One row per build of the variant sources (meson.build). */
#define TABLE(isa, name)                                                                                               \
    extern const struct mc_channels mc_channels_##name;                                                                \
    extern const struct mc_poolings mc_poolings_##name;                                                                \
    extern const struct mc_loops mc_loops_##name;                                                                      \
    extern mc_unary_fn mc_silu_##name;                                                                                 \
    extern const struct mc_packed_loops mc_packed_loops_##name;                                                        \
    extern const struct mc_winograd_loops mc_winograd_loops_##name;                                                    \
    extern const struct mc_updates mc_updates_##name;                                                                  \
    static const struct mc_kernels name##_kernels = {.cpu = isa,                                                       \
                                                     .loops = &mc_loops_##name,                                        \
                                                     .updates = &mc_updates_##name,                                    \
                                                     .channels = &mc_channels_##name,                                  \
                                                     .poolings = &mc_poolings_##name,                                  \
                                                     .silu = mc_silu_##name,                                           \
                                                     .packed = &mc_packed_loops_##name,                                \
                                                     .winograd = &mc_winograd_loops_##name}

TABLE(MC_CPU_PORTABLE, portable);
#ifdef MC_HAVE_AVX2
TABLE(MC_CPU_AVX2, avx2);
#endif
#ifdef MC_HAVE_AVX512
TABLE(MC_CPU_AVX512, avx512);
#endif

const struct mc_kernels *mc_kernels_for(enum mc_cpu cpu)
{
#ifdef MC_HAVE_AVX512
    if (cpu >= MC_CPU_AVX512) return &avx512_kernels;
#endif
#ifdef MC_HAVE_AVX2
    if (cpu >= MC_CPU_AVX2) return &avx2_kernels;
#endif
    return &portable_kernels;
}
