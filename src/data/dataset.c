/* dataset.c - opening by name, splitting into roles, reading batches; see data.h. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "data/draw.h"
#include "data/sized.h"
#include "data/source.h"

enum { CALIBRATION_SAMPLES = 512 };

/* --- kinds --- */

struct kind {
    const char *name;
    const char *path; /* what it names; NULL: it takes none */
    mc_source_opener *open;
    const char *options[12]; /* beside the common ones; NULL ends */
};

static const char *const common_options[] = {"seed",      "train", "test", "validation", "split",
                                             "normalize", "mean",  "std",  "augment",    "unlabelled"};

static const struct kind kinds[] = {
    {"cifar10",
     "DIR",
     mc_source_open_cifar10,
     {"train_batches", "validation_batches", "test_batches", "resize", "crop"}},
    {"csv",
     "FILE",
     mc_source_open_csv,
     {"label", "labels", "target", "weight", "separator", "categorical", "drop", "missing", "impute", "standardize"}},
    {"glyphs", NULL, mc_source_open_glyphs, {"resize", "crop"}},
    {"images", "DIR", mc_source_open_images, {"resize", "crop", "channels"}},
    {"mnist", "DIR", mc_source_open_mnist, {"resize", "crop"}},
    {"npy", "DIR", mc_source_open_npy, {"x", "y", "x_test", "y_test", "classes", "scale", "weight", "resize", "crop"}},
    {"npz", "FILE", mc_source_open_npz, {"x", "y", "x_test", "y_test", "classes", "scale", "weight", "resize", "crop"}},
};

static const struct kind *find_kind(const char *name, struct mc_error *err)
{
    const char *names[MC_COUNT(kinds)];
    for (size_t i = 0; i < MC_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
        names[i] = kinds[i].name;
    }
    char known[128] = "";
    for (size_t i = 0; i < MC_COUNT(kinds); i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s%s%s", i ? ", " : "", kinds[i].name,
                 kinds[i].path ? ":" : "", kinds[i].path ? kinds[i].path : "");
    mc_error_set(err, MC_ERR_USAGE, "unknown kind of data '%s': needs %s", name, known);
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

static int take_labels_off(struct mc_source *sources[MC_DATA_ROLES], const struct mc_spec *spec, struct mc_error *err)
{
    int64_t unlabelled;
    const int rc = mc_spec_integer(spec, "unlabelled", 0, 1, 0, &unlabelled, err);
    for (int role = 0; rc == MC_OK && unlabelled && role < MC_DATA_ROLES; role++) {
        struct mc_source *source = sources[role];
        if (!source) continue;
        source->unlabelled = true;
        source->task = MC_TASK_CLASSIFICATION;
        source->n_classes = source->n_targets = 0;
        source->class_names = NULL;
    }
    return rc;
}

/* Images come to the size that is asked for where their source has not seen to it. */
static int size_sources(struct mc_source *sources[MC_DATA_ROLES], const struct mc_spec *spec, const struct kind *kind,
                        struct mc_error *err)
{
    struct mc_geometry geometry;
    int rc = kind->open == mc_source_open_images ? MC_OK : mc_geometry_read(&geometry, spec, err);
    if (rc < 0 || kind->open == mc_source_open_images || mc_geometry_is_none(&geometry)) return rc;
    for (int role = 0; rc == MC_OK && role < MC_DATA_ROLES; role++)
        if (sources[role]) rc = mc_source_size(&sources[role], &geometry, err);
    return rc;
}

static int open_sources(const struct mc_spec *spec, const char *base_dir, struct mc_source *sources[MC_DATA_ROLES],
                        struct mc_error *err)
{
    const struct kind *kind = find_kind(spec->kind, err);
    if (!kind) return MC_ERR_USAGE;
    if (kind->path && !*spec->path)
        return mc_error_set(err, MC_ERR_USAGE, "data '%s' needs a path: %s:%s", kind->name, kind->name, kind->path);
    if (!kind->path && *spec->path)
        return mc_error_set(err, MC_ERR_USAGE, "data '%s' takes no path, has '%s'", kind->name, spec->path);
    int rc = check_options(spec, kind, err);
    if (rc < 0) return rc;
    char *path = mc_path_join(base_dir, spec->path);
    if (!path) return mc_error_memory(err);
    rc = kind->open(spec, path, sources, err);
    mc_free(path);
    if (rc == MC_OK) rc = take_labels_off(sources, spec, err);
    return rc == MC_OK ? size_sources(sources, spec, kind, err) : rc;
}

static void destroy_sources(struct mc_source *sources[MC_DATA_ROLES])
{
    for (int role = 0; role < MC_DATA_ROLES; role++)
        if (sources[role]) sources[role]->destroy(sources[role]);
}

/* --- several data sets --- */

/* What stands before '=' if that is a role, and where the rest begins; false: the text is of no role. */
static bool starts_role(const char *text, enum mc_role_of_data *role, const char **rest)
{
    for (int i = 0; i < MC_DATA_ROLES; i++) {
        const char *name = mc_data_role_name((enum mc_role_of_data)i);
        const size_t length = strlen(name);
        if (strncmp(text, name, length) != 0 || text[length] != '=') continue;
        *role = (enum mc_role_of_data)i;
        *rest = text + length + 1;
        return true;
    }
    return false;
}

/* The ';' before the next role, or the end. */
static size_t part_length(const char *text)
{
    enum mc_role_of_data role;
    const char *rest;
    size_t length = strcspn(text, ";");
    while (text[length] && !starts_role(text + length + 1, &role, &rest)) length += 1 + strcspn(text + length + 1, ";");
    return length;
}

/* The text of each role's data set, in fresh memory; NULL: it has none of its own. */
static int split_parts(const char *text, char *parts[MC_DATA_ROLES], struct mc_error *err)
{
    while (*text) {
        enum mc_role_of_data role = MC_DATA_TRAIN;
        const char *rest = text;
        const size_t length = part_length(text);
        starts_role(text, &role, &rest);
        if (parts[role])
            return mc_error_set(err, MC_ERR_USAGE, "the %s samples are named twice", mc_data_role_name(role));
        const size_t n = length - (size_t)(rest - text);
        parts[role] = mc_alloc(n + 1, 1);
        if (!parts[role]) return mc_error_memory(err);
        memcpy(parts[role], rest, n);
        text += length + (text[length] == ';');
    }
    if (parts[MC_DATA_TRAIN]) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "no data set is named to train on");
}

/* A role's own data set: what it has for the role, or else to train on. */
static int open_part(struct mc_dataset *d, enum mc_role_of_data role, const char *text, const struct mc_spec *first,
                     const char *base_dir, struct mc_error *err)
{
    struct mc_source *sources[MC_DATA_ROLES] = {NULL};
    struct mc_spec spec;
    int rc = mc_spec_parse(&spec, text, err);
    if (rc == MC_OK) rc = mc_spec_inherit(&spec, first, err);
    if (rc == MC_OK) rc = open_sources(&spec, base_dir, sources, err);
    mc_spec_finish(&spec);
    if (rc == MC_OK) {
        const int from = sources[role] ? (int)role : MC_DATA_TRAIN;
        if (d->sources[role]) d->sources[role]->destroy(d->sources[role]);
        d->sources[role] = sources[from];
        sources[from] = NULL;
    }
    destroy_sources(sources);
    return rc < 0 ? mc_error_wrap(err, rc, "%s samples", mc_data_role_name(role)) : rc;
}

static int open_parts(struct mc_dataset *d, char *const parts[MC_DATA_ROLES], const struct mc_spec *first,
                      const char *base_dir, struct mc_error *err)
{
    int rc = open_sources(first, base_dir, d->sources, err);
    for (int role = MC_DATA_TRAIN + 1; rc == MC_OK && role < MC_DATA_ROLES; role++)
        if (parts[role]) rc = open_part(d, (enum mc_role_of_data)role, parts[role], first, base_dir, err);
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

/* How many samples the roles are to have. */
struct shares {
    uint64_t seed;
    int64_t most_train, most_test;
    double validation, test; /* validation: a share below 1, else a count */
};

static int read_shares(struct shares *shares, const struct mc_spec *spec, struct mc_error *err)
{
    int64_t seed;
    int rc = mc_spec_integer(spec, "seed", 0, INT64_MAX, 0, &seed, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "train", 1, INT64_MAX, INT64_MAX, &shares->most_train, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "test", 1, INT64_MAX, INT64_MAX, &shares->most_test, err);
    if (rc == MC_OK) rc = mc_spec_number(spec, "validation", 0, 1e9, 0.1, &shares->validation, err);
    if (rc == MC_OK) rc = mc_spec_number(spec, "split", 0, 0.9, 0.2, &shares->test, err);
    shares->seed = (uint64_t)seed;
    return rc;
}

/* All samples of a role that has a source of its own, at most `most`. */
static int take_role(struct mc_dataset *d, enum mc_role_of_data role, int64_t most, struct mc_error *err)
{
    const struct mc_source *source = d->sources[role];
    int64_t *order = identity_order(source->n_samples);
    const int rc =
        order ? set_role(d, role, source, order, smaller(source->n_samples, most), err) : mc_error_memory(err);
    mc_free(order);
    return rc;
}

/* Cut a shuffled list of the training source into [test] [validation] [train]; roles with sources of their own have no
 * part in it. */
static int split_roles(struct mc_dataset *d, const struct shares *shares, struct mc_error *err)
{
    const struct mc_source *train = d->sources[MC_DATA_TRAIN];
    int64_t *order = identity_order(train->n_samples);
    if (!order) return mc_error_memory(err);
    struct mc_rng rng;
    mc_rng_init(&rng, shares->seed, mc_hash("split"));
    mc_rng_shuffle(&rng, order, (size_t)train->n_samples);

    const int64_t n_test = d->sources[MC_DATA_TEST] ? 0 : (int64_t)(shares->test * (double)train->n_samples);
    int rc = d->sources[MC_DATA_TEST]
                 ? take_role(d, MC_DATA_TEST, shares->most_test, err)
                 : set_role(d, MC_DATA_TEST, train, order, smaller(n_test, shares->most_test), err);

    const int64_t n_left = smaller(train->n_samples - n_test, shares->most_train), *left = order + n_test;
    const double wanted = shares->validation < 1 ? shares->validation * (double)n_left : shares->validation;
    const int64_t n_validation = d->sources[MC_DATA_VALIDATION] ? 0 : smaller((int64_t)wanted, n_left);
    const int64_t n_train = n_left - n_validation;
    if (rc == MC_OK)
        rc = d->sources[MC_DATA_VALIDATION] ? take_role(d, MC_DATA_VALIDATION, INT64_MAX, err)
                                            : set_role(d, MC_DATA_VALIDATION, train, left, n_validation, err);
    if (rc == MC_OK) rc = set_role(d, MC_DATA_TRAIN, train, left + n_validation, n_train, err);
    if (rc == MC_OK)
        rc = d->sources[MC_DATA_CALIBRATION] ? take_role(d, MC_DATA_CALIBRATION, CALIBRATION_SAMPLES, err)
                                             : set_role(d, MC_DATA_CALIBRATION, train, left + n_validation,
                                                        smaller(n_train, CALIBRATION_SAMPLES), err);
    mc_free(order);
    return rc;
}

/* --- what the training samples decide --- */

/* The source that says what the targets are: the one to train on, unless its samples have none. */
static const struct mc_source *telling(const struct mc_dataset *d)
{
    for (int role = 0; role < MC_DATA_ROLES; role++)
        if (d->sources[role] && !d->sources[role]->unlabelled) return d->sources[role];
    return d->sources[MC_DATA_TRAIN];
}

/* Samples of a role that has a source of its own are like those to train on. */
static int check_source(const struct mc_dataset *d, enum mc_role_of_data role, struct mc_error *err)
{
    const struct mc_source *train = d->sources[MC_DATA_TRAIN], *source = d->sources[role], *like = telling(d);
    const char *name = mc_data_role_name(role);
    char needed[64], found[64];
    if (!mc_shape_equal(&train->sample, &source->sample))
        return mc_error_set(err, MC_ERR_INPUT, "%s samples: need the shape %s of the training samples, have %s", name,
                            mc_shape_text(&train->sample, needed, sizeof needed),
                            mc_shape_text(&source->sample, found, sizeof found));
    if (source->unlabelled) return MC_OK;
    if (like->task != source->task || like->n_targets != source->n_targets)
        return mc_error_set(err, MC_ERR_INPUT,
                            "%s samples: their targets are of another kind than the training samples'", name);
    if (source->n_classes > like->n_classes)
        return mc_error_set(err, MC_ERR_INPUT, "%s labels: need classes below %lld, have %lld", name,
                            (long long)like->n_classes, (long long)source->n_classes - 1);
    return MC_OK;
}

static int fit_sources(struct mc_dataset *d, struct mc_error *err)
{
    struct mc_source *train = d->sources[MC_DATA_TRAIN];
    int rc = train->fit ? train->fit(train, NULL, d->index[MC_DATA_TRAIN], d->n[MC_DATA_TRAIN], err) : MC_OK;
    for (int role = MC_DATA_TRAIN + 1; rc == MC_OK && role < MC_DATA_ROLES; role++) {
        struct mc_source *source = d->sources[role];
        if (!source) continue;
        if (source->fit) rc = source->fit(source, train, NULL, 0, err);
        if (rc == MC_OK) rc = check_source(d, (enum mc_role_of_data)role, err);
    }
    return rc;
}

/* Reading decodes what lies in files: so many samples tell enough. They stand in random order. */
enum { LEARN_FROM = 50000 };

static int learn_normalizer(struct mc_dataset *d, enum mc_normalization how, struct mc_error *err)
{
    const struct mc_source *source = d->from[MC_DATA_TRAIN];
    struct mc_normalizer_sums sums;
    float *x = MC_NEW_ARRAY(float, mc_shape_count(&d->sample));
    int rc = x ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_normalizer_begin(&d->normalizer, &sums, how, &d->sample, err);
    if (rc < 0) goto done;
    for (int64_t i = 0; rc == MC_OK && i < smaller(d->n[MC_DATA_TRAIN], LEARN_FROM); i++) {
        rc = source->read(source, d->index[MC_DATA_TRAIN][i], x, NULL, NULL, err);
        if (rc == MC_OK) mc_normalizer_add(&d->normalizer, &sums, x);
    }
    mc_normalizer_end(&d->normalizer, &sums);
done:
    mc_free(x);
    return rc;
}

static void describe(struct mc_dataset *d)
{
    const struct mc_source *s = telling(d);
    d->task = s->task;
    d->sample = s->sample;
    d->n_classes = s->n_classes;
    d->n_targets = s->n_targets;
    d->class_names = s->class_names;
}

/* So that weights do not change the rate: their mean over the training samples becomes 1. */
static int scale_weights(struct mc_dataset *d, struct mc_error *err)
{
    const float *weights = d->sources[MC_DATA_TRAIN]->weights;
    double sum = 0;
    if (!weights) return MC_OK;
    for (int64_t i = 0; i < d->n[MC_DATA_TRAIN]; i++) sum += weights[d->index[MC_DATA_TRAIN][i]];
    if (sum > 0) {
        d->weight_scale = (double)d->n[MC_DATA_TRAIN] / sum;
        return MC_OK;
    }
    return mc_error_set(err, MC_ERR_INPUT, "the weights of all training samples are 0");
}

static int settle(struct mc_dataset *d, const struct mc_spec *spec, struct mc_error *err)
{
    enum mc_normalization learn;
    int rc = fit_sources(d, err);
    if (rc < 0) return rc;
    describe(d);
    rc = scale_weights(d, err);
    if (rc < 0) return rc;
    const char *augment = mc_spec_text(spec, "augment");
    if (augment) rc = mc_augment_add(&d->augment, augment, &d->sample, err);
    if (rc == MC_OK) rc = mc_normalizer_init(&d->normalizer, spec, &d->sample, &learn, err);
    return rc == MC_OK && learn != MC_NORMALIZE_GIVEN ? learn_normalizer(d, learn, err) : rc;
}

/* Append one part with the folders taken out of its path. */
static void append_part(struct mc_buf *out, const char *part, size_t length)
{
    const char *const end_of_part = part + length, *colon = memchr(part, ':', length);
    const char *path = colon ? colon + 1 : end_of_part;
    const char *options = memchr(path, ',', (size_t)(end_of_part - path));
    if (!options) options = end_of_part;
    const char *end = options;
    while (end > path && end[-1] == '/') end--;
    const char *name = end;
    while (name > path && name[-1] != '/') name--;
    mc_buf_append(out, part, (size_t)(path - part));
    mc_buf_append(out, name, (size_t)(end - name));
    mc_buf_append(out, options, (size_t)(end_of_part - options));
}

/* The spec for reports that others read. */
static char *report_spec(const char *spec)
{
    struct mc_buf out;
    mc_buf_init(&out, 1 << 20);
    while (*spec) {
        const size_t length = part_length(spec);
        append_part(&out, spec, length);
        if (spec[length]) mc_buf_puts(&out, ";");
        spec += length + (spec[length] == ';');
    }
    char *text = out.failed ? NULL : mc_strdup(out.data ? out.data : "");
    mc_buf_finish(&out);
    return text;
}

static int open_all(struct mc_dataset *d, char *const parts[MC_DATA_ROLES], const char *base_dir, struct mc_error *err)
{
    struct mc_spec spec;
    struct shares shares;
    int rc = mc_spec_parse(&spec, parts[MC_DATA_TRAIN], err);
    if (rc < 0) return rc;
    rc = open_parts(d, parts, &spec, base_dir, err);
    if (rc == MC_OK) rc = read_shares(&shares, &spec, err);
    if (rc == MC_OK) rc = split_roles(d, &shares, err);
    if (rc == MC_OK) rc = settle(d, &spec, err);
    mc_spec_finish(&spec);
    return rc;
}

int mc_dataset_open(struct mc_dataset **dataset, const char *text, const char *base_dir, struct mc_error *err)
{
    char *parts[MC_DATA_ROLES] = {NULL};
    struct mc_dataset *d = MC_NEW(struct mc_dataset);
    int rc = d ? split_parts(text, parts, err) : mc_error_memory(err);
    if (rc == MC_OK) {
        d->spec = report_spec(text);
        rc = d->spec ? open_all(d, parts, base_dir, err) : mc_error_memory(err);
    }
    for (int role = 0; role < MC_DATA_ROLES; role++) mc_free(parts[role]);
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
    if (!d->borrowed) destroy_sources(d->sources);
    if (!d->borrowed) mc_normalizer_finish(&d->normalizer);
    mc_free(d->spec);
    mc_free(d);
}

const char *mc_data_role_name(enum mc_role_of_data role)
{
    static const char *const names[] = {"train", "validation", "test", "calibration"};
    assert(role < MC_DATA_ROLES);
    return names[role];
}

int mc_data_role_find(const char *name, enum mc_role_of_data *role, struct mc_error *err)
{
    *role = MC_DATA_TEST;
    if (!name) return MC_OK;
    for (int i = 0; i < MC_DATA_ROLES; i++) {
        *role = (enum mc_role_of_data)i;
        if (strcmp(name, mc_data_role_name(*role)) == 0) return MC_OK;
    }
    return mc_error_set(err, MC_ERR_USAGE, "role: needs train, validation, test or calibration, has '%s'", name);
}

/* --- batches --- */

int mc_dataset_read(const struct mc_dataset *d, enum mc_role_of_data role, const int64_t *order, int64_t begin,
                    int64_t n, float *x, int64_t *labels, float *targets, int n_threads, struct mc_error *err)
{
    const struct mc_batch batch = {.x = x, .labels = labels, .targets = targets};
    return mc_dataset_draw_all(d, role, order, begin, n, NULL, &batch, n_threads, err);
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

int mc_dataset_need_labels(const struct mc_dataset *d, enum mc_role_of_data role, const char *why, struct mc_error *err)
{
    if (mc_dataset_is_labelled(d, role)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "the %s samples have no labels %s", mc_data_role_name(role), why);
}

int mc_dataset_fold(struct mc_dataset **dataset, const struct mc_dataset *of, int k, int f, uint64_t seed,
                    struct mc_error *err)
{
    const int64_t n_train = of->n[MC_DATA_TRAIN], n = n_train + of->n[MC_DATA_VALIDATION];
    if (k < 2 || k > n || f < 0 || f >= k)
        return mc_error_set(err, MC_ERR_USAGE, "fold %d of %d: needs 2 to %lld folds", f + 1, k, (long long)n);
    if (of->from[MC_DATA_VALIDATION] != of->from[MC_DATA_TRAIN])
        return mc_error_set(err, MC_ERR_USAGE, "data '%s' has validation samples of its own: they cannot be dealt out",
                            of->spec);
    int rc = mc_dataset_need_labels(of, MC_DATA_TRAIN, "to compare trials by", err);
    if (rc < 0) return rc;
    struct mc_dataset *d = MC_NEW(struct mc_dataset);
    int64_t *pool = MC_NEW_ARRAY(int64_t, n), *part = MC_NEW_ARRAY(int64_t, n);
    rc = d && pool && part ? MC_OK : mc_error_memory(err);
    if (rc < 0) goto done;
    memcpy(pool, of->index[MC_DATA_TRAIN], (size_t)n_train * sizeof *pool);
    memcpy(pool + n_train, of->index[MC_DATA_VALIDATION], (size_t)(n - n_train) * sizeof *pool);
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("fold"));
    mc_rng_shuffle(&rng, pool, (size_t)n);
    rc = deal_folds(of, pool, n, err);
    if (rc < 0) goto done;

    d->borrowed = true;
    d->normalizer = of->normalizer;
    d->augment = of->augment;
    d->weight_scale = of->weight_scale;
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
