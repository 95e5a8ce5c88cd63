/* table.c - a grid for terminals; see grid.h. */
#include "base/alloc.h"
#include "report/grid.h"

/* Widest cell of every column, into `widths`. */
static void measure(const struct mc_grid *grid, int *widths)
{
    for (int column = 0; column < grid->n_columns; column++) widths[column] = 0;
    for (int row = 0; row < mc_grid_n_rows(grid); row++) {
        for (int column = 0; column < grid->n_columns; column++) {
            const int width = mc_text_width(mc_grid_cell(grid, row, column));
            if (width > widths[column]) widths[column] = width;
        }
    }
}

static void print_cell(const struct mc_grid *grid, int row, int column, int width, struct mc_buf *out)
{
    const char *text = mc_grid_cell(grid, row, column);
    const int padding = width - mc_text_width(text);
    if (!mc_grid_is_text(grid, column))
        mc_buf_printf(out, "%*s%s", padding, "", text);
    else
        mc_buf_printf(out, "%s%*s", text, padding, "");
}

static void trim_blanks(struct mc_buf *out)
{
    while (!out->failed && out->length > 0 && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
}

void mc_grid_print_table(const struct mc_grid *grid, struct mc_buf *out)
{
    int *widths = MC_NEW_ARRAY(int, grid->n_columns);
    if (!widths) {
        out->failed = true;
        return;
    }
    measure(grid, widths);
    if (grid->title) mc_buf_printf(out, "%s\n", grid->title);
    for (int row = 0; row < mc_grid_n_rows(grid); row++) {
        for (int column = 0; column < grid->n_columns; column++) {
            if (column > 0) mc_buf_puts(out, "  ");
            print_cell(grid, row, column, widths[column], out);
        }
        trim_blanks(out);
        mc_buf_puts(out, "\n");
    }
    mc_free(widths);
}
