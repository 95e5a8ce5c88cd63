/* fingerprint.c - hashing models and data; see fingerprint.h. */
#include "recipe/fingerprint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/onnx.h"

enum { SAMPLES_LOOKED_AT = 256 };

void mc_fingerprint_text(struct mc_hash *h, const char *text)
{
    mc_hash_add(h, text, strlen(text) + 1);
}

void mc_fingerprint_numbers(struct mc_hash *h, uint64_t a, uint64_t b)
{
    const uint64_t numbers[] = {a, b};
    mc_hash_add(h, numbers, sizeof numbers);
}

int mc_fingerprint_model(struct mc_hash *h, const struct mc_model *model, struct mc_error *err)
{
    unsigned char *bytes = NULL;
    size_t length;
    const int rc = mc_onnx_save_bytes(model, &bytes, &length, err);
    if (rc == MC_OK) mc_hash_add(h, bytes, length);
    mc_free(bytes);
    return rc;
}

static int add_role(struct mc_hash *h, const struct mc_dataset *data, enum mc_role_of_data role, float *x,
                    float *targets, struct mc_error *err)
{
    const int64_t n = data->n[role], stride = n > SAMPLES_LOOKED_AT ? n / SAMPLES_LOOKED_AT : 1;
    const size_t bytes = (size_t)mc_shape_count(&data->sample) * sizeof *x;
    mc_fingerprint_numbers(h, (uint64_t)role, (uint64_t)n);
    for (int64_t i = 0; i < n; i += stride) {
        int64_t label = 0;
        const bool labelled = mc_dataset_is_labelled(data, role), classes = data->task == MC_TASK_CLASSIFICATION;
        const int rc = mc_dataset_read(data, role, NULL, i, 1, x, labelled && classes ? &label : NULL,
                                       labelled && !classes ? targets : NULL, 1, err);
        if (rc < 0) return rc;
        mc_hash_add(h, x, bytes);
        mc_hash_add(h, &label, sizeof label);
        if (labelled && !classes) mc_hash_add(h, targets, (size_t)data->n_targets * sizeof *targets);
    }
    return MC_OK;
}

int mc_fingerprint_data(struct mc_hash *h, const struct mc_dataset *data, struct mc_error *err)
{
    float *x = MC_NEW_ARRAY(float, mc_shape_count(&data->sample));
    float *targets = MC_NEW_ARRAY(float, data->n_targets > 0 ? data->n_targets : 1);
    int rc = x && targets ? MC_OK : mc_error_memory(err);
    mc_fingerprint_text(h, data->spec ? data->spec : "");
    for (int role = 0; rc == MC_OK && role < MC_DATA_ROLES; role++)
        rc = add_role(h, data, (enum mc_role_of_data)role, x, targets, err);
    mc_free(x);
    mc_free(targets);
    return rc;
}
