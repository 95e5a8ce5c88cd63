/* rank.h - to what rank each of several layers is cut: by the share of its spectrum that stays, or by a budget for all.
 *
 * A layer whose matrix [M, K] becomes [M, r] [r, K] multiplies r (M + K) numbers in the place of M K. It is left whole
 * unless that is fewer.
 */
#ifndef MC_REWRITE_RANK_H
#define MC_REWRITE_RANK_H

#include <stdbool.h>
#include <stdint.h>

struct mc_spectrum {
    int64_t n;
    double *shares;       /* [n]: what the first 1, 2, … ranks have of the sum of all values, (0, 1] */
    double whole, a_rank; /* what the layer costs as it is, and what each rank of its parts does */
    int64_t rank;         /* found: 0 says that it stays whole */
    int64_t next;         /* while a budget is looked for: the next rank down, 0: none, */
    double price;         /* and what it loses for what it saves */
};

/* Shares from values, none below 0 but for rounding, the largest first, in place. All are 1 where the sum is 0. */
void mc_spectrum_sum(struct mc_spectrum *spectrum);
/* The largest multiple of `step` at which the layer costs less than whole; 0: none does. */
int64_t mc_spectrum_most(const struct mc_spectrum *spectrum, int64_t step);

/* The least rank, a multiple of `step`, that has at least `share`, (0, 1]; the layer stays whole where none is cheaper.
 */
void mc_rank_by_share(struct mc_spectrum *spectrum, double share, int64_t step);

/* Ranks of n layers, multiples of `step`, that together cost at most `budget` and keep the product of the layers'
 * shares large (Zhang, Zou, He, Sun 2015, "Accelerating very deep convolutional networks for classification and
 * detection", section 2.4): of all that can be given, what loses the least of its logarithm for what it saves goes
 * first; what room is left at the end is given back likewise. *cost is what they come to; false: that is above the
 * budget, with `step` for every layer that can be cut. */
bool mc_rank_by_budget(struct mc_spectrum *spectra, int n, double budget, int64_t step, double *cost);

#endif
