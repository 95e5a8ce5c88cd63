/* teacher.h - the scores that a student is to imitate: computed once where the data does not change. */
#ifndef MC_TRAIN_TEACHER_H
#define MC_TRAIN_TEACHER_H

#include "train/feed.h"
#include "train/predictor.h"

struct mc_teacher {
    struct mc_predictor predictor;
    float *known;  /* [samples of the role, columns], by position; NULL: computed batch by batch */
    float *scores; /* [capacity, columns] of the batch asked for last */
    int64_t columns;
    bool from_cache; /* nobody was asked: a file had them */
};

/* Runs `model` over the whole role of `feed` at once, unless the feed changes samples;
 * what it said is kept on disk if the options name a cache. `capacity` is the
 * largest batch that will be asked for. MC_ERR_INPUT when it has not as many scores as the student. Reports as
 * "teacher" through the options' progress. */
int mc_teacher_init(struct mc_teacher *teacher, const struct mc_model *model, const struct mc_fit_options *options,
                    const struct mc_feed *feed, int64_t capacity, struct mc_error *err);
void mc_teacher_finish(struct mc_teacher *teacher);

/* Scores for samples begin … begin+n of the feed's order, which lie in x: [n, columns], lent until the next call. */
int mc_teacher_scores(struct mc_teacher *teacher, const struct mc_feed *feed, int64_t begin, int64_t n, const float *x,
                      const float **scores, struct mc_error *err);

#endif
