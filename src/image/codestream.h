/* codestream.h - what a JPEG 2000 file asks for, before its library sees it.
 *
 * A few bytes can ask for billions of tiles, precincts or code blocks, for each of which OpenJPEG sets up memory. */
#ifndef MC_IMAGE_CODESTREAM_H
#define MC_IMAGE_CODESTREAM_H

#include "compress/compress.h"

/* A codestream, or a file of boxes with one in it (ISO/IEC 15444-1, annexes A and I). MC_ERR_INPUT for one whose
 * headers are broken or ask for more than pictures need. */
int mc_codestream_check(const unsigned char *bytes, size_t length, struct mc_error *err);

#endif
