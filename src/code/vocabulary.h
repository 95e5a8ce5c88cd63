/* vocabulary.h - what ONNX files say again and again, so that a small one need not say it once. */
#ifndef MC_CODE_VOCABULARY_H
#define MC_CODE_VOCABULARY_H

#include <stddef.h>

/* Part of the container's format: never changed within a version. */
extern const unsigned char mc_vocabulary[];
extern const size_t mc_vocabulary_bytes;

#endif
