/* predictor.c - a model's scores for batches of samples; see predictor.h. */
#include "train/predictor.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

static int64_t good_batch(const struct mc_binding *binding)
{
    const int64_t size = mc_shape_span(&binding->shape, 1, binding->shape.rank);
    const int64_t fitting = (INT64_C(1) << 20) / (size > 0 ? size : 1);
    return fitting < 8 ? 8 : fitting > 256 ? 256 : fitting;
}

int mc_predictor_init(struct mc_predictor *p, const struct mc_model *model, const struct mc_dataset *data,
                      enum mc_loss_kind loss, const char *head, const struct mc_value *const *taps, int n_taps,
                      int64_t batch, const struct mc_runtime *runtime, struct mc_error *err)
{
    *p = (struct mc_predictor){0};
    int rc = mc_binding_init(&p->binding, model, data, loss, head, err);
    if (rc < 0) return rc;
    p->binding.taps = taps;
    p->binding.n_taps = n_taps;
    const int64_t fixed = mc_binding_fixed_batch(&p->binding);
    p->batch = fixed ? fixed : batch ? batch : good_batch(&p->binding);
    rc = mc_binding_plan(&p->binding, &p->plan, model, p->batch, NULL, 0, false, runtime, err);
    if (rc == MC_OK) rc = mc_intake_init(&p->intake, p->plan, err);
    if (rc < 0 || !p->binding.logistic) return rc;
    p->pairs = mc_alloc((size_t)p->batch, 2 * sizeof *p->pairs);
    return p->pairs ? MC_OK : mc_error_memory(err);
}

void mc_predictor_finish(struct mc_predictor *p)
{
    mc_intake_finish(&p->intake);
    mc_plan_destroy(p->plan);
    mc_free(p->pairs);
    *p = (struct mc_predictor){0};
}

float *mc_predictor_input(struct mc_predictor *p)
{
    return mc_intake_samples(&p->intake);
}

int mc_predictor_run(struct mc_predictor *p, int64_t n, const float **scores, struct mc_error *err)
{
    assert(n <= p->batch);
    int rc = mc_intake_settle(&p->intake, err);
    if (rc == MC_OK) rc = mc_plan_run(p->plan, err);
    if (rc == MC_OK) *scores = mc_binding_scores(&p->binding, p->plan, n, p->pairs);
    return rc;
}
