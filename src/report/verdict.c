/* verdict.c - what a run came to, in a few words; see verdict.h. */
#include "report/verdict.h"

#include <math.h>

#include "base/alloc.h"

/* Pruned weights are zeros, which take room in a file and next to none in its container. */
static void compare_bytes(const struct mc_record *record, struct mc_verdict *verdict)
{
    static const char *const keys[] = {"bytes", "bytes_packed", "bytes_zstd"};
    for (size_t k = 0; k < MC_COUNT(keys); k++) {
        const double before = mc_record_get_num(mc_record_get(record, "original"), keys[k], NAN);
        const double after = mc_record_get_num(mc_record_get(record, "final"), keys[k], NAN);
        if (!(before > 1.005 * after)) continue;
        verdict->times_smaller = before / after;
        verdict->bytes = keys[k];
        return;
    }
}

void mc_verdict_of(const struct mc_record *record, struct mc_verdict *verdict)
{
    const struct mc_record *gates = mc_record_get(record, "gates");
    *verdict = (struct mc_verdict){.n_gates = mc_record_size(gates), .times_smaller = NAN, .bytes = "bytes"};
    for (size_t i = 0; i < verdict->n_gates; i++)
        if (!mc_record_get_bool(mc_record_at(gates, i), "held", false)) verdict->n_failed++;
    compare_bytes(record, verdict);
}

const char *mc_gate_text(const struct mc_record *gate, char *out, size_t size)
{
    const double bound = mc_record_get_num(gate, "bound", NAN), value = mc_record_get_num(gate, "value", NAN);
    const bool at_most = (value > bound) != mc_record_get_bool(gate, "held", false);
    snprintf(out, size, "needs %s %.6g, has %.6g", at_most ? "at most" : "at least", bound, value);
    return out;
}
