/* highlow.h - numbers in two parts: the leading bits, which are worth coding, and the rest as it is.
 *
 * Of trained weights the sign and most of the mantissa are noise; exponent and leading bits of the mantissa follow the
 * distribution of the layer. How many bits lead is chosen for the numbers at hand. A leading part that is rare goes in
 * full behind an escape.
 *
 * docs/container.md has the format.
 */
#ifndef MC_CODE_HIGHLOW_H
#define MC_CODE_HIGHLOW_H

#include "code/element.h"
#include "code/symbols.h"
#include "code/workspace.h"

struct mc_highlow {
    int high_bits; /* 1 to 16 */
    bool rotated;  /* the sign is the lowest bit */
    int n_values;  /* leading parts with a symbol, at most 255; symbol n_values is the escape, if there is one */
    bool escapes;
    uint16_t values[256]; /* ascending */
    double cost;          /* bytes, about */
};

/* Find the best way for n > 0 elements. MC_ERR_SYSTEM without memory. */
int mc_highlow_plan(struct mc_highlow *plan, const unsigned char *bytes, size_t n, const struct mc_element_kind *kind,
                    struct mc_workspace *workspace, struct mc_error *err);
int mc_highlow_encode(struct mc_buf *out, const struct mc_highlow *plan, const unsigned char *bytes, size_t n,
                      const struct mc_element_kind *kind, enum mc_code_level level, struct mc_workspace *workspace,
                      struct mc_error *err);
/* n elements of `width` bytes. */
int mc_highlow_decode(struct mc_bytes *in, unsigned char *bytes, size_t n, int width, struct mc_workspace *workspace,
                      struct mc_error *err);

#endif
