/* page_steps.c - steps on the page; see page_steps.h. */
#include "report/page_steps.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/chart.h"
#include "report/json.h"
#include "report/markup.h"
#include "report/record_json.h"

enum { PATH = 96 };

/* --- keys and values as they stand in the record --- */

/* "macs_before" as "macs before" */
static void put_key(const char *key, struct mc_buf *out)
{
    for (; *key; key++) mc_buf_append(out, *key == '_' ? " " : key, 1);
}

static void put_value(const struct mc_record *record, const char *path, const json_t *value, struct mc_buf *out)
{
    if (json_is_number(value)) {
        mc_markup_figure(out, record, json_is_integer(value) ? MC_AS_COUNT : MC_AS_FINE, "%s", path);
        return;
    }
    mc_buf_puts(out, "<code>");
    mc_markup_text(out, json_is_string(value) ? json_string_value(value) : json_is_true(value) ? "yes" : "no");
    mc_buf_puts(out, "</code>");
}

/* Entries of the object at `path` that are no lists and objects; those are shown by others. */
static void put_scalars(const struct mc_record *record, const char *path, struct mc_buf *out)
{
    const struct mc_record *object = mc_record_get(record, path);
    const char *key;
    json_t *value;
    if (!object) return;
    json_object_foreach(mc_record_json(object), key, value)
    {
        char at[2 * PATH];
        if (json_is_object(value) || json_is_array(value) || json_is_null(value) || strcmp(key, "step") == 0) continue;
        snprintf(at, sizeof at, "%s.%s", path, key);
        mc_buf_puts(out, "<dt>");
        put_key(key, out);
        mc_buf_puts(out, "</dt><dd>");
        put_value(record, at, value, out);
        mc_buf_puts(out, "</dd>\n");
    }
}

static void put_option(const char *key, const json_t *value, struct mc_buf *out)
{
    mc_markup_text(out, key);
    mc_buf_puts(out, ": ");
    if (json_is_string(value))
        mc_markup_text(out, json_string_value(value));
    else if (json_is_integer(value))
        mc_buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        mc_report_number(json_real_value(value), out);
    else
        mc_buf_puts(out, json_is_true(value) ? "true" : "false");
}

/* Options as a recipe has them. */
static void put_options(const struct mc_record *step, struct mc_buf *out)
{
    const struct mc_record *options = mc_record_get(step, "options");
    const char *key, *separator = "";
    json_t *value;
    if (mc_record_size(options) == 0) return;
    mc_buf_puts(out, "<details><summary>Options</summary><p><code>");
    json_object_foreach(mc_record_json(options), key, value)
    {
        mc_buf_puts(out, separator);
        put_option(key, value, out);
        separator = ", ";
    }
    mc_buf_puts(out, "</code></p></details>\n");
}

/* --- curves --- */

enum { MOST_EPOCHS = 400 };

/* The figures under `key` of every epoch, or of every so many of very many. */
static int mark_epochs(const struct mc_record *record, const char *epochs, const char *key, struct mc_mark *marks)
{
    const int n = (int)mc_record_size(mc_record_get(record, epochs));
    const int stride = n / MOST_EPOCHS + 1;
    int n_marks = 0;
    for (int i = 0; i < n; i += stride) {
        struct mc_mark *mark = &marks[n_marks++];
        *mark = (struct mc_mark){.hollow = false};
        snprintf(mark->path, sizeof mark->path, "%s.%d.%s", epochs, i, key);
        snprintf(mark->x_path, sizeof mark->x_path, "%s.%d.epoch", epochs, i);
        snprintf(mark->name, sizeof mark->name, "epoch %d", i + 1);
        if (isnan(mc_record_get_num(record, mark->path, NAN))) return 0;
    }
    return n_marks;
}

static void put_curves(const struct mc_record *record, size_t step, struct mc_buf *out)
{
    static const char *const metrics[] = {"validation_accuracy", "validation_r2"};
    char epochs[PATH];
    snprintf(epochs, sizeof epochs, "steps.%zu.training.epochs", step);
    if (mc_record_size(mc_record_get(record, epochs)) < 2) return;
    struct mc_mark *marks = MC_NEW_ARRAY(struct mc_mark, 2 * MOST_EPOCHS);
    if (!marks) {
        out->failed = true;
        return;
    }
    const struct mc_quantity epoch = {"epoch", "epoch", MC_AS_COUNT};
    const struct mc_series losses[] = {
        {"training", "before", mark_epochs(record, epochs, "train_loss", marks), marks, true, false},
        {"validation", "after", mark_epochs(record, epochs, "validation_loss", marks + MOST_EPOCHS),
         marks + MOST_EPOCHS, true, false}};
    const struct mc_chart loss = {"Loss", epoch, {"loss", "loss", MC_AS_REAL}, 2, losses, false};
    mc_buf_puts(out, "<div class=\"charts\">\n");
    mc_chart_draw(&loss, record, out);
    for (size_t k = 0; k < MC_COUNT(metrics); k++) {
        const struct mc_series series = {"validation", "after", mark_epochs(record, epochs, metrics[k], marks),
                                         marks,        true,    false};
        const struct mc_quantity y = {metrics[k], k == 0 ? "accuracy" : "R2", k == 0 ? MC_AS_SHARE : MC_AS_REAL};
        const struct mc_chart chart = {k == 0 ? "Validation accuracy" : "Validation R2", epoch, y, 1, &series, false};
        mc_chart_draw(&chart, record, out);
    }
    mc_buf_puts(out, "</div>\n");
    mc_free(marks);
}

/* --- channels that went --- */

static void put_families(const struct mc_record *record, size_t step, struct mc_buf *out)
{
    static const struct mc_quantity columns[] = {
        {"width", "width", MC_AS_COUNT},
        {"width_after", "after", MC_AS_COUNT},
        {"score_least", "least score", MC_AS_FINE},
        {"score_removed", "removed to", MC_AS_FINE},
        {"score_most", "largest", MC_AS_FINE},
    };
    char path[PATH];
    snprintf(path, sizeof path, "steps.%zu.families", step);
    const struct mc_record *families = mc_record_get(record, path);
    const size_t n = mc_record_size(families);
    if (n == 0) return;
    mc_buf_puts(
        out, "<details><summary>Channels that could go, and their scores</summary><div class=\"wide\" tabindex=\"0\" "
             "role=\"region\" aria-label=\"Channels\"><table><thead><tr><th scope=\"col\">channels of</th>");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_buf_printf(out, "<th scope=\"col\">%s</th>", columns[c].label);
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "<tr><th scope=\"row\"><code>");
        mc_markup_text(out, mc_record_get_text(mc_record_at(families, i), "tensor", "?"));
        mc_buf_puts(out, "</code></th>");
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            mc_buf_puts(out, "<td>");
            mc_markup_figure(out, record, columns[c].reading, "%s.%zu.%s", path, i, columns[c].key);
            mc_buf_puts(out, "</td>");
        }
        mc_buf_puts(out, "</tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></div></details>\n");
}

static void put_step(const struct mc_record *record, size_t i, struct mc_buf *out)
{
    static const char *const parts[] = {"", ".training", ".training.verdict", ".twin", ".check"};
    char path[PATH];
    snprintf(path, sizeof path, "steps.%zu", i);
    const struct mc_record *step = mc_record_get(record, path);
    mc_buf_puts(out, "<h3><code>");
    mc_markup_text(out, mc_record_get_text(step, "step", "?"));
    mc_buf_puts(out, "</code></h3>\n");
    put_options(step, out);
    mc_buf_puts(out, "<dl class=\"facts\">\n");
    for (size_t p = 0; p < MC_COUNT(parts); p++) {
        snprintf(path, sizeof path, "steps.%zu%s", i, parts[p]);
        put_scalars(record, path, out);
    }
    mc_buf_puts(out, "</dl>\n");
    put_curves(record, i, out);
    put_families(record, i, out);
}

void mc_page_steps(const struct mc_record *record, struct mc_buf *out)
{
    const size_t n = mc_record_size(mc_record_get(record, "steps"));
    for (size_t i = 0; i < n; i++) put_step(record, i, out);
}

/* --- sensitivity --- */

static void put_point(const struct mc_record *record, size_t family, size_t point, const char *change,
                      struct mc_buf *out)
{
    char path[PATH];
    snprintf(path, sizeof path, "families.%zu.points.%zu", family, point);
    const struct mc_record *at = mc_record_get(record, path);
    const bool accuracy = strcmp(change, "accuracy_change") == 0;
    const double worse = (accuracy ? -1 : 1) * mc_record_get_num(at, change, 0);
    mc_buf_printf(out, "<td class=\"miss\" style=\"--a:%.2f\">", fmin(fmax(worse, 0) * (accuracy ? 2 : 0.5), 0.6));
    mc_markup_figure(out, record, accuracy ? MC_AS_POINTS : MC_AS_REAL, "%s.%s", path, change);
    mc_buf_puts(out, "</td>");
}

void mc_page_sensitivity(const struct mc_record *record, struct mc_buf *out)
{
    const struct mc_record *families = mc_record_get(record, "baseline") ? mc_record_get(record, "families") : NULL;
    const struct mc_record *points = mc_record_get(mc_record_at(families, 0), "points");
    const bool accuracy = mc_record_get(mc_record_at(points, 0), "accuracy_change") != NULL;
    if (mc_record_size(points) == 0) return;
    mc_buf_printf(
        out,
        "<p>Change of %s when that share of one layer's channels goes and no other; the least sensitive "
        "first.</p><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of sensitivity\"><table "
        "class=\"heat\"><thead><tr><th scope=\"col\">channels of</th><th scope=\"col\">width</th>",
        accuracy ? "accuracy, in points," : "loss");
    for (size_t k = 0; k < mc_record_size(points); k++) {
        mc_buf_puts(out, "<th scope=\"col\">");
        mc_markup_figure(out, record, MC_AS_SHARE, "families.0.points.%zu.ratio", k);
        mc_buf_puts(out, "</th>");
    }
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < mc_record_size(families); i++) {
        const struct mc_record *family = mc_record_at(families, i);
        mc_buf_puts(out, "<tr><th scope=\"row\"><code>");
        mc_markup_text(out, mc_record_get_text(family, "tensor", "?"));
        mc_buf_puts(out, "</code></th><td>");
        mc_markup_figure(out, record, MC_AS_COUNT, "families.%zu.width", i);
        mc_buf_puts(out, "</td>");
        for (size_t k = 0; k < mc_record_size(mc_record_get(family, "points")); k++)
            put_point(record, i, k, accuracy ? "accuracy_change" : "loss_change", out);
        mc_buf_puts(out, "</tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></div>\n");
}
