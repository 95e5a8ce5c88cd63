/* page.c - a record as one page of HTML; see page.h. */
#include "report/page.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/chart.h"
#include "report/markup.h"
#include "report/page_classes.h"
#include "report/page_graph.h"
#include "report/page_layers.h"
#include "report/page_steps.h"
#include "report/page_style.h"
#include "report/sections.h"
#include "report/verdict.h"

enum { PATH = 96 };

static const struct mc_quantity *quantity_of(const char *key)
{
    for (size_t i = 0; i < mc_quantities_count; i++)
        if (strcmp(mc_quantities[i].key, key) == 0) return &mc_quantities[i];
    return NULL;
}

static bool has(const struct mc_record *record, const char *part, const char *key)
{
    return !isnan(mc_record_get_num(mc_record_get(record, part), key, NAN));
}

/* --- the verdict --- */

static void put_verdict_text(const struct mc_record *record, const struct mc_verdict *verdict, struct mc_buf *out)
{
    const struct mc_record *gates = mc_record_get(record, "gates");
    const char *separator = " ";
    if (!mc_record_get(record, "final")) { /* a measurement has no verdict */
        mc_buf_puts(out, "<code>");
        mc_markup_text(out, mc_record_get_text(record, "model", "runs"));
        mc_buf_puts(out, "</code>");
        return;
    }
    if (verdict->n_failed == 0) {
        mc_buf_puts(out, verdict->n_gates > 0 ? "Passed: every gate holds" : "Done: no gates");
        return;
    }
    mc_buf_puts(out, "Failed:");
    for (size_t i = 0; i < verdict->n_gates; i++) {
        const struct mc_record *gate = mc_record_at(gates, i);
        if (mc_record_get_bool(gate, "held", false)) continue;
        mc_buf_printf(out, "%s<code>", separator);
        mc_markup_text(out, mc_record_get_text(gate, "gate", "?"));
        mc_buf_puts(out, "</code>");
        separator = ", ";
    }
}

/* "1.9 times less in bytes, accuracy 98.25 % (+0.40 points)" */
static void put_lead(const struct mc_record *record, const struct mc_verdict *verdict, struct mc_buf *out)
{
    static const char *const metrics[] = {"accuracy", "r2", "loss"};
    const struct mc_quantity *bytes = quantity_of(verdict->bytes);
    mc_buf_puts(out, "<p class=\"lead\">");
    if (!isnan(verdict->times_smaller)) mc_buf_printf(out, "%s: ", bytes->label);
    const char *separator = mc_markup_change(out, record, bytes, "original", "final") ? "; " : "";
    for (size_t i = 0; i < MC_COUNT(metrics); i++) {
        const struct mc_quantity *metric = quantity_of(metrics[i]);
        if (!has(record, "final", metric->key)) continue;
        mc_buf_printf(out, "%s%s ", separator, metric->label);
        mc_markup_figure(out, record, metric->reading, "final.%s", metric->key);
        if (has(record, "original", metric->key)) {
            mc_buf_puts(out, " (");
            mc_markup_change(out, record, metric, "original", "final");
            mc_buf_puts(out, ")");
        }
        break;
    }
    mc_buf_puts(out, "</p>");
}

static void put_head(const struct mc_record *record, struct mc_buf *out)
{
    struct mc_verdict verdict;
    mc_verdict_of(record, &verdict);
    mc_buf_printf(out, "<header class=\"%s\"><p class=\"kicker\"><code>",
                  verdict.n_failed > 0  ? "failed"
                  : verdict.n_gates > 0 ? "held"
                                        : "done");
    mc_markup_text(out, mc_record_get_text(record, "title", "compress"));
    mc_buf_puts(out, "</code></p><h1>");
    put_verdict_text(record, &verdict, out);
    mc_buf_puts(out, "</h1>");
    put_lead(record, &verdict, out);
    mc_buf_puts(out, "</header>\n");
}

/* --- before and after --- */

static void put_tile(const struct mc_record *record, const struct mc_quantity *quantity, struct mc_buf *out)
{
    const double before = mc_record_get_num(mc_record_get(record, "original"), quantity->key, NAN);
    const double after = mc_record_get_num(mc_record_get(record, "final"), quantity->key, NAN);
    if (isnan(after)) return;
    mc_buf_printf(out, "<div class=\"tile\"><dt>%s</dt><dd class=\"now\">", quantity->label);
    mc_markup_figure(out, record, quantity->reading, "final.%s", quantity->key);
    if (!isnan(before)) {
        mc_buf_puts(out, "</dd><dd class=\"was\">from ");
        mc_markup_figure(out, record, quantity->reading, "original.%s", quantity->key);
        mc_buf_puts(out, "</dd><dd class=\"was\">");
        if (!mc_markup_change(out, record, quantity, "original", "final")) mc_buf_puts(out, "as before");
        if (before > 0 && quantity->reading != MC_AS_SHARE)
            mc_buf_printf(out, "<i class=\"bar\" style=\"--w:%.1f%%\"></i>", 100 * fmin(after / before, 1));
    }
    mc_buf_puts(out, "</dd></div>\n");
}

static void put_tiles(const struct mc_record *record, struct mc_buf *out)
{
    static const char *const keys[] = {"bytes", "bytes_packed", "nonzeros", "macs", "latency_ms", "accuracy", "r2"};
    mc_buf_puts(out, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < MC_COUNT(keys); i++) put_tile(record, quantity_of(keys[i]), out);
    mc_buf_puts(out, "</dl>\n");
}

static void put_stage_row(const struct mc_record *record, const struct mc_quantity *quantity, struct mc_buf *out)
{
    const size_t n = mc_record_size(mc_record_get(record, "steps"));
    mc_buf_printf(out, "<tr><th scope=\"row\">%s</th><td>", quantity->label);
    mc_markup_figure(out, record, quantity->reading, "original.%s", quantity->key);
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "</td><td>");
        mc_markup_figure(out, record, quantity->reading, "steps.%zu.result.%s", i, quantity->key);
    }
    mc_buf_puts(out, "</td><td>");
    mc_markup_change(out, record, quantity, "original", "final");
    mc_buf_puts(out, "</td></tr>\n");
}

static void put_stages(const struct mc_record *record, struct mc_buf *out)
{
    const struct mc_record *steps = mc_record_get(record, "steps");
    const size_t n = mc_record_size(steps);
    if (!mc_record_get(record, "original") || !mc_record_get(record, "final")) return;
    put_tiles(record, out);
    mc_buf_puts(
        out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table before and after\"><table><thead>"
             "<tr><th><span class=\"soft\">stage</span></th><th scope=\"col\">original</th>");
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "<th scope=\"col\"><code>");
        mc_markup_text(out, mc_record_get_text(mc_record_at(steps, i), "step", "?"));
        mc_buf_puts(out, "</code></th>");
    }
    mc_buf_puts(out, "<th scope=\"col\">change</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < mc_quantities_count; i++)
        if (has(record, "original", mc_quantities[i].key) || has(record, "final", mc_quantities[i].key))
            put_stage_row(record, &mc_quantities[i], out);
    mc_buf_puts(out, "<tr><th scope=\"row\">step, s</th><td></td>");
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "<td>");
        mc_markup_figure(out, record, MC_AS_FINE, "steps.%zu.seconds", i);
        mc_buf_puts(out, "</td>");
    }
    mc_buf_puts(out, "<td></td></tr></tbody></table></div>\n");
}

static void put_gates(const struct mc_record *record, struct mc_buf *out)
{
    static const char *const columns[] = {"bound", "value", "margin"};
    const struct mc_record *gates = mc_record_get(record, "gates");
    const size_t n = mc_record_size(gates);
    if (n == 0) return;
    mc_buf_puts(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of "
                     "gates\"><table><thead><tr><th scope=\"col\">gate</th><th scope=\"col\">bound</th>"
                     "<th scope=\"col\">value</th><th scope=\"col\">margin</th><th></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const struct mc_record *gate = mc_record_at(gates, i);
        const bool held = mc_record_get_bool(gate, "held", false);
        mc_buf_puts(out, "<tr><td><code>");
        mc_markup_text(out, mc_record_get_text(gate, "gate", "?"));
        mc_buf_puts(out, "</code></td>");
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            mc_buf_puts(out, "<td>");
            mc_markup_figure(out, record, MC_AS_NUMBER, "gates.%zu.%s", i, columns[c]);
            mc_buf_puts(out, "</td>");
        }
        mc_buf_printf(out, "<td class=\"text %s\">%s</td></tr>\n", held ? "good" : "bad",
                      held ? "\u2713 holds" : "\u2717 does not hold");
    }
    mc_buf_puts(out, "</tbody></table></div>\n");
}

/* --- what each stage gave for what --- */

enum { MOST_STAGES = 200 };

/* Runs of a record of `report`; of bench it is a number. */
static size_t n_runs(const struct mc_record *record)
{
    return mc_record_get_text(record, "runs.0.run", NULL) ? mc_record_size(mc_record_get(record, "runs")) : 0;
}

/* The places of a stage's figures in the record: 0 is the original, then the steps; or those of a run. */
static void stage_path(const struct mc_record *record, size_t stage, const char *key, char out[PATH])
{
    if (n_runs(record))
        snprintf(out, PATH, "runs.%zu.%s", stage, key);
    else if (stage == 0)
        snprintf(out, PATH, "original.%s", key);
    else
        snprintf(out, PATH, "steps.%zu.result.%s", stage - 1, key);
}

/* Is another stage no worse in both, and better in one? */
static bool is_beaten(const struct mc_record *record, const struct mc_mark *marks, int n, int i)
{
    const double x = mc_record_get_num(record, marks[i].x_path, NAN), y = mc_record_get_num(record, marks[i].path, NAN);
    for (int k = 0; k < n; k++) {
        const double a = mc_record_get_num(record, marks[k].x_path, NAN),
                     b = mc_record_get_num(record, marks[k].path, NAN);
        if (a <= x && b >= y && (a < x || b > y)) return true;
    }
    return false;
}

static void put_tradeoff_by(const struct mc_record *record, const char *cost, const char *metric, struct mc_buf *out)
{
    struct mc_mark marks[MOST_STAGES];
    const struct mc_record *steps = mc_record_get(record, "steps"), *runs = mc_record_get(record, "runs");
    const size_t among = n_runs(record), n = among ? among : mc_record_size(steps) + 1;
    if (n > MOST_STAGES || !(has(record, "final", cost) || has(record, "runs.0", cost))) return;
    for (size_t i = 0; i < n; i++) {
        marks[i] = (struct mc_mark){.hollow = false};
        stage_path(record, i, cost, marks[i].x_path);
        stage_path(record, i, metric, marks[i].path);
        snprintf(marks[i].name, sizeof marks[i].name, "%.60s",
                 among    ? mc_record_get_text(mc_record_at(runs, i), "run", "?")
                 : i == 0 ? "original"
                          : mc_record_get_text(mc_record_at(steps, i - 1), "step", "?"));
    }
    for (size_t i = 0; i < n; i++) marks[i].hollow = is_beaten(record, marks, (int)n, (int)i);
    char title[96];
    const struct mc_quantity *x = quantity_of(cost), *y = quantity_of(metric);
    snprintf(title, sizeof title, "%s against %s", y->label, x->label);
    const struct mc_series series = {"stages", "after", (int)n, marks, !among, true};
    const struct mc_chart chart = {title, *x, *y, 1, &series, true};
    mc_chart_draw(&chart, record, out);
}

/* Of a search by bytes: what the model was, and the trials. */
static void put_trials(const struct mc_record *record, struct mc_buf *out)
{
    struct mc_mark marks[MOST_STAGES];
    const struct mc_record *trials = mc_record_get(record, "tune.trials");
    const size_t n = mc_record_size(trials);
    const size_t shown = n < MOST_STAGES - 1 ? n : MOST_STAGES - 1;
    for (size_t i = 0; i <= shown; i++) {
        char at[48] = "tune.before";
        if (i > 0) snprintf(at, sizeof at, "tune.trials.%zu", i - 1);
        marks[i] = (struct mc_mark){.hollow = false};
        snprintf(marks[i].x_path, sizeof marks[i].x_path, "%s.bytes", at);
        snprintf(marks[i].path, sizeof marks[i].path, "%s.mean", at);
        if (i == 0)
            snprintf(marks[i].name, sizeof marks[i].name, "original");
        else
            snprintf(marks[i].name, sizeof marks[i].name, "trial %lld",
                     (long long)mc_record_get_int(mc_record_at(trials, i - 1), "trial", 0));
    }
    for (size_t i = 0; i <= shown; i++) marks[i].hollow = is_beaten(record, marks, (int)shown + 1, (int)i);
    const bool packed = strcmp(mc_record_get_text(record, "tune.size", ""), "packed") == 0;
    const struct mc_quantity *x = quantity_of(packed ? "bytes_packed" : "bytes");
    const char *metric = mc_record_get_text(record, "tune.metric", "");
    const struct mc_quantity y = {metric, metric, MC_AS_FINE};
    char title[96];
    snprintf(title, sizeof title, "%s against %s", metric, x->label);
    const struct mc_series series = {"trials", "after", (int)shown + 1, marks, false, false};
    const struct mc_chart chart = {title, *x, y, 1, &series, true};
    mc_buf_puts(out, "<div class=\"charts\">\n");
    mc_chart_draw(&chart, record, out);
    mc_buf_puts(out, "</div><p class=\"soft\">Full marks are the front: no other is both as small and as good.</p>\n");
}

static void put_tradeoff(const struct mc_record *record, struct mc_buf *out)
{
    if (mc_record_get(record, "tune.objective")) {
        put_trials(record, out);
        return;
    }
    static const char *const costs[] = {"bytes", "bytes_packed", "macs", "latency_ms"};
    const char *of = n_runs(record) ? "runs.0" : "final", *metric = has(record, of, "accuracy") ? "accuracy" : "r2";
    if (!has(record, of, metric)) return;
    mc_buf_puts(out, "<div class=\"charts\">\n");
    for (size_t i = 0; i < MC_COUNT(costs); i++) put_tradeoff_by(record, costs[i], metric, out);
    mc_buf_puts(out, "</div><p class=\"soft\">Full marks are the front: no other is both as small and as good. A line "
                     "follows the steps.</p>\n");
}

/* --- where it comes from --- */

static void put_fact(const struct mc_record *record, const char *label, const char *path, struct mc_buf *out)
{
    const char *text = mc_record_get_text(record, path, NULL);
    if (!text && isnan(mc_record_get_num(record, path, NAN))) return;
    mc_buf_printf(out, "<dt>%s</dt><dd>", label);
    if (text) {
        mc_buf_puts(out, "<code>");
        mc_markup_text(out, text);
        mc_buf_puts(out, "</code>");
    }
    const bool whole = mc_record_get_int(record, path, -1) >= 0;
    mc_markup_figure(out, record, whole ? MC_AS_COUNT : MC_AS_NUMBER, "%s", path);
    mc_buf_puts(out, "</dd>\n");
}

static void put_outputs(const struct mc_record *record, struct mc_buf *out)
{
    const struct mc_record *outputs = mc_record_get(record, "outputs");
    for (size_t i = 0; i < mc_record_size(outputs); i++) {
        const struct mc_record *output = mc_record_at(outputs, i);
        mc_buf_puts(out, "<dt>wrote <code>");
        mc_markup_text(out, mc_record_get_text(output, "kind", "?"));
        mc_buf_puts(out, "</code></dt><dd><code>");
        mc_markup_text(out, mc_record_get_text(output, "path", "?"));
        mc_buf_puts(out, "</code> ");
        if (mc_markup_figure(out, record, MC_AS_COUNT, "outputs.%zu.bytes", i)) mc_buf_puts(out, " bytes");
        mc_buf_puts(out, "</dd>\n");
    }
}

static void put_self_check(const struct mc_record *record, struct mc_buf *out)
{
    const struct mc_record *check = mc_record_get(record, "self_check");
    if (!check) return;
    mc_buf_puts(out, "<dt>self-check</dt><dd>the written model gives the same bytes again");
    if (mc_record_get_bool(check, "outputs", false)) mc_buf_puts(out, " and the same outputs, to the last bit");
    mc_buf_puts(out, "</dd>\n");
}

static void put_facts(const struct mc_record *record, struct mc_buf *out)
{
    static const char *const facts[][2] = {
        {"model", "model"},
        {"data", "data.name"},
        {"training samples", "data.train"},
        {"validation samples", "data.validation"},
        {"test samples", "data.test"},
        {"classes", "data.classes"},
        {"seed", "seed"},
        {"threads", "threads"},
        {"instruction set", "cpu"},
        {"seconds", "seconds"},
        {"program", "program"},
    };
    mc_buf_puts(out, "<dl class=\"facts\">\n");
    for (size_t i = 0; i < MC_COUNT(facts); i++) put_fact(record, facts[i][0], facts[i][1], out);
    put_self_check(record, out);
    put_outputs(record, out);
    mc_buf_puts(out, "</dl>\n");
}

static void put_runs(const struct mc_record *record, struct mc_buf *out)
{
    const size_t n = n_runs(record);
    if (n == 0) return;
    mc_buf_puts(out,
                "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of runs\"><table><thead><tr><th "
                "scope=\"col\">run</th><th scope=\"col\">gates failed</th>");
    for (size_t f = 0; f < mc_quantities_count; f++)
        if (has(record, "runs.0", mc_quantities[f].key))
            mc_buf_printf(out, "<th scope=\"col\">%s</th>", mc_quantities[f].label);
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "<tr><th scope=\"row\"><code>");
        mc_markup_text(out, mc_record_get_text(mc_record_at(mc_record_get(record, "runs"), i), "run", "?"));
        mc_buf_puts(out, "</code></th><td>");
        mc_markup_figure(out, record, MC_AS_COUNT, "runs.%zu.gates_failed", i);
        for (size_t f = 0; f < mc_quantities_count; f++) {
            if (!has(record, "runs.0", mc_quantities[f].key)) continue;
            mc_buf_puts(out, "</td><td>");
            mc_markup_figure(out, record, mc_quantities[f].reading, "runs.%zu.%s", i, mc_quantities[f].key);
        }
        mc_buf_puts(out, "</td></tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></div>\n");
}

/* What other verbs than those that change a model measure, as the tables of the other reports. */
static void put_tables(const struct mc_record *record, struct mc_buf *out)
{
    if (!mc_record_get(record, "steps")) mc_report_tables(record, mc_grid_print_html, out);
}

/* --- the whole --- */

static const struct {
    const char *id, *title;
    void (*put)(const struct mc_record *record, struct mc_buf *out);
} sections[] = {
    {"gates", "Gates", put_gates},
    {"figures", "Before and after", put_stages},
    {"runs", "Runs", put_runs},
    {"measured", "Measured", put_tables},
    {"trade-off", "Trade-off", put_tradeoff},
    {"layers", "Layers", mc_page_layers},
    {"graph", "Graph", mc_page_graph},
    {"sensitivity", "Sensitivity", mc_page_sensitivity},
    {"steps", "Steps", mc_page_steps},
    {"classes", "Classes", mc_page_classes},
    {"weights", "Weights", mc_page_weights},
    {"run", "This run", put_facts},
};

/* One that has nothing to show leaves no trace. */
static bool put_section(const struct mc_record *record, size_t i, struct mc_buf *body)
{
    const size_t before = body->length;
    mc_buf_printf(body, "<section id=\"%s\" aria-labelledby=\"h-%s\"><h2 id=\"h-%s\">%s</h2>\n", sections[i].id,
                  sections[i].id, sections[i].id, sections[i].title);
    const size_t begun = body->length;
    sections[i].put(record, body);
    const bool shown = body->length > begun;
    if (shown)
        mc_buf_puts(body, "</section>\n");
    else if (!body->failed)
        body->length = before;
    return shown;
}

static void put_top(const struct mc_record *record, struct mc_buf *out)
{
    mc_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                     "content=\"width=device-width,initial-scale=1\">"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                     "'unsafe-inline'; img-src data:\"><link rel=\"icon\" href=\"data:,\"><title>");
    mc_markup_text(out, mc_record_get_text(record, "title", "compress"));
    mc_buf_puts(out, "</title>\n<style>");
    for (size_t i = 0; mc_page_style[i]; i++) mc_buf_printf(out, "%s\n", mc_page_style[i]);
    mc_buf_puts(out, "</style></head>\n<body>\n");
    put_head(record, out);
}

void mc_report_page(const struct mc_record *record, struct mc_buf *out)
{
    struct mc_buf body;
    mc_buf_init(&body, out->ceiling);
    put_top(record, out);
    mc_buf_puts(out, "<nav aria-label=\"Sections\">");
    for (size_t i = 0; i < MC_COUNT(sections); i++)
        if (put_section(record, i, &body))
            mc_buf_printf(out, "<a href=\"#%s\">%s</a> ", sections[i].id, sections[i].title);
    mc_buf_puts(out, "</nav>\n<main>\n");
    if (body.failed)
        out->failed = true;
    else
        mc_buf_append(out, body.data, body.length);
    mc_buf_puts(out, "</main>\n</body>\n</html>\n");
    mc_buf_finish(&body);
}
