/* fuzz_picture.c - bytes of an image file: decoded, every pixel is there to be read. */
#include <stdlib.h>

#include "base/alloc.h"
#include "image/picture.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        struct mc_picture p;
        if (mc_picture_decode(&p, data, size, channels, NULL) < 0) {
            if (p.pixels) abort();
            continue;
        }
        int64_t sum = 0;
        for (int64_t i = 0; i < p.height * p.width * p.channels; i++) sum += p.pixels[i];
        if (p.channels != channels || sum > 255 * p.height * p.width * p.channels) abort();
        mc_free(p.pixels);
    }
    return 0;
}
