/* normalize.h - bring samples to a known range: (x - mean) / deviation for each channel or feature.
 *
 * A sample of three dimensions is an image [C, H, W] with a mean for each channel; of any other the elements have one
 * each.
 */
#ifndef MC_DATA_NORMALIZE_H
#define MC_DATA_NORMALIZE_H

#include "data/spec.h"
#include "tensor/tensor.h"

struct mc_normalizer {
    int64_t n_groups;         /* channels or features; 0: samples stay as they are */
    int64_t width;            /* elements of a group */
    double *mean, *deviation; /* [n_groups]; deviation 0: the group becomes 0 */
};

/* Options mean and std: one number, or one a group, "0.5+0.4+0.4"; and normalize: "train" (mean 0 and variance 1) or
 * "minmax" (0 to 1), both over the training samples and left to the caller by *learn. MC_ERR_USAGE for a wrong count of
 * numbers, or both ways at once. `normalizer` is finished by the caller in any case. */
enum mc_normalization { MC_NORMALIZE_GIVEN, MC_NORMALIZE_TRAIN, MC_NORMALIZE_MINMAX };
int mc_normalizer_init(struct mc_normalizer *normalizer, const struct mc_spec *spec, const struct mc_shape *sample,
                       enum mc_normalization *learn, struct mc_error *err);
void mc_normalizer_finish(struct mc_normalizer *normalizer);

/* Learn from samples, one after the other: begin, add, end. */
struct mc_normalizer_sums {
    enum mc_normalization how;
    int64_t n;
    double *first, *second; /* sums and sums of squares about the first sample; or least and largest */
    double *origin;
};
int mc_normalizer_begin(struct mc_normalizer *normalizer, struct mc_normalizer_sums *sums, enum mc_normalization how,
                        const struct mc_shape *sample, struct mc_error *err);
void mc_normalizer_add(const struct mc_normalizer *normalizer, struct mc_normalizer_sums *sums, const float *x);
/* Also releases the sums; without any sample nothing is changed by the normalizer. */
void mc_normalizer_end(struct mc_normalizer *normalizer, struct mc_normalizer_sums *sums);

/* In place. */
void mc_normalizer_apply(const struct mc_normalizer *normalizer, float *x);

#endif
