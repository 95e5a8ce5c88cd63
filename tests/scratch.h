/* scratch.h - a folder of its own for each test: cmocka setup and teardown, with *state as its path. */
#ifndef MC_TESTS_SCRATCH_H
#define MC_TESTS_SCRATCH_H

#include "test.h"

int scratch_setup(void **state);
int scratch_teardown(void **state);

/* "folder/name", in memory that lives until the teardown. */
const char *scratch_path(void **state, const char *name);
/* Write a file there; returns its path. */
const char *scratch_file(void **state, const char *name, const void *bytes, size_t length);
/* How many entries the folder has. */
int scratch_count(void **state);

#endif
