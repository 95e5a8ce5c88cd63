/* prose.c - a record as Markdown; see prose.h. */
#include "report/prose.h"

#include <math.h>

#include "report/quantity.h"
#include "report/sections.h"
#include "report/verdict.h"

static void put_title(const struct mc_record *record, struct mc_buf *out)
{
    mc_buf_printf(out, "# %s\n\n", mc_record_get_text(record, "title", "compress"));
}

/* One line with all that matters; nothing for a record of no run. */
static void put_verdict(const struct mc_record *record, struct mc_buf *out)
{
    struct mc_verdict verdict;
    const struct mc_record *final = mc_record_get(record, "final"), *gates = mc_record_get(record, "gates");
    char accuracy[MC_QUANTITY_TEXT];
    mc_verdict_of(record, &verdict);
    if (!final) return;
    mc_buf_printf(out, "**%s**",
                  verdict.n_failed > 0  ? "Failed"
                  : verdict.n_gates > 0 ? "Passed: every gate holds"
                                        : "Done");
    for (size_t i = 0; i < verdict.n_gates; i++) {
        char text[128];
        const struct mc_record *gate = mc_record_at(gates, i);
        if (mc_record_get_bool(gate, "held", false)) continue;
        mc_buf_printf(out, "; `%s` %s", mc_record_get_text(gate, "gate", "?"), mc_gate_text(gate, text, sizeof text));
    }
    if (!isnan(verdict.times_smaller)) mc_buf_printf(out, "; %.2f times smaller", verdict.times_smaller);
    if (*mc_reading_text(MC_AS_SHARE, mc_record_get_num(final, "accuracy", NAN), accuracy))
        mc_buf_printf(out, "; accuracy %s", accuracy);
    mc_buf_puts(out, "\n\n");
}

void mc_report_markdown(const struct mc_record *record, struct mc_buf *out)
{
    put_title(record, out);
    put_verdict(record, out);
    mc_report_sections(record, true, mc_grid_print_markdown, out);
}

void mc_report_comment(const struct mc_record *record, struct mc_buf *out)
{
    put_title(record, out);
    put_verdict(record, out);
    mc_report_sections(record, false, mc_grid_print_markdown, out);
    mc_buf_puts(out, "\n<details><summary>Everything</summary>\n\n");
    mc_report_sections(record, true, mc_grid_print_markdown, out);
    mc_buf_puts(out, "\n</details>\n");
}
