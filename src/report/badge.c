/* badge.c - a run as a small picture; see badge.h. */
#include "report/badge.h"

#include <math.h>

#include "report/grid.h"
#include "report/markup.h"
#include "report/verdict.h"

enum { PADDING = 7, LETTER = 7 /* a generous width; textLength settles it whatever the font */ };

static void put_words(const struct mc_record *record, const struct mc_verdict *verdict, char *out, size_t size)
{
    char accuracy[MC_QUANTITY_TEXT], smaller[MC_QUANTITY_TEXT] = "";
    if (verdict->n_failed > 0) {
        snprintf(out, size, "%zu of %zu gates failed", verdict->n_failed, verdict->n_gates);
        return;
    }
    if (!isnan(verdict->times_smaller)) snprintf(smaller, sizeof smaller, "%.1f\u00d7 smaller", verdict->times_smaller);
    mc_reading_text(MC_AS_SHARE, mc_record_get_num(mc_record_get(record, "final"), "accuracy", NAN), accuracy);
    snprintf(out, size, "%s%s%s", smaller, *smaller && *accuracy ? ", " : "", accuracy);
    if (!*out) snprintf(out, size, "%s", verdict->n_gates > 0 ? "gates held" : "measured");
}

static void put_text(struct mc_buf *out, int x, int width, const char *text)
{
    mc_buf_printf(out, "<text x=\"%d\" y=\"14\" textLength=\"%d\">", x + PADDING, width - 2 * PADDING);
    mc_markup_text(out, text);
    mc_buf_puts(out, "</text>");
}

void mc_report_badge(const struct mc_record *record, struct mc_buf *out)
{
    static const char label[] = "compress";
    char words[96];
    struct mc_verdict verdict;
    mc_verdict_of(record, &verdict);
    put_words(record, &verdict, words, sizeof words);
    const int left = (int)sizeof label * LETTER - LETTER + 2 * PADDING;
    const int right = mc_text_width(words) * LETTER + 2 * PADDING;
    const char *colour = verdict.n_failed > 0 ? "#b3261e" : verdict.n_gates > 0 ? "#1a7037" : "#44546a";
    mc_buf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"20\" role=\"img\" "
                  "aria-label=\"%s: %s\"><title>%s: %s</title><clipPath id=\"r\"><rect width=\"%d\" height=\"20\" "
                  "rx=\"3\"/></clipPath><g clip-path=\"url(#r)\"><rect width=\"%d\" height=\"20\" fill=\"#3b4048\"/>"
                  "<rect x=\"%d\" width=\"%d\" height=\"20\" fill=\"%s\"/></g><g fill=\"#fff\" "
                  "font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">",
                  left + right, label, words, label, words, left + right, left, left, right, colour);
    put_text(out, 0, left, label);
    put_text(out, left, right, words);
    mc_buf_puts(out, "</g></svg>\n");
}
