/* features.h - what a student is to imitate beside the scores: tensors of the teacher, tapped by name.
 *
 * Hints (Romero and others 2015, "FitNets") compare a tensor of the student with one of the teacher by mean squared
 * error, after an adapter that is learnt with the student: a convolution of 1x1, or a product where there are no
 * spatial axes. Adapters are nodes of the student while it is trained, so that descent, averages and checkpoints know
 * them like any other, and go when training is over. Attention and relations (train/relation.h) need no adapter.
 */
#ifndef MC_TRAIN_FEATURES_H
#define MC_TRAIN_FEATURES_H

#include "train/predictor.h"

enum { MC_MOST_FEATURES = MC_MOST_TAPS };

struct mc_feature; /* a pair of tensors and how they are compared */

struct mc_features {
    struct mc_model *student;
    int n;
    struct mc_feature *features;
    int n_taps; /* of the student: no value twice */
    const struct mc_value *taps[MC_MOST_FEATURES];
    struct mc_predictor teacher; /* with the teacher's tensors as taps */
    int64_t sample;              /* numbers of one sample */
    double *work;
};

/* Find the tensors that the options name, and put adapters into the student. MC_ERR_USAGE for a name that neither has,
 * MC_ERR_INPUT for two tensors that cannot be compared. Without such options: nothing. To be finished in any case,
 * which takes the adapters out again. */
int mc_features_init(struct mc_features *features, const struct mc_fit_options *options, struct mc_model *student,
                     const struct mc_dataset *data, struct mc_error *err);
/* Room for batches of at most `capacity` samples. */
int mc_features_reserve(struct mc_features *features, int64_t capacity, struct mc_error *err);
void mc_features_finish(struct mc_features *features);

/* Weights of the adapters, which are the student's for as long as it is trained. */
int64_t mc_features_parameters(const struct mc_features *features);

/* Ask the teacher about the n samples x. */
int mc_features_read(struct mc_features *features, const float *x, int64_t n, struct mc_error *err);
/* After a run of the student's plan on the same samples, the loss of whose scores is done: the sum of what the features
 * add, and weight times its gradients. */
double mc_features_loss(const struct mc_features *features, const struct mc_binding *binding, struct mc_plan *plan,
                        int64_t n, double weight);

#endif
