/* source.h - the kinds of source, and the one that most of them are: samples in memory.
 *
 * Adding a kind: write `mc_source_open_<kind>`, add a line to the table in dataset.c, a section to docs/data.md
 * and a test file.
 */
#ifndef MC_DATA_SOURCE_H
#define MC_DATA_SOURCE_H

#include "data/data.h"
#include "data/spec.h"

/* Samples held as bytes or floats; exactly one of the two arrays is set. Values go out as (v * scale - mean) / std. */
struct mc_memory_source {
    struct mc_source base;
    unsigned char *bytes; /* [n, sample…] */
    float *floats;
    int64_t *labels; /* [n] classification */
    float *targets;  /* [n, n_targets] regression */
    double scale, mean, std;
    char **names; /* class names, n_classes of them, or NULL */
};

/* Zeroed source with read and destroy set; the caller fills the arrays (mc_alloc) and extents. NULL: no memory. */
struct mc_memory_source *mc_memory_source_create(void);

/* Bring each feature of a source of floats to mean 0 and variance 1 over the samples index[0 … n); constant ones
 * become 0. */
void mc_memory_source_standardize(struct mc_source *source, const int64_t *index, int64_t n);

/* Each fills sources[0] (training) and, if the kind has one, sources[1] (test). `path` is already resolved. */
int mc_source_open_glyphs(const struct mc_spec *spec, const char *path, struct mc_source *sources[2],
                          struct mc_error *err);
int mc_source_open_mnist(const struct mc_spec *spec, const char *path, struct mc_source *sources[2],
                         struct mc_error *err);
int mc_source_open_csv(const struct mc_spec *spec, const char *path, struct mc_source *sources[2],
                       struct mc_error *err);

#endif
