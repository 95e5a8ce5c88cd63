/* clock.h - the monotonic clock. */
#ifndef MC_BASE_CLOCK_H
#define MC_BASE_CLOCK_H

#include <stdint.h>

int64_t mc_clock_ns(void);

#endif
