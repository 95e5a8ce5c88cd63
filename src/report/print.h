/* print.h - a record as text, for those who write it themselves. */
#ifndef MC_REPORT_PRINT_H
#define MC_REPORT_PRINT_H

#include "base/buf.h"
#include "report/record.h"

/* `out` is initialised here and, on success, finished by the caller. */
int mc_report_render(const struct mc_record *record, enum mc_format format, struct mc_buf *out, struct mc_error *err);

#endif
