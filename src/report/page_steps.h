/* page_steps.h - what each step did on the page, how it learnt, and what layers' widths are worth. */
#ifndef MC_REPORT_PAGE_STEPS_H
#define MC_REPORT_PAGE_STEPS_H

#include "base/buf.h"
#include "report/record.h"

/* A part for each step: options, what it did, learning curves, channels. Nothing where the record has no steps. */
void mc_page_steps(const struct mc_record *record, struct mc_buf *out);
/* Loss and accuracy against the width of each layer, of a record of `sensitivity`. */
void mc_page_sensitivity(const struct mc_record *record, struct mc_buf *out);

#endif
