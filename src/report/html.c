/* html.c - a grid as a table of the page; see grid.h. */
#include "report/grid.h"
#include "report/markup.h"

static void print_cell(const struct mc_grid *grid, int row, int column, bool head, struct mc_buf *out)
{
    const char *text = mc_grid_cell(grid, row, column);
    mc_buf_printf(out, head ? "<th scope=\"%s\"" : "<td", column == 0 && row > 0 ? "row" : "col");
    mc_buf_puts(out, mc_grid_is_text(grid, column) ? " class=\"text why\">" : ">");
    mc_markup_text(out, text);
    mc_buf_puts(out, head ? "</th>" : "</td>");
}

static void print_row(const struct mc_grid *grid, int row, bool head, struct mc_buf *out)
{
    mc_buf_puts(out, "<tr>");
    for (int column = 0; column < grid->n_columns; column++)
        print_cell(grid, row, column, head || (column == 0 && !grid->headed), out);
    mc_buf_puts(out, "</tr>\n");
}

void mc_grid_print_html(const struct mc_grid *grid, struct mc_buf *out)
{
    if (grid->title) {
        mc_buf_puts(out, "<h3>");
        mc_markup_text(out, grid->title);
        mc_buf_puts(out, "</h3>\n");
    }
    mc_buf_puts(out, "<div class=\"wide\" tabindex=\"0\"><table>\n");
    if (grid->headed) mc_buf_puts(out, "<thead>");
    if (grid->headed) print_row(grid, 0, true, out);
    mc_buf_puts(out, grid->headed ? "</thead><tbody>\n" : "<tbody>\n");
    for (int row = grid->headed; row < mc_grid_n_rows(grid); row++) print_row(grid, row, false, out);
    mc_buf_puts(out, "</tbody></table></div>\n");
}
