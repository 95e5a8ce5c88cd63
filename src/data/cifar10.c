/* cifar10.c - CIFAR-10's binary version (Krizhevsky 2009): data_batch_1.bin … data_batch_5.bin and test_batch.bin,
 * plain or gzipped, wherever they came from.
 *
 * A batch is records of 3,073 bytes: the class, then 1,024 pixels of red, of green, of blue, row by row. Which batches
 * a role has is said by `train_batches=1-4`, `validation_batches=…`, `test_batches=5`; "test" is test_batch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "data/gz.h"
#include "data/source.h"

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = 1 + PIXELS, CLASSES = 10, BATCHES = 5, TEST = 1 << BATCHES };

/* A batch of the original has 10,000 records; one that somebody put together may have all. */
static const size_t max_batch_bytes = (size_t)RECORD * 100000;

static const char *const class_names[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};

/* --- which batches --- */

/* "1-4", "1+3", "5", "test" as a set of bits: 0 … 4 and TEST; 0: nothing such. */
static unsigned read_batches(const char *text)
{
    unsigned set = 0;
    while (*text) {
        unsigned part = 0;
        if (strncmp(text, "test", 4) == 0) {
            part = TEST;
            text += 4;
        } else {
            if (*text < '1' || *text > '0' + BATCHES) return 0;
            int first = *text++ - '0', last = first;
            if (*text == '-' && text[1] >= '1' && text[1] <= '0' + BATCHES) {
                last = text[1] - '0';
                text += 2;
            }
            if (last < first) return 0;
            for (; first <= last; first++) part |= 1U << (first - 1);
        }
        if ((set & part) || (*text && *text != '+') || (*text == '+' && !text[1])) return 0;
        set |= part;
        if (*text) text++;
    }
    return set;
}

static int choose_batches(const struct mc_spec *spec, unsigned sets[MC_DATA_ROLES], struct mc_error *err)
{
    static const struct {
        const char *option;
        enum mc_role_of_data role;
        unsigned otherwise;
    } options[] = {{"train_batches", MC_DATA_TRAIN, TEST - 1},
                   {"validation_batches", MC_DATA_VALIDATION, 0},
                   {"test_batches", MC_DATA_TEST, TEST}};
    unsigned taken = 0;
    for (size_t i = MC_COUNT(options); i-- > 0;) { /* what is left to train on comes last */
        const char *text = mc_spec_text(spec, options[i].option);
        unsigned set = text ? read_batches(text) : options[i].otherwise;
        if (text && !set)
            return mc_error_set(err, MC_ERR_USAGE,
                                "data option '%s': needs batches such as 1-4, 1+3, 5 or test, has '%s'",
                                options[i].option, text);
        if (!text) set &= ~taken;
        if (set & taken)
            return mc_error_set(err, MC_ERR_USAGE, "data option '%s': a batch of '%s' has another role already",
                                options[i].option, text);
        taken |= set;
        sets[options[i].role] = set;
    }
    if (sets[MC_DATA_TRAIN]) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "no batch is left to train on");
}

/* --- files --- */

static int find_batch(char **path, const char *dir, int batch, struct mc_error *err)
{
    char stem[32], name[48];
    if (batch < BATCHES)
        snprintf(stem, sizeof stem, "data_batch_%d.bin", batch + 1);
    else
        snprintf(stem, sizeof stem, "test_batch.bin");
    for (int zipped = 0; zipped < 2; zipped++) {
        snprintf(name, sizeof name, "%s%s", stem, zipped ? ".gz" : "");
        *path = mc_path_join(dir, name);
        if (!*path) return mc_error_memory(err);
        if (mc_file_size(*path) >= 0) return MC_OK;
        mc_free(*path);
    }
    *path = NULL;
    mc_error_set(err, MC_ERR_INPUT, "no file '%s' or '%s.gz' in '%s'", stem, stem, dir);
    if (batch == BATCHES) mc_error_hint(err, "test_batches=5 takes the fifth batch to test on");
    return MC_ERR_INPUT;
}

static int read_batch(struct mc_buf *records, const char *path, struct mc_error *err)
{
    const size_t start = records->length;
    const int rc = mc_gz_read(records, path, max_batch_bytes, err);
    if (rc < 0) return rc;
    const size_t length = records->length - start;
    if (length == 0 || length % RECORD != 0)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs records of %d bytes, has %zu bytes", path, RECORD, length);
    for (size_t i = 0; i < length / RECORD; i++) {
        const int class = (unsigned char)records->data[start + i * RECORD];
        if (class >= CLASSES)
            return mc_error_set(err, MC_ERR_INPUT, "'%s': record %zu: needs a class below %d, has %d", path, i, CLASSES,
                                class);
    }
    return MC_OK;
}

static int read_batches_of(struct mc_buf *records, const char *dir, unsigned set, struct mc_error *err)
{
    int rc = MC_OK;
    for (int batch = 0; rc == MC_OK && batch <= BATCHES; batch++) {
        char *path;
        if (!(set >> batch & 1)) continue;
        rc = find_batch(&path, dir, batch, err);
        if (rc == MC_OK) rc = read_batch(records, path, err);
        mc_free(path);
    }
    return rc;
}

/* --- the source --- */

static int make_source(struct mc_source **out, const struct mc_buf *records, struct mc_error *err)
{
    struct mc_memory_source *m = mc_memory_source_create();
    if (!m) return mc_error_memory(err);
    *out = &m->base;
    const size_t n = records->length / RECORD;
    m->bytes = mc_alloc_aligned(n, PIXELS);
    m->labels = MC_NEW_ARRAY(int64_t, n);
    if (!m->bytes || !m->labels || !mc_memory_source_name(m, class_names, CLASSES)) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *record = records->data + i * RECORD;
        m->labels[i] = (unsigned char)record[0];
        memcpy(m->bytes + i * PIXELS, record + 1, PIXELS);
    }
    m->scale = 1.0 / 255;
    m->base.n_samples = (int64_t)n;
    m->base.sample = mc_shape_of(3, (int64_t[]){3, SIDE, SIDE});
    m->base.task = MC_TASK_CLASSIFICATION;
    m->base.n_classes = CLASSES;
    return MC_OK;
}

int mc_source_open_cifar10(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                           struct mc_error *err)
{
    unsigned sets[MC_DATA_ROLES] = {0};
    int rc = choose_batches(spec, sets, err);
    for (int role = 0; rc == MC_OK && role < MC_DATA_ROLES; role++) {
        struct mc_buf records;
        if (!sets[role]) continue;
        mc_buf_init(&records, (BATCHES + 1) * max_batch_bytes);
        rc = read_batches_of(&records, path, sets[role], err);
        if (rc == MC_OK) rc = make_source(&sources[role], &records, err);
        mc_buf_finish(&records);
    }
    return rc;
}
