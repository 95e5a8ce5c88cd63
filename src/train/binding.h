/* binding.h - how a model and a data set meet: the input that samples go into, the scores that a loss reads.
 *
 * Scores are the first float output of the graph or the one that is named, or, where that comes out of a Softmax or
 * Sigmoid (mc_op.link), what goes in there: cross-entropy of the two together has no logarithm of zero. A model with
 * one score for two classes is seen as one with the scores (0, z), which makes softmax and cross-entropy those of the
 * logistic function.
 */
#ifndef MC_TRAIN_BINDING_H
#define MC_TRAIN_BINDING_H

#include "data/data.h"
#include "run/plan.h"
#include "train/loss.h"

enum { MC_MOST_TAPS = 16 };

struct mc_binding {
    const struct mc_value *input;
    struct mc_shape shape; /* of the input; dim[0] is the batch, -1 while it is open */
    const struct mc_value *scores;
    int output;    /* where plans made by mc_binding_plan hand the scores out */
    bool tapped;   /* they are not an output of the graph */
    int first_tap; /* where plans hand the taps out */
    int n_taps;    /* further values to hand out, set by the caller, who keeps them */
    const struct mc_value *const *taps;
    bool logistic;          /* one score for two classes */
    int64_t columns;        /* scores per sample as the loss sees them: classes, or numbers */
    enum mc_loss_kind loss; /* never MC_LOSS_AUTO; of a pair of scores cross-entropy, which is binary there */
};

/* `head`: name of the output that has the scores; NULL: the first of float32. `data` NULL: sample shape and classes are
 * what the model says (its other dimensions must be numbers). MC_ERR_INPUT if the two do not fit, MC_ERR_USAGE if no
 * output has that name, MC_ERR_UNSUPPORTED for models with several inputs or one that is no number. */
int mc_binding_init(struct mc_binding *binding, const struct mc_model *model, const struct mc_dataset *data,
                    enum mc_loss_kind loss, const char *head, struct mc_error *err);

/* Samples per run that the model insists on; 0: any number. */
int64_t mc_binding_fixed_batch(const struct mc_binding *binding);

/* Plan for `batch` samples. Training: gradients with respect to the n_wrt values, and of the scores. */
int mc_binding_plan(const struct mc_binding *binding, struct mc_plan **plan, const struct mc_model *model,
                    int64_t batch, struct mc_value *const *wrt, int n_wrt, bool training,
                    const struct mc_runtime *runtime, struct mc_error *err);

/* Scores of the first n samples after a run: [n, columns], lent by the plan, or made in `pairs` ([n, 2]) when
 * logistic. */
const float *mc_binding_scores(const struct mc_binding *binding, const struct mc_plan *plan, int64_t n, float *pairs);

/* After a run: mc_loss_run on the scores of its n samples, gradients into those of the scores. `pairs` and
 * `pair_gradients`, [n, 2], are used when logistic. `gradient` NULL: not wanted. */
double mc_binding_loss(const struct mc_binding *binding, const struct mc_plan *plan, const struct mc_loss *loss,
                       int64_t n, const struct mc_targets *targets, double weight, float *pairs, float *pair_gradients,
                       float *gradient);

/* A model whose batch is a fixed number trains at any batch if its graph allows that: open the first dimension of the
 * input and return what it was, for mc_batch_close to put back; 0: there was nothing to open, or the graph does not
 * allow `trial` samples. */
int64_t mc_batch_open(struct mc_model *model, int64_t trial);
void mc_batch_close(struct mc_model *model, int64_t fixed);

#endif
