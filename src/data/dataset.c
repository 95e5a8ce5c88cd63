/* dataset.c - opening by name, splitting into roles, reading batches; see data.h. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "data/source.h"

enum { CALIBRATION_SAMPLES = 512 };

/* --- kinds --- */

struct kind {
    const char *name;
    bool needs_path;
    int (*open)(const struct mc_spec *spec, const char *path, struct mc_source *sources[2], struct mc_error *err);
    const char *options[12]; /* beside the common ones; NULL ends */
};

static const char *const common_options[] = {"seed", "train", "test", "validation", "split"};

static const struct kind kinds[] = {
    {"csv", true, mc_source_open_csv, {"label", "target", "separator", "standardize"}},
    {"glyphs", false, mc_source_open_glyphs, {"mean", "std"}},
    {"mnist", true, mc_source_open_mnist, {"mean", "std"}},
};

static const struct kind *find_kind(const char *name, struct mc_error *err)
{
    const char *names[MC_COUNT(kinds)];
    for (size_t i = 0; i < MC_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
        names[i] = kinds[i].name;
    }
    mc_error_set(err, MC_ERR_USAGE, "unknown kind of data '%s': needs csv:FILE, glyphs or mnist:DIR", name);
    const char *nearest = mc_suggest(name, names, MC_COUNT(kinds));
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return NULL;
}

static int check_options(const struct mc_spec *spec, const struct kind *kind, struct mc_error *err)
{
    const char *names[MC_COUNT(common_options) + MC_COUNT(kind->options)];
    size_t n = 0;
    for (size_t i = 0; i < MC_COUNT(common_options); i++) names[n++] = common_options[i];
    for (size_t i = 0; kind->options[i]; i++) names[n++] = kind->options[i];
    return mc_spec_check(spec, names, n, err);
}

static int open_sources(struct mc_dataset *d, const struct mc_spec *spec, const char *base_dir, struct mc_error *err)
{
    const struct kind *kind = find_kind(spec->kind, err);
    if (!kind) return MC_ERR_USAGE;
    if (kind->needs_path && !*spec->path)
        return mc_error_set(err, MC_ERR_USAGE, "data '%s' needs a path: %s:PATH", kind->name, kind->name);
    if (!kind->needs_path && *spec->path)
        return mc_error_set(err, MC_ERR_USAGE, "data '%s' takes no path, has '%s'", kind->name, spec->path);
    int rc = check_options(spec, kind, err);
    if (rc < 0) return rc;
    char *path = mc_path_join(base_dir, spec->path);
    if (!path) return mc_error_memory(err);
    rc = kind->open(spec, path, d->sources, err);
    mc_free(path);
    return rc;
}

/* --- roles --- */

static int set_role(struct mc_dataset *d, enum mc_role_of_data role, const struct mc_source *from,
                    const int64_t *indices, int64_t n, struct mc_error *err)
{
    d->from[role] = from;
    d->index[role] = MC_NEW_ARRAY(int64_t, n);
    if (!d->index[role]) return mc_error_memory(err);
    if (n) memcpy(d->index[role], indices, (size_t)n * sizeof *indices);
    d->n[role] = n;
    return MC_OK;
}

static int64_t *identity_order(int64_t n)
{
    int64_t *order = MC_NEW_ARRAY(int64_t, n);
    for (int64_t i = 0; order && i < n; i++) order[i] = i;
    return order;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* standardize=1: to mean 0 and variance 1 by what the training samples say, for all roles. */
static int standardize(struct mc_dataset *d, const struct mc_spec *spec, struct mc_error *err)
{
    int64_t wanted;
    const int rc = mc_spec_integer(spec, "standardize", 0, 1, 0, &wanted, err);
    if (rc == MC_OK && wanted)
        mc_memory_source_standardize(d->sources[0], d->index[MC_DATA_TRAIN], d->n[MC_DATA_TRAIN]);
    return rc;
}

/* Cut a shuffled list of the training source into [test] [validation] [train]. */
static int split_roles(struct mc_dataset *d, const struct mc_spec *spec, struct mc_error *err)
{
    int64_t seed, most_train, most_test;
    double validation, share;
    int rc = mc_spec_integer(spec, "seed", 0, INT64_MAX, 0, &seed, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "train", 1, INT64_MAX, INT64_MAX, &most_train, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "test", 1, INT64_MAX, INT64_MAX, &most_test, err);
    if (rc == MC_OK) rc = mc_spec_number(spec, "validation", 0, 1e9, 0.1, &validation, err);
    if (rc == MC_OK) rc = mc_spec_number(spec, "split", 0, 0.9, 0.2, &share, err);
    if (rc < 0) return rc;

    const struct mc_source *train = d->sources[0], *test = d->sources[1];
    int64_t *order = identity_order(train->n_samples);
    int64_t *test_order = test ? identity_order(test->n_samples) : NULL;
    if (!order || (test && !test_order)) {
        rc = mc_error_memory(err);
        goto done;
    }
    struct mc_rng rng;
    mc_rng_init(&rng, (uint64_t)seed, mc_hash("split"));
    mc_rng_shuffle(&rng, order, (size_t)train->n_samples);

    const int64_t n_test = test ? 0 : (int64_t)(share * (double)train->n_samples);
    if (test)
        rc = set_role(d, MC_DATA_TEST, test, test_order, smaller(test->n_samples, most_test), err);
    else
        rc = set_role(d, MC_DATA_TEST, train, order, smaller(n_test, most_test), err);
    if (rc < 0) goto done;

    const int64_t n_left = smaller(train->n_samples - n_test, most_train);
    const int64_t n_validation =
        smaller(validation < 1 ? (int64_t)(validation * (double)n_left) : (int64_t)validation, n_left);
    const int64_t *left = order + n_test;
    rc = set_role(d, MC_DATA_VALIDATION, train, left, n_validation, err);
    if (rc == MC_OK) rc = set_role(d, MC_DATA_TRAIN, train, left + n_validation, n_left - n_validation, err);
    if (rc == MC_OK)
        rc = set_role(d, MC_DATA_CALIBRATION, train, left + n_validation,
                      smaller(n_left - n_validation, CALIBRATION_SAMPLES), err);
done:
    mc_free(order);
    mc_free(test_order);
    return rc;
}

/* The spec with the folders taken out of its path, for reports that others read. */
static char *report_spec(const char *spec)
{
    const char *path = strchr(spec, ':');
    if (!path) return mc_strdup(spec);
    path++;
    const char *options = path + strcspn(path, ","), *end = options;
    while (end > path && end[-1] == '/') end--;
    const char *name = end;
    while (name > path && name[-1] != '/') name--;
    const size_t head = (size_t)(path - spec), middle = (size_t)(end - name), tail = strlen(options);
    char *text = mc_alloc(head + middle + tail + 1, 1);
    if (!text) return NULL;
    memcpy(text, spec, head);
    memcpy(text + head, name, middle);
    memcpy(text + head + middle, options, tail);
    return text;
}

static void describe(struct mc_dataset *d)
{
    const struct mc_source *s = d->sources[0];
    d->task = s->task;
    d->sample = s->sample;
    d->n_classes = s->n_classes;
    d->n_targets = s->n_targets;
}

int mc_dataset_open(struct mc_dataset **dataset, const char *text, const char *base_dir, struct mc_error *err)
{
    struct mc_spec spec;
    int rc = mc_spec_parse(&spec, text, err);
    if (rc < 0) return mc_error_wrap(err, rc, "data '%s'", text);
    struct mc_dataset *d = MC_NEW(struct mc_dataset);
    if (!d) {
        rc = mc_error_memory(err);
        goto done;
    }
    d->spec = report_spec(text);
    rc = d->spec ? open_sources(d, &spec, base_dir, err) : mc_error_memory(err);
    if (rc == MC_OK) {
        describe(d);
        rc = split_roles(d, &spec, err);
    }
    if (rc == MC_OK) rc = standardize(d, &spec, err);
done:
    mc_spec_finish(&spec);
    if (rc < 0) {
        mc_dataset_destroy(d);
        return mc_error_wrap(err, rc, "data '%s'", text);
    }
    *dataset = d;
    return MC_OK;
}

void mc_dataset_destroy(struct mc_dataset *d)
{
    if (!d) return;
    for (int role = 0; role < MC_DATA_ROLES; role++) mc_free(d->index[role]);
    for (int i = 0; i < 2 && !d->borrowed; i++)
        if (d->sources[i]) d->sources[i]->destroy(d->sources[i]);
    mc_free(d->spec);
    mc_free(d);
}

const char *mc_data_role_name(enum mc_role_of_data role)
{
    static const char *const names[] = {"train", "validation", "test", "calibration"};
    assert(role < MC_DATA_ROLES);
    return names[role];
}

/* --- batches --- */

int mc_dataset_read(const struct mc_dataset *d, enum mc_role_of_data role, const int64_t *order, int64_t begin,
                    int64_t n, float *x, int64_t *labels, float *targets, int n_threads, struct mc_error *err)
{
    const struct mc_source *from = d->from[role];
    const int64_t width = mc_shape_count(&d->sample);
    assert(begin >= 0 && n >= 0 && begin + n <= d->n[role]);
    int rc = MC_OK;
#pragma omp parallel for num_threads(n_threads) if (n_threads > 1 && n * width > 100000) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const int64_t position = order ? order[begin + i] : begin + i;
        struct mc_error own = {0};
        const int status = from->read(from, d->index[role][position], x ? x + i * width : NULL,
                                      labels ? labels + i : NULL, targets ? targets + i * d->n_targets : NULL, &own);
        if (status < 0) {
#pragma omp critical(mc_dataset_read_error)
            {
                if (rc == MC_OK) {
                    rc = status;
                    if (err) *err = own;
                }
            }
        }
    }
    return rc;
}

/* --- folds --- */

/* Deal the positions of `pool` out to k folds so that each class is spread evenly: sort by class, keep the shuffled
 * order within, deal round robin. Regression: the shuffled order alone. */
static int deal_folds(const struct mc_dataset *of, int64_t *pool, int64_t n, struct mc_error *err)
{
    if (of->task != MC_TASK_CLASSIFICATION) return MC_OK;
    const struct mc_source *source = of->from[MC_DATA_TRAIN];
    int64_t *sorted = MC_NEW_ARRAY(int64_t, n), *labels = MC_NEW_ARRAY(int64_t, n);
    int rc = sorted && labels ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; rc == MC_OK && i < n; i++) rc = source->read(source, pool[i], NULL, &labels[i], NULL, err);
    if (rc == MC_OK) {
        int64_t used = 0;
        for (int64_t c = 0; c < of->n_classes; c++)
            for (int64_t i = 0; i < n; i++)
                if (labels[i] == c) sorted[used++] = pool[i];
        memcpy(pool, sorted, (size_t)n * sizeof *pool);
    }
    mc_free(sorted);
    mc_free(labels);
    return rc;
}

int mc_dataset_fold(struct mc_dataset **dataset, const struct mc_dataset *of, int k, int f, uint64_t seed,
                    struct mc_error *err)
{
    const int64_t n_train = of->n[MC_DATA_TRAIN], n = n_train + of->n[MC_DATA_VALIDATION];
    if (k < 2 || k > n || f < 0 || f >= k)
        return mc_error_set(err, MC_ERR_USAGE, "fold %d of %d: needs 2 to %lld folds", f + 1, k, (long long)n);
    struct mc_dataset *d = MC_NEW(struct mc_dataset);
    int64_t *pool = MC_NEW_ARRAY(int64_t, n), *part = MC_NEW_ARRAY(int64_t, n);
    int rc = d && pool && part ? MC_OK : mc_error_memory(err);
    if (rc < 0) goto done;
    memcpy(pool, of->index[MC_DATA_TRAIN], (size_t)n_train * sizeof *pool);
    memcpy(pool + n_train, of->index[MC_DATA_VALIDATION], (size_t)(n - n_train) * sizeof *pool);
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("fold"));
    mc_rng_shuffle(&rng, pool, (size_t)n);
    rc = deal_folds(of, pool, n, err);
    if (rc < 0) goto done;

    d->borrowed = true;
    memcpy(d->sources, of->sources, sizeof d->sources);
    describe(d);
    d->spec = mc_strdup(of->spec);
    if (!d->spec) rc = mc_error_memory(err);
    int64_t n_held = 0, n_kept = 0; /* held-out ones from the front of `part`, the rest from its back */
    for (int64_t i = 0; i < n; i++) part[i % k == f ? n_held++ : n - ++n_kept] = pool[i];
    const struct mc_source *source = of->from[MC_DATA_TRAIN];
    if (rc == MC_OK) rc = set_role(d, MC_DATA_VALIDATION, source, part, n_held, err);
    if (rc == MC_OK) rc = set_role(d, MC_DATA_TRAIN, source, part + n_held, n_kept, err);
    if (rc == MC_OK)
        rc = set_role(d, MC_DATA_CALIBRATION, source, part + n_held, smaller(n_kept, CALIBRATION_SAMPLES), err);
    if (rc == MC_OK)
        rc = set_role(d, MC_DATA_TEST, of->from[MC_DATA_TEST], of->index[MC_DATA_TEST], of->n[MC_DATA_TEST], err);
done:
    mc_free(pool);
    mc_free(part);
    if (rc < 0)
        mc_dataset_destroy(d);
    else
        *dataset = d;
    return rc;
}
