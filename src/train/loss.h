/* loss.h - what training makes small: value and gradient with respect to the scores of a batch. */
#ifndef MC_TRAIN_LOSS_H
#define MC_TRAIN_LOSS_H

#include "train/train.h"

struct mc_loss {
    enum mc_loss_kind kind; /* never MC_LOSS_AUTO */
    int64_t columns;        /* scores per sample: classes, or numbers */
    bool distil;
    double alpha, temperature;
    const struct mc_updates *updates;
    float *scratch; /* what mc_updates.distil asks for */
};

/* What one batch is compared with; each [n, …], NULL where the loss does not ask for it. */
struct mc_targets {
    const int64_t *labels; /* [n] cross-entropy */
    const float *numbers;  /* [n, columns] mean squared error */
    const float *teacher;  /* [n, columns] the teacher's scores, when distilling */
};

/* AUTO becomes cross-entropy for classes and mean squared error for numbers; cross-entropy of numbers is MC_ERR_USAGE.
 * `teacher` false leaves the distillation of the options aside, as measuring does. */
int mc_loss_init(struct mc_loss *loss, const struct mc_fit_options *options, enum mc_task task, int64_t columns,
                 bool teacher, struct mc_error *err);
void mc_loss_finish(struct mc_loss *loss);

/* MC_LOSS_AUTO resolved for a task. */
int mc_loss_resolve(enum mc_loss_kind *kind, enum mc_task task, struct mc_error *err);

/* Sum over the n samples of the loss of scores y [n, columns]; writes dy = weight d(sum)/dy unless dy is NULL. With
 * weight 1/n that is the gradient of the mean. The loss of one sample:
 *   cross-entropy        H(y, p)  = -ln softmax(y)[label]
 *   mean squared error   MSE(t,y) = mean over columns of (y - t)^2
 *   distillation         (1-alpha) H(y, p) + alpha T^2 KL(softmax(teacher/T) || softmax(y/T))
 *                        (1-alpha) MSE(t, y) + alpha MSE(teacher, y)  */
double mc_loss_run(const struct mc_loss *loss, int64_t n, const float *y, const struct mc_targets *targets,
                   double weight, float *dy);

#endif
