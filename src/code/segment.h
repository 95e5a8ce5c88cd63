/* segment.h - a run of elements, by the method that makes least of it; docs/container.md has the format. */
#ifndef MC_CODE_SEGMENT_H
#define MC_CODE_SEGMENT_H

#include "code/element.h"
#include "code/symbols.h"
#include "code/workspace.h"

/* Longest segment. */
#define MC_SEGMENT_MOST_BYTES ((size_t)4 << 20)

/* How a segment's bytes become fewer; the first byte of its code. */
enum mc_method {
    MC_METHOD_RAW,
    MC_METHOD_ZSTD,
    MC_METHOD_HIGHLOW,  /* leading parts coded, the rest as it is */
    MC_METHOD_CODEBOOK, /* few different elements: a table and which of it */
    MC_METHOD_SPARSE,   /* which elements are not zero, and those */
    MC_METHODS
};

/* "raw", "zstd", "high-low", "codebook", "sparse". */
const char *mc_method_name(enum mc_method method);

/* Append the code of up to MC_SEGMENT_MOST_BYTES; *method (may be NULL) is what was chosen. */
int mc_segment_encode(struct mc_buf *out, const unsigned char *bytes, size_t length, const struct mc_element_kind *kind,
                      enum mc_code_level level, struct mc_workspace *workspace, enum mc_method *method,
                      struct mc_error *err);
/* Decode one segment of at most `room` bytes, and take its code off `in`. MC_ERR_INPUT for what is no code. */
int mc_segment_decode(struct mc_bytes *in, unsigned char *bytes, size_t room, size_t *length,
                      struct mc_workspace *workspace, struct mc_error *err);

#endif
