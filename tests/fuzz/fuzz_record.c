/* fuzz_record.c - bytes of a record: read, printed and read again, it is the same. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "fuzz.h"
#include "report/print.h"

static struct mc_record *load(const char *path, const void *bytes, size_t length)
{
    struct mc_record *record = NULL;
    if (mc_file_save(path, bytes, length, true, NULL) < 0) abort();
    return mc_record_load(&record, path, NULL) < 0 ? NULL : record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/fuzz_record.XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0) abort();
    close(fd);
    struct mc_record *first = load(path, data, size);
    if (first) {
        struct mc_buf once, twice, table;
        if (mc_report_render(first, MC_FORMAT_JSON, &once, NULL) < 0) abort();
        struct mc_record *second = load(path, once.data, once.length);
        if (!second || mc_report_render(second, MC_FORMAT_JSON, &twice, NULL) < 0) abort();
        if (once.length != twice.length || memcmp(once.data, twice.data, once.length) != 0) abort();
        if (mc_report_render(second, MC_FORMAT_DETAILS, &table, NULL) < 0) abort();
        mc_buf_finish(&once);
        mc_buf_finish(&twice);
        mc_buf_finish(&table);
        mc_record_destroy(second);
    }
    mc_record_destroy(first);
    unlink(path);
    return 0;
}
