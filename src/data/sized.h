/* sized.h - images of another source, brought to another size. */
#ifndef MC_DATA_SIZED_H
#define MC_DATA_SIZED_H

#include "data/geometry.h"
#include "data/source.h"

/* Takes over `*source` and puts one in its place that gives its images in the size that `geometry` says; on failure
 * `*source` stays as it was. MC_ERR_USAGE for samples that are no images [C, H, W]. */
int mc_source_size(struct mc_source **source, const struct mc_geometry *geometry, struct mc_error *err);

#endif
