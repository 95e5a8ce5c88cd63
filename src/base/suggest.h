/* suggest.h - the nearest valid word to one that was misspelt. */
#ifndef MC_BASE_SUGGEST_H
#define MC_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate with the least Damerau-Levenshtein distance to `word`, or NULL if none is near
 * (at most a third of the letters, at least one). */
const char *mc_suggest(const char *word, const char *const *candidates, size_t n);

#endif
