/* mnist.c - IDX files, plain or gzipped, as MNIST and its relatives come (LeCun, Cortes, Burges).
 *
 * An IDX file is: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each dimension as a
 * big-endian 32-bit number, the data. zlib reads plain files and gzipped ones through the same calls.
 */
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "data/source.h"

enum { MAX_DIMS = 3, TYPE_BYTE = 8 };
static const size_t max_data_bytes = (size_t)1 << 32;

struct idx {
    int n_dims;
    int64_t dim[MAX_DIMS];
    unsigned char *data; /* owned */
};

static int64_t big_endian(const unsigned char *p)
{
    return (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

/* Exactly `length` bytes; short files are the caller's error. The buffer grows with what is really there, so that a
 * header that promises too much costs nothing. */
static int read_bytes(gzFile file, struct mc_buf *buf, size_t length, const char *path, struct mc_error *err)
{
    unsigned char chunk[65536];
    while (buf->length < length) {
        const size_t left = length - buf->length;
        const int got = gzread(file, chunk, (unsigned)(left < sizeof chunk ? left : sizeof chunk));
        if (got < 0) {
            int code;
            return mc_error_set(err, MC_ERR_INPUT, "cannot read '%s': %s", path, gzerror(file, &code));
        }
        if (got == 0)
            return mc_error_set(err, MC_ERR_INPUT, "'%s' ends early: needs %zu bytes of data, has %zu", path, length,
                                buf->length);
        mc_buf_append(buf, chunk, (size_t)got);
        if (buf->failed) return mc_error_memory(err);
    }
    return MC_OK;
}

static int parse_header(gzFile file, struct idx *idx, int n_dims, size_t *n_bytes, const char *path,
                        struct mc_error *err)
{
    unsigned char head[4 + 4 * MAX_DIMS];
    const int length = 4 + 4 * n_dims;
    if (gzread(file, head, (unsigned)length) != length || head[0] || head[1])
        return mc_error_set(err, MC_ERR_INPUT, "'%s' is not an IDX file", path);
    if (head[2] != TYPE_BYTE || head[3] != n_dims)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs unsigned bytes (8) in %d dimensions, has type %d in %d",
                            path, n_dims, head[2], head[3]);
    struct mc_shape shape = {.rank = n_dims};
    for (int i = 0; i < n_dims; i++) idx->dim[i] = shape.dim[i] = big_endian(head + 4 + 4 * i);
    idx->n_dims = n_dims;
    const int64_t count = mc_shape_count(&shape);
    if (count <= 0 || (uint64_t)count > max_data_bytes) {
        char text[128];
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs 1 to %zu bytes of data, has extents %s", path,
                            max_data_bytes, mc_shape_text(&shape, text, sizeof text));
    }
    *n_bytes = (size_t)count;
    return MC_OK;
}

static int load_idx(struct idx *idx, const char *path, int n_dims, struct mc_error *err)
{
    *idx = (struct idx){0};
    gzFile file = gzopen(path, "rb");
    if (!file) return mc_error_set(err, MC_ERR_INPUT, "cannot open '%s'", path);
    gzbuffer(file, 1 << 18);
    struct mc_buf buf;
    mc_buf_init(&buf, max_data_bytes);
    size_t n_bytes = 0;
    int rc = parse_header(file, idx, n_dims, &n_bytes, path, err);
    if (rc == MC_OK) rc = read_bytes(file, &buf, n_bytes, path, err);
    if (rc == MC_OK && gzread(file, &(char){0}, 1) > 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s' goes on after its %zu bytes of data", path, n_bytes);
    gzclose(file);
    if (rc == MC_OK)
        idx->data = (unsigned char *)buf.data;
    else
        mc_buf_finish(&buf);
    return rc;
}

/* The file under the names that it is distributed with: dash or dot before "idx", gzipped or not. */
static int find_file(char **path, const char *dir, const char *stem, const char *kind, struct mc_error *err)
{
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s%s", stem, i < 2 ? "-" : ".", kind, i % 2 ? ".gz" : "");
        *path = mc_path_join(dir, name);
        if (!*path) return mc_error_memory(err);
        if (mc_file_size(*path) >= 0) return MC_OK;
        mc_free(*path);
    }
    *path = NULL;
    return mc_error_set(err, MC_ERR_INPUT, "no file '%s-%s' or '%s-%s.gz' in '%s'", stem, kind, stem, kind, dir);
}

static int load_pair(const char *dir, const char *prefix, struct idx *images, struct idx *labels, struct mc_error *err)
{
    char stem[32], *images_path = NULL, *labels_path = NULL;
    snprintf(stem, sizeof stem, "%s-images", prefix);
    int rc = find_file(&images_path, dir, stem, "idx3-ubyte", err);
    snprintf(stem, sizeof stem, "%s-labels", prefix);
    if (rc == MC_OK) rc = find_file(&labels_path, dir, stem, "idx1-ubyte", err);
    if (rc == MC_OK) rc = load_idx(images, images_path, 3, err);
    if (rc == MC_OK) rc = load_idx(labels, labels_path, 1, err);
    if (rc == MC_OK && labels->dim[0] != images->dim[0])
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s': needs %lld labels, one for each image, has %lld", labels_path,
                          (long long)images->dim[0], (long long)labels->dim[0]);
    mc_free(images_path);
    mc_free(labels_path);
    return rc;
}

/* Moves the pixels of `images` into the source; `labels` are widened. */
static int make_source(struct mc_source **out, struct idx *images, const struct idx *labels, struct mc_error *err)
{
    struct mc_memory_source *m = mc_memory_source_create();
    if (!m) return mc_error_memory(err);
    const int64_t n = images->dim[0];
    m->labels = MC_NEW_ARRAY(int64_t, n);
    if (!m->labels) {
        m->base.destroy(&m->base);
        return mc_error_memory(err);
    }
    int64_t highest = 0;
    for (int64_t i = 0; i < n; i++) {
        m->labels[i] = labels->data[i];
        if (m->labels[i] > highest) highest = m->labels[i];
    }
    m->bytes = images->data;
    images->data = NULL;
    m->scale = 1.0 / 255;
    m->base.n_samples = n;
    m->base.sample = mc_shape_of(3, (int64_t[]){1, images->dim[1], images->dim[2]});
    m->base.task = MC_TASK_CLASSIFICATION;
    m->base.n_classes = highest + 1;
    *out = &m->base;
    return MC_OK;
}

int mc_source_open_mnist(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                         struct mc_error *err)
{
    static const struct {
        const char *prefix;
        enum mc_role_of_data role;
    } pairs[] = {{"train", MC_DATA_TRAIN}, {"t10k", MC_DATA_TEST}};
    int rc = MC_OK;
    (void)spec;
    for (size_t i = 0; i < MC_COUNT(pairs) && rc == MC_OK; i++) {
        struct idx images = {0}, labels = {0};
        rc = load_pair(path, pairs[i].prefix, &images, &labels, err);
        if (rc == MC_OK) rc = make_source(&sources[pairs[i].role], &images, &labels, err);
        mc_free(images.data);
        mc_free(labels.data);
    }
    return rc;
}
