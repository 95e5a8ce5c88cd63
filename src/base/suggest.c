/* suggest.c - the candidate with the least Damerau-Levenshtein distance to a word, if that is at most a third of its
 * letters, at least one; see compress.h. */
#include "base/suggest.h"

#include <string.h>

enum { LONGEST = 63 };

static int min3(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment). */
static int distance(const char *a, int n, const char *b, int m)
{
    int rows[3][LONGEST + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= m; j++) above[j] = j;
    for (int i = 1; i <= n; i++) {
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

const char *mc_suggest(const char *word, const char *const *candidates, size_t n)
{
    const size_t length = strlen(word);
    if (length > LONGEST) return NULL;
    int best = (int)length / 3 > 1 ? (int)length / 3 : 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t other = strlen(candidates[i]);
        if (other > LONGEST) continue;
        const int d = distance(word, (int)length, candidates[i], (int)other);
        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
