/* chart.c - lines and points in a frame; see chart.h. */
#include "report/chart.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/json.h"
#include "report/markup.h"

enum { WIDTH = 336, HEIGHT = 210, LEFT = 56, RIGHT = 14, TOP = 12, BOTTOM = 40, TICKS = 4 };

struct axis {
    double low, high, step;
};

struct frame {
    const struct mc_chart *chart;
    const struct mc_record *record;
    struct mc_buf *out;
    struct axis x, y;
};

const char *mc_short_text(double value, char out[MC_QUANTITY_TEXT])
{
    static const struct {
        double from;
        const char *unit;
    } units[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e4, " k"}};
    for (size_t i = 0; i < MC_COUNT(units); i++) {
        if (fabs(value) < units[i].from) continue;
        const double shown = value / (i == 3 ? 1e3 : units[i].from);
        snprintf(out, MC_QUANTITY_TEXT, "%.3g%s", shown, units[i].unit);
        return out;
    }
    snprintf(out, MC_QUANTITY_TEXT, "%.4g", value);
    return out;
}

/* --- where things lie --- */

static double x_of(const struct frame *f, const struct mc_mark *mark, int i)
{
    return *mark->x_path ? mc_record_get_num(f->record, mark->x_path, NAN) : i + 1;
}

static double y_of(const struct frame *f, const struct mc_mark *mark)
{
    return mc_record_get_num(f->record, mark->path, NAN);
}

/* Bounds and a step of 1, 2 or 5 times a power of ten, so that some ticks fall on round numbers. */
static void round_axis(struct axis *axis, double low, double high)
{
    if (!(high > low)) {
        const double around = fabs(low) > 0 ? fabs(low) * 0.1 : 1;
        low -= around;
        high += around;
    }
    const double rough = (high - low) / TICKS, power = pow(10, floor(log10(rough))), digit = rough / power;
    axis->step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
    axis->low = floor(low / axis->step + 1e-9) * axis->step;
    axis->high = ceil(high / axis->step - 1e-9) * axis->step;
}

static bool measure(struct frame *f)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    if (f->chart->from_zero) low[0] = 0;
    for (int s = 0; s < f->chart->n_series; s++)
        for (int i = 0; i < f->chart->series[s].n; i++) {
            const struct mc_mark *mark = &f->chart->series[s].marks[i];
            const double at[2] = {x_of(f, mark, i), y_of(f, mark)};
            if (isnan(at[0]) || isnan(at[1])) continue;
            for (int k = 0; k < 2; k++) low[k] = fmin(low[k], at[k]), high[k] = fmax(high[k], at[k]);
        }
    if (!(low[1] <= high[1])) return false;
    round_axis(&f->x, low[0], high[0]);
    round_axis(&f->y, low[1], high[1]);
    return true;
}

static double across(const struct frame *f, double x)
{
    return LEFT + (x - f->x.low) / (f->x.high - f->x.low) * (WIDTH - LEFT - RIGHT);
}

static double down(const struct frame *f, double y)
{
    return HEIGHT - BOTTOM - (y - f->y.low) / (f->y.high - f->y.low) * (HEIGHT - TOP - BOTTOM);
}

/* --- the frame --- */

static const char *tick_text(const struct mc_quantity *quantity, double step, double value, char out[MC_QUANTITY_TEXT])
{
    if (fabs(value) < step * 1e-6) value = 0;
    if (quantity->reading != MC_AS_SHARE) return mc_short_text(value, out);
    snprintf(out, MC_QUANTITY_TEXT, "%.*f %%", step < 0.0099 ? 1 : 0, 100 * value);
    return out;
}

/* Few by the choice of the step, whatever the numbers: a step that is lost in rounding must not go on for ever. */
static int n_ticks(const struct axis *axis)
{
    const double n = (axis->high - axis->low) / axis->step + 1.5;
    return n >= 1 && n <= 4 * TICKS ? (int)n : 0;
}

static void draw_axes(const struct frame *f)
{
    char text[MC_QUANTITY_TEXT];
    mc_buf_puts(f->out, "<g class=\"axes\">");
    for (int i = 0; i < n_ticks(&f->y); i++) {
        const double y = f->y.low + i * f->y.step;
        mc_buf_printf(
            f->out, "<path d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
            LEFT, down(f, y), WIDTH - RIGHT, LEFT - 6, down(f, y) + 4, tick_text(&f->chart->y, f->y.step, y, text));
    }
    for (int i = 0; i < n_ticks(&f->x); i++) {
        const double x = f->x.low + i * f->x.step;
        mc_buf_printf(f->out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", across(f, x),
                      HEIGHT - BOTTOM + 16, tick_text(&f->chart->x, f->x.step, x, text));
    }
    mc_buf_printf(f->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 7);
    mc_markup_text(f->out, f->chart->x.label);
    mc_buf_puts(f->out, "</text></g>");
}

/* --- what is in it --- */

static void draw_line(const struct frame *f, const struct mc_series *series)
{
    bool begun = false;
    for (int i = 0; i < series->n; i++) {
        const double x = x_of(f, &series->marks[i], i), y = y_of(f, &series->marks[i]);
        if (isnan(x) || isnan(y)) continue;
        mc_buf_printf(f->out, "%s%.1f %.1f", begun ? "L" : "<path class=\"line\" d=\"M", across(f, x), down(f, y));
        begun = true;
    }
    if (begun) mc_buf_puts(f->out, "\"/>");
}

static void put_value(const struct frame *f, const char *axis, const char *path)
{
    mc_buf_printf(f->out, " data-%svalue=\"", axis);
    mc_report_json_value(mc_record_get(f->record, path), f->out);
    mc_buf_printf(f->out, "\" data-%sfrom=\"%s\"", axis, path);
}

static void draw_mark(const struct frame *f, const struct mc_mark *mark, int i)
{
    char text[MC_QUANTITY_TEXT];
    const double x = x_of(f, mark, i), y = y_of(f, mark);
    if (isnan(x) || isnan(y)) return;
    mc_buf_printf(f->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"", mark->hollow ? "hollow" : "full",
                  across(f, x), down(f, y), *mark->x_path ? "4.5" : "2.5");
    put_value(f, "", mark->path);
    if (*mark->x_path) put_value(f, "x-", mark->x_path);
    mc_buf_puts(f->out, "><title>");
    mc_markup_text(f->out, mark->name);
    mc_buf_printf(f->out, ": %s %s", f->chart->y.label, mc_reading_text(f->chart->y.reading, y, text));
    if (*mark->x_path)
        mc_buf_printf(f->out, ", %s %s", f->chart->x.label, mc_reading_text(f->chart->x.reading, x, text));
    mc_buf_puts(f->out, "</title></circle>");
}

/* Beside the mark, on the side where there is room; names of marks that lie on each other go below one another. */
static void draw_names(const struct frame *f, const struct mc_series *series)
{
    double used[2] = {-INFINITY, -INFINITY}; /* the last name's place */
    for (int i = 0; series->named && i < series->n; i++) {
        const double x = x_of(f, &series->marks[i], i), y = y_of(f, &series->marks[i]);
        if (isnan(x) || isnan(y)) continue;
        const bool left = across(f, x) > WIDTH * 0.6;
        double at = down(f, y) + 4;
        if (at < TOP + 8) at = TOP + 8;
        if (fabs(across(f, x) - used[0]) < 90 && fabs(at - used[1]) < 12) at = used[1] + 12;
        mc_buf_printf(f->out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\"%s>", across(f, x) + (left ? -9 : 9), at,
                      left ? " text-anchor=\"end\"" : "");
        mc_markup_text(f->out, series->marks[i].name);
        mc_buf_puts(f->out, "</text>");
        used[0] = across(f, x);
        used[1] = at;
    }
}

static void draw_series(const struct frame *f, const struct mc_series *series)
{
    mc_buf_printf(f->out, "<g class=\"%s\">", series->class);
    if (series->joined) draw_line(f, series);
    for (int i = 0; i < series->n; i++) draw_mark(f, &series->marks[i], i);
    draw_names(f, series);
    mc_buf_puts(f->out, "</g>");
}

static void draw_legend(const struct frame *f)
{
    if (f->chart->n_series < 2) return;
    mc_buf_puts(f->out, "<p class=\"legend\">");
    for (int s = 0; s < f->chart->n_series; s++) {
        if (f->chart->series[s].n == 0) continue;
        mc_buf_printf(f->out, "<span class=\"%s\"><i></i>", f->chart->series[s].class);
        mc_markup_text(f->out, f->chart->series[s].name);
        mc_buf_puts(f->out, "</span> ");
    }
    mc_buf_puts(f->out, "</p>");
}

void mc_chart_draw(const struct mc_chart *chart, const struct mc_record *record, struct mc_buf *out)
{
    struct frame f = {.chart = chart, .record = record, .out = out};
    if (!measure(&f)) return;
    mc_buf_puts(out, "<figure class=\"chart\"><figcaption>");
    mc_markup_text(out, chart->title);
    mc_buf_printf(out, "</figcaption><svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    mc_markup_text(out, chart->title);
    mc_buf_puts(out, "\">");
    draw_axes(&f);
    for (int s = 0; s < chart->n_series; s++) draw_series(&f, &chart->series[s]);
    mc_buf_puts(out, "</svg>");
    draw_legend(&f);
    mc_buf_puts(out, "</figure>\n");
}
