/* failure.h - errors that the command itself finds. */
#ifndef MC_TOOLS_FAILURE_H
#define MC_TOOLS_FAILURE_H

#include "compress/compress.h"

/* Fill the error; returns `status`. */
int fail(struct mc_error *err, int status, const char *fmt, ...) MC_PRINTF(3, 4);
/* A mistake on the command line: "verb: …", with the help to look into as hint. Returns MC_ERR_USAGE. */
int fail_usage(struct mc_error *err, const char *verb, const char *fmt, ...) MC_PRINTF(3, 4);

#endif
