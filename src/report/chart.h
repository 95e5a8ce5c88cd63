/* chart.h - lines and points in a frame, as SVG for the page (page.h).
 *
 * Drawn at a size that a telephone shows whole, so that letters stay readable; several stand side by side where there
 * is room. Marks say their figures in a <title>, and carry them as markup.h does.
 */
#ifndef MC_REPORT_CHART_H
#define MC_REPORT_CHART_H

#include "base/buf.h"
#include "report/quantity.h"

/* One mark: the figures at two paths of the record. One without an x path has its place in the order as x. */
struct mc_mark {
    char x_path[96], path[96];
    char name[64]; /* what it is, first in its title */
    bool hollow;
};

struct mc_series {
    const char *name;
    const char *class; /* of the style sheet: "before", "after", "third" */
    int n;
    const struct mc_mark *marks;
    bool joined; /* by a line */
    bool named;  /* marks have their name beside them */
};

struct mc_chart {
    const char *title;
    struct mc_quantity x, y; /* key is not looked at */
    int n_series;
    const struct mc_series *series;
    bool from_zero; /* the x axis begins at 0 */
};

/* Nothing where no mark has figures. */
void mc_chart_draw(const struct mc_chart *chart, const struct mc_record *record, struct mc_buf *out);

/* 1,234,567 as "1.23 M": for axes and boxes. */
const char *mc_short_text(double value, char out[MC_QUANTITY_TEXT]);

#endif
