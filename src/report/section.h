/* section.h - what the sections of a report share. */
#ifndef MC_REPORT_SECTION_H
#define MC_REPORT_SECTION_H

#include "report/grid.h"
#include "report/record.h"

struct mc_printing {
    const struct mc_record *record;
    bool details;
    mc_grid_printer *print;
    struct mc_buf *out;
    bool begun;
};

/* Print a grid that has rows besides its head, and release it. */
void mc_section_show(struct mc_printing *printing, struct mc_grid *grid);

#endif
