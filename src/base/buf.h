/* buf.h - a growing string of bytes, born with a ceiling.
 *
 * Appending never fails on the spot: the first failure (memory, ceiling) is remembered in `failed`
 * and later appends do nothing, so a writer checks once, at the end. `data` is always 0-terminated.
 */
#ifndef MC_BASE_BUF_H
#define MC_BASE_BUF_H

#include "compress/compress.h"

struct mc_buf {
    char *data;
    size_t length;
    size_t capacity;
    size_t ceiling;
    bool failed;
};

void mc_buf_init(struct mc_buf *buf, size_t ceiling);
void mc_buf_finish(struct mc_buf *buf);
void mc_buf_append(struct mc_buf *buf, const void *bytes, size_t length);
void mc_buf_puts(struct mc_buf *buf, const char *s);
void mc_buf_printf(struct mc_buf *buf, const char *fmt, ...) MC_PRINTF(2, 3);

#endif
