/* markup.h - text and figures of a record inside HTML, SVG and XML.
 *
 * A figure is written with the value that the JSON has, digit for digit, and with the path that leads to it there, so
 * that a page can be checked against its record, and read by programs:
 *
 *     <data value="0.9825" data-from="final.accuracy">98.25 %</data>
 */
#ifndef MC_REPORT_MARKUP_H
#define MC_REPORT_MARKUP_H

#include "base/buf.h"
#include "report/quantity.h"

/* As contents of an element or of an attribute: what has a meaning there is escaped, control characters, which XML
 * does not have, become '?'. */
void mc_markup_text(struct mc_buf *out, const char *text);

/* The figure at the path `fmt` of the record; nothing, and false, where there is none. */
bool mc_markup_figure(struct mc_buf *out, const struct mc_record *record, enum mc_reading reading, const char *fmt, ...)
    MC_PRINTF(4, 5);

/* What became of a figure between two measurements at these paths: its data-from is "a - b", or "a / b" where a ratio
 * is told. Nothing, and false, where there is nothing to tell. */
bool mc_markup_change(struct mc_buf *out, const struct mc_record *record, const struct mc_quantity *quantity,
                      const char *first, const char *last);

#endif
