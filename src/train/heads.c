/* heads.c - losses on further outputs; see heads.h. */
#include "train/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- which there are --- */

static bool is_tap(const struct mc_value *const *taps, int n, const struct mc_value *v)
{
    for (int i = 0; i < n; i++)
        if (taps[i] == v) return true;
    return false;
}

/* One head, of the name and weight that are set. */
static int bind(struct mc_head *h, const struct mc_fit_options *options, const struct mc_model *model,
                const struct mc_dataset *data, const struct mc_binding *main, const struct mc_value **taps, int *n_taps,
                struct mc_error *err)
{
    const int rc = mc_binding_init(&h->binding, model, data, options->loss, h->name, err);
    if (rc < 0) return rc;
    if (h->binding.scores == main->scores)
        return mc_error_set(err, MC_ERR_USAGE, "head '%s' is the one that is measured, which counts whole", h->name);
    if (is_tap(taps, *n_taps, h->binding.scores))
        return mc_error_set(err, MC_ERR_USAGE, "head '%s' is compared twice", h->name);
    if (h->binding.loss != main->loss)
        return mc_error_set(err, MC_ERR_INPUT, "head '%s': gives %s for two classes, the one that is measured %s",
                            h->name, h->binding.logistic ? "one score" : "two scores", main->logistic ? "one" : "two");
    if (!h->binding.tapped) return MC_OK;
    if (*n_taps == MC_MOST_TAPS)
        return mc_error_set(err, MC_ERR_USAGE, "at most %d tensors beside the outputs are looked at", MC_MOST_TAPS);
    h->binding.output = main->first_tap + *n_taps;
    taps[(*n_taps)++] = h->binding.scores;
    return MC_OK;
}

/* "NAME=X" into a head. */
static int parse(struct mc_head *h, const char *text, size_t length, struct mc_error *err)
{
    char *end = NULL;
    h->name = mc_alloc(length + 1, 1);
    if (!h->name) return mc_error_memory(err);
    memcpy(h->name, text, length);
    h->name[length] = '\0';
    char *weight = strrchr(h->name, '=');
    if (weight) {
        *weight++ = '\0';
        h->weight = strtod(weight, &end);
    }
    if (weight && end != weight && *end == '\0' && h->weight > 0 && isfinite(h->weight)) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "heads: needs NAME=WEIGHT with a weight above 0, has '%.*s'", (int)length,
                        text);
}

int mc_heads_init(struct mc_heads *heads, const struct mc_fit_options *options, const struct mc_model *model,
                  const struct mc_dataset *data, const struct mc_binding *main, const struct mc_value **taps,
                  int *n_taps, struct mc_error *err)
{
    int most = 1, rc = MC_OK;
    *heads = (struct mc_heads){0};
    if (!options->heads) return MC_OK;
    for (const char *p = options->heads; *p; p++) most += *p == ',';
    heads->of = MC_NEW_ARRAY(struct mc_head, most);
    if (!heads->of) return mc_error_memory(err);
    for (const char *p = options->heads; rc == MC_OK && heads->n < most; p += strcspn(p, ",") + 1) {
        struct mc_head *h = &heads->of[heads->n++];
        rc = parse(h, p, strcspn(p, ","), err);
        for (int i = 0; i + 1 < heads->n && rc == MC_OK; i++)
            if (strcmp(heads->of[i].name, h->name) == 0)
                rc = mc_error_set(err, MC_ERR_USAGE, "head '%s' is named twice", h->name);
        if (rc == MC_OK) rc = bind(h, options, model, data, main, taps, n_taps, err);
    }
    return rc;
}

/* --- getting ready --- */

static int teach(struct mc_head *h, const struct mc_fit_options *options, const struct mc_feed *feed, int64_t capacity,
                 struct mc_error *err)
{
    struct mc_fit_options own = *options;
    const int n = own.teacher ? 1 + own.n_more_teachers : 0;
    int rc = MC_OK;
    own.head = h->name;
    for (; rc == MC_OK && h->n_teachers < n; h->n_teachers++)
        rc = mc_teacher_init(&h->teachers[h->n_teachers],
                             h->n_teachers ? own.more_teachers[h->n_teachers - 1] : own.teacher, &own, feed, capacity,
                             err);
    return rc;
}

int mc_heads_reserve(struct mc_heads *heads, const struct mc_fit_options *options, const struct mc_feed *feed,
                     int64_t capacity, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < heads->n && rc == MC_OK; i++) {
        struct mc_head *h = &heads->of[i];
        rc = mc_loss_init(&h->loss, options, h->binding.loss, h->binding.columns, feed->data, true, err);
        if (rc == MC_OK) rc = teach(h, options, feed, capacity, err);
        if (rc < 0 || !h->binding.logistic) continue;
        h->pairs = MC_NEW_ARRAY(float, 2 * capacity);
        h->pair_gradients = MC_NEW_ARRAY(float, 2 * capacity);
        if (!h->pairs || !h->pair_gradients) rc = mc_error_memory(err);
    }
    return rc;
}

void mc_heads_finish(struct mc_heads *heads)
{
    for (int i = 0; i < heads->n; i++) {
        struct mc_head *h = &heads->of[i];
        for (int k = 0; k < MC_MOST_TEACHERS; k++) mc_teacher_finish(&h->teachers[k]);
        mc_loss_finish(&h->loss);
        mc_free(h->pair_gradients);
        mc_free(h->pairs);
        mc_free(h->name);
    }
    mc_free(heads->of);
    *heads = (struct mc_heads){0};
}

/* --- a batch --- */

void mc_heads_warm(struct mc_heads *heads, double temperature)
{
    for (int i = 0; i < heads->n; i++) heads->of[i].loss.temperature = temperature;
}

int mc_heads_read(struct mc_heads *heads, const struct mc_feed *feed, const struct mc_targets *targets, int64_t begin,
                  int64_t n, const float *x, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < heads->n; i++) {
        struct mc_head *h = &heads->of[i];
        h->targets = *targets;
        for (int k = 0; rc == MC_OK && k < h->n_teachers; k++)
            rc = mc_teacher_scores(&h->teachers[k], feed, begin, n, x,
                                   k ? &h->targets.more[k - 1] : &h->targets.teacher, err);
        h->targets.n_more = h->n_teachers > 1 ? h->n_teachers - 1 : 0;
    }
    return rc;
}

double mc_heads_loss(struct mc_heads *heads, struct mc_plan *plan, int64_t n, double weight)
{
    double sum = 0;
    for (int i = 0; i < heads->n; i++) {
        const struct mc_head *h = &heads->of[i];
        struct mc_tensor *gradient = mc_plan_grad_output(plan, h->binding.output);
        sum += h->weight * mc_binding_loss(&h->binding, plan, &h->loss, n, &h->targets, weight * h->weight, h->pairs,
                                           h->pair_gradients, gradient ? gradient->data : NULL);
    }
    return sum;
}
