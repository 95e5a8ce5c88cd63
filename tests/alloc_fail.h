/* alloc_fail.h - making one allocation of the library fail, to see that nothing is leaked or read after it.
 *
 * Works in test executables linked with `alloc_fail_link_args` (tests/meson.build), which sends every call of malloc's
 * family from our own code through here. Leaks are found by the sanitizers at the end of the run.
 */
#ifndef MC_TESTS_ALLOC_FAIL_H
#define MC_TESTS_ALLOC_FAIL_H

#include <stdbool.h>

/* From now on the n-th allocation fails (1: the next), that one alone. 0: none. */
void alloc_fail_at(long n);
/* Did it? */
bool alloc_fail_happened(void);

/* Run `attempt` with each of its allocations failing in turn, until it gets through without meeting one. It gives the
 * status of what it tries and cleans up after itself; any result but MC_ERR_SYSTEM fails the test. */
void alloc_fail_each(int (*attempt)(void *context), void *context);

#endif
