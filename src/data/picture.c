/* picture.c - which format, and its limits; the libraries behind it are in png.c and jpeg.c. See picture.h. */
#include "data/picture.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config.h"
#include "data/picture_format.h"

int mc_picture_allocate(struct mc_picture *p, uint64_t height, uint64_t width, int channels, struct mc_error *err)
{
    if (height == 0 || width == 0 || height > MC_PICTURE_MAX_SIDE || width > MC_PICTURE_MAX_SIDE ||
        height * width > MC_PICTURE_MAX_PIXELS)
        return mc_error_set(err, MC_ERR_INPUT, "has %llu x %llu pixels, needs 1 to %d a side and at most %d in all",
                            (unsigned long long)width, (unsigned long long)height, MC_PICTURE_MAX_SIDE,
                            MC_PICTURE_MAX_PIXELS);
    *p = (struct mc_picture){.height = (int64_t)height, .width = (int64_t)width, .channels = channels};
    p->pixels = mc_alloc_aligned((size_t)(height * width), (size_t)channels);
    return p->pixels ? MC_OK : mc_error_memory(err);
}

int mc_picture_decode(struct mc_picture *picture, const void *bytes, size_t length, int channels, struct mc_error *err)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
        mc_picture_decoder *decode; /* NULL: not built in */
    } formats[] = {
#if MC_HAVE_PNG
        {"\x89PNG\r\n\x1a\n", 8, "PNG", mc_picture_png},
#else
        {"\x89PNG\r\n\x1a\n", 8, "PNG", NULL},
#endif
#if MC_HAVE_JPEG
        {"\xff\xd8\xff", 3, "JPEG", mc_picture_jpeg},
#else
        {"\xff\xd8\xff", 3, "JPEG", NULL},
#endif
    };
    *picture = (struct mc_picture){0};
    for (size_t i = 0; i < MC_COUNT(formats); i++) {
        if (length < formats[i].length || memcmp(bytes, formats[i].magic, formats[i].length) != 0) continue;
        if (!formats[i].decode)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "this program was built without a reader for %s",
                                formats[i].name);
        const int rc = formats[i].decode(picture, bytes, length, channels, err);
        if (rc < 0) {
            mc_free(picture->pixels);
            *picture = (struct mc_picture){0};
        }
        return rc;
    }
    return mc_error_set(err, MC_ERR_INPUT, "is neither a PNG nor a JPEG file");
}
