/* gradual.c - masks that move while training runs; see gradual.h. */
#include "prune/gradual.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/select.h"

struct mc_gradual_state {
    int64_t rounds;    /* done */
    float movements[]; /* of all weights, tensor by tensor; none without MC_REGROW_MOVEMENT */
};

double mc_sparsity_at(enum mc_schedule schedule, double initial, double final, double progress)
{
    const double t = fmax(0, fmin(progress, 1)), left = 1 - t;
    switch (schedule) {
    case MC_SCHEDULE_CUBIC:
        return final + (initial - final) * left * left * left;
    case MC_SCHEDULE_LINEAR:
        return final + (initial - final) * left;
    case MC_SCHEDULE_EXPONENTIAL:
        return t == 1 ? final : 1 - (1 - initial) * pow((1 - final) / (1 - initial), t);
    case MC_SCHEDULE_ONE_SHOT:
        break;
    }
    return final;
}

static int64_t count_of(const struct mc_gradual *g, int i)
{
    return mc_tensor_count(g->masks->values[i]->data);
}

int mc_gradual_init(struct mc_gradual *g, struct mc_masks *masks, const struct mc_gradual_options *options,
                    struct mc_error *err)
{
    *g = (struct mc_gradual){.masks = masks, .options = *options};
    int64_t n = 0;
    for (int i = 0; options->regrowth == MC_REGROW_MOVEMENT && i < masks->n; i++) n += count_of(g, i);
    g->state_bytes = sizeof *g->state + (size_t)n * sizeof *g->state->movements;
    g->state = mc_alloc(g->state_bytes, 1);
    return g->state ? MC_OK : mc_error_memory(err);
}

void mc_gradual_finish(struct mc_gradual *g)
{
    mc_free(g->state);
    *g = (struct mc_gradual){0};
}

/* --- rounds --- */

static double last_round(const struct mc_gradual_options *o)
{
    const double until = o->regrowth == MC_REGROW_NONE ? o->ramp : o->settle;
    return (double)o->rounds * until / o->ramp;
}

/* The round that is to be made at this point, or -1. */
static int64_t due_round(const struct mc_gradual *g, double progress)
{
    const struct mc_gradual_options *o = &g->options;
    const int64_t due = (int64_t)(fmin(progress / o->ramp * (double)o->rounds, last_round(o)) + 1e-9);
    return due >= g->state->rounds ? due : -1;
}

static double sparsity_in(const struct mc_gradual_options *o, int64_t round)
{
    return mc_sparsity_at(o->schedule, o->initial, o->sparsify.sparsity, (double)round / (double)o->rounds);
}

/* --- movement --- */

/* Movements as numbers that are not negative, which is what is compared. */
static int score_by_movement(const struct mc_gradual *g, struct mc_error *err)
{
    struct mc_masks *masks = g->masks;
    const int64_t n = (int64_t)((g->state_bytes - sizeof *g->state) / sizeof *g->state->movements);
    const float *movement = g->state->movements;
    float least = INFINITY;
    for (int64_t k = 0; k < n; k++) least = fminf(least, movement[k]);
    if (!masks->scores) masks->scores = MC_NEW_ARRAY(struct mc_tensor *, masks->n);
    if (!masks->scores) return mc_error_memory(err);
    for (int i = 0; i < masks->n; movement += count_of(g, i++)) {
        int rc = masks->scores[i] ? MC_OK
                                  : mc_tensor_create(&masks->scores[i], MC_FLOAT, &masks->values[i]->data->shape, err);
        if (rc < 0) return rc;
        float *score = masks->scores[i]->data;
        for (int64_t k = 0; k < count_of(g, i); k++) score[k] = movement[k] - least;
    }
    return MC_OK;
}

static void add_movements(struct mc_gradual *g, const float *const *gradients)
{
    float *movement = g->state->movements;
    for (int i = 0; i < g->masks->n; movement += count_of(g, i++)) {
        const float *w = g->masks->values[i]->data->data;
        for (int64_t k = 0; gradients[i] && k < count_of(g, i); k++) movement[k] -= gradients[i][k] * w[k];
    }
}

static int update(const struct mc_gradual *g, double sparsity, struct mc_error *err)
{
    const int rc = g->options.regrowth == MC_REGROW_MOVEMENT ? score_by_movement(g, err) : MC_OK;
    return rc < 0 ? rc : mc_masks_update(g->masks, &g->options.sparsify, sparsity, err);
}

/* --- exchange --- */

/* In one tensor the `share` smallest of the weights that are kept go, and as many of the largest gradients come. */
static int exchange(const struct mc_tensor *weight, unsigned char *keep, const float *gradient, double share,
                    struct mc_error *err)
{
    const int64_t n = mc_tensor_count(weight);
    int64_t kept = 0;
    for (int64_t k = 0; k < n; k++) kept += keep[k];
    const int64_t n_goes = llround(fmin(share * (double)kept, (double)(n - kept)));
    struct mc_tensor *score = NULL;
    int rc = mc_tensor_create(&score, MC_FLOAT, &weight->shape, err);
    if (rc == MC_OK) rc = mc_select_smallest(&(struct mc_candidates){weight, keep}, 1, n - kept + n_goes, err);
    float *scores = rc == MC_OK ? score->data : NULL;
    for (int64_t k = 0; scores && k < n; k++) scores[k] = keep[k] ? INFINITY : fabsf(gradient[k]);
    if (scores) rc = mc_select_smallest(&(struct mc_candidates){score, keep}, 1, n - kept, err);
    mc_tensor_destroy(score);
    return rc;
}

static int exchange_all(const struct mc_gradual *g, int64_t round, const float *const *gradients, struct mc_error *err)
{
    const double share = g->options.exchange / 2 * (1 + cos(acos(-1) * (double)round / last_round(&g->options)));
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < g->masks->n; i++)
        if (gradients[i]) rc = exchange(g->masks->values[i]->data, g->masks->keep[i], gradients[i], share, err);
    return rc;
}

/* --- callbacks --- */

int mc_gradual_before_step(void *gradual, int64_t step, double progress, struct mc_error *err)
{
    (void)step;
    struct mc_gradual *g = gradual;
    const int64_t round = g->options.regrowth == MC_REGROW_GRADIENT ? -1 : due_round(g, progress);
    if (round < 0) return 0;
    g->state->rounds = round + 1;
    const int rc = update(g, sparsity_in(&g->options, round), err);
    return rc < 0 ? rc : 1;
}

int mc_gradual_after_backward(void *gradual, int64_t step, double progress, const float *const *gradients,
                              struct mc_error *err)
{
    (void)step;
    struct mc_gradual *g = gradual;
    if (g->options.regrowth == MC_REGROW_MOVEMENT) add_movements(g, gradients);
    const int64_t round = g->options.regrowth == MC_REGROW_GRADIENT ? due_round(g, progress) : -1;
    if (round < 0) return 0;
    g->state->rounds = round + 1;
    int rc = update(g, sparsity_in(&g->options, round), err);
    if (rc == MC_OK && round > 0) rc = exchange_all(g, round, gradients, err);
    return rc < 0 ? rc : 1;
}

int mc_gradual_end(struct mc_gradual *g, struct mc_model *model, struct mc_error *err)
{
    const int rc = g->state->rounds > g->options.rounds ? MC_OK : update(g, g->options.sparsify.sparsity, err);
    return rc < 0 ? rc : mc_masks_apply(g->masks, model, err);
}
