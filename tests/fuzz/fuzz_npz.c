/* fuzz_npz.c - bytes of an archive of arrays: opened, every sample is finite and every label within the classes. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"
#include "fuzz.h"

static void read_all(const struct mc_source *s)
{
    const int64_t width = mc_shape_count(&s->sample);
    float *x = malloc((size_t)width * sizeof *x), *targets = malloc((size_t)(s->n_targets + 1) * sizeof *targets);
    for (int64_t i = 0; x && targets && i < s->n_samples; i++) {
        int64_t label = 0;
        if (s->read(s, i, x, &label, targets, NULL) < 0) abort();
        if (label < 0 || (s->task == MC_TASK_CLASSIFICATION && label >= s->n_classes)) abort();
        for (int64_t k = 0; k < width; k++)
            if (!isfinite(x[k])) abort();
    }
    free(x);
    free(targets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/fuzz_npz.XXXXXX", spec[80];
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
    snprintf(spec, sizeof spec, "npz:%s", path);
    struct mc_dataset *d;
    if (mc_dataset_open(&d, spec, NULL, NULL) == MC_OK) {
        read_all(d->sources[MC_DATA_TRAIN]);
        if (d->sources[MC_DATA_TEST]) read_all(d->sources[MC_DATA_TEST]);
        mc_dataset_destroy(d);
    }
    unlink(path);
    return 0;
}
