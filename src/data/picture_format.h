/* picture_format.h - what picture.c and the readers of single formats share. */
#ifndef MC_DATA_PICTURE_FORMAT_H
#define MC_DATA_PICTURE_FORMAT_H

#include "data/picture.h"

/* Pixels of a file that begins as one of this format. On failure `picture->pixels` may be set and is the caller's. */
typedef int mc_picture_decoder(struct mc_picture *picture, const unsigned char *bytes, size_t length, int channels,
                               struct mc_error *err);

mc_picture_decoder mc_picture_png, mc_picture_jpeg;

/* Room for pixels of these extents, which come straight from a file, if they keep the limits. */
int mc_picture_allocate(struct mc_picture *picture, uint64_t height, uint64_t width, int channels,
                        struct mc_error *err);

#endif
