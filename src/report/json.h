/* json.h - a record as JSON text (RFC 8259). */
#ifndef MC_REPORT_JSON_H
#define MC_REPORT_JSON_H

#include "base/buf.h"
#include "report/record.h"

/* Keys in the record's order, two spaces a level, arrays of scalars on one line, a newline at the end. Real numbers
 * take the fewest digits that read back as the same double, -0 included; they keep a point or an exponent, so that a
 * reader that tells integers from reals finds what was set. */
void mc_report_json(const struct mc_record *record, struct mc_buf *out);
/* One value of it as it stands there, without a newline. */
void mc_report_json_value(const struct mc_record *value, struct mc_buf *out);
void mc_report_number(double value, struct mc_buf *out);

#endif
