/* cells.c - tables of text; see cells.h. */
#include "data/cells.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"

static const size_t max_file_bytes = (size_t)1 << 31; /* offsets have 32 bits */

struct scan {
    struct mc_cells *cells;
    size_t length, position;
    int64_t line;   /* on which the present row begins */
    int64_t breaks; /* that it has contained so far, the one at its end included */
    char separator;
    size_t cap_offsets, cap_lines;
};

static int broken(const struct scan *s, const char *what, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: %s", s->cells->path, (long long)s->line, what);
}

/* End the cell that starts at `position`; quotes are taken out in place. *end: the separator, '\n', or 0 for the end of
 * the file. */
static int next_cell(struct scan *s, uint32_t *cell, char *end, struct mc_error *err)
{
    char *const text = s->cells->text;
    const size_t start = s->position;
    size_t in = start, out = start;
    bool quoted = false;
    while (in < s->length) {
        const char c = text[in];
        if (c == '\0') return broken(s, "a zero byte", err);
        if (c == '"' && quoted && in + 1 < s->length && text[in + 1] == '"') {
            text[out++] = '"';
            in += 2;
            continue;
        }
        if (c == '"') {
            quoted = !quoted;
            in++;
            continue;
        }
        s->breaks += c == '\n';
        if (!quoted && (c == s->separator || c == '\n')) break;
        text[out++] = c;
        in++;
    }
    if (quoted) return broken(s, "a quote is never closed", err);
    *cell = (uint32_t)start;
    *end = in < s->length ? text[in] : '\0';
    s->position = in < s->length ? in + 1 : in;
    if (*end != s->separator && out > start && text[out - 1] == '\r') out--;
    text[out] = '\0';
    return MC_OK;
}

/* Is there another line that is not empty? */
static bool find_line(struct scan *s)
{
    const char *text = s->cells->text;
    while (s->position < s->length && (text[s->position] == '\n' || text[s->position] == '\r')) {
        s->line += text[s->position] == '\n';
        s->position++;
    }
    return s->position < s->length;
}

/* The cells of a row into `row`, [n_columns]. */
static int read_line(struct scan *s, uint32_t *row, struct mc_error *err)
{
    const struct mc_cells *cells = s->cells;
    int n = 0;
    char end = 0;
    s->breaks = 0;
    do {
        uint32_t cell = 0;
        const int rc = next_cell(s, &cell, &end, err);
        if (rc < 0) return rc;
        if (n < cells->n_columns) row[n] = cell;
        n++;
    } while (end == s->separator && end != '\0');
    if (n != cells->n_columns)
        return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: needs %d columns, has %d", cells->path, (long long)s->line,
                            cells->n_columns, n);
    s->line += s->breaks;
    return MC_OK;
}

static int read_header(struct scan *s, struct mc_error *err)
{
    struct mc_cells *cells = s->cells;
    int n = 1;
    bool quoted = false;
    for (size_t i = 0; i < s->length && (quoted || cells->text[i] != '\n') && n <= MC_CELLS_MAX_COLUMNS; i++) {
        if (cells->text[i] == '"') quoted = !quoted;
        n += !quoted && cells->text[i] == s->separator;
    }
    if (n < 2 || n > MC_CELLS_MAX_COLUMNS)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs a header of 2 to %d columns separated by '%c', has %d",
                            cells->path, MC_CELLS_MAX_COLUMNS, s->separator, n);
    cells->n_columns = n;
    cells->names = MC_NEW_ARRAY(const char *, n);
    uint32_t *row = MC_NEW_ARRAY(uint32_t, n);
    int rc = cells->names && row ? MC_OK : mc_error_memory(err);
    find_line(s);
    if (rc == MC_OK) rc = read_line(s, row, err);
    for (int i = 0; rc == MC_OK && i < n; i++) cells->names[i] = cells->text + row[i];
    mc_free(row);
    return rc;
}

static int read_rows(struct scan *s, struct mc_error *err)
{
    struct mc_cells *cells = s->cells;
    const size_t width = (size_t)cells->n_columns;
    while (find_line(s)) {
        const size_t n = (size_t)cells->n_rows;
        if (!mc_grow((void **)&cells->offsets, n, &s->cap_offsets, width * sizeof *cells->offsets) ||
            !mc_grow((void **)&cells->lines, n, &s->cap_lines, sizeof *cells->lines))
            return mc_error_memory(err);
        cells->lines[n] = (uint32_t)s->line;
        const int rc = read_line(s, cells->offsets + n * width, err);
        if (rc < 0) return rc;
        cells->n_rows++;
    }
    if (cells->n_rows == 0)
        return mc_error_set(err, MC_ERR_INPUT, "'%s' has a header and no line after it", cells->path);
    return MC_OK;
}

int mc_cells_read(struct mc_cells *cells, const char *path, char separator, struct mc_error *err)
{
    *cells = (struct mc_cells){.path = mc_strdup(path)};
    if (!cells->path) return mc_error_memory(err);
    struct mc_file_view view;
    int rc = mc_file_open(&view, path, max_file_bytes, err);
    if (rc < 0) return rc;
    const size_t mark = view.length >= 3 && memcmp(view.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    struct scan s = {.cells = cells, .length = view.length - mark, .line = 1, .separator = separator};
    cells->text = mc_alloc(s.length + 1, 1);
    if (cells->text && s.length) memcpy(cells->text, view.data + mark, s.length);
    mc_file_close(&view);
    rc = cells->text ? read_header(&s, err) : mc_error_memory(err);
    return rc == MC_OK ? read_rows(&s, err) : rc;
}

void mc_cells_finish(struct mc_cells *cells)
{
    mc_free(cells->path);
    mc_free(cells->text);
    mc_free(cells->names);
    mc_free(cells->offsets);
    mc_free(cells->lines);
    *cells = (struct mc_cells){0};
}

const char *mc_cells_at(const struct mc_cells *cells, int64_t row, int column)
{
    return cells->text + cells->offsets[row * cells->n_columns + column];
}

int mc_cells_find(const struct mc_cells *cells, const char *name, int *column, struct mc_error *err)
{
    for (int i = 0; i < cells->n_columns; i++)
        if (strcmp(cells->names[i], name) == 0) {
            *column = i;
            return MC_OK;
        }
    mc_error_set(err, MC_ERR_USAGE, "'%s' has no column '%s'", cells->path, name);
    const char *nearest = mc_suggest(name, cells->names, (size_t)cells->n_columns);
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return MC_ERR_USAGE;
}

int mc_cells_refuse(const struct mc_cells *cells, int64_t row, int column, const char *needs, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "'%s':%lld: column '%s': needs %s, has '%.40s'", cells->path,
                        (long long)cells->lines[row], cells->names[column], needs, mc_cells_at(cells, row, column));
}

bool mc_cell_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    while (*end && isspace((unsigned char)*end)) end++;
    return end != text && !*end && isfinite(*value);
}
