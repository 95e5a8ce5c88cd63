/* source.c - samples in memory; see source.h. */
#include "data/source.h"

#include <math.h>

#include "base/alloc.h"

static int memory_read(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                       struct mc_error *err)
{
    const struct mc_memory_source *m = (const struct mc_memory_source *)source;
    const int64_t width = mc_shape_count(&source->sample);
    if (x) {
        const double scale = m->scale / m->std, shift = -m->mean / m->std;
        if (m->bytes)
            for (int64_t k = 0; k < width; k++) x[k] = (float)(m->bytes[i * width + k] * scale + shift);
        else
            for (int64_t k = 0; k < width; k++) x[k] = (float)(m->floats[i * width + k] * scale + shift);
    }
    if (label && m->labels) *label = m->labels[i];
    if (target && m->targets)
        for (int64_t k = 0; k < source->n_targets; k++) target[k] = m->targets[i * source->n_targets + k];
    return MC_OK;
}

static void memory_destroy(struct mc_source *source)
{
    struct mc_memory_source *m = (struct mc_memory_source *)source;
    if (!m) return;
    mc_free(m->bytes);
    mc_free(m->floats);
    mc_free(m->labels);
    mc_free(m->targets);
    for (int64_t i = 0; m->names && i < source->n_classes; i++) mc_free(m->names[i]);
    mc_free(m->names);
    mc_free(m);
}

struct mc_memory_source *mc_memory_source_create(void)
{
    struct mc_memory_source *m = MC_NEW(struct mc_memory_source);
    if (!m) return NULL;
    m->base.read = memory_read;
    m->base.destroy = memory_destroy;
    m->scale = 1;
    m->std = 1;
    return m;
}

void mc_memory_source_standardize(struct mc_source *source, const int64_t *index, int64_t n)
{
    struct mc_memory_source *m = (struct mc_memory_source *)source;
    const int64_t width = mc_shape_count(&source->sample);
    for (int64_t k = 0; m->floats && n > 0 && k < width; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) sum += m->floats[index[i] * width + k];
        const double mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double d = m->floats[index[i] * width + k] - mean;
            squares += d * d;
        }
        const double deviation = sqrt(squares / (double)n);
        for (int64_t i = 0; i < source->n_samples; i++) {
            float *x = &m->floats[i * width + k];
            *x = deviation > 0 ? (float)((*x - mean) / deviation) : 0;
        }
    }
}
