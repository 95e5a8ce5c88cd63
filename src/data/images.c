/* images.c - image files as samples, a folder a class.
 *
 * DIR/CLASS/…: the classes are the folders in the order of their names, their files may lie in folders of their own.
 * Where DIR has a folder `train`, it is the training samples, and `val`, `validation` or `valid` and `test` beside it
 * are those of the other roles. Files are decoded when they are read, by as many threads as read; what comes to less
 * than a GiB as bytes of the final size is kept.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "data/geometry.h"
#include "data/source.h"
#include "image/picture.h"

enum { MAX_CLASSES = 65536, MAX_FILES = 1 << 26, MAX_DEPTH = 4 };
static const size_t max_file_bytes = (size_t)1 << 28, max_kept_bytes = (size_t)1 << 30;

enum { KEPT_NOT, KEPT_IN_WORK, KEPT };

struct file {
    char *path;
    int64_t class;
};

struct image_source {
    struct mc_source base; /* first */
    struct mc_geometry geometry;
    int channels;
    int64_t n_classes;
    char **names;
    struct file *files;
    size_t capacity;
    unsigned char *kept;           /* [n, C, h, w]; NULL: too much */
    _Atomic unsigned char *states; /* [n] KEPT_… */
};

/* --- folders --- */

static int keep_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* alphasort goes by the locale */
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int list(const char *folder, struct dirent ***entries, int *n, struct mc_error *err)
{
    *n = scandir(folder, entries, keep_visible, compare_bytes);
    return *n >= 0 ? MC_OK : mc_error_reading(err, errno, "read", folder);
}

static void release(struct dirent **entries, int n)
{
    for (int i = 0; i < n; i++) free(entries[i]);
    free(entries);
}

/* Takes over `path`. */
static int add_file(struct image_source *s, char *path, int64_t class, struct mc_error *err)
{
    const size_t n = (size_t)s->base.n_samples;
    const bool fits = n < MAX_FILES, grown = fits && mc_grow((void **)&s->files, n, &s->capacity, sizeof *s->files);
    if (!grown) mc_free(path);
    if (!fits) return mc_error_set(err, MC_ERR_INPUT, "more than %d image files", MAX_FILES);
    if (!grown) return mc_error_memory(err);
    s->files[n] = (struct file){path, class};
    s->base.n_samples++;
    return MC_OK;
}

static int add_folder(struct image_source *s, const char *folder, int64_t class, int depth, struct mc_error *err)
{
    struct dirent **entries;
    int n, rc = list(folder, &entries, &n, err);
    if (rc < 0) return rc;
    for (int i = 0; rc == MC_OK && i < n; i++) {
        char *path = mc_path_join(folder, entries[i]->d_name);
        if (!path) {
            rc = mc_error_memory(err);
        } else if (is_folder(path)) {
            if (depth < MAX_DEPTH) rc = add_folder(s, path, class, depth + 1, err);
            mc_free(path);
        } else if (mc_picture_is_name(path)) {
            rc = add_file(s, path, class, err);
        } else {
            mc_free(path);
        }
    }
    release(entries, n);
    return rc;
}

/* Number of a class; the training source makes new ones, another has those of `like`. */
static int class_of(struct image_source *s, const struct image_source *like, const char *name, int64_t *class,
                    struct mc_error *err)
{
    if (!like) {
        *class = s->n_classes;
        s->names[s->n_classes] = mc_strdup(name);
        return s->names[s->n_classes++] ? MC_OK : mc_error_memory(err);
    }
    for (*class = 0; *class < like->n_classes; ++*class)
        if (strcmp(like->names[*class], name) == 0) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "class '%s' is not among the training samples'", name);
}

static int read_classes(struct image_source *s, const struct image_source *like, const char *folder,
                        struct mc_error *err)
{
    struct dirent **entries;
    int n, rc = list(folder, &entries, &n, err);
    if (rc < 0) return rc;
    s->names = MC_NEW_ARRAY(char *, n + 1);
    if (!s->names) rc = mc_error_memory(err);
    for (int i = 0; rc == MC_OK && i < n; i++) {
        char *path = mc_path_join(folder, entries[i]->d_name);
        int64_t class;
        if (!path) rc = mc_error_memory(err);
        if (path && is_folder(path)) {
            rc = class_of(s, like, entries[i]->d_name, &class, err);
            if (rc == MC_OK) rc = add_folder(s, path, class, 0, err);
        }
        mc_free(path);
    }
    release(entries, n);
    const int64_t n_classes = like ? like->n_classes : s->n_classes;
    if (rc == MC_OK && (n_classes < 2 || n_classes > MAX_CLASSES))
        rc = mc_error_set(err, MC_ERR_INPUT, "needs 2 to %d folders, one a class, has %lld", MAX_CLASSES,
                          (long long)n_classes);
    if (rc == MC_OK && s->base.n_samples == 0) rc = mc_error_set(err, MC_ERR_INPUT, "has no image files");
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", folder) : rc;
}

/* Images of no class: whatever lies in the folder. */
static int read_pool(struct image_source *s, const char *folder, struct mc_error *err)
{
    int rc = add_folder(s, folder, 0, 0, err);
    if (rc == MC_OK && s->base.n_samples == 0) rc = mc_error_set(err, MC_ERR_INPUT, "has no image files");
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", folder) : rc;
}

/* --- reading --- */

static int decode(const struct image_source *s, int64_t i, struct mc_picture *picture, struct mc_error *err)
{
    struct mc_file_view file;
    int rc = mc_file_open(&file, s->files[i].path, max_file_bytes, err);
    if (rc < 0) return rc;
    rc = mc_picture_decode(picture, file.data, file.length, s->channels, err);
    mc_file_close(&file);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", s->files[i].path) : rc;
}

/* [H, W, C] of bytes to [C, H, W] of floats in fresh memory. */
static float *planes_of(const struct mc_picture *p)
{
    const int64_t area = p->height * p->width;
    float *x = mc_alloc_aligned((size_t)(area * p->channels), sizeof *x);
    for (int c = 0; x && c < p->channels; c++)
        for (int64_t k = 0; k < area; k++) x[c * area + k] = p->pixels[k * p->channels + c];
    return x;
}

/* Sample i into `y`, values 0 … 255. */
static int render(const struct image_source *s, int64_t i, float *y, struct mc_error *err)
{
    struct mc_picture p;
    int rc = decode(s, i, &p, err);
    if (rc < 0) return rc;
    int64_t h = 0, w = 0;
    float *x = planes_of(&p);
    rc = x ? mc_geometry_extents(&s->geometry, p.height, p.width, &h, &w, err) : mc_error_memory(err);
    if (rc == MC_OK && (h != s->base.sample.dim[1] || w != s->base.sample.dim[2])) {
        rc = mc_error_set(err, MC_ERR_INPUT, "has %lld x %lld pixels, the first image has %lld x %lld", (long long)w,
                          (long long)h, (long long)s->base.sample.dim[2], (long long)s->base.sample.dim[1]);
        mc_error_hint(err, "resize=N brings all to one size");
    }
    if (rc == MC_OK) rc = mc_geometry_apply(&s->geometry, p.channels, p.height, p.width, x, y, err);
    mc_free(x);
    mc_free(p.pixels);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", s->files[i].path) : rc;
}

/* Pixels are whole numbers whether they are kept or not. */
static int read_image(const struct image_source *s, int64_t i, float *x, struct mc_error *err)
{
    const int64_t size = mc_shape_count(&s->base.sample);
    unsigned char *kept = s->kept ? s->kept + i * size : NULL;
    if (kept && atomic_load_explicit(&s->states[i], memory_order_acquire) == KEPT) {
        for (int64_t k = 0; k < size; k++) x[k] = (float)kept[k] / 255;
        return MC_OK;
    }
    const int rc = render(s, i, x, err);
    if (rc < 0) return rc;
    unsigned char not_yet = KEPT_NOT;
    const bool mine = kept && atomic_compare_exchange_strong(&s->states[i], &not_yet, KEPT_IN_WORK);
    for (int64_t k = 0; k < size; k++) {
        const long level = lrintf(x[k]);
        const unsigned char byte = (unsigned char)(level < 0 ? 0 : level > 255 ? 255 : level);
        if (mine) kept[k] = byte;
        x[k] = (float)byte / 255;
    }
    if (mine) atomic_store_explicit(&s->states[i], KEPT, memory_order_release);
    return MC_OK;
}

static int image_read(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                      struct mc_error *err)
{
    const struct image_source *s = (const struct image_source *)source;
    (void)target;
    if (label) *label = s->files[i].class;
    return x ? read_image(s, i, x, err) : MC_OK;
}

/* --- the source --- */

static void image_destroy(struct mc_source *source)
{
    struct image_source *s = (struct image_source *)source;
    if (!s) return;
    for (int64_t i = 0; i < source->n_samples; i++) mc_free(s->files[i].path);
    mc_free(s->files);
    for (int64_t i = 0; i < s->n_classes; i++) mc_free(s->names[i]);
    mc_free(s->names);
    mc_free(s->kept);
    mc_free((void *)s->states);
    mc_free(s);
}

/* The size of all samples is that of the first. */
static int find_shape(struct image_source *s, struct mc_error *err)
{
    struct mc_picture p;
    int64_t h, w;
    int rc = decode(s, 0, &p, err);
    if (rc < 0) return rc;
    mc_free(p.pixels);
    rc = mc_geometry_extents(&s->geometry, p.height, p.width, &h, &w, err);
    if (rc < 0) return mc_error_wrap(err, rc, "'%s'", s->files[0].path);
    s->base.sample = mc_shape_of(3, (int64_t[]){s->channels, h, w});
    const size_t n = (size_t)s->base.n_samples, size = (size_t)mc_shape_count(&s->base.sample);
    if (size > max_kept_bytes / n) return MC_OK;
    s->kept = mc_alloc_aligned(n, size);
    s->states = (_Atomic unsigned char *)mc_alloc(n, sizeof *s->states);
    return s->kept && s->states ? MC_OK : mc_error_memory(err);
}

static int open_folder(struct mc_source **out, const struct mc_spec *spec, const char *folder,
                       const struct mc_source *like, struct mc_error *err)
{
    int64_t channels;
    struct image_source *s = MC_NEW(struct image_source);
    if (!s) return mc_error_memory(err);
    *out = &s->base;
    s->base.read = image_read;
    s->base.destroy = image_destroy;
    s->base.task = MC_TASK_CLASSIFICATION;
    s->base.decodes = true;
    int rc = mc_geometry_read(&s->geometry, spec, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "channels", 1, 3, 3, &channels, err);
    if (rc == MC_OK && channels == 2)
        rc = mc_error_set(err, MC_ERR_USAGE, "data option 'channels': needs 1 or 3, has '2'");
    if (rc < 0) return rc;
    s->channels = (int)channels;
    rc = mc_spec_is_unlabelled(spec) ? read_pool(s, folder, err)
                                     : read_classes(s, (const struct image_source *)like, folder, err);
    if (rc == MC_OK) rc = find_shape(s, err);
    s->base.n_classes = like ? like->n_classes : s->n_classes;
    s->base.class_names = like ? like->class_names : (const char *const *)s->names;
    return rc;
}

/* The first of the names that is a folder in `dir`, opened; none: nothing. */
static int open_role(struct mc_source *sources[MC_DATA_ROLES], enum mc_role_of_data role, const struct mc_spec *spec,
                     const char *dir, const char *const names[3], struct mc_error *err)
{
    for (int i = 0; i < 3 && names[i]; i++) {
        char *path = mc_path_join(dir, names[i]);
        if (!path) return mc_error_memory(err);
        const bool there = is_folder(path);
        const int rc = there ? open_folder(&sources[role], spec, path, sources[MC_DATA_TRAIN], err) : MC_OK;
        mc_free(path);
        if (there) return rc;
    }
    return MC_OK;
}

int mc_source_open_images(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                          struct mc_error *err)
{
    static const char *const train[3] = {"train"}, *const validation[3] = {"val", "validation", "valid"},
                             *const test[3] = {"test"};
    int rc = open_role(sources, MC_DATA_TRAIN, spec, path, train, err);
    if (rc == MC_OK && !sources[MC_DATA_TRAIN]) return open_folder(&sources[MC_DATA_TRAIN], spec, path, NULL, err);
    if (rc == MC_OK) rc = open_role(sources, MC_DATA_VALIDATION, spec, path, validation, err);
    return rc == MC_OK ? open_role(sources, MC_DATA_TEST, spec, path, test, err) : rc;
}
