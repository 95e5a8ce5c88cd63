/* intake.c - samples on their way into a plan; see intake.h. */
#include "train/intake.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"

int mc_intake_init(struct mc_intake *intake, struct mc_plan *plan, struct mc_error *err)
{
    *intake = (struct mc_intake){.plan = plan};
    const struct mc_tensor *input = mc_plan_input(plan, 0);
    if (input->dtype == MC_FLOAT) return MC_OK;
    intake->room = (struct mc_tensor){.dtype = MC_FLOAT, .shape = input->shape};
    intake->room.data = mc_alloc((size_t)mc_tensor_count(input), sizeof(float));
    return intake->room.data ? MC_OK : mc_error_memory(err);
}

void mc_intake_finish(struct mc_intake *intake)
{
    mc_free(intake->room.data);
    *intake = (struct mc_intake){0};
}

float *mc_intake_samples(struct mc_intake *intake)
{
    return intake->room.data ? intake->room.data : mc_plan_input(intake->plan, 0)->data;
}

/* Does the converted element say the same as the sample? */
static bool is_kept(const struct mc_tensor *input, const float *x, int64_t i)
{
    return mc_tensor_get_f64(input, i) == (double)x[i];
}

int mc_intake_settle(const struct mc_intake *intake, struct mc_error *err)
{
    struct mc_tensor *input = mc_plan_input(intake->plan, 0);
    const float *x = intake->room.data;
    if (!x) return MC_OK;
    const int rc = mc_tensor_convert(input, &intake->room, err);
    if (rc < 0 || !mc_dtype_is_integer(input->dtype)) return rc;
    for (int64_t i = 0; i < mc_tensor_count(input); i++)
        if (!is_kept(input, x, i))
            return mc_error_set(err, MC_ERR_INPUT, "the model is fed %s, a sample of the data has %g",
                                mc_dtype_name(input->dtype), (double)x[i]);
    return MC_OK;
}
