/* optimizer.h - one step of descent over all parameters; formulas and sources in kernel/update.h.
 *
 * L2 is a term of the gradient; `decay` takes its share of a weight directly (Loshchilov and Hutter 2019, "Decoupled
 * weight decay regularization"). L1 is a proximal step after it: each weight moves towards zero by l1 times its own
 * step length and stops there, so that small weights become exactly zero, zeros stay zero, and a point where nothing
 * moves is a minimum of the penalized loss whatever the optimizer (Yun, Lozano, Yang 2021, "Adaptive proximal gradient
 * methods are universal without approximation"); Lion, whose steps do not depend on the size of a gradient, moves each
 * weight by rate * l1. Only weights, parameters of rank 2 and more, are penalized, decay, and have LAMB's trust ratio.
 */
#ifndef MC_TRAIN_OPTIMIZER_H
#define MC_TRAIN_OPTIMIZER_H

#include "train/train.h"

struct mc_slot;  /* what is kept for one parameter */
struct mc_range; /* a run of elements of one parameter, the unit of work of a thread */

struct mc_optimizer {
    enum mc_optimizer_kind kind;
    double momentum, beta1, beta2, epsilon, l1, l2, decay, clip_norm, clip_value;
    const struct mc_runtime *runtime;
    int64_t n_steps; /* done */
    int n_slots, n_ranges;
    struct mc_slot *slots;
    struct mc_range *ranges;
};

/* For `n` parameters of float32 (anything else is MC_ERR_UNSUPPORTED), whose data must stay where they are. Masks are
 * those of the options, which must outlive the optimizer; a masked value that is not among the parameters is left to
 * the caller. */
int mc_optimizer_init(struct mc_optimizer *optimizer, const struct mc_fit_options *options,
                      struct mc_value *const *parameters, int n, struct mc_error *err);
void mc_optimizer_finish(struct mc_optimizer *optimizer);

/* gradients[i] belongs to parameter i; NULL: it stays as it is. Clipping by norm takes the norm of all gradients
 * together, those of masked weights left out (Pascanu, Mikolov, Bengio 2013). Allocates nothing. */
void mc_optimizer_step(struct mc_optimizer *optimizer, double rate, const float *const *gradients);

/* What is kept of parameter i, lent: sums or means of its gradients and of their squares; NULL where there is none. */
void mc_optimizer_memory(const struct mc_optimizer *optimizer, int i, float **first, float **second);

/* The penalty at the present weights: l1 sum |w| + l2/2 sum w^2. */
double mc_optimizer_penalty(const struct mc_optimizer *optimizer);

#endif
