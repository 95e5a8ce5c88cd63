/* kernels.c - the tables of each instruction set; see kernels.h. */
#include "kernel/kernels.h"

#include "config.h"
#include "kernel/bfloat.h"
#include "kernel/bytes.h"

/* One row per build of the variant sources (meson.build). */
#define TABLE(isa, name)                                                                                               \
    extern const struct mc_byte_loops mc_byte_loops_##name;                                                            \
    extern const struct mc_bfloat_loops mc_bfloat_loops_##name;                                                        \
    extern const struct mc_cells mc_cells_##name;                                                                      \
    extern const struct mc_channels mc_channels_##name;                                                                \
    extern const struct mc_poolings mc_poolings_##name;                                                                \
    extern const struct mc_depthwise_loops mc_depthwise_loops_##name;                                                  \
    extern const struct mc_loops mc_loops_##name;                                                                      \
    extern mc_unary_fn mc_silu_##name, mc_gelu_##name;                                                                 \
    extern const struct mc_packed_loops mc_packed_loops_##name;                                                        \
    extern const struct mc_sparse_loops mc_sparse_loops_##name;                                                        \
    extern const struct mc_winograd_loops mc_winograd_loops_##name;                                                    \
    extern const struct mc_winograd_weights_loops mc_winograd_weights_loops_##name;                                    \
    extern const struct mc_updates mc_updates_##name;                                                                  \
    static const struct mc_kernels name##_kernels = ROW(isa, name, name, name)
#define ROW(isa, name, byte_name, bfloat_name)                                                                         \
    {                                                                                                                  \
        .cpu = isa, .bytes = &mc_byte_loops_##byte_name, .bfloats = &mc_bfloat_loops_##bfloat_name,                    \
        .loops = &mc_loops_##name, .updates = &mc_updates_##name, .cells = &mc_cells_##name,                           \
        .channels = &mc_channels_##name, .poolings = &mc_poolings_##name, .depthwise = &mc_depthwise_loops_##name,     \
        .silu = mc_silu_##name, .gelu = mc_gelu_##name, .packed = &mc_packed_loops_##name,                             \
        .sparse = &mc_sparse_loops_##name, .winograd = &mc_winograd_loops_##name,                                      \
        .winograd_weights = &mc_winograd_weights_loops_##name                                                          \
    }

TABLE(MC_CPU_PORTABLE, portable);
#ifdef MC_HAVE_AVX2
TABLE(MC_CPU_AVX2, avx2);
#endif
#ifdef MC_HAVE_AVX512
TABLE(MC_CPU_AVX512, avx512);
#endif
/* AVX-512, and products of bytes and of bfloat16 with what some CPUs have beyond it. */
#ifdef MC_HAVE_AVX512VNNI
extern const struct mc_byte_loops mc_byte_loops_avx512vnni;
static const struct mc_kernels avx512vnni_kernels = ROW(MC_CPU_AVX512, avx512, avx512vnni, avx512);

static bool has_vnni(void)
{
    __builtin_cpu_init();
    return mc_cpu_detect() >= MC_CPU_AVX512 && __builtin_cpu_supports("avx512vnni");
}
#endif
#ifdef MC_HAVE_AVX512BF16
extern const struct mc_bfloat_loops mc_bfloat_loops_avx512bf16;
static const struct mc_kernels avx512bf16_kernels = ROW(MC_CPU_AVX512, avx512, avx512vnni, avx512bf16);

static bool has_bfloats(void)
{
    return has_vnni() && __builtin_cpu_supports("avx512bf16");
}
#endif

const struct mc_kernels *mc_kernels_for(enum mc_cpu cpu)
{
#ifdef MC_HAVE_AVX512BF16
    if (cpu >= MC_CPU_AVX512 && has_bfloats()) return &avx512bf16_kernels;
#endif
#ifdef MC_HAVE_AVX512VNNI
    if (cpu >= MC_CPU_AVX512 && has_vnni()) return &avx512vnni_kernels;
#endif
#ifdef MC_HAVE_AVX512
    if (cpu >= MC_CPU_AVX512) return &avx512_kernels;
#endif
#ifdef MC_HAVE_AVX2
    if (cpu >= MC_CPU_AVX2) return &avx2_kernels;
#endif
    return &portable_kernels;
}

/* The plain kernels of an instruction set that this machine has. */
static const struct mc_kernels *plain_kernels(enum mc_cpu cpu)
{
#ifdef MC_HAVE_AVX512
    if (cpu == MC_CPU_AVX512) return &avx512_kernels;
#endif
    return mc_kernels_for(cpu);
}

const struct mc_byte_loops *mc_byte_loops_variant(int i)
{
    const int present = (int)mc_cpu_detect();
    if (i <= present) return plain_kernels((enum mc_cpu)i)->bytes;
#ifdef MC_HAVE_AVX512VNNI
    if (i == present + 1 && has_vnni()) return avx512vnni_kernels.bytes;
#endif
    return NULL;
}

const struct mc_bfloat_loops *mc_bfloat_loops_variant(int i)
{
    const int present = (int)mc_cpu_detect();
    if (i <= present) return plain_kernels((enum mc_cpu)i)->bfloats;
#ifdef MC_HAVE_AVX512BF16
    if (i == present + 1 && has_bfloats()) return avx512bf16_kernels.bfloats;
#endif
    return NULL;
}
