/* gates.c - bounds that the result has to keep; see gates.h. */
#include "recipe/gates.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* How a gate gets its value from the measurements before and after. */
struct gate {
    const char *name;
    const char *figure;
    enum { OF_FINAL, DROP, RATIO } form; /* final; original - final; original / final */
    bool at_most;                        /* else at least */
    const char *before;                  /* the figure of the original, if it is another one */
};

static const struct gate gates_known[] = {
    {"max_accuracy_drop", "accuracy", DROP, true, NULL},
    {"min_accuracy", "accuracy", OF_FINAL, false, NULL},
    {"max_bytes", "bytes", OF_FINAL, true, NULL},
    {"max_packed_bytes", "bytes_packed", OF_FINAL, true, NULL},
    {"max_parameters", "parameters", OF_FINAL, true, NULL},
    {"max_nonzeros", "nonzeros", OF_FINAL, true, NULL},
    {"max_macs", "macs", OF_FINAL, true, NULL},
    {"min_compression", "bytes", RATIO, false, NULL},
    {"min_packed_compression", "bytes_packed", RATIO, false, "bytes"},
    {"max_latency_ms", "latency_ms", OF_FINAL, true, NULL},
};

const struct mc_option mc_gate_options[] = {
    {"max_accuracy_drop", MC_OPTION_NUMBER, "X", NULL, "[-1, 1]", NULL, NULL,
     "accuracy of the original minus that of the result; 0.01 is one point"},
    {"min_accuracy", MC_OPTION_NUMBER, "X", NULL, "[0, 1]", NULL, NULL, "accuracy of the result on the test samples"},
    {"max_bytes", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "bytes of the ONNX file"},
    {"max_packed_bytes", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "bytes of its packed container"},
    {"max_parameters", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "elements of all parameters"},
    {"max_nonzeros", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "elements of parameters that are not zero"},
    {"max_macs", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "multiply-accumulates for one sample"},
    {"min_compression", MC_OPTION_NUMBER, "X", NULL, "(0, inf)", NULL, NULL,
     "bytes of the original divided by bytes of the result"},
    {"min_packed_compression", MC_OPTION_NUMBER, "X", NULL, "(0, inf)", NULL, NULL,
     "bytes of the original's ONNX file divided by bytes of the packed result"},
    {"max_latency_ms", MC_OPTION_NUMBER, "X", NULL, "(0, inf)", NULL, NULL,
     "median milliseconds of a batch of one on one thread of this machine"},
};
const size_t mc_gate_options_count = MC_COUNT(mc_gate_options);

_Static_assert(MC_COUNT(gates_known) == MC_COUNT(mc_gate_options), "one option a gate");

const char *mc_gates_need_accuracy(const struct mc_settings *gates)
{
    for (size_t i = 0; i < MC_COUNT(gates_known); i++)
        if (strcmp(gates_known[i].figure, "accuracy") == 0 && mc_settings_present(gates, gates_known[i].name))
            return gates_known[i].name;
    return NULL;
}

/* NaN where a figure was not measured. */
static double value_of(const struct gate *gate, const struct mc_record *original, const struct mc_record *final)
{
    const double before = mc_record_get_num(original, gate->before ? gate->before : gate->figure, NAN);
    const double after = mc_record_get_num(final, gate->figure, NAN);
    switch (gate->form) {
    case DROP:
        return before - after;
    case RATIO:
        return before / after;
    default:
        return after;
    }
}

/* Put what is wrong behind what was wrong before it. */
static void tell(struct mc_error *err, bool first, const struct gate *gate, double bound, double value)
{
    if (!err) return;
    char text[160];
    snprintf(text, sizeof text, "gate '%s' does not hold: needs %s %.6g, has %.6g", gate->name,
             gate->at_most ? "at most" : "at least", bound, value);
    if (first) {
        mc_error_set(err, MC_GATE_FAILED, "%s", text);
        return;
    }
    const size_t length = strlen(err->text);
    snprintf(err->text + length, sizeof err->text - length, "; %s", text);
}

int mc_gates_check(const struct mc_settings *gates, const struct mc_record *original, const struct mc_record *final,
                   struct mc_record *into, bool *held, struct mc_error *err)
{
    *held = true;
    for (size_t i = 0; i < MC_COUNT(gates_known); i++) {
        const struct gate *gate = &gates_known[i];
        if (!mc_settings_present(gates, gate->name)) continue;
        const double bound = mc_settings_number(gates, gate->name), value = value_of(gate, original, final);
        if (isnan(value))
            return mc_error_set(err, MC_ERR_USAGE, "gate '%s': %s of this model is not known", gate->name,
                                gate->figure);
        const double margin = gate->at_most ? bound - value : value - bound;
        struct mc_record *entry = mc_record_append_object(into);
        mc_record_set_text(entry, "gate", gate->name);
        mc_record_set_num(entry, "bound", bound);
        mc_record_set_num(entry, "value", value);
        mc_record_set_num(entry, "margin", margin);
        mc_record_set_bool(entry, "held", margin >= 0);
        if (margin < 0) tell(err, *held, gate, bound, value);
        if (margin < 0) *held = false;
    }
    return MC_OK;
}
