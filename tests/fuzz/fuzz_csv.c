/* fuzz_csv.c - bytes of a table: opened, every sample is finite and every label within the classes. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/data.h"
#include "fuzz.h"

static void read_all(const struct mc_dataset *d)
{
    const int64_t width = mc_shape_count(&d->sample);
    float *x = malloc((size_t)width * sizeof *x);
    for (int64_t i = 0; x && i < d->sources[0]->n_samples; i++) {
        int64_t label = 0;
        float target[2] = {0};
        if (d->sources[0]->read(d->sources[0], i, x, &label, target, NULL) < 0) abort();
        if (label < 0 || (d->task == MC_TASK_CLASSIFICATION && label >= d->n_classes)) abort();
        for (int64_t k = 0; k < width; k++)
            if (isnan(x[k])) abort();
    }
    free(x);
}

/* The first byte chooses label or target, and what becomes of words and of what is missing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {"", ",target=y", ",normalize=train,impute=median",
                                          ",separator=semicolon,label=y", ",categorical=a+b,validation=0.4"};
    char path[] = "/tmp/fuzz_csv.XXXXXX", spec[80];
    if (size < 1) return 0;
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1) abort();
    close(fd);
    snprintf(spec, sizeof spec, "csv:%s%s", path, options[data[0] % 5]);
    struct mc_dataset *d;
    if (mc_dataset_open(&d, spec, NULL, NULL) == MC_OK) {
        read_all(d);
        mc_dataset_destroy(d);
    }
    unlink(path);
    return 0;
}
