/* markdown.c - a grid as Markdown; see grid.h. */
#include "report/grid.h"

/* Names are shown as they are: characters with a meaning in Markdown are escaped. */
static void print_text(const char *text, struct mc_buf *out)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '*' || *text == '_' || *text == '<' || *text == '\\' || *text == '`')
            mc_buf_puts(out, "\\");
        mc_buf_append(out, text, 1);
    }
}

static void print_row(const struct mc_grid *grid, int row, struct mc_buf *out)
{
    for (int column = 0; column < grid->n_columns; column++) {
        mc_buf_puts(out, "| ");
        if (row >= 0) print_text(mc_grid_cell(grid, row, column), out);
        mc_buf_puts(out, " ");
    }
    mc_buf_puts(out, "|\n");
}

void mc_grid_print_markdown(const struct mc_grid *grid, struct mc_buf *out)
{
    if (grid->title) mc_buf_printf(out, "## %s\n\n", grid->title);
    print_row(grid, grid->headed ? 0 : -1, out); /* a table has a head, be it empty */
    for (int column = 0; column < grid->n_columns; column++)
        mc_buf_puts(out, mc_grid_is_text(grid, column) ? "| --- " : "| ---: ");
    mc_buf_puts(out, "|\n");
    for (int row = grid->headed; row < mc_grid_n_rows(grid); row++) print_row(grid, row, out);
}
