/* markup.c - text and figures inside HTML, SVG and XML; see markup.h. */
#include "report/markup.h"

#include <math.h>
#include <stdarg.h>

#include "report/json.h"

enum { PATH = 192 };

void mc_markup_text(struct mc_buf *out, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '<')
            mc_buf_puts(out, "&lt;");
        else if (c == '>')
            mc_buf_puts(out, "&gt;");
        else if (c == '&')
            mc_buf_puts(out, "&amp;");
        else if (c == '"')
            mc_buf_puts(out, "&quot;");
        else
            mc_buf_append(out, c < 0x20 || c == 0x7f ? "?" : text, 1);
    }
}

bool mc_markup_figure(struct mc_buf *out, const struct mc_record *record, enum mc_reading reading, const char *fmt, ...)
{
    char path[PATH], text[MC_QUANTITY_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof path, fmt, args);
    va_end(args);
    const double value = mc_record_get_num(record, path, NAN);
    if (isnan(value)) return false;
    mc_buf_puts(out, "<data value=\"");
    mc_report_json_value(mc_record_get(record, path), out);
    mc_buf_puts(out, "\" data-from=\"");
    mc_markup_text(out, path);
    mc_buf_printf(out, "\">%s</data>", mc_reading_text(reading, value, text));
    return true;
}

bool mc_markup_change(struct mc_buf *out, const struct mc_record *record, const struct mc_quantity *quantity,
                      const char *first, const char *last)
{
    char text[MC_QUANTITY_TEXT], paths[2][PATH];
    if (!*mc_quantity_change(quantity, mc_record_get(record, first), mc_record_get(record, last), text)) return false;
    snprintf(paths[0], PATH, "%s.%s", first, quantity->key);
    snprintf(paths[1], PATH, "%s.%s", last, quantity->key);
    const double a = mc_record_get_num(record, paths[0], NAN), b = mc_record_get_num(record, paths[1], NAN);
    const bool ratio = quantity->reading != MC_AS_SHARE && quantity->reading != MC_AS_REAL, falls = a > b;
    mc_buf_puts(out, "<data value=\"");
    mc_report_number(ratio ? falls ? a / b : b / a : b - a, out);
    mc_buf_printf(out, "\" data-from=\"%s %c %s\">%s</data>", paths[ratio && falls ? 0 : 1], ratio ? '/' : '-',
                  paths[ratio && falls ? 1 : 0], text);
    return true;
}
