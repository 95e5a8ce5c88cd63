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
};

struct mc_range {
    int slot;
    int64_t begin, n;
};

static bool keeps_first(enum mc_optimizer_kind kind)
{
    return kind == MC_MOMENTUM || kind == MC_ADAM;
}

static bool keeps_second(enum mc_optimizer_kind kind)
{
    return kind == MC_RMSPROP || kind == MC_ADAM;
}

static const unsigned char *mask_of(const struct mc_fit_options *options, const struct mc_value *value)
{
    for (int i = 0; i < options->n_masks; i++)
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
    };
    if (keeps_first(options->optimizer)) slot->m = zeroed(slot->count);
    if (keeps_second(options->optimizer)) slot->v = zeroed(slot->count);
    if ((keeps_first(options->optimizer) && !slot->m) || (keeps_second(options->optimizer) && !slot->v))
        return mc_error_memory(err);
    return MC_OK;
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
    case MC_RMSPROP:
        return updates->rmsprop;
    case MC_ADAM:
        return updates->adam;
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
    const double threshold = u->rate * o->l1;
    if (slot->v)
        shrink_adaptive(range->n, threshold, slot->v + range->begin, u, w);
    else
        o->runtime->kernels->updates->shrink(
            range->n, (float)(o->kind == MC_MOMENTUM ? threshold / (1 - o->momentum) : threshold), w);
}

static void update_range(const struct mc_optimizer *o, mc_update_fn *update, const struct mc_update *u,
                         const struct mc_range *range, const float *gradient)
{
    const struct mc_slot *slot = &o->slots[range->slot];
    const int64_t at = range->begin;
    struct mc_update own = *u;
    if (!slot->penalized) own.l2 = 0;
    update(range->n, slot->w + at, gradient + at, slot->m ? slot->m + at : NULL, slot->v ? slot->v + at : NULL,
           slot->mask ? slot->mask + at : NULL, &own);
    if (o->l1 > 0 && slot->penalized) shrink(o, u, range);
}

void mc_optimizer_step(struct mc_optimizer *o, double rate, const float *const *gradients)
{
    mc_update_fn *update = update_fn(o->kind, o->runtime->kernels->updates);
    const double t = (double)++o->n_steps;
    const struct mc_update u = {
        .rate = (float)rate,
        .momentum = (float)o->momentum,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .epsilon = (float)o->epsilon,
        .correction1 = o->kind == MC_ADAM ? (float)(1 - pow(o->beta1, t)) : 1,
        .correction2 = o->kind == MC_ADAM ? (float)(1 - pow(o->beta2, t)) : 1,
        .l2 = (float)o->l2,
    };
    /* Elements do not depend on each other: any number of threads gives the same bits. */
#pragma omp parallel for num_threads(o->runtime->n_threads) if (o->n_ranges > 4) schedule(static)
    for (int i = 0; i < o->n_ranges; i++) {
        const float *gradient = gradients[o->ranges[i].slot];
        if (gradient) update_range(o, update, &u, &o->ranges[i], gradient);
    }
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
