/* junit.c - gates as test results; see junit.h. */
#include "report/junit.h"

#include <math.h>

#include "base/alloc.h"
#include "report/markup.h"
#include "report/verdict.h"

static void put_attribute(struct mc_buf *out, const char *name, const char *text)
{
    mc_buf_printf(out, " %s=\"", name);
    mc_markup_text(out, text);
    mc_buf_puts(out, "\"");
}

static void put_time(struct mc_buf *out, const struct mc_record *record)
{
    char text[MC_QUANTITY_TEXT];
    put_attribute(out, "time", mc_reading_text(MC_AS_TIME, mc_record_get_num(record, "seconds", 0), text));
}

static void put_property(struct mc_buf *out, const char *name, const char *value)
{
    mc_buf_puts(out, "      <property");
    put_attribute(out, "name", name);
    put_attribute(out, "value", value);
    mc_buf_puts(out, "/>\n");
}

/* Where the figures come from, and what the result measures. */
static void put_properties(struct mc_buf *out, const struct mc_record *record)
{
    static const char *const facts[] = {"program", "model", "data.name"};
    const struct mc_record *final = mc_record_get(record, "final");
    mc_buf_puts(out, "    <properties>\n");
    for (size_t i = 0; i < MC_COUNT(facts); i++) {
        const char *text = mc_record_get_text(record, facts[i], NULL);
        if (text) put_property(out, facts[i], text);
    }
    for (size_t i = 0; i < mc_quantities_count; i++) {
        const double value = mc_record_get_num(final, mc_quantities[i].key, NAN);
        char text[MC_QUANTITY_TEXT];
        snprintf(text, sizeof text, "%.17g", value);
        if (!isnan(value)) put_property(out, mc_quantities[i].key, text);
    }
    mc_buf_puts(out, "    </properties>\n");
}

static void put_case(struct mc_buf *out, const struct mc_record *gate, const char *suite)
{
    char text[128];
    mc_buf_puts(out, "    <testcase");
    put_attribute(out, "classname", suite);
    put_attribute(out, "name", mc_record_get_text(gate, "gate", "?"));
    mc_buf_puts(out, " time=\"0\"");
    if (mc_record_get_bool(gate, "held", false)) {
        mc_buf_puts(out, "/>\n");
        return;
    }
    mc_buf_puts(out, ">\n      <failure type=\"gate\"");
    put_attribute(out, "message", mc_gate_text(gate, text, sizeof text));
    mc_buf_printf(out, ">value %.17g\nbound %.17g\nmargin %.17g</failure>\n    </testcase>\n",
                  mc_record_get_num(gate, "value", 0), mc_record_get_num(gate, "bound", 0),
                  mc_record_get_num(gate, "margin", 0));
}

void mc_report_junit(const struct mc_record *record, struct mc_buf *out)
{
    const char *suite = mc_record_get_text(record, "title", "compress");
    const struct mc_record *gates = mc_record_get(record, "gates");
    struct mc_verdict verdict;
    mc_verdict_of(record, &verdict);
    mc_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
    put_attribute(out, "name", suite);
    mc_buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\"", verdict.n_gates, verdict.n_failed);
    put_time(out, record);
    mc_buf_puts(out, ">\n");
    put_properties(out, record);
    for (size_t i = 0; i < verdict.n_gates; i++) put_case(out, mc_record_at(gates, i), suite);
    mc_buf_puts(out, "  </testsuite>\n</testsuites>\n");
}
