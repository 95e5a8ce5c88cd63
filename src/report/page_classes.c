/* page_classes.c - classes on the page; see page_classes.h. */
#include "report/page_classes.h"

#include <math.h>

#include "base/alloc.h"
#include "report/markup.h"

enum { PATH = 128, MOST_ROWS = 200, MOST_CONFUSED = 20, MOST_MISTAKES = 20 };

/* A list of single classes, labels or targets, and what of an entry is shown. */
static const struct {
    const char *list, *name;
    struct mc_quantity columns[4];
} kinds[] = {
    {"per_class",
     "class",
     {{"precision", "precision", MC_AS_SHARE},
      {"recall", "recall", MC_AS_SHARE},
      {"f1", "F1", MC_AS_SHARE},
      {"auc", "AUC", MC_AS_REAL}}},
    {"per_label",
     "label",
     {{"precision", "precision", MC_AS_SHARE},
      {"recall", "recall", MC_AS_SHARE},
      {"f1", "F1", MC_AS_SHARE},
      {"auc", "AUC", MC_AS_REAL}}},
    {"per_target",
     "target",
     {{"mse", "MSE", MC_AS_REAL}, {"rmse", "RMSE", MC_AS_REAL}, {"mae", "MAE", MC_AS_REAL}, {"r2", "R2", MC_AS_REAL}}},
};

static bool has(const struct mc_record *record, const char *before, const char *list)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s%s", before, list);
    return mc_record_size(mc_record_get(record, path)) > 0;
}

/* Where the figures after everything begin in paths: "final." or, of a measurement, "". */
static const char *after_of(const struct mc_record *record)
{
    return mc_record_get(record, "final") ? "final." : "";
}

static void put_figure(const struct mc_record *record, const struct mc_quantity *q, const char *after, bool both,
                       size_t kind, size_t i, struct mc_buf *out)
{
    char paths[2][PATH];
    snprintf(paths[0], PATH, "original.%s.%zu", kinds[kind].list, i);
    snprintf(paths[1], PATH, "%s%s.%zu", after, kinds[kind].list, i);
    mc_buf_puts(out, "<td>");
    mc_markup_figure(out, record, q->reading, "%s.%s", paths[1], q->key);
    if (both) {
        mc_buf_puts(out, " <small class=\"soft\">");
        mc_markup_change(out, record, q, paths[0], paths[1]);
        mc_buf_puts(out, "</small>");
    }
    mc_buf_puts(out, "</td>");
}

static void put_list(const struct mc_record *record, size_t kind, struct mc_buf *out)
{
    const char *after = after_of(record);
    char path[PATH];
    snprintf(path, sizeof path, "%s%s", after, kinds[kind].list);
    const struct mc_record *list = mc_record_get(record, path);
    const bool both = *after && has(record, "original.", kinds[kind].list), samples = kind < 2;
    if (mc_record_size(list) == 0) return;
    mc_buf_printf(out,
                  "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Each %s\"><table><thead><tr><th "
                  "scope=\"col\">%s</th>%s",
                  kinds[kind].name, kinds[kind].name, samples ? "<th scope=\"col\">samples</th>" : "");
    for (size_t c = 0; c < MC_COUNT(kinds[kind].columns); c++)
        mc_buf_printf(out, "<th scope=\"col\">%s</th>", kinds[kind].columns[c].label);
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < mc_record_size(list) && i < MOST_ROWS; i++) {
        mc_buf_puts(out, "<tr><th scope=\"row\"><code>");
        mc_markup_text(out, mc_record_get_text(mc_record_at(list, i), kinds[kind].name, "?"));
        mc_buf_puts(out, "</code></th>");
        if (samples) mc_buf_puts(out, "<td>");
        if (samples) mc_markup_figure(out, record, MC_AS_COUNT, "%s.%zu.samples", path, i);
        if (samples) mc_buf_puts(out, "</td>");
        for (size_t c = 0; c < MC_COUNT(kinds[kind].columns); c++)
            put_figure(record, &kinds[kind].columns[c], after, both, kind, i, out);
        mc_buf_puts(out, "</tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></div>\n");
}

/* --- confusion --- */

/* Rows are what samples are. What is right is tinted by its share of the row, what is wrong by ten times that: one
 * sample in twenty is to be seen. */
static void put_row(const struct mc_record *record, const char *path, size_t k, const struct mc_record *row,
                    struct mc_buf *out)
{
    const size_t K = mc_record_size(row);
    double sum = 0;
    for (size_t j = 0; j < K; j++) sum += mc_record_get_num(mc_record_at(row, j), "", 0);
    for (size_t j = 0; j < K; j++) {
        const double n = mc_record_get_num(mc_record_at(row, j), "", 0), share = sum > 0 ? n / sum : 0;
        if (n == 0)
            mc_buf_puts(out, "<td class=\"zero\">");
        else
            mc_buf_printf(out, "<td class=\"%s\" style=\"--a:%.2f\">", j == k ? "hit" : "miss",
                          j == k ? 0.35 * share : fmin(0.08 + 3 * share, 0.6));
        mc_markup_figure(out, record, MC_AS_COUNT, "%s.%zu.%zu", path, k, j);
        mc_buf_puts(out, "</td>");
    }
}

static void put_class(const struct mc_record *classes, size_t k, const char *scope, struct mc_buf *out)
{
    mc_buf_printf(out, "<th scope=\"%s\"><code>", scope);
    mc_markup_text(out, mc_record_get_text(mc_record_at(classes, k), "class", "?"));
    mc_buf_puts(out, "</code></th>");
}

static void put_matrix(const struct mc_record *record, const char *before, const char *title, struct mc_buf *out)
{
    char path[PATH], names[PATH];
    snprintf(path, sizeof path, "%sconfusion", before);
    snprintf(names, sizeof names, "%sper_class", before);
    const struct mc_record *rows = mc_record_get(record, path), *classes = mc_record_get(record, names);
    const size_t K = mc_record_size(rows);
    if (K == 0 || K > MOST_CONFUSED) return;
    mc_buf_printf(out,
                  "<figure><figcaption>%s</figcaption><div class=\"wide\" tabindex=\"0\" role=\"region\" "
                  "aria-label=\"%s\"><table class=\"heat\"><thead><tr><th scope=\"col\">is \\ taken for</th>",
                  title, title);
    for (size_t k = 0; k < K; k++) put_class(classes, k, "col", out);
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t k = 0; k < K; k++) {
        mc_buf_puts(out, "<tr>");
        put_class(classes, k, "row", out);
        put_row(record, path, k, mc_record_at(rows, k), out);
        mc_buf_puts(out, "</tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></div></figure>\n");
}

/* A cell beside the diagonal: samples of one class that were taken for another. */
struct mistake {
    size_t is, taken_for;
    int64_t n;
};

/* The most frequent mistakes, the first come first of as frequent ones; returns how many. */
static size_t find_mistakes(const struct mc_record *rows, struct mistake out[MOST_MISTAKES])
{
    size_t n = 0;
    for (size_t k = 0; k < mc_record_size(rows); k++) {
        const struct mc_record *row = mc_record_at(rows, k);
        for (size_t j = 0; j < mc_record_size(row); j++) {
            const struct mistake m = {k, j, mc_record_get_int(mc_record_at(row, j), "", 0)};
            if (k == j || m.n == 0 || (n == MOST_MISTAKES && m.n <= out[n - 1].n)) continue;
            size_t at = n < MOST_MISTAKES ? n++ : n - 1;
            for (; at > 0 && out[at - 1].n < m.n; at--) out[at] = out[at - 1];
            out[at] = m;
        }
    }
    return n;
}

/* Instead of a matrix that nobody could read. */
static void put_mistakes(const struct mc_record *record, const char *before, const char *title, struct mc_buf *out)
{
    char path[PATH], names[PATH];
    struct mistake mistakes[MOST_MISTAKES];
    snprintf(path, sizeof path, "%sconfusion", before);
    snprintf(names, sizeof names, "%sper_class", before);
    const struct mc_record *rows = mc_record_get(record, path), *classes = mc_record_get(record, names);
    const size_t n = mc_record_size(rows) > MOST_CONFUSED ? find_mistakes(rows, mistakes) : 0;
    if (n == 0) return;
    mc_buf_printf(
        out,
        "<figure><figcaption>%s, the most frequent</figcaption><table><thead><tr><th scope=\"col\">is</th><th "
        "scope=\"col\" class=\"text\">taken for</th><th scope=\"col\">samples</th></tr></thead><tbody>\n",
        title);
    for (size_t i = 0; i < n; i++) {
        mc_buf_puts(out, "<tr>");
        put_class(classes, mistakes[i].is, "row", out);
        mc_buf_puts(out, "<td class=\"text\"><code>");
        mc_markup_text(out, mc_record_get_text(mc_record_at(classes, mistakes[i].taken_for), "class", "?"));
        mc_buf_puts(out, "</code></td><td>");
        mc_markup_figure(out, record, MC_AS_COUNT, "%s.%zu.%zu", path, mistakes[i].is, mistakes[i].taken_for);
        mc_buf_puts(out, "</td></tr>\n");
    }
    mc_buf_puts(out, "</tbody></table></figure>\n");
}

static void put_confusion(const struct mc_record *record, const char *before, const char *title, struct mc_buf *out)
{
    put_matrix(record, before, title, out);
    put_mistakes(record, before, title, out);
}

void mc_page_classes(const struct mc_record *record, struct mc_buf *out)
{
    for (size_t kind = 0; kind < MC_COUNT(kinds); kind++) put_list(record, kind, out);
    const bool final = mc_record_get(record, "final") != NULL;
    if (!has(record, after_of(record), "confusion")) return;
    mc_buf_puts(out, "<h3>What was taken for what</h3><div class=\"charts\">\n");
    if (final) put_confusion(record, "original.", "Confusion of the original", out);
    put_confusion(record, after_of(record), final ? "Confusion of the result" : "Confusion", out);
    mc_buf_puts(out, "</div>\n");
}
