/* section.c - printing one grid after the other; see section.h. */
#include "report/section.h"

void mc_section_show(struct mc_printing *p, struct mc_grid *grid)
{
    if (grid->failed) p->out->failed = true;
    if (!grid->failed && mc_grid_n_rows(grid) > (grid->headed ? 1 : 0)) {
        if (p->begun) mc_buf_puts(p->out, "\n");
        p->begun = true;
        p->print(grid, p->out);
    }
    mc_grid_finish(grid);
}
