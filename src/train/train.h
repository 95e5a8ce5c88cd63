/* train.h - fit a model to data by gradient descent.
 *
 * Trains the parameters of the model in place: every float initializer on which the loss depends, except running
 * statistics. Masks (weights that stay zero) and a teacher (distillation) are options of the same loop.
 */
#ifndef MC_TRAIN_TRAIN_H
#define MC_TRAIN_TRAIN_H

#include "data/data.h"
#include "graph/graph.h"
#include "kernel/runtime.h"
#include "metric/outcomes.h"
#include "report/record.h"

enum mc_loss_kind {
    MC_LOSS_AUTO,
    MC_LOSS_CROSS_ENTROPY,
    MC_LOSS_MSE,
    MC_LOSS_MAE,
    MC_LOSS_HUBER,
    MC_LOSS_BCE,
    MC_LOSS_KL,
};
enum mc_optimizer_kind {
    MC_SGD,
    MC_MOMENTUM,
    MC_NESTEROV,
    MC_ADAGRAD,
    MC_RMSPROP,
    MC_ADAM,
    MC_ADAMW,
    MC_LAMB,
    MC_LION,
};
enum mc_rate_kind {
    MC_RATE_CONSTANT,
    MC_RATE_STEP,
    MC_RATE_EXPONENTIAL,
    MC_RATE_LINEAR,
    MC_RATE_COSINE,
    MC_RATE_ONE_CYCLE,
    MC_RATE_PLATEAU,
};
/* What training does to weights whose mask is 0. Passes see zeros in any case, and when it is over they are zero. */
enum mc_masked {
    MC_MASKED_ZERO, /* they are zero */
    MC_MASKED_REST, /* they keep what they were: a mask that changes brings them back */
    MC_MASKED_MOVE, /* they descend like all others, by the gradient at the masked weights (Guo, Yao, Chen 2016, eq. 3)
                     */
};
enum { MC_MOST_MILESTONES = 8, MC_MOST_TEACHERS = 4 };

/* A learning rate over time; train/rate.h has the formulas. */
struct mc_rate {
    enum mc_rate_kind kind;
    double first;                          /* eta_0; of MC_RATE_ONE_CYCLE the highest. 0: the optimizer's usual one */
    double factor;                         /* exponential, step, plateau: (0, 1] */
    double last;                           /* linear, cosine: where it ends */
    double rise;                           /* one-cycle: share of the steps in which it rises, (0, 1) */
    int n_milestones;                      /* step: epochs after which it falls; one: again and again after so many */
    double milestones[MC_MOST_MILESTONES]; /* plateau: milestones[0] is its patience in epochs */
    double warmup;                         /* epochs in which it grows from nothing, whatever the kind; 0: none */
};

/* In brackets what mc_fit_options_init sets. */
struct mc_fit_options {
    enum mc_loss_kind loss;    /* [auto: cross-entropy for classes, mean squared error for numbers] */
    double label_smoothing;    /* cross-entropy: this share of each target is spread over all classes [0] */
    const char *class_weights; /* cross-entropy: "1,2,0.5" in the order of the classes, or "balanced": inversely
                                * to how often each occurs in training. [NULL: all 1] */
    double huber_delta;        /* [1] */
    const char *head;          /* name of the output that has the scores [NULL: the first of float32] */
    const char *heads;         /* further outputs that learn the same targets, "aux1=0.3,aux2=0.3", and what each of
                                * their losses counts for beside the head's (train/heads.h) [NULL: none] */
    enum mc_optimizer_kind optimizer; /* [Adam] */
    struct mc_rate rate;              /* [linear, from the optimizer's usual one] */
    double momentum;                  /* of MC_MOMENTUM and MC_NESTEROV, [0, 1) [0.9] */
    double beta1, beta2;              /* Adam, LAMB, Lion; RMSProp uses beta2 as its rho [0.9, 0.999] */
    double epsilon;                   /* [1e-8] */
    double decay;                     /* decoupled weight decay of weights (rank >= 2): w -= rate decay w [0] */
    double clip_norm, clip_value;     /* most that the norm of all gradients, each gradient, may be; 0: any [0] */
    double ema;                       /* decay of an exponential moving average of all that training changes, which is
                                       * then what is validated and kept; 0: none [0] */
    double l1, l2;    /* penalties on weights (rank >= 2; not biases, scales, shifts): l1*|w| + l2/2*w^2; both: elastic
                       * net. l1 makes weights exactly zero (train/optimizer.h) [0] */
    int64_t batch;    /* samples per step; 1: stochastic; 0: all (batch gradient descent) [64] */
    int64_t epochs;   /* [20] */
    int64_t patience; /* early stopping: epochs without improvement [0: off, and the last epoch's weights stay] */
    double min_delta; /* least improvement of the validation loss that counts [0.001] */
    uint64_t seed;
    bool freeze_batch_norm;
    bool bfloat16;       /* products of the passes that train round their factors to bfloat16 and sum in float32
                          * (kernel/bfloat.h); weights, statistics, losses and validation stay float32 [false] */
    const char *augment; /* how training samples are changed, "crop:4+flip" (data/augment.h), or "none" [NULL: as the
                          * data set says] */

    /* masks: n_masks values with a byte per element, 0: masked. A resumed run writes to them what they were */
    enum mc_masked masked_are; /* [ZERO] */
    int n_masks;
    const struct mc_value *const *masked;
    const unsigned char *const *masks;

    /* distillation: L = (1-alpha) H(y, p_s) + alpha T^2 KL(p_t || p_s)   (Hinton, Vinyals, Dean 2015). For mean squared
     * error both terms are: (1-alpha) MSE(y, o_s) + alpha MSE(o_t, o_s). */
    const struct mc_model *teacher;                             /* NULL: none */
    const struct mc_model *more_teachers[MC_MOST_TEACHERS - 1]; /* the mean of all their divergences counts */
    int n_more_teachers;
    double alpha, temperature; /* [0.5, 2] alpha 1: labels are not looked at */
    double last_temperature;   /* where the temperature goes, evenly over all steps [0: it stays] */
    const char *teacher_cache; /* the teachers' scores are kept in files that begin so, each under a key of model, data
                                * and samples; NULL: not */
    /* Tensors to imitate, "student=teacher,…" by their names (train/features.h); NULL: none. What each adds to the loss
     * of a sample is weighed by [1, 1000, 25, 50]. */
    const char *hints, *attention, *relation;
    double hint_weight, attention_weight, distance_weight, angle_weight;

    /* Called before each step, to move a schedule of masks on; may be NULL. progress in [0, 1). Returns 1 if it changed
     * `masks`: weights are zeroed at once, and an epoch before it no longer counts as the best. */
    int (*before_step)(void *context, int64_t step, double progress, struct mc_error *err);
    /* The same when a step's gradients are known and weights have not moved yet: gradients[i] are those of value i of
     * `masked`, at the masked weights and of all of them; NULL: none lead there. */
    int (*after_backward)(void *context, int64_t step, double progress, const float *const *gradients,
                          struct mc_error *err);
    /* The same when weights have moved, by a step of this rate. */
    int (*after_step)(void *context, double progress, double rate, struct mc_error *err);
    void *context; /* of all three */

    /* What the caller's callbacks keep between calls, saved with a checkpoint as the masks are; NULL: nothing. */
    void *kept;
    size_t kept_bytes;

    /* A file that gets the whole state of the run: once `checkpoint_seconds` have passed since it did last, at the end,
     * and when progress asks to stop. NULL: none. With `resume` a run goes on from there, if the file exists, and ends
     * with the same bytes as one that nothing disturbed (same threads, same CPU). train/checkpoint.h */
    const char *checkpoint;
    double checkpoint_seconds; /* [10] */
    bool resume;

    /* Called as work goes on; returns true to go on, false to stop with MC_INTERRUPTED. May be NULL. */
    bool (*progress)(void *context, const struct mc_progress *at);
    void *progress_context;

    /* Called with a line for each epoch that is over; may be NULL. */
    void (*log)(void *log_context, const char *line);
    void *log_context;

    struct mc_runtime runtime;
};

void mc_fit_options_init(struct mc_fit_options *options);

/* What suits an optimizer with most models. Rates: 0.1 for SGD, 0.05 with momentum, 0.01 for Adagrad, 0.005 for LAMB,
 * 0.0001 for Lion, else 0.001. Decay: 0.01 for AdamW and LAMB, else 0. beta2: 0.99 for Lion, else 0.999. */
double mc_rate_usual(enum mc_optimizer_kind optimizer);
double mc_decay_usual(enum mc_optimizer_kind optimizer);
double mc_beta2_usual(enum mc_optimizer_kind optimizer);

/* Train. More than 1,024 samples in a step are run in several passes whose gradients are added; batch statistics are
 * then those of a pass. A model whose batch is a fixed number is trained at any batch if its graph allows that, else at
 * its own, and what does not fill one is left out. Early stopping without validation samples watches the training loss.
 * Same seed, same number of threads, same CPU: same bytes.
 *
 * With peers in the runtime (struct mc_peers) every pass is shared among the processes, and the model is the same in
 * all of them afterwards: as of one process on the same batches, but for rounding. Batch statistics are of the whole
 * pass. Of a share alone are what operators draw (dropout) and the pairs that `relation` compares. Only the process of
 * rank 0 writes checkpoints and caches.
 *
 * `section` (may be NULL) receives "epochs": one object each with epoch, rate, train_loss, validation_loss,
 * validation_accuracy or validation_r2, seconds; "best_epoch", "stopped_early", "seconds", and "verdict"
 * (train/verdict.h). On failure the parameters are as they were after the last good epoch. A loss that is not finite is
 * MC_ERR_INPUT naming step, rate and checkpoint. */
int mc_fit(struct mc_model *model, const struct mc_dataset *data, const struct mc_fit_options *options,
           struct mc_record *section, struct mc_error *err);

/* The rate at which a run of these options may begin: the rates from 1e-7 to 10 are swept in at most 200 steps on the
 * training samples, and the one is taken at which the smoothed loss falls fastest (Smith 2017, "Cyclical learning rates
 * for training neural networks", section 3.3). The model is left as it was. `section` (may be NULL) gets "suggested",
 * "lowest" (the rate of the lowest loss) and "curve" of {rate, loss}. MC_ERR_INPUT if the loss never falls. */
int mc_rate_find(struct mc_model *model, const struct mc_dataset *data, const struct mc_fit_options *options,
                 double *rate, struct mc_record *section, struct mc_error *err);

/* Loss and metrics of a model over one role. batch 0: a good one is chosen. Binary and single-output heads included:
 * outputs [n, classes] are scores or probabilities. `head`: name of the output to look at; NULL: the first of
 * float32. */
int mc_evaluate(const struct mc_model *model, const struct mc_dataset *data, enum mc_role_of_data role, int64_t batch,
                enum mc_loss_kind loss, const char *head, const struct mc_runtime *runtime, struct mc_metrics *metrics,
                struct mc_error *err);

/* The same, and what single classes and paired comparisons need. Finished by the caller in any case. */
int mc_assess(const struct mc_model *model, const struct mc_dataset *data, enum mc_role_of_data role, int64_t batch,
              enum mc_loss_kind loss, const char *head, const struct mc_runtime *runtime,
              struct mc_assessment *assessment, struct mc_error *err);

/* Names, for messages and help. */
#define MC_ARCHITECTURES                                                                                               \
    "mlp:WIDTHS, linear, logistic, lenet-300-100, lenet-5, vgg-11-bn, resnet-20, -32 or -56, mobilenet-v2:FACTOR, "    \
    "conv-1d or transformer:WIDTH-HEADS-LAYERS"

/* Named architectures (train/architecture.c says what each is); weights drawn by `seed`. Input and output sizes of
 * names that leave them open come from the data (may be NULL if all is said). */
int mc_architecture_create(struct mc_model **model, const char *name, const struct mc_dataset *data, uint64_t seed,
                           struct mc_error *err);
bool mc_architecture_known(const char *name);

/* Trainable parameters: float initializers of the main graph that reach an output through differentiable nodes. Scalars
 * (rank 0) are taken for constants of a formula and left alone. Lent array in file order. */
int mc_trainable(const struct mc_model *model, struct mc_value ***values, int *n, struct mc_error *err);

#endif
