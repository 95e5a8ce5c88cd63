/* fuzz_regex.c - a regular expression, a line feed, a text: compiled and matched. */
#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data, *end = size ? memchr(bytes, '\n', size) : NULL;
    const size_t pattern = end ? (size_t)(end - bytes) : size;
    struct mc_regex *regex;
    bool matches = false;
    if (mc_regex_create(&regex, bytes, pattern, NULL) < 0) return 0;
    const char *text = end ? end + 1 : "";
    const size_t length = end ? size - pattern - 1 : 0;
    if (mc_regex_matches(regex, text, length, &matches, NULL) < 0) abort();
    mc_regex_destroy(regex);
    return 0;
}
