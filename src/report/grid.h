/* grid.h - rows and columns of text on their way from a record to a reader.
 *
 * Sections fill grids (sections.c); table.c and markdown.c print them. Running out of memory is remembered in `failed`.
 */
#ifndef MC_REPORT_GRID_H
#define MC_REPORT_GRID_H

#include "base/arena.h"
#include "base/buf.h"

struct mc_grid {
    struct mc_arena arena;
    const char *title; /* NULL: none */
    int n_columns;
    uint64_t left;  /* bit i: column i is text, aligned to the left; the others hold numbers */
    bool headed;    /* row 0 names the columns */
    size_t n_cells; /* a multiple of n_columns once filled */
    size_t capacity;
    const char **cells;
    bool failed;
};

#define MC_GRID_TEXT(column) (UINT64_C(1) << (column))

/* `title` is not copied. */
void mc_grid_init(struct mc_grid *grid, const char *title, int n_columns, uint64_t left, bool headed);
void mc_grid_finish(struct mc_grid *grid);

/* Next cell, row by row. Control characters become '?': names come from files and go to terminals. */
void mc_grid_add(struct mc_grid *grid, const char *fmt, ...) MC_PRINTF(2, 3);
/* Fill the row that is begun with empty cells. */
void mc_grid_end_row(struct mc_grid *grid);

int mc_grid_n_rows(const struct mc_grid *grid);
const char *mc_grid_cell(const struct mc_grid *grid, int row, int column);
bool mc_grid_is_text(const struct mc_grid *grid, int column);

/* Characters (code points) of a UTF-8 text. */
int mc_text_width(const char *text);

typedef void mc_grid_printer(const struct mc_grid *grid, struct mc_buf *out);

mc_grid_printer mc_grid_print_table;    /* padded columns, for terminals */
mc_grid_printer mc_grid_print_markdown; /* tables of GitHub Flavored Markdown 0.29, section 4.10 */
mc_grid_printer mc_grid_print_html;     /* for the page (page.h) */

#endif
