/* fuzz_idx.c - bytes of image and label files as MNIST has them: opened, there is a label for each image. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"
#include "fuzz.h"

static void put(const char *folder, const char *name, const uint8_t *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (mc_file_save(path, data, size, true, NULL) < 0) abort();
}

static void drop(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* The first byte says how long the label file is; the rest are the images. Both sets get the same files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const images[] = {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"};
    static const char *const labels[] = {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"};
    char folder[] = "/tmp/fuzz_idx.XXXXXX", spec[80];
    if (size < 1 || data[0] > size - 1 || !mkdtemp(folder)) return 0;
    const size_t n = data[0];
    for (int i = 0; i < 2; i++) {
        put(folder, labels[i], data + 1, n);
        put(folder, images[i], data + 1 + n, size - 1 - n);
    }
    snprintf(spec, sizeof spec, "mnist:%s", folder);
    struct mc_dataset *d;
    if (mc_dataset_open(&d, spec, NULL, NULL) == MC_OK) {
        const struct mc_source *s = d->sources[0];
        float *x = malloc((size_t)mc_shape_count(&d->sample) * sizeof *x);
        for (int64_t i = 0; x && i < s->n_samples; i++) {
            int64_t label = -1;
            if (s->read(s, i, x, &label, NULL, NULL) < 0 || label < 0 || label >= s->n_classes) abort();
        }
        free(x);
        mc_dataset_destroy(d);
    }
    for (int i = 0; i < 2; i++) {
        drop(folder, labels[i]);
        drop(folder, images[i]);
    }
    rmdir(folder);
    return 0;
}
