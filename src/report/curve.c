/* curve.c - curves drawn with characters; see curve.h. */
#include "report/curve.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 64, HEIGHT = 14 };

struct frame {
    double low, high; /* of y, or of its logarithm */
    bool logarithmic;
    char cell[HEIGHT][WIDTH];
};

/* NaN for what is not drawn. */
static double height_of(const struct frame *f, double y)
{
    if (!isfinite(y) || (f->logarithmic && y <= 0)) return NAN;
    return f->logarithmic ? log10(y) : y;
}

static void measure(struct frame *f, const struct mc_curve *curves, int n_curves)
{
    f->low = INFINITY;
    f->high = -INFINITY;
    for (int c = 0; c < n_curves; c++)
        for (int i = 0; i < curves[c].n; i++) {
            const double y = height_of(f, curves[c].y[i]);
            if (isnan(y)) continue;
            f->low = fmin(f->low, y);
            f->high = fmax(f->high, y);
        }
}

/* Every column shows the mean of the points that fall on it, or the point nearest to it. */
static double column_of(const struct frame *f, const struct mc_curve *curve, int column)
{
    const int first = (int)((int64_t)column * curve->n / WIDTH), next = (int)((int64_t)(column + 1) * curve->n / WIDTH);
    double sum = 0;
    int n = 0;
    for (int i = first; i < next || i == first; i++) {
        const double y = height_of(f, curve->y[i]);
        if (isnan(y)) continue;
        sum += y;
        n++;
    }
    return n ? sum / n : NAN;
}

static void plot(struct frame *f, const struct mc_curve *curve)
{
    const double span = f->high > f->low ? f->high - f->low : 1;
    for (int column = 0; curve->n > 0 && column < WIDTH; column++) {
        const double y = column_of(f, curve, column);
        if (isnan(y)) continue;
        const int row = (int)((f->high - y) / span * (HEIGHT - 1) + 0.5);
        f->cell[row][column] = curve->mark;
    }
}

static double shown(const struct frame *f, double y)
{
    return f->logarithmic ? pow(10, y) : y;
}

void mc_curves_draw(const struct mc_curve *curves, int n_curves, bool logarithmic, const char *under,
                    struct mc_buf *out)
{
    struct frame f = {.logarithmic = logarithmic};
    memset(f.cell, ' ', sizeof f.cell);
    measure(&f, curves, n_curves);
    if (!(f.low <= f.high)) return;
    for (int c = n_curves - 1; c >= 0; c--) plot(&f, &curves[c]);
    for (int row = 0; row < HEIGHT; row++) {
        char label[16] = "";
        if (row == 0) snprintf(label, sizeof label, "%.4g", shown(&f, f.high));
        if (row == HEIGHT - 1) snprintf(label, sizeof label, "%.4g", shown(&f, f.low));
        int width = WIDTH;
        while (width > 0 && f.cell[row][width - 1] == ' ') width--;
        mc_buf_printf(out, "%10s |%.*s\n", label, width, f.cell[row]);
    }
    mc_buf_printf(out, "%10s +", "");
    for (int i = 0; i < WIDTH; i++) mc_buf_puts(out, "-");
    mc_buf_printf(out, "\n%12s%s", "", under);
    for (int c = 0; c < n_curves; c++)
        if (curves[c].n > 0) mc_buf_printf(out, "   %c %s", curves[c].mark, curves[c].name);
    mc_buf_puts(out, "\n");
}
