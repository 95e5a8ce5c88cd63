/* fuzz_checkpoint.c - bytes of a checkpoint: a run that takes them for its state comes to an end, others are refused.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "checkpoint_run.h"
#include "fuzz.h"

/* The first byte says whether what follows gets the end and the checksum that the reader wants to see: without them
 * nothing behind that check would ever be reached. */
static void write_file(const char *path, const uint8_t *data, size_t size, int fd)
{
    static const uint8_t end[2] = {0xff, 0xff};
    const bool mended = data[0] & 1;
    uLong crc = crc32(0, data + 1, (uInt)(size - 1));
    crc = crc32(crc, end, 2);
    const uint32_t sum = (uint32_t)crc;
    bool good = write(fd, data + 1, size - 1) == (ssize_t)(size - 1);
    if (mended) good = good && write(fd, end, 2) == 2 && write(fd, &sum, 4) == 4;
    if (!good) abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/fuzz_checkpoint.XXXXXX";
    struct toy toy;
    if (size < 1) return 0;
    const int fd = mkstemp(path);
    if (fd < 0) abort();
    write_file(path, data, size, fd);
    toy_two_sides(&toy, 10);
    struct mc_model *model = toy_model("mlp:2-3-2", &toy);
    struct mc_fit_options o = checkpoint_options(path);
    o.resume = true;
    const int rc = mc_fit(model, &toy.data, &o, NULL, NULL);
    if (rc != MC_OK && rc != MC_ERR_INPUT) abort();
    mc_model_destroy(model);
    toy_destroy(&toy);
    unlink(path);
    return 0;
}
