/* source.c - samples in memory; see source.h. */
#include "data/source.h"

#include <string.h>

#include "base/alloc.h"

static int memory_read(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                       struct mc_error *err)
{
    const struct mc_memory_source *m = (const struct mc_memory_source *)source;
    const int64_t width = mc_shape_count(&source->sample);
    if (x) {
        if (m->bytes)
            for (int64_t k = 0; k < width; k++) x[k] = (float)(m->bytes[i * width + k] * m->scale);
        else
            memcpy(x, m->floats + i * width, (size_t)width * sizeof *x);
    }
    if (label && m->labels) *label = m->labels[i];
    if (label && source->unlabelled) *label = 0;
    if (target && m->targets)
        for (int64_t k = 0; k < source->n_targets; k++) target[k] = m->targets[i * source->n_targets + k];
    return MC_OK;
}

void mc_memory_source_finish(struct mc_memory_source *m)
{
    mc_free(m->bytes);
    mc_free(m->floats);
    mc_free(m->labels);
    mc_free(m->targets);
    mc_free(m->weights);
    for (int64_t i = 0; m->names && i < m->n_names; i++) mc_free(m->names[i]);
    mc_free(m->names);
}

static void memory_destroy(struct mc_source *source)
{
    struct mc_memory_source *m = (struct mc_memory_source *)source;
    if (!m) return;
    mc_memory_source_finish(m);
    mc_free(m);
}

void mc_memory_source_init(struct mc_memory_source *m)
{
    m->base.read = memory_read;
    m->base.destroy = memory_destroy;
    m->scale = 1;
}

struct mc_memory_source *mc_memory_source_create(void)
{
    struct mc_memory_source *m = MC_NEW(struct mc_memory_source);
    if (m) mc_memory_source_init(m);
    return m;
}

bool mc_memory_source_name(struct mc_memory_source *m, const char *const *names, int64_t n)
{
    m->n_names = n;
    m->names = MC_NEW_ARRAY(char *, n);
    bool whole = m->names != NULL;
    for (int64_t i = 0; whole && i < n; i++) {
        m->names[i] = mc_strdup(names[i]);
        whole = m->names[i] != NULL;
    }
    m->base.class_names = (const char *const *)m->names;
    return whole;
}
