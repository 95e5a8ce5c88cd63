/* csv.c - tables with a header line as samples.
 *
 * One column is what is to be learnt: `label=NAME` a class (any text; classes are numbered in sorted order),
 * `target=NAME+…` numbers, `labels=NAME+…` any of several labels (0 or 1); without either, the last column is the
 * label. All others are features. What a feature is, is decided from the training samples: a column in which no value
 * is a number holds categories, one feature each; a column of numbers is a feature as it stands; one of both is a
 * mistake and its first word is named, unless `categorical=NAME` says that its numbers are names. Errors name line,
 * column and the offending text.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/cells.h"
#include "data/source.h"

enum { MAX_CLASSES = 65536, MAX_CATEGORIES = 4096, MAX_FEATURES = 1 << 20, MAX_WORDS = 64, UNUSED = -1 };

enum use { FEATURE, LEARNT, DROPPED };
enum impute { IMPUTE_MEAN, IMPUTE_MEDIAN, IMPUTE_ZERO, IMPUTE_REFUSE };

struct csv_source {
    struct mc_memory_source m; /* first */
    struct mc_cells cells;
    enum use *uses;    /* [columns] */
    bool *categorical; /* [columns]: said so */
    int n_learnt;      /* columns that are targets, or 1 */
    int *learnt;       /* [n_learnt] */
    int weight;        /* column of sample weights, or UNUSED */
    enum impute impute;
    char *words;                    /* memory behind `missing` */
    const char *missing[MAX_WORDS]; /* texts that stand for no value; NULL ends */
    struct mc_column *columns;      /* [features], in the order of the file */
    int *of_feature;                /* [features]: column of the file */
    bool borrowed;                  /* categories are another source's */
};

/* --- options --- */

/* Take "a+b+c" apart; the words point into *memory, which the caller frees. */
static int split_words(const char *text, char **memory, const char *words[MAX_WORDS], const char *option,
                       struct mc_error *err)
{
    int n = 0;
    *memory = mc_strdup(text);
    if (!*memory) return mc_error_memory(err);
    for (char *at = *memory; at; n++) {
        if (n == MAX_WORDS - 1)
            return mc_error_set(err, MC_ERR_USAGE, "data option '%s': at most %d names are taken", option,
                                MAX_WORDS - 1);
        words[n] = at;
        at = strchr(at, '+');
        if (at) *at++ = '\0';
    }
    words[n] = NULL;
    return MC_OK;
}

/* Columns that an option names, if it is given, into `found`; their number, or an error. */
static int find_columns(const struct csv_source *s, const struct mc_spec *spec, const char *option,
                        int found[MAX_WORDS], struct mc_error *err)
{
    const char *text = mc_spec_text(spec, option), *words[MAX_WORDS];
    char *memory;
    if (!text) return 0;
    int n = 0, rc = split_words(text, &memory, words, option, err);
    for (; rc == MC_OK && words[n]; n++) rc = mc_cells_find(&s->cells, words[n], &found[n], err);
    mc_free(memory);
    return rc < 0 ? rc : n;
}

static int choose_learnt(struct csv_source *s, const struct mc_spec *spec, struct mc_error *err)
{
    static const char *const options[] = {"label", "labels", "target"};
    static const enum mc_task tasks[] = {MC_TASK_CLASSIFICATION, MC_TASK_LABELS, MC_TASK_REGRESSION};
    int given = -1;
    int found[MAX_WORDS] = {s->cells.n_columns - 1};
    for (int i = 0; i < (int)MC_COUNT(options); i++) {
        if (!mc_spec_text(spec, options[i])) continue;
        if (given >= 0)
            return mc_error_set(err, MC_ERR_USAGE, "data options '%s' and '%s' exclude each other", options[given],
                                options[i]);
        given = i;
    }
    if (mc_spec_is_unlabelled(spec)) return MC_OK; /* every column is a feature */
    s->m.base.task = given >= 0 ? tasks[given] : MC_TASK_CLASSIFICATION;
    s->n_learnt = given >= 0 ? find_columns(s, spec, options[given], found, err) : 1;
    if (s->n_learnt < 0) return s->n_learnt;
    if (s->m.base.task == MC_TASK_CLASSIFICATION && s->n_learnt > 1)
        return mc_error_set(err, MC_ERR_USAGE, "data option 'label': needs one column, has %d", s->n_learnt);
    s->learnt = MC_NEW_ARRAY(int, s->n_learnt);
    if (!s->learnt) return mc_error_memory(err);
    for (int i = 0; i < s->n_learnt; i++) {
        s->learnt[i] = found[i];
        if (s->uses[found[i]] == LEARNT)
            return mc_error_set(err, MC_ERR_USAGE, "column '%s' is named twice", s->cells.names[found[i]]);
        s->uses[found[i]] = LEARNT;
    }
    return MC_OK;
}

static int mark_columns(struct csv_source *s, const struct mc_spec *spec, struct mc_error *err)
{
    int found[MAX_WORDS], n = find_columns(s, spec, "drop", found, err);
    for (int i = 0; i < n; i++) {
        if (s->uses[found[i]] == LEARNT)
            return mc_error_set(err, MC_ERR_USAGE, "data option 'drop': column '%s' is what is to be learnt",
                                s->cells.names[found[i]]);
        s->uses[found[i]] = DROPPED;
    }
    if (n < 0) return n;
    const char *weight = mc_spec_text(spec, "weight");
    if (weight) {
        const int rc = mc_cells_find(&s->cells, weight, &s->weight, err);
        if (rc < 0) return rc;
        if (s->uses[s->weight] == LEARNT)
            return mc_error_set(err, MC_ERR_USAGE, "data option 'weight': column '%s' is what is to be learnt", weight);
        s->uses[s->weight] = DROPPED;
    }
    n = find_columns(s, spec, "categorical", found, err);
    for (int i = 0; i < n; i++) s->categorical[found[i]] = true;
    return n < 0 ? n : MC_OK;
}

static int read_missing(struct csv_source *s, const struct mc_spec *spec, struct mc_error *err)
{
    static const char *const ways[] = {"mean", "median", "zero", "refuse"};
    const char *impute = mc_spec_text(spec, "impute"), *missing = mc_spec_text(spec, "missing");
    size_t way = 0;
    while (impute && way < MC_COUNT(ways) && strcmp(impute, ways[way]) != 0) way++;
    if (way == MC_COUNT(ways))
        return mc_error_set(err, MC_ERR_USAGE, "data option 'impute': needs mean, median, zero or refuse, has '%s'",
                            impute);
    s->impute = (enum impute)way;
    return split_words(missing ? missing : "NA+N/A+nan+NaN+NAN+null+NULL+None+?", &s->words, s->missing, "missing",
                       err);
}

static int read_separator(const struct mc_spec *spec, char *separator, struct mc_error *err)
{
    const char *text = mc_spec_text(spec, "separator");
    if (!text) text = ",";
    if (strcmp(text, "tab") == 0) text = "\t";
    if (strcmp(text, "semicolon") == 0) text = ";";
    if (strlen(text) != 1)
        return mc_error_set(err, MC_ERR_USAGE,
                            "data option 'separator': needs one character, tab or semicolon, has '%s'", text);
    *separator = text[0];
    return MC_OK;
}

/* --- cells --- */

static const char *cell(const struct csv_source *s, int64_t row, int column)
{
    return mc_cells_at(&s->cells, row, column);
}

static bool is_missing(const struct csv_source *s, const char *text)
{
    if (!*text) return true;
    for (int i = 0; s->missing[i]; i++)
        if (strcmp(text, s->missing[i]) == 0) return true;
    return false;
}

/* Numbers before words, numbers by value, words by bytes: "2" comes before "10". */
static int compare_words(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    double u, v;
    const bool p = mc_cell_number(x, &u), q = mc_cell_number(y, &v);
    if (p != q) return p ? -1 : 1;
    if (p && u != v) return u < v ? -1 : 1;
    return strcmp(x, y);
}

/* Sort, and leave each word once; the number of them. */
static int64_t sort_words(const char **words, int64_t n)
{
    int64_t kept = 0;
    qsort(words, (size_t)n, sizeof *words, compare_words);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(words[kept - 1], words[i]) != 0) words[kept++] = words[i];
    return kept;
}

/* Position of a word among sorted ones, or -1. */
static int64_t find_word(const char *const *words, int64_t n, const char *word)
{
    const char *const *found = bsearch(&word, words, (size_t)n, sizeof *words, compare_words);
    return found ? found - words : -1;
}

/* --- what is learnt --- */

static int read_labels(struct csv_source *s, struct mc_error *err)
{
    const int64_t n = s->cells.n_rows;
    const int column = s->learnt[0];
    const char **words = MC_NEW_ARRAY(const char *, n);
    s->m.labels = MC_NEW_ARRAY(int64_t, n);
    int rc = words && s->m.labels ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; rc == MC_OK && i < n; i++) {
        words[i] = cell(s, i, column);
        if (!*words[i]) rc = mc_cells_refuse(&s->cells, i, column, "a class", err);
    }
    const int64_t n_classes = rc == MC_OK ? sort_words(words, n) : 0;
    if (rc == MC_OK && (n_classes < 2 || n_classes > MAX_CLASSES))
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s': needs 2 to %d classes in the label column, has %lld", s->cells.path,
                          MAX_CLASSES, (long long)n_classes);
    if (rc == MC_OK && !mc_memory_source_name(&s->m, words, n_classes)) rc = mc_error_memory(err);
    s->m.base.n_classes = n_classes;
    for (int64_t i = 0; rc == MC_OK && i < n; i++) s->m.labels[i] = find_word(words, n_classes, cell(s, i, column));
    mc_free(words);
    return rc;
}

static int read_targets(struct csv_source *s, struct mc_error *err)
{
    const int64_t n = s->cells.n_rows;
    const bool labels = s->m.base.task == MC_TASK_LABELS;
    const char *names[MAX_WORDS];
    for (int k = 0; k < s->n_learnt; k++) names[k] = s->cells.names[s->learnt[k]];
    s->m.base.n_targets = s->n_learnt;
    s->m.targets = mc_alloc((size_t)n, (size_t)s->n_learnt * sizeof *s->m.targets);
    if (!s->m.targets || !mc_memory_source_name(&s->m, names, s->n_learnt)) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < s->n_learnt; k++) {
            double value;
            const bool number = mc_cell_number(cell(s, i, s->learnt[k]), &value);
            if (!number || (labels && value != 0 && value != 1))
                return mc_cells_refuse(&s->cells, i, s->learnt[k], labels ? "0 or 1" : "a number", err);
            s->m.targets[i * s->n_learnt + k] = (float)value;
        }
    return MC_OK;
}

static int read_weights(struct csv_source *s, struct mc_error *err)
{
    if (s->weight == UNUSED) return MC_OK;
    s->m.weights = MC_NEW_ARRAY(float, s->cells.n_rows);
    if (!s->m.weights) return mc_error_memory(err);
    for (int64_t i = 0; i < s->cells.n_rows; i++) {
        double value;
        if (!mc_cell_number(cell(s, i, s->weight), &value) || value < 0)
            return mc_cells_refuse(&s->cells, i, s->weight, "a weight of at least 0", err);
        s->m.weights[i] = (float)value;
    }
    s->m.base.weights = s->m.weights;
    return MC_OK;
}

/* --- what a feature is --- */

/* The categories of a column are the words of its training samples, sorted. */
static int learn_categories(struct csv_source *s, struct mc_column *c, int column, const int64_t *index, int64_t n,
                            struct mc_error *err)
{
    const char **words = MC_NEW_ARRAY(const char *, n);
    int64_t used = 0;
    if (!words) return mc_error_memory(err);
    c->categories = words;
    for (int64_t i = 0; i < n; i++)
        if (!is_missing(s, cell(s, index[i], column))) words[used++] = cell(s, index[i], column);
    c->n_categories = sort_words(words, used);
    if (c->n_categories <= MAX_CATEGORIES) return MC_OK;
    const int64_t found = c->n_categories;
    c->n_categories = 0;
    mc_error_set(err, MC_ERR_INPUT, "'%s': column '%s': has %lld categories, at most %d are taken", s->cells.path,
                 c->name, (long long)found, MAX_CATEGORIES);
    mc_error_hint(err, "drop=%s leaves it out", c->name);
    return MC_ERR_INPUT;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What stands for a missing number, from the n that are there. */
static double fill_of(enum impute impute, double *numbers, int64_t n)
{
    double sum = 0;
    if (n == 0 || impute == IMPUTE_ZERO || impute == IMPUTE_REFUSE) return 0;
    if (impute == IMPUTE_MEDIAN) {
        qsort(numbers, (size_t)n, sizeof *numbers, compare_numbers);
        return (numbers[(n - 1) / 2] + numbers[n / 2]) / 2;
    }
    for (int64_t i = 0; i < n; i++) sum += numbers[i];
    return sum / (double)n;
}

/* A column is of numbers or of words. `numbers` has room for n. */
static int learn_column(struct csv_source *s, struct mc_column *c, int column, const int64_t *index, int64_t n,
                        double *numbers, struct mc_error *err)
{
    int64_t n_numbers = 0, first_word = UNUSED;
    for (int64_t i = 0; i < n; i++) {
        const char *text = cell(s, index[i], column);
        if (is_missing(s, text)) continue;
        if (mc_cell_number(text, &numbers[n_numbers]))
            n_numbers++;
        else if (first_word == UNUSED || index[i] < first_word)
            first_word = index[i];
    }
    if (s->categorical[column] || (first_word != UNUSED && n_numbers == 0))
        return learn_categories(s, c, column, index, n, err);
    if (first_word != UNUSED) {
        mc_cells_refuse(&s->cells, first_word, column, "a number", err);
        mc_error_hint(err, "categorical=%s takes numbers and words as names", c->name);
        return MC_ERR_INPUT;
    }
    c->fill = fill_of(s->impute, numbers, n_numbers);
    return MC_OK;
}

static int learn_columns(struct csv_source *s, const int64_t *index, int64_t n, struct mc_error *err)
{
    double *numbers = MC_NEW_ARRAY(double, n + 1);
    int rc = numbers ? MC_OK : mc_error_memory(err);
    int64_t width = 0;
    for (int f = 0; rc == MC_OK && f < s->m.base.n_columns; f++) {
        rc = learn_column(s, &s->columns[f], s->of_feature[f], index, n, numbers, err);
        width += s->columns[f].n_categories ? s->columns[f].n_categories : 1;
    }
    mc_free(numbers);
    if (rc < 0) return rc;
    if (width > MAX_FEATURES)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': makes %lld features, at most %d are taken", s->cells.path,
                            (long long)width, MAX_FEATURES);
    s->m.base.sample = mc_shape_of(1, &width);
    return MC_OK;
}

/* --- features --- */

static int encode(struct csv_source *s, struct mc_column *c, int64_t row, int column, float *x, struct mc_error *err)
{
    const char *text = cell(s, row, column);
    const bool missing = is_missing(s, text);
    c->n_missing += missing;
    if (missing && s->impute == IMPUTE_REFUSE)
        return mc_cells_refuse(&s->cells, row, column, c->n_categories ? "a category" : "a number", err);
    if (c->n_categories) {
        const int64_t k = missing ? UNUSED : find_word(c->categories, c->n_categories, text);
        for (int64_t i = 0; i < c->n_categories; i++) x[i] = i == k;
        return MC_OK;
    }
    double value = c->fill;
    if (!missing && !mc_cell_number(text, &value)) return mc_cells_refuse(&s->cells, row, column, "a number", err);
    x[0] = (float)value;
    return MC_OK;
}

static int encode_all(struct csv_source *s, struct mc_error *err)
{
    const int64_t n = s->cells.n_rows, width = s->m.base.sample.dim[0];
    s->m.floats = mc_alloc((size_t)n, (size_t)width * sizeof *s->m.floats);
    if (!s->m.floats) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        float *x = s->m.floats + i * width;
        for (int f = 0; f < s->m.base.n_columns; f++) {
            const int rc = encode(s, &s->columns[f], i, s->of_feature[f], x, err);
            if (rc < 0) return rc;
            x += s->columns[f].n_categories ? s->columns[f].n_categories : 1;
        }
    }
    return MC_OK;
}

/* Another table was fitted: columns of the same names are the same features, its classes are ours. */
static int follow_columns(struct csv_source *s, const struct csv_source *like, struct mc_error *err)
{
    const int n = like->m.base.n_columns;
    if (n > s->cells.n_columns)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs %d columns to learn from, as '%s' has, has %d",
                            s->cells.path, n, like->cells.path, s->cells.n_columns);
    s->borrowed = true;
    for (int f = 0; f < n; f++) {
        const struct mc_column *column = &like->columns[f];
        const int rc = mc_cells_find(&s->cells, column->name, &s->of_feature[f], err);
        if (rc < 0) return rc;
        s->columns[f] = *column;
        s->columns[f].n_missing = 0;
    }
    s->m.base.n_columns = n;
    s->m.base.sample = like->m.base.sample;
    return MC_OK;
}

static int follow_classes(struct csv_source *s, const struct csv_source *like, struct mc_error *err)
{
    if (!s->m.labels || !like->m.labels) return MC_OK;
    for (int64_t i = 0; i < s->cells.n_rows; i++) {
        s->m.labels[i] = find_word(like->m.base.class_names, like->m.base.n_classes, cell(s, i, s->learnt[0]));
        if (s->m.labels[i] < 0)
            return mc_cells_refuse(&s->cells, i, s->learnt[0], "a class that the training samples have", err);
    }
    s->m.base.n_classes = like->m.base.n_classes;
    s->m.base.class_names = like->m.base.class_names;
    return MC_OK;
}

static int csv_fit(struct mc_source *source, const struct mc_source *like, const int64_t *index, int64_t n,
                   struct mc_error *err)
{
    struct csv_source *s = (struct csv_source *)source;
    const struct csv_source *other = (const struct csv_source *)like;
    int rc = like && like->fit != csv_fit
                 ? mc_error_set(err, MC_ERR_USAGE, "'%s': the training samples are no table", s->cells.path)
                 : MC_OK;
    if (rc == MC_OK) rc = like ? follow_columns(s, other, err) : learn_columns(s, index, n, err);
    if (rc == MC_OK && like) rc = follow_classes(s, other, err);
    return rc == MC_OK ? encode_all(s, err) : rc;
}

/* --- the source --- */

static void csv_destroy(struct mc_source *source)
{
    struct csv_source *s = (struct csv_source *)source;
    if (!s) return;
    mc_memory_source_finish(&s->m);
    for (int f = 0; s->columns && !s->borrowed && f < source->n_columns; f++)
        mc_free((void *)(uintptr_t)s->columns[f].categories);
    mc_free(s->columns);
    mc_free(s->of_feature);
    mc_free(s->uses);
    mc_free(s->categorical);
    mc_free(s->learnt);
    mc_free(s->words);
    mc_cells_finish(&s->cells);
    mc_free(s);
}

static int list_features(struct csv_source *s, struct mc_error *err)
{
    const int n = s->cells.n_columns;
    s->columns = MC_NEW_ARRAY(struct mc_column, n);
    s->of_feature = MC_NEW_ARRAY(int, n);
    if (!s->columns || !s->of_feature) return mc_error_memory(err);
    int used = 0;
    for (int i = 0; i < n; i++) {
        if (s->uses[i] != FEATURE) continue;
        s->columns[used].name = s->cells.names[i];
        s->of_feature[used++] = i;
    }
    s->m.base.columns = s->columns;
    s->m.base.n_columns = used;
    return used ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "'%s' has no column left to learn from", s->cells.path);
}

static int read_table(struct csv_source *s, const struct mc_spec *spec, const char *path, struct mc_error *err)
{
    char separator = ',';
    int rc = read_separator(spec, &separator, err);
    if (rc == MC_OK) rc = mc_cells_read(&s->cells, path, separator, err);
    if (rc < 0) return rc;
    s->uses = MC_NEW_ARRAY(enum use, s->cells.n_columns);
    s->categorical = MC_NEW_ARRAY(bool, s->cells.n_columns);
    if (!s->uses || !s->categorical) return mc_error_memory(err);
    rc = choose_learnt(s, spec, err);
    if (rc == MC_OK) rc = mark_columns(s, spec, err);
    if (rc == MC_OK) rc = read_missing(s, spec, err);
    if (rc == MC_OK) rc = list_features(s, err);
    if (rc < 0) return rc;
    s->m.base.n_samples = s->cells.n_rows;
    rc = read_weights(s, err);
    if (rc < 0 || mc_spec_is_unlabelled(spec)) return rc;
    return s->m.base.task == MC_TASK_CLASSIFICATION ? read_labels(s, err) : read_targets(s, err);
}

int mc_source_open_csv(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                       struct mc_error *err)
{
    struct csv_source *s = MC_NEW(struct csv_source);
    if (!s) return mc_error_memory(err);
    mc_memory_source_init(&s->m);
    s->weight = UNUSED;
    s->m.base.fit = csv_fit;
    s->m.base.destroy = csv_destroy;
    sources[MC_DATA_TRAIN] = &s->m.base;
    return read_table(s, spec, path, err);
}
