/* badge.h - what a run came to as a small picture for a README. */
#ifndef MC_REPORT_BADGE_H
#define MC_REPORT_BADGE_H

#include "base/buf.h"
#include "report/record.h"

/* An SVG 20 pixels high: how many times smaller and how accurate, or how many gates failed. Needs no font or network of
 * its own. */
void mc_report_badge(const struct mc_record *record, struct mc_buf *out);

#endif
