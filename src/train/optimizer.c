/* optimizer.c - one step of descent over all parameters; see optimizer.h. */
#include "train/optimizer.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/update.h"

enum { RANGE = 16384 }; /* elements: with gradient and memory 256 KiB, what a core's cache holds */

struct mc_slot {
    float *w, *m, *v;
    const unsigned char *mask;
    int64_t count;
    bool penalized;
    double trust; /* LAMB: of this step */
};

struct mc_range {
    int slot;
    int64_t begin, n;
    double sums[2]; /* of this step: squares of the gradient; or LAMB's two */
};

/* What tells one optimizer from another. */
static const struct kind {
    bool first, second; /* keeps a mean of gradients, of their squares */
    bool corrected;     /* divides the two by what they lack at the start */
    bool averaged;      /* the first is a sum that a constant gradient brings to 1 / (1 - momentum) */
    double rate, decay; /* usual ones */
} kinds[] = {
    [MC_SGD] = {.rate = 0.1},
    [MC_MOMENTUM] = {.first = true, .averaged = true, .rate = 0.05},
    [MC_NESTEROV] = {.first = true, .averaged = true, .rate = 0.05},
    [MC_ADAGRAD] = {.second = true, .rate = 0.01},
    [MC_RMSPROP] = {.second = true, .rate = 0.001},
    [MC_ADAM] = {.first = true, .second = true, .corrected = true, .rate = 0.001},
    [MC_ADAMW] = {.first = true, .second = true, .corrected = true, .rate = 0.001, .decay = 0.01},
    [MC_LAMB] = {.first = true, .second = true, .corrected = true, .rate = 0.005, .decay = 0.01},
    [MC_LION] = {.first = true, .rate = 0.0001},
};

double mc_rate_usual(enum mc_optimizer_kind optimizer)
{
    return kinds[optimizer].rate;
}

double mc_decay_usual(enum mc_optimizer_kind optimizer)
{
    return kinds[optimizer].decay;
}

double mc_beta2_usual(enum mc_optimizer_kind optimizer)
{
    return optimizer == MC_LION ? 0.99 : 0.999;
}

static const unsigned char *mask_of(const struct mc_fit_options *options, const struct mc_value *value)
{
    for (int i = 0; options->masked_are == MC_MASKED_ZERO && i < options->n_masks; i++)
        if (options->masked[i] == value) return options->masks[i];
    return NULL;
}

static float *zeroed(int64_t n)
{
    float *memory = mc_alloc_aligned((size_t)n, sizeof *memory);
    for (int64_t i = 0; memory && i < n; i++) memory[i] = 0;
    return memory;
}

static int fill_slot(struct mc_slot *slot, const struct mc_fit_options *options, const struct mc_value *value,
                     struct mc_error *err)
{
    const struct mc_tensor *data = value->data;
    if (data->dtype != MC_FLOAT)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "parameter '%s': training needs float32, has %s", value->name,
                            mc_dtype_name(data->dtype));
    *slot = (struct mc_slot){
        .w = data->data,
        .mask = mask_of(options, value),
        .count = mc_tensor_count(data),
        .penalized = data->shape.rank >= 2,
        .trust = 1,
    };
    const struct kind *kind = &kinds[options->optimizer];
    if (kind->first) slot->m = zeroed(slot->count);
    if (kind->second) slot->v = zeroed(slot->count);
    return (kind->first && !slot->m) || (kind->second && !slot->v) ? mc_error_memory(err) : MC_OK;
}

static int cut_ranges(struct mc_optimizer *o, struct mc_error *err)
{
    int64_t n = 0;
    for (int i = 0; i < o->n_slots; i++) n += (o->slots[i].count + RANGE - 1) / RANGE;
    o->ranges = MC_NEW_ARRAY(struct mc_range, n);
    if (!o->ranges) return mc_error_memory(err);
    for (int i = 0; i < o->n_slots; i++)
        for (int64_t begin = 0; begin < o->slots[i].count; begin += RANGE) {
            const int64_t left = o->slots[i].count - begin;
            o->ranges[o->n_ranges++] = (struct mc_range){.slot = i, .begin = begin, .n = left < RANGE ? left : RANGE};
        }
    return MC_OK;
}

int mc_optimizer_init(struct mc_optimizer *o, const struct mc_fit_options *options, struct mc_value *const *parameters,
                      int n, struct mc_error *err)
{
    *o = (struct mc_optimizer){
        .kind = options->optimizer,
        .momentum = options->momentum,
        .beta1 = options->beta1,
        .beta2 = options->beta2,
        .epsilon = options->epsilon,
        .l1 = options->l1,
        .l2 = options->l2,
        .decay = options->decay,
        .clip_norm = options->clip_norm,
        .clip_value = options->clip_value,
        .runtime = &options->runtime,
        .slots = MC_NEW_ARRAY(struct mc_slot, n),
        .n_slots = n,
    };
    if (!o->slots) return mc_error_memory(err);
    for (int i = 0; i < n; i++) {
        const int rc = fill_slot(&o->slots[i], options, parameters[i], err);
        if (rc < 0) return rc;
    }
    return cut_ranges(o, err);
}

void mc_optimizer_finish(struct mc_optimizer *o)
{
    for (int i = 0; o->slots && i < o->n_slots; i++) {
        mc_free(o->slots[i].m);
        mc_free(o->slots[i].v);
    }
    mc_free(o->slots);
    mc_free(o->ranges);
    *o = (struct mc_optimizer){0};
}

/* --- the step --- */

static mc_update_fn *update_fn(enum mc_optimizer_kind kind, const struct mc_updates *updates)
{
    switch (kind) {
    case MC_MOMENTUM:
        return updates->momentum;
    case MC_NESTEROV:
        return updates->nesterov;
    case MC_ADAGRAD:
        return updates->adagrad;
    case MC_RMSPROP:
        return updates->rmsprop;
    case MC_ADAM:
    case MC_ADAMW:
        return updates->adam;
    case MC_LAMB:
        return updates->lamb;
    case MC_LION:
        return updates->lion;
    case MC_SGD:
        break;
    }
    return updates->sgd;
}

/* Towards zero by threshold / (sqrt(v / correction) + epsilon), the step length that RMSProp and Adam give a weight. */
static void shrink_adaptive(int64_t n, double threshold, const float *v, const struct mc_update *u, float *w)
{
    for (int64_t i = 0; i < n; i++) {
        const float by = (float)threshold / (sqrtf(v[i] / u->correction2) + u->epsilon);
        const float left = fabsf(w[i]) - by;
        w[i] = left > 0 ? copysignf(left, w[i]) : 0;
    }
}

/* The step that a constant gradient g ends up with is `length` times g. */
static void shrink(const struct mc_optimizer *o, const struct mc_update *u, const struct mc_range *range)
{
    const struct mc_slot *slot = &o->slots[range->slot];
    float *w = slot->w + range->begin;
    const double threshold = u->rate * u->trust * o->l1;
    if (slot->v)
        shrink_adaptive(range->n, threshold, slot->v + range->begin, u, w);
    else
        o->runtime->kernels->updates->shrink(
            range->n, (float)(kinds[o->kind].averaged ? threshold / (1 - o->momentum) : threshold), w);
}

/* The numbers of a step as they are for one parameter. */
static struct mc_update update_of(const struct mc_update *u, const struct mc_slot *slot)
{
    struct mc_update own = *u;
    own.trust = (float)slot->trust;
    if (!slot->penalized) own.l2 = own.decay = 0;
    return own;
}

static void update_range(const struct mc_optimizer *o, mc_update_fn *update, const struct mc_update *u,
                         const struct mc_range *range, const float *gradient)
{
    const struct mc_slot *slot = &o->slots[range->slot];
    const int64_t at = range->begin;
    const struct mc_update own = update_of(u, slot);
    update(range->n, slot->w + at, gradient + at, slot->m ? slot->m + at : NULL, slot->v ? slot->v + at : NULL,
           slot->mask ? slot->mask + at : NULL, &own);
    if (o->l1 > 0 && slot->penalized) shrink(o, &own, range);
}

static double squares_of(const struct mc_optimizer *o, const struct mc_range *range, const float *gradient)
{
    const unsigned char *mask = o->slots[range->slot].mask;
    if (!mask) return o->runtime->kernels->updates->sum_of_squares(range->n, gradient + range->begin);
    double sum = 0;
    for (int64_t i = range->begin; i < range->begin + range->n; i++)
        if (mask[i]) sum += (double)gradient[i] * (double)gradient[i];
    return sum;
}

/* Factor that brings the gradients' norm down to the bound; ranges are added in their order, whoever summed them. */
static float clipping(const struct mc_optimizer *o, const float *const *gradients)
{
    if (o->clip_norm <= 0) return 1;
#pragma omp parallel for num_threads(o->runtime->n_threads) if (o->n_ranges > 4) schedule(static)
    for (int i = 0; i < o->n_ranges; i++) {
        const float *gradient = gradients[o->ranges[i].slot];
        o->ranges[i].sums[0] = gradient ? squares_of(o, &o->ranges[i], gradient) : 0;
    }
    double sum = 0;
    for (int i = 0; i < o->n_ranges; i++) sum += o->ranges[i].sums[0];
    const double factor = o->clip_norm / (sqrt(sum) + 1e-6); /* as PyTorch has it */
    return factor < 1 ? (float)factor : 1;
}

/* LAMB: moments of every parameter, and how far each is to be trusted. */
static void find_trust(const struct mc_optimizer *o, const struct mc_update *u, const float *const *gradients)
{
#pragma omp parallel for num_threads(o->runtime->n_threads) if (o->n_ranges > 4) schedule(static)
    for (int i = 0; i < o->n_ranges; i++) {
        struct mc_range *range = &o->ranges[i];
        const struct mc_slot *slot = &o->slots[range->slot];
        const int64_t at = range->begin;
        if (!gradients[range->slot]) continue;
        const struct mc_update own = update_of(u, slot);
        o->runtime->kernels->updates->lamb_moments(range->n, slot->w + at, gradients[range->slot] + at, slot->m + at,
                                                   slot->v + at, slot->mask ? slot->mask + at : NULL, &own,
                                                   &range->sums[0], &range->sums[1]);
    }
    for (int i = 0; i < o->n_ranges;) {
        struct mc_slot *slot = &o->slots[o->ranges[i].slot];
        double weights = 0, steps = 0;
        for (const int of = o->ranges[i].slot; i < o->n_ranges && o->ranges[i].slot == of; i++) {
            weights += o->ranges[i].sums[0];
            steps += o->ranges[i].sums[1];
        }
        slot->trust = slot->penalized && weights > 0 && steps > 0 ? sqrt(weights / steps) : 1;
    }
}

void mc_optimizer_step(struct mc_optimizer *o, double rate, const float *const *gradients)
{
    mc_update_fn *update = update_fn(o->kind, o->runtime->kernels->updates);
    const double t = (double)++o->n_steps;
    const bool corrected = kinds[o->kind].corrected;
    const struct mc_update u = {
        .rate = (float)rate,
        .momentum = (float)o->momentum,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .epsilon = (float)o->epsilon,
        .correction1 = corrected ? (float)(1 - pow(o->beta1, t)) : 1,
        .correction2 = corrected ? (float)(1 - pow(o->beta2, t)) : 1,
        .l2 = (float)o->l2,
        .decay = (float)o->decay,
        .scale = clipping(o, gradients),
        .limit = o->clip_value > 0 ? (float)o->clip_value : INFINITY,
    };
    if (o->kind == MC_LAMB) find_trust(o, &u, gradients);
        /* Elements do not depend on each other: any number of threads gives the same bits. */
#pragma omp parallel for num_threads(o->runtime->n_threads) if (o->n_ranges > 4) schedule(static)
    for (int i = 0; i < o->n_ranges; i++) {
        const float *gradient = gradients[o->ranges[i].slot];
        if (gradient) update_range(o, update, &u, &o->ranges[i], gradient);
    }
}

void mc_optimizer_memory(const struct mc_optimizer *o, int i, float **first, float **second)
{
    *first = o->slots[i].m;
    *second = o->slots[i].v;
}

double mc_optimizer_penalty(const struct mc_optimizer *o)
{
    const struct mc_updates *updates = o->runtime->kernels->updates;
    double magnitudes = 0, squares = 0;
    for (int i = 0; i < o->n_slots; i++) {
        const struct mc_slot *slot = &o->slots[i];
        if (!slot->penalized) continue;
        if (o->l1 > 0) magnitudes += updates->sum_of_magnitudes(slot->count, slot->w);
        if (o->l2 > 0) squares += updates->sum_of_squares(slot->count, slot->w);
    }
    return o->l1 * magnitudes + o->l2 / 2 * squares;
}
