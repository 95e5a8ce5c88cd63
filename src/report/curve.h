/* curve.h - curves drawn with characters, for terminals and for reports that have no pictures. */
#ifndef MC_REPORT_CURVE_H
#define MC_REPORT_CURVE_H

#include "base/buf.h"

struct mc_curve {
    char mark;
    const char *name;
    int n;
    const double *y; /* [n], equally spaced; what is not finite is left out */
};

/* The curves in one frame, the earlier ones on top, with the least and the greatest y beside it and `under` below. On a
 * logarithmic scale what is not above 0 is left out. Nothing if there is nothing to draw. */
void mc_curves_draw(const struct mc_curve *curves, int n_curves, bool logarithmic, const char *under,
                    struct mc_buf *out);

#endif
