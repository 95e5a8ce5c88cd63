/* codes.c - rounding weights; see codes.h. */
#include "quantize/codes.h"

#include <float.h>
#include <math.h>

#include "base/error.h"
#include "kernel/parallel.h"

enum { TRIED = 20, SMALLEST = 40 }; /* scales: k / SMALLEST less than the largest weight asks for, k < TRIED */

/* --- which weights share a scale --- */

struct mc_shape mc_grain_shape(const struct mc_grain *grain, const struct mc_shape *shape)
{
    if (grain->axis < 0) return (struct mc_shape){.rank = 0};
    const int64_t extent = shape->dim[grain->axis];
    if (grain->block == 0) return mc_shape_of(1, &extent);
    struct mc_shape scales = *shape;
    scales.dim[grain->axis] = mc_divide_up(extent, grain->block);
    return scales;
}

/* They lie in `n_runs` runs of `length`, `step` apart, elements of a run `stride` apart. */
struct members {
    int64_t first, n_runs, step, length, stride;
};

static struct members members_of(const struct mc_grain *grain, const struct mc_shape *shape, int64_t scale)
{
    if (grain->axis < 0) return (struct members){.n_runs = 1, .length = mc_shape_count(shape), .stride = 1};
    const int64_t extent = shape->dim[grain->axis], inner = mc_shape_span(shape, grain->axis + 1, shape->rank);
    if (grain->block == 0)
        return (struct members){.first = scale * inner,
                                .n_runs = mc_shape_span(shape, 0, grain->axis),
                                .step = extent * inner,
                                .length = inner,
                                .stride = 1};
    const int64_t n_blocks = mc_divide_up(extent, grain->block), block = scale / inner % n_blocks;
    const int64_t from = block * grain->block, left = extent - from;
    return (struct members){.first = (scale / (inner * n_blocks) * extent + from) * inner + scale % inner,
                            .n_runs = 1,
                            .length = left < grain->block ? left : grain->block,
                            .stride = inner};
}

/* --- scales --- */

static int levels_of(enum mc_code_form form)
{
    return form == MC_CODES_INT4 ? 7 : form == MC_CODES_INT7 ? 63 : 127;
}

static float code_of(float w, float scale, float levels)
{
    const float code = rintf(w / scale);
    return code < -levels ? -levels : code > levels ? levels : code;
}

static float largest_of(const struct members *m, const float *w)
{
    float largest = 0;
    for (int64_t r = 0; r < m->n_runs; r++)
        for (int64_t i = 0; i < m->length; i++)
            largest = fmaxf(largest, fabsf(w[m->first + r * m->step + i * m->stride]));
    return largest;
}

static double error_of(const struct members *m, const float *w, float scale, float levels)
{
    double error = 0;
    for (int64_t r = 0; r < m->n_runs; r++)
        for (int64_t i = 0; i < m->length; i++) {
            const float x = w[m->first + r * m->step + i * m->stride];
            const double off = (double)(x - scale * code_of(x, scale, levels));
            error += off * off;
        }
    return error;
}

static float scale_of(const struct members *m, const float *w, float levels)
{
    const float largest = largest_of(m, w);
    if (largest == 0) return 1;
    float best = fmaxf(largest / levels, FLT_MIN);
    double least = error_of(m, w, best, levels);
    for (int k = 1; k < TRIED && least > 0; k++) {
        const float scale = fmaxf(largest * (1 - (float)k / SMALLEST) / levels, FLT_MIN);
        const double error = error_of(m, w, scale, levels);
        if (error < least) least = error, best = scale;
    }
    return best;
}

/* --- tensors --- */

struct job {
    const struct mc_tensor *w, *codes, *scales;
    const struct mc_grain *grain;
    float levels;
    struct mc_tensor *to;
};

static void find_scales(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    float *scales = job->to->data;
    for (int64_t s = begin; s < end; s++) {
        const struct members m = members_of(job->grain, &job->w->shape, s);
        scales[s] = scale_of(&m, job->w->data, job->levels);
    }
}

static void put_codes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const float *w = job->w->data, *scales = job->scales->data;
    for (int64_t s = begin; s < end; s++) {
        const struct members m = members_of(job->grain, &job->w->shape, s);
        for (int64_t r = 0; r < m.n_runs; r++)
            for (int64_t i = 0; i < m.length; i++) {
                const int64_t at = m.first + r * m.step + i * m.stride;
                mc_tensor_set_f64(job->to, at, (double)code_of(w[at], scales[s], job->levels));
            }
    }
}

static void put_values(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const float *scales = job->scales->data;
    float *w = job->to->data;
    for (int64_t s = begin; s < end; s++) {
        const struct members m = members_of(job->grain, &job->codes->shape, s);
        for (int64_t r = 0; r < m.n_runs; r++)
            for (int64_t i = 0; i < m.length; i++) {
                const int64_t at = m.first + r * m.step + i * m.stride;
                w[at] = (float)mc_tensor_get_f64(job->codes, at) * scales[s];
            }
    }
}

/* Elements that a scale has, on average. */
static int64_t work_of(const struct mc_tensor *w, int64_t n_scales)
{
    return mc_tensor_count(w) / (n_scales > 0 ? n_scales : 1) + 1;
}

int mc_codes_of(struct mc_tensor **codes, struct mc_tensor **scales, const struct mc_tensor *w, enum mc_code_form form,
                const struct mc_grain *grain, struct mc_error *err)
{
    const enum mc_dtype dtype = form == MC_CODES_INT4 ? MC_INT4 : MC_INT8;
    const struct mc_shape shape = mc_grain_shape(grain, &w->shape);
    int rc = mc_tensor_create(codes, dtype, &w->shape, err);
    if (rc < 0) return rc;
    rc = mc_tensor_create(scales, MC_FLOAT, &shape, err);
    if (rc < 0) {
        mc_tensor_destroy(*codes);
        *codes = NULL;
        return rc;
    }
    struct job job = {.w = w, .grain = grain, .levels = (float)levels_of(form), .to = *scales};
    const int64_t n = mc_tensor_count(*scales), work = work_of(w, n);
    mc_parallel(n, mc_parallel_grain(4 * TRIED * work), find_scales, &job);
    job.scales = *scales;
    job.to = *codes;
    mc_parallel(n, dtype == MC_INT4 ? n + 1 : mc_parallel_grain(8 * work), put_codes, &job); /* two share a byte */
    return MC_OK;
}

int mc_codes_value(struct mc_tensor **w, const struct mc_tensor *codes, const struct mc_tensor *scales,
                   const struct mc_grain *grain, struct mc_error *err)
{
    const int rc = mc_tensor_create(w, MC_FLOAT, &codes->shape, err);
    if (rc < 0) return rc;
    if (!scales) return mc_tensor_convert(*w, codes, err);
    struct job job = {.codes = codes, .grain = grain, .scales = scales, .to = *w};
    const int64_t n = mc_tensor_count(scales);
    mc_parallel(n, mc_parallel_grain(4 * work_of(codes, n)), put_values, &job);
    return MC_OK;
}
