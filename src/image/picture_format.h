/* picture_format.h - what picture.c and the readers of single formats share. */
#ifndef MC_IMAGE_PICTURE_FORMAT_H
#define MC_IMAGE_PICTURE_FORMAT_H

#include "base/library.h"
#include "image/picture.h"

/* Pixels of a file that begins as one of this format, in red, green and blue. On failure `picture->pixels` may be set
 * and is the caller's. */
typedef int mc_picture_decoder(struct mc_picture *picture, const unsigned char *bytes, size_t length,
                               struct mc_error *err);

mc_picture_decoder mc_picture_png, mc_picture_jpeg, mc_picture_bmp, mc_picture_pnm, mc_picture_tiff, mc_picture_webp,
    mc_picture_jpeg2000;

/* Room for pixels of these extents, which come straight from a file, if they keep the limits. */
int mc_picture_allocate(struct mc_picture *picture, uint64_t height, uint64_t width, struct mc_error *err);

/* A format's library, of which some functions are wanted: MC_ERR_UNSUPPORTED where it is not installed. */
int mc_picture_library(const char *soname, const struct mc_library_symbol *symbols, size_t n, struct mc_error *err);

/* A number from 0 to `most` as one from 0 to 255, rounded; what is more counts as most. */
static inline unsigned char mc_picture_level(uint32_t value, uint32_t most)
{
    return value >= most ? 255 : (unsigned char)((value * (uint64_t)255 + most / 2) / most);
}

#endif
