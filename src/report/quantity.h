/* quantity.h - the figures of a record as people read them, the same in every report. */
#ifndef MC_REPORT_QUANTITY_H
#define MC_REPORT_QUANTITY_H

#include "report/record.h"

enum mc_reading {
    MC_AS_COUNT,  /* 266,610 */
    MC_AS_SHARE,  /* 98.25 % */
    MC_AS_REAL,   /* 0.0625 */
    MC_AS_FINE,   /* four digits, whatever the magnitude */
    MC_AS_TIME,   /* 0.123 */
    MC_AS_POINTS, /* +0.40: a difference of shares, in points */
    MC_AS_NUMBER, /* six digits: what people wrote themselves */
};

/* A figure: its key in the record, what readers call it, and how it is written. */
struct mc_quantity {
    const char *key, *label;
    enum mc_reading reading;
};

/* The figures of a measurement, in the order in which they are shown. */
extern const struct mc_quantity mc_quantities[];
extern const size_t mc_quantities_count;

enum { MC_QUANTITY_TEXT = 48 };

/* Each returns `out`, or "" where there is nothing to say. */
const char *mc_count_text(int64_t n, char out[MC_QUANTITY_TEXT]);
const char *mc_reading_text(enum mc_reading reading, double value, char out[MC_QUANTITY_TEXT]); /* NaN: "" */
const char *mc_quantity_text(const struct mc_quantity *quantity, const struct mc_record *of,
                             char out[MC_QUANTITY_TEXT]);
/* What became of it: "10.00 times less", "-0.76 points". */
const char *mc_quantity_change(const struct mc_quantity *quantity, const struct mc_record *first,
                               const struct mc_record *last, char out[MC_QUANTITY_TEXT]);

#endif
