/* error.h - how library code makes and extends a `struct mc_error`.
 *
 * The innermost failure calls mc_error_set; every layer above that knows one more thing (file, node,
 * tensor, option) puts it in front with mc_error_wrap. Both return the status, so that
 * `return mc_error_wrap(err, rc, "node '%s'", name);` is the whole of a failure path.
 */
#ifndef MC_BASE_ERROR_H
#define MC_BASE_ERROR_H

#include "compress/compress.h"

/* Fill `err` (if not NULL) and return `status`, which must be negative. Replaces an earlier text. */
int mc_error_set(struct mc_error *err, int status, const char *fmt, ...) MC_PRINTF(3, 4);

/* Put "fmt: " in front of the text; return `status`. A text that grows too long loses its middle. */
int mc_error_wrap(struct mc_error *err, int status, const char *fmt, ...) MC_PRINTF(3, 4);

/* Set the hint line. */
void mc_error_hint(struct mc_error *err, const char *fmt, ...) MC_PRINTF(2, 3);

/* Out of memory: MC_ERR_SYSTEM. */
int mc_error_memory(struct mc_error *err);

/* errno of a system call that failed at `action` ("open") on a file that is read: MC_ERR_SYSTEM, or MC_ERR_INPUT for
 * one that is not there or no file. */
int mc_error_reading(struct mc_error *err, int saved_errno, const char *action, const char *path);
/* On one that is made or written: MC_ERR_SYSTEM. */
int mc_error_writing(struct mc_error *err, int saved_errno, const char *action, const char *path);

#endif
