/* suggest.h - the nearest valid word to one that was misspelt: mc_suggest, which is public. */
#ifndef MC_BASE_SUGGEST_H
#define MC_BASE_SUGGEST_H

#include "compress/compress.h"

#endif
