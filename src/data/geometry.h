/* geometry.h - images to one size: resized, then cut out of the middle. */
#ifndef MC_DATA_GEOMETRY_H
#define MC_DATA_GEOMETRY_H

#include "data/spec.h"

struct mc_geometry {
    int64_t shorter;                 /* the shorter side becomes this, the other keeps its proportion; 0: not so */
    int64_t height, width;           /* or the two become these; 0: they stay */
    int64_t crop_height, crop_width; /* what is then cut out of the middle; 0: nothing */
};

enum { MC_GEOMETRY_MAX_SIDE = 8192 };

/* Options resize, "256" (the shorter side) or "240x320" (height, width), and crop, "224" or "224x192". A shorter side
 * without crop is cropped to a square of that side. */
int mc_geometry_read(struct mc_geometry *geometry, const struct mc_spec *spec, struct mc_error *err);
bool mc_geometry_is_none(const struct mc_geometry *geometry);

/* Extents [h, w] that images of [H, W] come to. MC_ERR_INPUT if there is less than what is to be cut out. */
int mc_geometry_extents(const struct mc_geometry *geometry, int64_t H, int64_t W, int64_t *h, int64_t *w,
                        struct mc_error *err);

/* Image [C, H, W] to [C, h, w] of those extents. Resizing is bilinear; where it makes an image smaller the triangle is
 * as much wider, so that nothing is skipped (antialias, as Pillow and PyTorch have it). MC_ERR_SYSTEM without memory.
 */
int mc_geometry_apply(const struct mc_geometry *geometry, int64_t C, int64_t H, int64_t W, const float *x, float *y,
                      struct mc_error *err);

#endif
