/* source.h - the kinds of source, and the one that most of them are: samples in memory.
 *
 * Adding a kind: write `mc_source_open_<kind>`, add a line to the table in dataset.c, a section to docs/data.md
 * and a test file.
 */
#ifndef MC_DATA_SOURCE_H
#define MC_DATA_SOURCE_H

#include "data/data.h"
#include "data/spec.h"

/* Samples held as bytes or floats; exactly one of the two arrays is set. Bytes go out as v * scale. */
struct mc_memory_source {
    struct mc_source base;
    unsigned char *bytes; /* [n, sample…] */
    float *floats;
    int64_t *labels; /* [n] classification */
    float *targets;  /* [n, n_targets] labels or numbers */
    float *weights;  /* [n], or NULL; for `base.weights` */
    double scale;
    int64_t n_names;
    char **names; /* of classes, labels or targets, or NULL */
};

/* Zeroed source with read and destroy set; the caller fills the arrays (mc_alloc) and extents. NULL: no memory. */
struct mc_memory_source *mc_memory_source_create(void);
/* For sources that embed it, in zeroed memory; finish releases what it owns, without itself. */
void mc_memory_source_init(struct mc_memory_source *source);
void mc_memory_source_finish(struct mc_memory_source *source);
/* Copies of n names of classes, labels or targets; false: no memory. */
bool mc_memory_source_name(struct mc_memory_source *source, const char *const *names, int64_t n);

/* Each fills sources[MC_DATA_TRAIN] and those of other roles that the kind has. `path` is already resolved. */
typedef int mc_source_opener(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                             struct mc_error *err);

mc_source_opener mc_source_open_cifar10, mc_source_open_csv, mc_source_open_glyphs, mc_source_open_images,
    mc_source_open_mnist, mc_source_open_npy, mc_source_open_npz;

#endif
