/* loss.h - what training makes small: value and gradient with respect to the scores of a batch. */
#ifndef MC_TRAIN_LOSS_H
#define MC_TRAIN_LOSS_H

#include "train/train.h"

struct mc_loss {
    enum mc_loss_kind kind; /* never MC_LOSS_AUTO */
    int64_t columns;        /* scores per sample: classes, or numbers */
    bool distil;
    double alpha, temperature, smoothing, delta;
    const struct mc_updates *updates;
    float *weights; /* of the classes; NULL: all 1 */
    float *scratch; /* room for two rows */
};

/* What one batch is compared with; each [n, …], NULL where the loss does not ask for it. */
struct mc_targets {
    const int64_t *labels;                   /* [n] cross-entropy of classes */
    const float *numbers;                    /* [n, columns] any other loss; cross-entropy of distributions */
    const float *teacher;                    /* [n, columns] the teacher's scores, when distilling */
    const float *more[MC_MOST_TEACHERS - 1]; /* those of further teachers */
    int n_more;
    const float *weights; /* [n] how much each sample counts; NULL: all alike */
};

/* For scores of `columns` a sample. `kind` is what mc_loss_resolve made of the options' loss. MC_ERR_USAGE for a
 * distribution of one number, and for class weights that do not fit; `data` (may be NULL without class weights) is
 * where "balanced" ones are counted. `teacher` false leaves the distillation of the options aside, as measuring does.
 */
int mc_loss_init(struct mc_loss *loss, const struct mc_fit_options *options, enum mc_loss_kind kind, int64_t columns,
                 const struct mc_dataset *data, bool teacher, struct mc_error *err);
void mc_loss_finish(struct mc_loss *loss);

/* AUTO becomes cross-entropy for classes and mean squared error for numbers; the divergence from a class is its
 * cross-entropy. */
enum mc_loss_kind mc_loss_resolve(enum mc_loss_kind kind, enum mc_task task);

/* Are targets of this task numbers to the loss? Classes become one-hot then. */
bool mc_loss_takes_numbers(enum mc_loss_kind kind, enum mc_task task);

/* Sum over the n samples of the loss of scores y [n, columns]; writes dy = weight d(sum)/dy unless dy is NULL. With
 * weight 1/n that is the gradient of the mean. The loss of one sample, with p = softmax(y):
 *   cross-entropy        H(t, p) = -sum w t' ln p, where t is the class (one-hot) or the distribution, w the class
 *                        weights, and t' = (1 - smoothing) t + smoothing / classes (Szegedy and others 2016)
 *   KL                   sum t (ln t - ln p)
 *   binary cross-entropy mean over columns of -(t ln sigmoid(y) + (1 - t) ln(1 - sigmoid(y)))
 *   mean squared error   MSE(t,y) = mean over columns of (y - t)^2; mean absolute error and Huber's alike
 *   distillation         (1-alpha) H(t, p) + alpha T^2 KL(softmax(teacher/T) || softmax(y/T))
 *                        for numbers (1-alpha) L(t, y) + alpha L(teacher, y)
 *                        with several teachers the mean of their parts; the first part is not computed for alpha 1 */
double mc_loss_run(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                   double weight, float *dy);

#endif
