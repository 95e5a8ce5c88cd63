/* verdict.h - what a run came to, in a few words; the head of every report. */
#ifndef MC_REPORT_VERDICT_H
#define MC_REPORT_VERDICT_H

#include "report/record.h"

struct mc_verdict {
    size_t n_gates, n_failed;
    double times_smaller; /* bytes before over bytes after; NaN: not known, or no smaller */
    const char
        *bytes; /* of the record, by which that is: "bytes", or where these stay "bytes_packed" or "bytes_zstd" */
};

void mc_verdict_of(const struct mc_record *record, struct mc_verdict *verdict);

/* "needs at most 0.01, has 0.02" of one entry of `gates`. */
const char *mc_gate_text(const struct mc_record *gate, char *out, size_t size);

#endif
