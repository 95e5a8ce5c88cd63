/* exclude.c - matching of name patterns. */
#include "prune/exclude.h"

#include <stddef.h>
#include <string.h>

/* On a mismatch the last * takes one letter more. */
bool mc_name_matches(const char *pattern, const char *end, const char *name)
{
    const char *p = pattern, *star = NULL, *from = NULL;
    while (*name) {
        if (p < end && *p == '*') {
            star = p++;
            from = name;
        } else if (p < end && (*p == '?' || *p == *name)) {
            p++;
            name++;
        } else if (star) {
            p = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*') p++;
    return p == end;
}

bool mc_excluded(const char *patterns, const char *name)
{
    for (const char *p = patterns; p && *p;) {
        const char *comma = strchr(p, ',');
        const char *end = comma ? comma : p + strlen(p);
        const char *next = comma ? comma + 1 : end;
        while (p < end && *p == ' ') p++;
        while (p < end && end[-1] == ' ') end--;
        if (p < end && mc_name_matches(p, end, name)) return true;
        p = next;
    }
    return false;
}
