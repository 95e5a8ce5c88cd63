/* fuzz_trial_log.c - bytes of a search's results: whole lines are read, each trial once. */
#include <stdlib.h>

#include "fuzz.h"
#include "recipe/trial_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mc_trial_log log = {.verb = "tune", .fd = -1, .key = UINT64_C(0x0123456789abcdef)};
    size_t whole = 0;
    if (mc_trial_log_parse(&log, (const char *)data, size, &whole, NULL) == 0) {
        if (whole > size || (whole > 0 && data[whole - 1] != '\n')) abort();
        for (size_t i = 0; i < log.n; i++) {
            const struct mc_trial_result *r = &log.results[i];
            if (mc_trial_log_find(&log, r->round, r->trial, r->fold) != r) abort();
        }
    }
    mc_trial_log_finish(&log);
    return 0;
}
