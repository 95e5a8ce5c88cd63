/* gz.h - whole files, plain or gzipped; zlib reads both through the same calls. */
#ifndef MC_DATA_GZ_H
#define MC_DATA_GZ_H

#include "base/buf.h"

/* Up to `max_bytes` of contents appended to `out` (born with at least that ceiling); more are MC_ERR_INPUT. */
int mc_gz_read(struct mc_buf *out, const char *path, size_t max_bytes, struct mc_error *err);

#endif
