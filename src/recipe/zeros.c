/* zeros.c - the weights that are zero now, as masks; see zeros.h. */
#include "recipe/zeros.h"

#include "base/alloc.h"
#include "graph/cost.h"
#include "graph/pieces.h"

/* Exchange two masks. */
static void swap(struct mc_masks *masks, int a, int b)
{
    const struct mc_value *value = masks->values[a];
    unsigned char *keep = masks->keep[a];
    const int input = masks->input_axis[a], output = masks->output_axis[a];
    masks->values[a] = masks->values[b];
    masks->keep[a] = masks->keep[b];
    masks->input_axis[a] = masks->input_axis[b];
    masks->output_axis[a] = masks->output_axis[b];
    masks->values[b] = value;
    masks->keep[b] = keep;
    masks->input_axis[b] = input;
    masks->output_axis[b] = output;
}

static bool is_sparse(const struct mc_tensor *tensor)
{
    const int64_t nonzeros = mc_tensor_nonzeros(tensor);
    return tensor->dtype == MC_FLOAT && nonzeros > 0 && nonzeros < mc_tensor_count(tensor);
}

int mc_zeros_create(struct mc_masks *masks, const struct mc_model *model, struct mc_error *err)
{
    const int rc = mc_masks_create(masks, model, NULL, err);
    if (rc < 0) {
        *masks = (struct mc_masks){0};
        return rc;
    }
    for (int i = 0; i < masks->n;) {
        const struct mc_tensor *tensor = masks->values[i]->data;
        if (!is_sparse(tensor)) { /* put it last and forget it */
            swap(masks, i, --masks->n);
            mc_free(masks->keep[masks->n]);
            masks->keep[masks->n] = NULL;
            continue;
        }
        const float *w = tensor->data;
        for (int64_t k = 0; k < mc_tensor_count(tensor); k++) masks->keep[i][k] = w[k] != 0;
        i++;
    }
    return MC_OK;
}

int mc_zeros_share(const struct mc_masks *masks, double *share, struct mc_error *err)
{
    int64_t count = 0, nonzeros = 0;
    for (int i = 0; i < masks->n; i++) {
        int64_t n;
        const int rc = mc_value_nonzeros(masks->values[i], &n, err);
        if (rc < 0) return rc;
        nonzeros += n;
        count += mc_tensor_count(masks->values[i]->data);
    }
    *share = count ? 1 - (double)nonzeros / (double)count : 0;
    return MC_OK;
}
