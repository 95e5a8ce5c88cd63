/* codebook.h - numbers of which there are few different ones: a table, and which entry of it each is.
 *
 * docs/container.md has the format.
 */
#ifndef MC_CODE_CODEBOOK_H
#define MC_CODE_CODEBOOK_H

#include "code/element.h"
#include "code/symbols.h"
#include "code/workspace.h"

enum { MC_CODEBOOK_MOST = 256 };

struct mc_codebook {
    int n; /* entries, 1 to MC_CODEBOOK_MOST */
    uint64_t entries[MC_CODEBOOK_MOST];
    uint32_t counts[MC_CODEBOOK_MOST]; /* how often each occurs */
    double cost;                       /* bytes, about */
};

/* Find the different ones among n > 0 elements, in ascending order of what they stand for; false if there are more than
 * MC_CODEBOOK_MOST. */
bool mc_codebook_find(struct mc_codebook *book, const unsigned char *bytes, size_t n,
                      const struct mc_element_kind *kind);
int mc_codebook_encode(struct mc_buf *out, const struct mc_codebook *book, const unsigned char *bytes, size_t n,
                       const struct mc_element_kind *kind, enum mc_code_level level, struct mc_workspace *workspace,
                       struct mc_error *err);
/* n elements of `width` bytes. */
int mc_codebook_decode(struct mc_bytes *in, unsigned char *bytes, size_t n, int width, struct mc_workspace *workspace,
                       struct mc_error *err);

#endif
