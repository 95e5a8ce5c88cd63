/* text.h - the strong code of bytes that say much the same again: mixed predictions from what stood before.
 *
 * Contexts are the last one to six bytes and the longest stretch that was seen before, as in Mahoney's lpaq (2007). The
 * vocabulary of ONNX files counts as read already.
 */
#ifndef MC_CODE_TEXT_H
#define MC_CODE_TEXT_H

#include "base/buf.h"

/* Append the code of n bytes; false without memory. */
bool mc_text_encode(struct mc_buf *out, const unsigned char *bytes, size_t n);
/* Decode n bytes from exactly this code: 1, 0 if it is not what the encoder makes, -1 without memory. */
int mc_text_decode(unsigned char *bytes, size_t n, const unsigned char *code, size_t length);

#endif
