/* picture.h - PNG and JPEG files to pixels, through libpng and libjpeg-turbo. */
#ifndef MC_DATA_PICTURE_H
#define MC_DATA_PICTURE_H

#include "compress/compress.h"

enum { MC_PICTURE_MAX_SIDE = 32768, MC_PICTURE_MAX_PIXELS = 1 << 26 };

struct mc_picture {
    int64_t height, width;
    int channels;          /* 1: grey, 3: red, green, blue */
    unsigned char *pixels; /* [height, width, channels]; mc_free */
};

/* From the bytes of a file, told apart by its first bytes. Palettes and few bits a pixel are spread to bytes, 16 bits
 * cut to 8; transparency is dropped, colour profiles and a JPEG's orientation are not looked at. Extents are checked
 * before anything is decoded. MC_ERR_INPUT for a broken file or one over the limits, MC_ERR_UNSUPPORTED for other
 * formats, CMYK, and a format whose library was not there when this was built. */
int mc_picture_decode(struct mc_picture *picture, const void *bytes, size_t length, int channels, struct mc_error *err);

#endif
