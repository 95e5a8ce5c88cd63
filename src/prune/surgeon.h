/* surgeon.h - second-order pruning of one matrix: what stays makes up for what goes.
 *
 * Of a layer y = W x with H = sum of x x', removing weight (m, j) and adjusting the others of its row costs
 * w^2 / [H^-1]_jj of squared output error (Hassibi and Stork 1993). Column after column is decided and its error spread
 * over the columns to come, which all rows share one Cholesky factor for (Frantar and Alistarh 2023).
 */
#ifndef MC_PRUNE_SURGEON_H
#define MC_PRUNE_SURGEON_H

#include "compress/compress.h"

struct mc_surgeon {
    int64_t rows, K;
    double sparsity;              /* share of zeros */
    int64_t pattern_n, pattern_m; /* keep n of m neighbours along K instead; 0: no pattern */
    double damping;               /* added to the diagonal of H, as a share of its mean; 0.01 */
};

/* Change `w` [rows, K] in place, with round(sparsity rows K) zeros at least. `h` [K, K] is used up; inputs that were
 * always 0 lose their weights. MC_ERR_INPUT for an H that is not a matrix of moments (not finite, or negative). */
int mc_surgeon_run(const struct mc_surgeon *surgeon, double *w, double *h, struct mc_error *err);

#endif
