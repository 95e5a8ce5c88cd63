/* page_layers.c - layers on the page; see page_layers.h. */
#include "report/page_layers.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/markup.h"

/* More rows than that nobody reads; the JSON has them. */
enum { MOST_LAYERS = 400, PATH = 128 };

/* A layer before and after, by its place in either list; -1: it is not there. */
struct pair {
    int before, after;
};

struct pairs {
    const struct mc_record *record;
    const char *before, *after; /* paths of the two lists; `before` NULL: there is but one */
    int n;
    struct pair of[MOST_LAYERS];
};

static int find_layer(const struct mc_record *layers, const char *name)
{
    for (size_t i = 0; i < mc_record_size(layers); i++)
        if (strcmp(mc_record_get_text(mc_record_at(layers, i), "layer", ""), name) == 0) return (int)i;
    return -1;
}

static void add_pair(struct pairs *pairs, int before, int after)
{
    if (pairs->n < MOST_LAYERS) pairs->of[pairs->n++] = (struct pair){before, after};
}

static void pair_layers(struct pairs *pairs, const struct mc_record *record)
{
    const bool both = mc_record_get(record, "original.layers") != NULL;
    *pairs = (struct pairs){
        .record = record, .before = both ? "original.layers" : NULL, .after = both ? "final.layers" : "layers"};
    const struct mc_record *before = both ? mc_record_get(record, pairs->before) : NULL;
    const struct mc_record *after = mc_record_get(record, pairs->after);
    for (size_t i = 0; i < mc_record_size(before) && i < MOST_LAYERS; i++)
        add_pair(pairs, (int)i, find_layer(after, mc_record_get_text(mc_record_at(before, i), "layer", "")));
    for (size_t i = 0; i < mc_record_size(after) && i < MOST_LAYERS; i++)
        if (!before || find_layer(before, mc_record_get_text(mc_record_at(after, i), "layer", "")) < 0)
            add_pair(pairs, -1, (int)i);
}

/* Where a figure of a pair stands, "" if it is on neither side. */
static void path_of(const struct pairs *pairs, const struct pair *pair, bool after, const char *key, char out[PATH])
{
    const int i = after ? pair->after : pair->before;
    *out = '\0';
    if (i >= 0) snprintf(out, PATH, "%s.%d.%s", after ? pairs->after : pairs->before, i, key);
}

static const char *text_of(const struct pairs *pairs, const struct pair *pair, bool after, const char *key)
{
    char path[PATH];
    path_of(pairs, pair, after, key, path);
    return mc_record_get_text(pairs->record, path, "");
}

static const char *name_of(const struct pairs *pairs, const struct pair *pair)
{
    return text_of(pairs, pair, pair->after >= 0, "layer");
}

/* --- the table --- */

static void put_figures(const struct pairs *pairs, const struct pair *pair, const struct mc_quantity *quantity,
                        struct mc_buf *out)
{
    char before[PATH], after[PATH];
    path_of(pairs, pair, false, quantity->key, before);
    path_of(pairs, pair, true, quantity->key, after);
    const double a = mc_record_get_num(pairs->record, before, NAN), b = mc_record_get_num(pairs->record, after, NAN);
    mc_buf_puts(out, "<td>");
    mc_markup_figure(out, pairs->record, quantity->reading, "%s", after);
    if (isnan(b) && !isnan(a)) mc_buf_puts(out, "gone");
    if (!isnan(a) && a != b) {
        mc_buf_puts(out, " <small class=\"soft\">from ");
        mc_markup_figure(out, pairs->record, quantity->reading, "%s", before);
        mc_buf_puts(out, "</small>");
    }
    if (quantity->reading == MC_AS_COUNT && a > 0)
        mc_buf_printf(out, "<i class=\"bar\" style=\"--w:%.1f%%\"></i>", isnan(b) ? 0 : 100 * fmin(b / a, 1));
    mc_buf_puts(out, "</td>");
}

static void put_shapes(const struct pairs *pairs, const struct pair *pair, struct mc_buf *out)
{
    const char *before = text_of(pairs, pair, false, "shape"), *after = text_of(pairs, pair, true, "shape");
    mc_buf_puts(out, "<td class=\"text\"><code>");
    mc_markup_text(out, *after ? after : before);
    mc_buf_puts(out, "</code>");
    if (*before && *after && strcmp(before, after) != 0) {
        mc_buf_puts(out, " <small class=\"soft\">from <code>");
        mc_markup_text(out, before);
        mc_buf_puts(out, "</code></small>");
    }
    mc_buf_puts(out, "</td>");
}

static const struct mc_quantity columns[] = {
    {"parameters", "parameters", MC_AS_COUNT},
    {"nonzeros", "non-zeros", MC_AS_COUNT},
    {"sparsity", "zeros", MC_AS_SHARE},
    {"macs", "MACs", MC_AS_COUNT},
    {"time_ms", "ms", MC_AS_TIME},
};

static void put_row(const struct pairs *pairs, const struct pair *pair, struct mc_buf *out)
{
    mc_buf_puts(out, "<tr><th scope=\"row\"><code>");
    mc_markup_text(out, name_of(pairs, pair));
    mc_buf_puts(out, "</code></th><td class=\"text\"><code>");
    mc_markup_text(out, text_of(pairs, pair, pair->after >= 0, "operator"));
    mc_buf_puts(out, "</code></td>");
    put_shapes(pairs, pair, out);
    for (size_t c = 0; c < MC_COUNT(columns); c++) put_figures(pairs, pair, &columns[c], out);
    mc_buf_puts(out, "</tr>\n");
}

void mc_page_layers(const struct mc_record *record, struct mc_buf *out)
{
    struct pairs pairs;
    pair_layers(&pairs, record);
    if (pairs.n == 0) return;
    mc_buf_puts(out,
                "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of layers\"><table><thead><tr>"
                "<th scope=\"col\">layer</th><th scope=\"col\" class=\"text\">operator</th>"
                "<th scope=\"col\" class=\"text\">output</th>");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_buf_printf(out, "<th scope=\"col\">%s</th>", columns[c].label);
    mc_buf_puts(out, "</tr></thead><tbody>\n");
    for (int i = 0; i < pairs.n; i++) put_row(&pairs, &pairs.of[i], out);
    mc_buf_puts(out, "</tbody></table></div>\n");
    if (pairs.n == MOST_LAYERS) mc_buf_puts(out, "<p class=\"soft\">The JSON has the layers after these.</p>\n");
}

/* --- weights --- */

enum { WIDTH = 176, HEIGHT = 52 };

struct range {
    double low, high;
};

/* The staircase of one list of counts; `closed`: with its foot, to be filled. */
static void put_stairs(const struct mc_record *weights, const struct range *range, bool closed, struct mc_buf *out)
{
    const struct mc_record *counts = mc_record_get(weights, "counts");
    const size_t n = mc_record_size(counts);
    const double low = mc_record_get_num(weights, "low", NAN), high = mc_record_get_num(weights, "high", NAN);
    const double scale = WIDTH / (range->high - range->low);
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, mc_record_get_num(mc_record_at(counts, i), "", 0));
    if (n == 0 || !(most > 0)) return;
    mc_buf_printf(out, "<path class=\"%s\" d=\"M%.1f %d", closed ? "after area" : "outline", (low - range->low) * scale,
                  HEIGHT);
    for (size_t i = 0; i < n; i++) {
        const double count = mc_record_get_num(mc_record_at(counts, i), "", 0);
        mc_buf_printf(out, "V%.1fH%.1f", HEIGHT - count / most * (HEIGHT - 2),
                      (low + (high - low) * (double)(i + 1) / (double)n - range->low) * scale);
    }
    mc_buf_printf(out, "V%d%s\"/>", HEIGHT, closed ? "Z" : "");
}

static void put_histogram(const struct pairs *pairs, const struct pair *pair, struct mc_buf *out)
{
    char before[PATH], after[PATH];
    path_of(pairs, pair, false, "weights", before);
    path_of(pairs, pair, true, "weights", after);
    const struct mc_record *a = mc_record_get(pairs->record, before), *b = mc_record_get(pairs->record, after);
    const struct range range = {fmin(mc_record_get_num(a, "low", INFINITY), mc_record_get_num(b, "low", INFINITY)),
                                fmax(mc_record_get_num(a, "high", -INFINITY), mc_record_get_num(b, "high", -INFINITY))};
    if (!(range.high > range.low)) return;
    mc_buf_puts(out, "<figure class=\"small\"><figcaption title=\"");
    mc_markup_text(out, name_of(pairs, pair));
    mc_buf_puts(out, "\"><code>");
    mc_markup_text(out, name_of(pairs, pair));
    mc_buf_printf(out, "</code></figcaption><svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"weights of ",
                  WIDTH, HEIGHT);
    mc_markup_text(out, name_of(pairs, pair));
    mc_buf_puts(out, "\">");
    if (b) put_stairs(b, &range, true, out);
    if (a) put_stairs(a, &range, false, out);
    mc_buf_puts(out, "</svg><p class=\"legend\">");
    mc_markup_figure(out, pairs->record, MC_AS_FINE, "%s.low", b ? after : before);
    mc_buf_puts(out, " to ");
    mc_markup_figure(out, pairs->record, MC_AS_FINE, "%s.high", b ? after : before);
    mc_buf_puts(out, "</p></figure>\n");
}

void mc_page_weights(const struct mc_record *record, struct mc_buf *out)
{
    struct pairs pairs;
    pair_layers(&pairs, record);
    const size_t before = out->length;
    mc_buf_puts(out, "<p class=\"soft\">How the weights of each layer lie that are not zero: the result filled, the "
                     "original as a line, each as high as its own highest bar.</p><div class=\"charts\">\n");
    const size_t begun = out->length;
    for (int i = 0; i < pairs.n; i++) put_histogram(&pairs, &pairs.of[i], out);
    if (out->length == begun)
        out->length = before;
    else
        mc_buf_puts(out, "</div>\n");
}
