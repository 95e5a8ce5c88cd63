/* exclude.h - comma-separated name patterns with * and ?. */
#ifndef MC_PRUNE_EXCLUDE_H
#define MC_PRUNE_EXCLUDE_H

#include <stdbool.h>

/* Does the pattern [pattern, end) match the whole name? */
bool mc_name_matches(const char *pattern, const char *end, const char *name);
/* Does one of the patterns match the whole name? `patterns` NULL or "": no. */
bool mc_excluded(const char *patterns, const char *name);

#endif
