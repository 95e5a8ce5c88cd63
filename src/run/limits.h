/* limits.h - what this machine can do at most, measured: the two roofs under which every step runs. */
#ifndef MC_RUN_LIMITS_H
#define MC_RUN_LIMITS_H

#include "base/error.h"
#include "kernel/runtime.h"

struct mc_limits {
    double gflops; /* 10^9 floating-point operations per second, a multiply-accumulate being 2: a large float32 GEMM */
    double gbytes; /* 10^9 bytes per second, read and written: copying an array that no cache holds */
};

/* With the runtime's threads. Takes about half a second. */
int mc_limits_measure(struct mc_limits *limits, const struct mc_runtime *runtime, struct mc_error *err);

#endif
