/* changes.h - sections of what steps did to channels and layers, and what their widths are worth. */
#ifndef MC_REPORT_CHANGES_H
#define MC_REPORT_CHANGES_H

#include "report/section.h"

/* With details: channels by families, those that were cut and those that had to stay. */
void mc_changes_show_channels(struct mc_printing *printing);
/* With details: to what rank layers were cut in two, and why others were not. */
void mc_changes_show_ranks(struct mc_printing *printing);
/* What each layer's width is worth: a row for each width that was tried. */
void mc_changes_show_sensitivity(struct mc_printing *printing);

#endif
