/* fuzz_cifar10.c - bytes of a batch of CIFAR-10, plain or gzipped: opened, every label is one of ten. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"
#include "fuzz.h"

/* The same bytes are the batch to train on and that to test on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"data_batch_1.bin", "test_batch.bin.gz"};
    char folder[] = "/tmp/fuzz_cifar10.XXXXXX", spec[80], path[2][80];
    if (!mkdtemp(folder)) return 0;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
        if (mc_file_save(path[i], data, size, true, NULL) < 0) abort();
    }
    snprintf(spec, sizeof spec, "cifar10:%s,train_batches=1", folder);
    struct mc_dataset *d;
    if (mc_dataset_open(&d, spec, NULL, NULL) == MC_OK) {
        const struct mc_source *s = d->sources[MC_DATA_TRAIN];
        float x[3 * 32 * 32];
        for (int64_t i = 0; i < s->n_samples; i++) {
            int64_t label = -1;
            if (s->read(s, i, x, &label, NULL, NULL) < 0 || label < 0 || label >= s->n_classes) abort();
        }
        mc_dataset_destroy(d);
    }
    unlink(path[0]);
    unlink(path[1]);
    rmdir(folder);
    return 0;
}
