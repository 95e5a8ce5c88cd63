/* gradual.h - masks that move while training runs: sparsity that rises, weights that come back.
 *
 * The two callbacks fit those of struct mc_fit_options (train/train.h).
 */
#ifndef MC_PRUNE_GRADUAL_H
#define MC_PRUNE_GRADUAL_H

#include "prune/prune.h"

/* How the sparsity gets from s0 to s1 while t goes from 0 to 1. */
enum mc_schedule {
    MC_SCHEDULE_CUBIC,       /* s1 + (s0 - s1)(1 - t)^3 (Zhu and Gupta 2017, eq. 1) */
    MC_SCHEDULE_LINEAR,      /* s0 + (s1 - s0) t */
    MC_SCHEDULE_EXPONENTIAL, /* 1 - (1 - s0)((1 - s1) / (1 - s0))^t: each round takes the same share of what is left */
    MC_SCHEDULE_ONE_SHOT,    /* s1 */
};

/* Which masked weights come back. */
enum mc_regrowth {
    MC_REGROW_NONE,
    MC_REGROW_SURGERY,  /* those that have grown: masked weights are hidden and go on learning (Guo, Yao, Chen 2016,
                         * "Dynamic network surgery"), so that training needs MC_MASKED_MOVE */
    MC_REGROW_GRADIENT, /* those of the largest gradients, from zero, in exchange for the smallest of their tensor (Evci
                         * et al. 2020, "Rigging the lottery", algorithm 1) */
    MC_REGROW_MOVEMENT, /* those that would move away from zero most: a weight counts -sum g w over all steps, not its
                         * magnitude (Sanh, Wolf, Rush 2020, "Movement pruning"); needs MC_MASKED_REST */
};

struct mc_gradual_options {
    struct mc_sparsify_options sparsify; /* `sparsity` is where it ends */
    enum mc_schedule schedule;
    double initial; /* sparsity at the start, at most that */
    double ramp;    /* share of the training in which it rises, (0, 1] */
    int64_t rounds; /* moves in that time, >= 1 */
    enum mc_regrowth regrowth;
    double settle;   /* share of the training after which masks stay, [ramp, 1]; without regrowth that is the ramp */
    double exchange; /* GRADIENT: share of a tensor's weights that is exchanged at first; falls to 0 along a cosine */
};

struct mc_gradual_state;

struct mc_gradual {
    struct mc_masks *masks;
    struct mc_gradual_options options;
    struct mc_gradual_state *state; /* all that a checkpoint has to keep beside the masks */
    size_t state_bytes;
};

/* Lends the masks, which must be of float32 weights where there is regrowth. Finished in any case. */
int mc_gradual_init(struct mc_gradual *gradual, struct mc_masks *masks, const struct mc_gradual_options *options,
                    struct mc_error *err);
void mc_gradual_finish(struct mc_gradual *gradual);

/* Move the masks if a round is due; 1 if it was. */
int mc_gradual_before_step(void *gradual, int64_t step, double progress, struct mc_error *err);
/* The same where gradients decide; gradients[i]: of mask i at the weights that are not masked, NULL if there is none.
 */
int mc_gradual_after_backward(void *gradual, int64_t step, double progress, const float *const *gradients,
                              struct mc_error *err);
/* Bring `model`, in which the masks were made, to the last sparsity, should training have ended before that. */
int mc_gradual_end(struct mc_gradual *gradual, struct mc_model *model, struct mc_error *err);

/* Sparsity at `progress`, clamped to [0, 1]. */
double mc_sparsity_at(enum mc_schedule schedule, double initial, double final, double progress);

#endif
