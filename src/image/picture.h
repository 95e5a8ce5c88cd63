/* picture.h - image files to pixels: PNG, JPEG, BMP and PNM, and TIFF, WebP and JPEG 2000 where their libraries are. */
#ifndef MC_IMAGE_PICTURE_H
#define MC_IMAGE_PICTURE_H

#include "compress/compress.h"

enum { MC_PICTURE_MAX_SIDE = 32768, MC_PICTURE_MAX_PIXELS = 1 << 26 };

struct mc_picture {
    int64_t height, width;
    int channels;          /* 1: grey, 3: red, green, blue */
    unsigned char *pixels; /* [height, width, channels]; mc_free */
};

/* From the bytes of a file, told apart by its first bytes; channels: 1 or 3. Palettes and few bits a pixel are spread
 * to bytes, more than 8 bits brought to 8; transparency is dropped, colour profiles and a JPEG's orientation are not
 * looked at. Grey is (19595 R + 38470 G + 7471 B) / 65536, rounded: ITU-R BT.601, as Pillow has it. Extents are checked
 * before anything is decoded. MC_ERR_INPUT for a broken file or one over the limits, MC_ERR_UNSUPPORTED for other
 * formats, CMYK, and a format whose library was not there when this was built, or is not now. */
int mc_picture_decode(struct mc_picture *picture, const void *bytes, size_t length, int channels, struct mc_error *err);

/* Does the name end as files of a format do that can be decoded (".png", ".JPG")? */
bool mc_picture_is_name(const char *name);

#endif
