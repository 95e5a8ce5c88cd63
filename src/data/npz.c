/* npz.c - samples in NumPy arrays: an archive of them (npz), or files of their own (npy).
 *
 * `x` [N, …] are the samples, `y` what is to be learnt: integers or bools [N] are classes, bools [N, L] labels, floats
 * [N] or [N, T] numbers. `sample_weight` [N], where it is, says how much each counts in training. `x_test` and
 * `y_test`, where they are, are the test samples. Bytes become v/255 unless `scale` says otherwise; whatever else
 * becomes float32 as it is.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "data/source.h"
#include "data/zip.h"
#include "onnx/npy.h"

enum { MAX_CLASSES = 65536 };
static const size_t max_file_bytes = (size_t)1 << 36;

/* Where arrays come from. */
struct arrays {
    const struct mc_spec *spec;
    const char *path;   /* of the archive, or of the folder */
    struct mc_zip *zip; /* NULL: a folder */
};

/* --- one array --- */

static int load_member(const struct arrays *a, const struct mc_zip_member *member, struct mc_tensor **tensor,
                       struct mc_error *err)
{
    unsigned char *bytes;
    int rc = mc_zip_read(a->zip, member, &bytes, err);
    if (rc < 0) return rc;
    rc = mc_npy_parse(tensor, bytes, member->size, err);
    mc_free(bytes);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s': array '%s'", a->path, member->name) : rc;
}

static int load_file(const char *path, struct mc_tensor **tensor, struct mc_error *err)
{
    struct mc_file_view view;
    int rc = mc_file_open(&view, path, max_file_bytes, err);
    if (rc < 0) return rc;
    rc = mc_npy_parse(tensor, view.data, view.length, err);
    mc_file_close(&view);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", path) : rc;
}

/* The array that the option `key` names, else the first of its usual names that is there. A missing one is an error
 * when it was named or is `needed`; else *tensor is NULL. */
static int load(const struct arrays *a, const char *key, const char *const usual[3], bool needed,
                struct mc_tensor **tensor, struct mc_error *err)
{
    const char *given = mc_spec_text(a->spec, key);
    const char *const only[3] = {given, NULL, NULL}, *const *names = given ? only : usual;
    *tensor = NULL;
    for (int i = 0; i < 3 && names[i]; i++) {
        char name[300];
        const bool whole = strlen(names[i]) > 4 && strcmp(names[i] + strlen(names[i]) - 4, ".npy") == 0;
        snprintf(name, sizeof name, "%s%s", names[i], whole ? "" : ".npy");
        if (a->zip) {
            const struct mc_zip_member *member = mc_zip_find(a->zip, name);
            if (member) return load_member(a, member, tensor, err);
            continue;
        }
        char *path = mc_path_join(a->path, name);
        if (!path) return mc_error_memory(err);
        const bool there = mc_file_size(path) >= 0;
        const int rc = there ? load_file(path, tensor, err) : MC_OK;
        mc_free(path);
        if (there) return rc;
    }
    if (!given && !needed) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "'%s' has no array '%s'", a->path, given ? given : usual[0]);
}

/* --- samples --- */

static int take_samples(struct mc_memory_source *m, struct mc_tensor *x, const struct mc_spec *spec,
                        struct mc_error *err)
{
    double scale;
    const bool bytes = x->dtype == MC_UINT8;
    int rc = mc_spec_number(spec, "scale", 1e-9, 1e9, bytes ? 1.0 / 255 : 1, &scale, err);
    if (rc < 0) return rc;
    char text[128];
    if (x->shape.rank < 2 || mc_shape_count(&x->shape) == 0)
        return mc_error_set(err, MC_ERR_INPUT, "array x: needs a shape [N, …] with samples, has %s",
                            mc_shape_text(&x->shape, text, sizeof text));
    m->base.n_samples = x->shape.dim[0];
    m->base.sample = mc_shape_of(x->shape.rank - 1, x->shape.dim + 1);
    m->scale = scale;
    const size_t count = (size_t)mc_tensor_count(x);
    if (bytes) {
        m->bytes = mc_alloc_aligned(count, 1);
        if (!m->bytes) return mc_error_memory(err);
        memcpy(m->bytes, x->data, count);
        return MC_OK;
    }
    if (!mc_dtype_is_float(x->dtype) && !mc_dtype_is_integer(x->dtype) && x->dtype != MC_BOOL)
        return mc_error_set(err, MC_ERR_INPUT, "array x: needs numbers, has %s", mc_dtype_name(x->dtype));
    m->floats = mc_alloc_aligned(count, sizeof *m->floats);
    if (!m->floats) return mc_error_memory(err);
    struct mc_tensor *view;
    rc = mc_tensor_wrap(&view, MC_FLOAT, &x->shape, m->floats, NULL, NULL, err);
    if (rc == MC_OK) rc = mc_tensor_convert(view, x, err);
    mc_tensor_destroy(view);
    for (size_t i = 0; rc == MC_OK && i < count; i++) {
        m->floats[i] *= (float)scale;
        if (!(m->floats[i] - m->floats[i] == 0))
            rc = mc_error_set(err, MC_ERR_INPUT, "array x: sample %zu has a number that is not finite",
                              i / (count / (size_t)m->base.n_samples));
    }
    return rc;
}

static int take_classes(struct mc_memory_source *m, const struct mc_tensor *y, const struct mc_spec *spec,
                        struct mc_error *err)
{
    int64_t given, highest = 1;
    const int64_t n = y->shape.dim[0];
    const int rc = mc_spec_integer(spec, "classes", 2, MAX_CLASSES, 0, &given, err);
    if (rc < 0) return rc;
    m->labels = MC_NEW_ARRAY(int64_t, n);
    if (!m->labels) return mc_error_memory(err);
    const int64_t most = given ? given : MAX_CLASSES;
    for (int64_t i = 0; i < n; i++) {
        m->labels[i] = mc_tensor_get_i64(y, i);
        if (m->labels[i] < 0 || m->labels[i] >= most)
            return mc_error_set(err, MC_ERR_INPUT, "array y: sample %lld: needs a class from 0 to %lld, has %lld",
                                (long long)i, (long long)most - 1, (long long)m->labels[i]);
        if (m->labels[i] > highest) highest = m->labels[i];
    }
    m->base.task = MC_TASK_CLASSIFICATION;
    m->base.n_classes = given ? given : highest + 1;
    return MC_OK;
}

static int take_numbers(struct mc_memory_source *m, const struct mc_tensor *y, struct mc_error *err)
{
    const int64_t count = mc_tensor_count(y);
    m->base.task = y->dtype == MC_BOOL ? MC_TASK_LABELS : MC_TASK_REGRESSION;
    m->base.n_targets = y->shape.rank == 2 ? y->shape.dim[1] : 1;
    m->targets = MC_NEW_ARRAY(float, count);
    if (!m->targets) return mc_error_memory(err);
    for (int64_t i = 0; i < count; i++) {
        m->targets[i] = (float)mc_tensor_get_f64(y, i);
        if (!(m->targets[i] - m->targets[i] == 0))
            return mc_error_set(err, MC_ERR_INPUT, "array y: sample %lld has a number that is not finite",
                                (long long)(i / m->base.n_targets));
    }
    return MC_OK;
}

/* Integers in a column of their own, [N, 1], are classes too, as scikit-learn and Keras have them. */
static int take_targets(struct mc_memory_source *m, const struct mc_tensor *y, const struct mc_spec *spec,
                        struct mc_error *err)
{
    const struct mc_shape *shape = &y->shape;
    char text[128];
    if (shape->rank < 1 || shape->rank > 2 || shape->dim[0] != m->base.n_samples ||
        (shape->rank == 2 && !shape->dim[1]))
        return mc_error_set(err, MC_ERR_INPUT, "array y: needs a shape [%lld] or [%lld, T], as x has samples, has %s",
                            (long long)m->base.n_samples, (long long)m->base.n_samples,
                            mc_shape_text(shape, text, sizeof text));
    const bool whole = mc_dtype_is_integer(y->dtype) || y->dtype == MC_BOOL;
    if (!whole && !mc_dtype_is_float(y->dtype))
        return mc_error_set(err, MC_ERR_INPUT, "array y: needs numbers, has %s", mc_dtype_name(y->dtype));
    const bool single = shape->rank == 1 || shape->dim[1] == 1;
    return whole && single ? take_classes(m, y, spec, err) : take_numbers(m, y, err);
}

static int take_weights(struct mc_memory_source *m, const struct mc_tensor *w, struct mc_error *err)
{
    const int64_t n = m->base.n_samples;
    char text[128];
    if (w->shape.rank < 1 || mc_tensor_count(w) != n || w->shape.dim[0] != n)
        return mc_error_set(err, MC_ERR_INPUT, "array sample_weight: needs a shape [%lld], has %s", (long long)n,
                            mc_shape_text(&w->shape, text, sizeof text));
    m->weights = MC_NEW_ARRAY(float, n);
    if (!m->weights) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        m->weights[i] = (float)mc_tensor_get_f64(w, i);
        if (!(m->weights[i] >= 0 && m->weights[i] - m->weights[i] == 0))
            return mc_error_set(err, MC_ERR_INPUT, "array sample_weight: sample %lld: needs at least 0, has %g",
                                (long long)i, (double)m->weights[i]);
    }
    m->base.weights = m->weights;
    return MC_OK;
}

static int open_role(const struct arrays *a, bool test, struct mc_source **source, struct mc_error *err)
{
    static const char *const xs[2][3] = {{"x", "x_train", NULL}, {"x_test", NULL}}, *const ys[2][3] = {
                                                                                        {"y", "y_train", NULL},
                                                                                        {"y_test", NULL}};
    static const char *const weights[3] = {"sample_weight", NULL};
    struct mc_tensor *x = NULL, *y = NULL, *w = NULL;
    int rc = load(a, test ? "x_test" : "x", xs[test], !test, &x, err);
    const bool labelled = !mc_spec_is_unlabelled(a->spec);
    if (rc == MC_OK && labelled) rc = load(a, test ? "y_test" : "y", ys[test], !test || x, &y, err);
    if (rc == MC_OK && !test) rc = load(a, "weight", weights, false, &w, err);
    struct mc_memory_source *m = rc == MC_OK && x ? mc_memory_source_create() : NULL;
    if (rc == MC_OK && x && !m) rc = mc_error_memory(err);
    if (m) {
        *source = &m->base;
        rc = take_samples(m, x, a->spec, err);
        if (rc == MC_OK && labelled) rc = take_targets(m, y, a->spec, err);
        if (rc == MC_OK && w) rc = take_weights(m, w, err);
        if (rc < 0) mc_error_wrap(err, rc, "'%s'", a->path);
    }
    mc_tensor_destroy(x);
    mc_tensor_destroy(y);
    mc_tensor_destroy(w);
    return rc;
}

static int open_arrays(const struct arrays *a, struct mc_source *sources[MC_DATA_ROLES], struct mc_error *err)
{
    const int rc = open_role(a, false, &sources[MC_DATA_TRAIN], err);
    return rc == MC_OK ? open_role(a, true, &sources[MC_DATA_TEST], err) : rc;
}

int mc_source_open_npz(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                       struct mc_error *err)
{
    struct mc_zip zip;
    const struct arrays a = {.spec = spec, .path = path, .zip = &zip};
    int rc = mc_zip_open(&zip, path, err);
    if (rc == MC_OK) rc = open_arrays(&a, sources, err);
    mc_zip_finish(&zip);
    return rc;
}

int mc_source_open_npy(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                       struct mc_error *err)
{
    const struct arrays a = {.spec = spec, .path = path};
    return open_arrays(&a, sources, err);
}
