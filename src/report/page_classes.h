/* page_classes.h - single classes, labels and targets on the page, and what was taken for what. */
#ifndef MC_REPORT_PAGE_CLASSES_H
#define MC_REPORT_PAGE_CLASSES_H

#include "base/buf.h"
#include "report/record.h"

/* Before and after; of a record that is one measurement, that alone. Nothing where the record has none. */
void mc_page_classes(const struct mc_record *record, struct mc_buf *out);

#endif
