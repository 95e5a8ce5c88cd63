/* heads.h - further outputs that learn the same targets as the head that is measured, each with its weight.
 *
 * Auxiliary classifiers (Szegedy and others 2015, "Going deeper with convolutions", section 5) and deep supervision
 * (Lee and others 2015) are such. With teachers each is taught by their output of its name, or their scores where they
 * have none of it.
 */
#ifndef MC_TRAIN_HEADS_H
#define MC_TRAIN_HEADS_H

#include "train/teacher.h"

struct mc_head {
    char *name;
    double weight;
    struct mc_binding binding; /* its `output` is where the plans of the run hand its scores out */
    struct mc_loss loss;
    struct mc_targets targets;     /* of the batch read last */
    float *pairs, *pair_gradients; /* [capacity, 2] when logistic */
    int n_teachers;
    struct mc_teacher teachers[MC_MOST_TEACHERS];
};

struct mc_heads {
    int n;
    struct mc_head *of;
};

/* Find the outputs that options->heads names, "aux1=0.3,aux2=0.3". Scores that are no outputs of the graph (before a
 * Softmax) are appended to taps[*n_taps], which the plans of the run hand out behind those of `binding`, the main
 * head's. MC_ERR_USAGE for a name that no output has, the main head's, or that of a tap, and for what is no weight;
 * MC_ERR_INPUT for an output that does not fit the data as the main one does. Without such options: nothing. To be
 * finished in any case. */
int mc_heads_init(struct mc_heads *heads, const struct mc_fit_options *options, const struct mc_model *model,
                  const struct mc_dataset *data, const struct mc_binding *binding, const struct mc_value **taps,
                  int *n_taps, struct mc_error *err);
/* Teachers and room for batches of at most `capacity` samples of the feed. */
int mc_heads_reserve(struct mc_heads *heads, const struct mc_fit_options *options, const struct mc_feed *feed,
                     int64_t capacity, struct mc_error *err);
void mc_heads_finish(struct mc_heads *heads);

/* The temperature of all of them, which may change with every step. */
void mc_heads_warm(struct mc_heads *heads, double temperature);
/* `targets` are the labels of samples begin … begin+n of the feed's order, which lie in x: ask the teachers. */
int mc_heads_read(struct mc_heads *heads, const struct mc_feed *feed, const struct mc_targets *targets, int64_t begin,
                  int64_t n, const float *x, struct mc_error *err);
/* After a run of a plan on them: the weighed sum of the losses, and weight times its gradients. */
double mc_heads_loss(struct mc_heads *heads, struct mc_plan *plan, int64_t n, double weight);

#endif
