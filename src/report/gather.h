/* gather.h - several records in one, side by side. */
#ifndef MC_REPORT_GATHER_H
#define MC_REPORT_GATHER_H

#include "report/record.h"

/* `runs`: for each record its name, title, verdict and the figures of its result, as docs/record.md has them. */
void mc_report_gather(const struct mc_record *const *records, const char *const *names, size_t n,
                      struct mc_record *into);

#endif
