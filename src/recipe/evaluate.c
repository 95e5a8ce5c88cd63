/* evaluate.c - loss and metrics of a model on a data set; see compress.h. */
#include "base/error.h"
#include "base/file.h"
#include "base/peers.h"
#include "data/data.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "recipe/measure.h"
#include "train/train.h"

static int evaluate(const struct mc_model *model, const struct mc_dataset *data, enum mc_role_of_data role,
                    const char *head, int64_t batch, const struct mc_context *context, struct mc_record *record,
                    struct mc_error *err)
{
    struct mc_runtime runtime;
    struct mc_assessment found = {0};
    int rc = mc_context_runtime(context, &runtime, err);
    if (rc == MC_OK && data->n[role] == 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s' has no %s samples", data->spec, mc_data_role_name(role));
    if (rc == MC_OK) rc = mc_assess(model, data, role, batch, MC_LOSS_AUTO, head, &runtime, &found, err);
    if (rc < 0) goto done;
    mc_record_begin(record, "compress eval");
    mc_context_record(&runtime, runtime.seed, record);
    if (model->path) mc_record_set_text(record, "model", mc_path_name(model->path));
    mc_measure_data(data, mc_record_object(record, "data"));
    mc_record_set_text(record, "role", mc_data_role_name(role));
    mc_measure_assessment(&found, data, record);
    rc = mc_record_check(record, err);
done:
    mc_assessment_finish(&found);
    return rc;
}

int mc_model_evaluate(const struct mc_model *model, const char *data, const char *role, const char *head, int64_t batch,
                      const struct mc_context *context, struct mc_record **record, struct mc_error *err)
{
    enum mc_role_of_data which;
    struct mc_dataset *dataset = NULL;
    struct mc_record *r = NULL;
    struct mc_flat flat = {0};
    int rc = mc_data_role_find(role, &which, err);
    if (rc == MC_OK) rc = mc_flat_init(&flat, model, err);
    if (rc == MC_OK) rc = mc_dataset_open(&dataset, data, NULL, err);
    if (rc == MC_OK) rc = mc_record_create(&r, err);
    if (rc == MC_OK) rc = evaluate(flat.model, dataset, which, head, batch, context, r, err);
    rc = mc_peers_agree(context ? context->peers : NULL, rc, err);
    mc_dataset_destroy(dataset);
    mc_flat_finish(&flat);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}
