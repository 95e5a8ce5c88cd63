/* regex.h - regular expressions in the syntax of RE2, for whole texts: does all of a text match?
 *
 * A pattern becomes a list of instructions that are walked for all possibilities at once, so that a text of n bytes
 * takes time in O(n * instructions) and nothing grows with the text, whatever the pattern. Patterns and texts are
 * UTF-8; a byte that is none counts as a character of its own.
 */
#ifndef MC_BASE_REGEX_H
#define MC_BASE_REGEX_H

#include "compress/compress.h"

struct mc_regex;

/* MC_ERR_INPUT for what is no expression, MC_ERR_UNSUPPORTED for Unicode classes (\p{…}) and for expressions of more
 * than 65536 instructions. */
int mc_regex_create(struct mc_regex **regex, const char *pattern, size_t length, struct mc_error *err);
void mc_regex_destroy(struct mc_regex *regex);

/* May be asked by several threads at once. MC_ERR_SYSTEM without memory. */
int mc_regex_matches(const struct mc_regex *regex, const char *text, size_t length, bool *matches,
                     struct mc_error *err);

#endif
