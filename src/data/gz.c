/* gz.c - whole files, plain or gzipped; see gz.h. */
#include "data/gz.h"

#include <zlib.h>

#include "base/error.h"

int mc_gz_read(struct mc_buf *out, const char *path, size_t max_bytes, struct mc_error *err)
{
    gzFile file = gzopen(path, "rb");
    if (!file) return mc_error_set(err, MC_ERR_INPUT, "cannot open '%s'", path);
    gzbuffer(file, 1 << 18);
    const size_t start = out->length;
    unsigned char chunk[65536];
    int rc = MC_OK, got;
    while (rc == MC_OK && (got = gzread(file, chunk, sizeof chunk)) != 0) {
        int code;
        if (got < 0)
            rc = mc_error_set(err, MC_ERR_INPUT, "cannot read '%s': %s", path, gzerror(file, &code));
        else if ((size_t)got > max_bytes - (out->length - start))
            rc = mc_error_set(err, MC_ERR_INPUT, "'%s' has more than %zu bytes", path, max_bytes);
        if (rc == MC_OK) mc_buf_append(out, chunk, (size_t)got);
        if (out->failed) rc = mc_error_memory(err);
    }
    /* a gzip file that was cut ends like a whole one; only closing tells */
    if (gzclose(file) == Z_BUF_ERROR && rc == MC_OK)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s' ends in the middle of its gzip stream", path);
    return rc;
}
