/* csv.c - tables of numbers with a header line (RFC 4180: quotes, doubled quotes, CR LF).
 *
 * One column is what is to be learnt: `label=NAME` a class (any text; classes are numbered in sorted order),
 * `target=NAME` a number; without either, the last column is the label. All others are features and must be
 * numbers. Errors name line, column and the offending text.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "data/source.h"

enum { MAX_COLUMNS = 65536, MAX_CLASSES = 65536 };
static const size_t max_file_bytes = (size_t)1 << 31;

struct field { /* one cell, unquoted in place */
    char *text;
};

struct table {
    char *text; /* the whole file, cells ended by 0; cells point into it */
    size_t length, position;
    const char *path;
    int64_t line;
    char separator;
    int n_columns;
    struct field *cells; /* of the present line */
    char **names;        /* header */
    int chosen;          /* column to be learnt */
    bool regression;
};

static int refuse_cell(const struct table *t, int column, const char *needs, const char *text, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: column '%s': needs %s, has '%.40s'", t->path, (long long)t->line,
                        t->names[column], needs, text);
}

/* --- lines --- */

/* End the cell that starts at `position`; quotes are taken out in place. Returns what ended it: the separator, '\n' or
 * 0 for the end of the file. */
static int next_cell(struct table *t, char **cell, struct mc_error *err)
{
    char *const text = t->text;
    size_t in = t->position, out = in;
    *cell = text + in;
    bool quoted = false;
    while (in < t->length) {
        const char c = text[in];
        if (c == '\0') return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: a zero byte", t->path, (long long)t->line);
        if (c == '"' && quoted && in + 1 < t->length && text[in + 1] == '"') {
            text[out++] = '"';
            in += 2;
            continue;
        }
        if (c == '"') {
            quoted = !quoted;
            in++;
            continue;
        }
        if (!quoted && (c == t->separator || c == '\n')) break;
        text[out++] = c;
        in++;
    }
    if (quoted)
        return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: a quote is never closed", t->path, (long long)t->line);
    const int end = in < t->length ? (unsigned char)text[in] : 0;
    t->position = in < t->length ? in + 1 : in;
    if (end != t->separator && out > (size_t)(*cell - text) && text[out - 1] == '\r') out--;
    text[out] = '\0';
    return end;
}

/* Read the cells of the next non-empty line into t->cells; *more false at the end of the file. */
static int next_line(struct table *t, bool *more, struct mc_error *err)
{
    while (t->position < t->length && (t->text[t->position] == '\n' || t->text[t->position] == '\r')) {
        t->line += t->text[t->position] == '\n';
        t->position++;
    }
    *more = t->position < t->length;
    if (!*more) return MC_OK;
    int n = 0, end;
    do {
        char *cell;
        end = next_cell(t, &cell, err);
        if (end < 0) return end;
        if (n < t->n_columns) t->cells[n].text = cell;
        n++;
    } while (end == (unsigned char)t->separator);
    if (n != t->n_columns)
        return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: needs %d columns, has %d", t->path, (long long)t->line,
                            t->n_columns, n);
    return MC_OK;
}

static int read_header(struct table *t, struct mc_error *err)
{
    int n = 1;
    bool quoted = false;
    for (size_t i = 0; i < t->length && (quoted || t->text[i] != '\n') && n <= MAX_COLUMNS; i++) {
        if (t->text[i] == '"') quoted = !quoted;
        n += !quoted && t->text[i] == t->separator;
    }
    if (n < 2 || n > MAX_COLUMNS)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs a header of 2 to %d columns separated by '%c', has %d",
                            t->path, MAX_COLUMNS, t->separator, n);
    t->n_columns = n;
    t->cells = MC_NEW_ARRAY(struct field, n);
    t->names = MC_NEW_ARRAY(char *, n);
    if (!t->cells || !t->names) return mc_error_memory(err);
    bool more;
    t->line = 1;
    const int rc = next_line(t, &more, err);
    if (rc < 0) return rc;
    for (int i = 0; i < n; i++) t->names[i] = t->cells[i].text;
    t->line++;
    return MC_OK;
}

static int open_table(struct table *t, const char *path, char separator, struct mc_error *err)
{
    *t = (struct table){.path = path, .separator = separator};
    struct mc_file_view view;
    const int rc = mc_file_open(&view, path, max_file_bytes, err);
    if (rc < 0) return rc;
    const size_t mark = view.length >= 3 && memcmp(view.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    t->length = view.length - mark;
    t->text = mc_alloc(t->length + 1, 1);
    if (t->text && t->length) memcpy(t->text, view.data + mark, t->length);
    mc_file_close(&view);
    return t->text ? read_header(t, err) : mc_error_memory(err);
}

static void close_table(struct table *t)
{
    mc_free(t->text);
    mc_free(t->cells);
    mc_free(t->names);
}

static int choose_column(struct table *t, const struct mc_spec *spec, struct mc_error *err)
{
    const char *label = mc_spec_text(spec, "label"), *target = mc_spec_text(spec, "target");
    if (label && target) return mc_error_set(err, MC_ERR_USAGE, "data options 'label' and 'target' exclude each other");
    t->regression = target != NULL;
    t->chosen = t->n_columns - 1;
    const char *wanted = label ? label : target;
    if (!wanted) return MC_OK;
    for (int i = 0; i < t->n_columns; i++)
        if (strcmp(t->names[i], wanted) == 0) {
            t->chosen = i;
            return MC_OK;
        }
    mc_error_set(err, MC_ERR_USAGE, "'%s' has no column '%s'", t->path, wanted);
    const char *nearest = mc_suggest(wanted, (const char *const *)t->names, (size_t)t->n_columns);
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return MC_ERR_USAGE;
}

/* --- contents --- */

static bool parse_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    while (*end && isspace((unsigned char)*end)) end++;
    return end != text && !*end && isfinite(*value);
}

struct rows {
    int64_t n;
    size_t cap_features, cap_learnt;
    float *features;
    float *targets;
    char **labels; /* into the table's text */
};

static int add_row(struct rows *rows, const struct table *t, struct mc_error *err)
{
    const size_t width = (size_t)t->n_columns - 1;
    if (!mc_grow((void **)&rows->features, (size_t)rows->n, &rows->cap_features, width * sizeof(float)))
        return mc_error_memory(err);
    void **learnt = t->regression ? (void **)&rows->targets : (void **)&rows->labels;
    if (!mc_grow(learnt, (size_t)rows->n, &rows->cap_learnt, t->regression ? sizeof(float) : sizeof(char *)))
        return mc_error_memory(err);
    float *x = rows->features + (size_t)rows->n * width;
    for (int i = 0; i < t->n_columns; i++) {
        double value = 0;
        if ((i != t->chosen || t->regression) && !parse_number(t->cells[i].text, &value))
            return refuse_cell(t, i, "a number", t->cells[i].text, err);
        if (i != t->chosen)
            *x++ = (float)value;
        else if (t->regression)
            rows->targets[rows->n] = (float)value;
        else
            rows->labels[rows->n] = t->cells[i].text;
    }
    rows->n++;
    return MC_OK;
}

static int read_rows(struct rows *rows, struct table *t, struct mc_error *err)
{
    for (;;) {
        bool more;
        int rc = next_line(t, &more, err);
        if (rc < 0) return rc;
        if (!more) break;
        rc = add_row(rows, t, err);
        if (rc < 0) return rc;
        t->line++;
    }
    return rows->n ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "'%s' has a header and no line after it", t->path);
}

/* Numbers before words, numbers by value, words by bytes: "2" comes before "10". */
static int compare_labels(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    double u, v;
    const bool p = parse_number(x, &u), q = parse_number(y, &v);
    if (p != q) return p ? -1 : 1;
    if (p && u != v) return u < v ? -1 : 1;
    return strcmp(x, y);
}

static int number_classes(struct mc_memory_source *m, struct rows *rows, const char *path, struct mc_error *err)
{
    char **sorted = MC_NEW_ARRAY(char *, rows->n);
    m->labels = MC_NEW_ARRAY(int64_t, rows->n);
    if (!sorted || !m->labels) {
        mc_free(sorted);
        return mc_error_memory(err);
    }
    memcpy(sorted, rows->labels, (size_t)rows->n * sizeof *sorted);
    qsort(sorted, (size_t)rows->n, sizeof *sorted, compare_labels);
    int64_t n = 0;
    for (int64_t i = 0; i < rows->n; i++)
        if (n == 0 || strcmp(sorted[n - 1], sorted[i]) != 0) sorted[n++] = sorted[i];
    int rc = MC_OK;
    if (n < 2 || n > MAX_CLASSES)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s': needs 2 to %d classes in the label column, has %lld", path,
                          MAX_CLASSES, (long long)n);
    if (rc == MC_OK) {
        m->base.n_classes = n;
        m->names = MC_NEW_ARRAY(char *, n);
        for (int64_t i = 0; m->names && i < n; i++)
            if (!(m->names[i] = mc_strdup(sorted[i]))) rc = mc_error_memory(err);
        if (!m->names) rc = mc_error_memory(err);
        m->base.class_names = (const char *const *)m->names;
    }
    for (int64_t i = 0; rc == MC_OK && i < rows->n; i++)
        m->labels[i] = (char **)bsearch(&rows->labels[i], sorted, (size_t)n, sizeof *sorted, compare_labels) - sorted;
    mc_free(sorted);
    return rc;
}

static int make_source(struct mc_source **out, struct table *t, struct rows *rows, struct mc_error *err)
{
    struct mc_memory_source *m = mc_memory_source_create();
    if (!m) return mc_error_memory(err);
    *out = &m->base;
    const int64_t width = t->n_columns - 1;
    m->floats = rows->features;
    m->targets = rows->targets;
    rows->features = NULL;
    rows->targets = NULL;
    m->base.n_samples = rows->n;
    m->base.sample = mc_shape_of(1, &width);
    m->base.task = t->regression ? MC_TASK_REGRESSION : MC_TASK_CLASSIFICATION;
    m->base.n_targets = t->regression;
    return t->regression ? MC_OK : number_classes(m, rows, t->path, err);
}

int mc_source_open_csv(const struct mc_spec *spec, const char *path, struct mc_source *sources[2], struct mc_error *err)
{
    struct table table = {0};
    struct rows rows = {0};
    const char *separator = mc_spec_text(spec, "separator");
    if (separator && strcmp(separator, "tab") == 0) separator = "\t";
    if (separator && strcmp(separator, "semicolon") == 0) separator = ";";
    if (separator && strlen(separator) != 1)
        return mc_error_set(err, MC_ERR_USAGE,
                            "data option 'separator': needs one character, tab or semicolon, has '%s'", separator);
    int rc = open_table(&table, path, separator ? separator[0] : ',', err);
    if (rc == MC_OK) rc = choose_column(&table, spec, err);
    if (rc == MC_OK) rc = read_rows(&rows, &table, err);
    if (rc == MC_OK) rc = make_source(&sources[0], &table, &rows, err);
    mc_free(rows.features);
    mc_free(rows.targets);
    mc_free(rows.labels);
    close_table(&table);
    return rc;
}
