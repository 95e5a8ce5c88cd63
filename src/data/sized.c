/* sized.c - images of another size; see sized.h. */
#include "data/sized.h"

#include "base/alloc.h"
#include "base/error.h"

struct sized_source {
    struct mc_source base; /* first */
    struct mc_source *of;
    struct mc_geometry geometry;
};

static int sized_read(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                      struct mc_error *err)
{
    const struct sized_source *s = (const struct sized_source *)source;
    const struct mc_shape *shape = &s->of->sample;
    if (!x) return s->of->read(s->of, i, NULL, label, target, err);
    float *whole = mc_alloc_aligned((size_t)mc_shape_count(shape), sizeof *whole);
    int rc = whole ? s->of->read(s->of, i, whole, label, target, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_geometry_apply(&s->geometry, shape->dim[0], shape->dim[1], shape->dim[2], whole, x, err);
    mc_free(whole);
    return rc;
}

static void sized_destroy(struct mc_source *source)
{
    struct sized_source *s = (struct sized_source *)source;
    if (!s) return;
    s->of->destroy(s->of);
    mc_free(s);
}

int mc_source_size(struct mc_source **source, const struct mc_geometry *geometry, struct mc_error *err)
{
    const struct mc_shape *shape = &(*source)->sample;
    int64_t h, w;
    if (shape->rank != 3)
        return mc_error_set(err, MC_ERR_USAGE,
                            "data options 'resize' and 'crop' need images [C, H, W], samples have %d "
                            "dimensions",
                            shape->rank);
    const int rc = mc_geometry_extents(geometry, shape->dim[1], shape->dim[2], &h, &w, err);
    if (rc < 0) return rc;
    struct sized_source *s = MC_NEW(struct sized_source);
    if (!s) return mc_error_memory(err);
    s->base = **source;
    s->base.sample = mc_shape_of(3, (int64_t[]){shape->dim[0], h, w});
    s->base.decodes = true;
    s->base.fit = NULL;
    s->base.read = sized_read;
    s->base.destroy = sized_destroy;
    s->of = *source;
    s->geometry = *geometry;
    *source = &s->base;
    return MC_OK;
}
