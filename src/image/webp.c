/* webp.c - WebP by libwebp, which is opened when the first such file is read; see picture.h. */
#include <webp/decode.h>

#include "base/alloc.h"
#include "base/error.h"
#include "image/picture_format.h"

#define SONAME "libwebp.so.7"

int mc_picture_webp(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    __typeof__(&WebPGetInfo) get_info;
    __typeof__(&WebPDecodeRGBInto) decode;
    const struct mc_library_symbol symbols[] = {{"WebPGetInfo", &get_info}, {"WebPDecodeRGBInto", &decode}};
    int width, height, rc = mc_picture_library(SONAME, symbols, MC_COUNT(symbols), err);
    if (rc < 0) return rc;
    if (!get_info(bytes, length, &width, &height)) return mc_error_set(err, MC_ERR_INPUT, "is a broken WebP file");
    rc = mc_picture_allocate(picture, (uint64_t)height, (uint64_t)width, err);
    if (rc < 0) return rc;
    const int stride = width * 3;
    if (!decode(bytes, length, picture->pixels, (size_t)stride * (size_t)height, stride))
        return mc_error_set(err, MC_ERR_INPUT, "is a broken WebP file, or an animation");
    return MC_OK;
}
