/* sections.h - what of a record is shown, as grids.
 *
 * Sections look for their keys and show nothing where those are absent, so that records of all verbs go through the
 * same list (docs/record.md).
 */
#ifndef MC_REPORT_SECTIONS_H
#define MC_REPORT_SECTIONS_H

#include "report/grid.h"
#include "report/record.h"

/* Print every section, an empty line between two. `details`: layers, epochs and groups as well. */
void mc_report_sections(const struct mc_record *record, bool details, mc_grid_printer *print, struct mc_buf *out);
/* Those, with details, that the page of HTML does not draw in a way of its own. */
void mc_report_tables(const struct mc_record *record, mc_grid_printer *print, struct mc_buf *out);

#endif
