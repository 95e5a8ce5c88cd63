/* prose.h - a record as Markdown. */
#ifndef MC_REPORT_PROSE_H
#define MC_REPORT_PROSE_H

#include "base/buf.h"
#include "report/record.h"

/* All of it, the verdict first. */
void mc_report_markdown(const struct mc_record *record, struct mc_buf *out);
/* For a pull request: the verdict, what was before and after, gates; the rest in a fold that a reader may open. */
void mc_report_comment(const struct mc_record *record, struct mc_buf *out);

#endif
