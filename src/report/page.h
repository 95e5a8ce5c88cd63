/* page.h - a record as one page of HTML.
 *
 * The verdict comes first, then what was before and after, then ever smaller things. The page asks for nothing from
 * anywhere and has no script; pictures are SVG within it. Every figure in it carries the value and the path that it has
 * in the record (markup.h), texts that a record holds stand in <code>.
 */
#ifndef MC_REPORT_PAGE_H
#define MC_REPORT_PAGE_H

#include "base/buf.h"
#include "report/record.h"

void mc_report_page(const struct mc_record *record, struct mc_buf *out);

#endif
