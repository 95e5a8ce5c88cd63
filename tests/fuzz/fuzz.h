/* fuzz.h - the entry point of a fuzz target, as libFuzzer and replay.c call it. It aborts when a promise is broken. */
#ifndef MC_TESTS_FUZZ_H
#define MC_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
