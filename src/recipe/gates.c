/* gates.c - bounds that the result has to keep; see gates.h. */
#include "recipe/gates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/suggest.h"
#include "metric/paired.h"

enum { NAME = 96, DRAWS = 1000 };

/* How a gate gets its value from the measurements before and after. */
enum form { OF_FINAL, DROP, RATIO }; /* final; original - final; original / final */

struct gate {
    const char *name;
    const char *figure;
    enum form form;
    bool at_most;       /* else at least */
    const char *before; /* the figure of the original, if it is another one */
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
    {"max_activation_bytes", "activation_bytes", OF_FINAL, true, NULL},
    {"max_latency_ms", "latency_ms", OF_FINAL, true, NULL},
    {"max_latency_ratio", "latency_ratio", OF_FINAL, true, NULL},
};

/* Gates on any figure: "f1:0.9,recall.cat:0.8". */
static const struct {
    const char *name;
    enum form form;
    bool at_most;
} lists_known[] = {{"min", OF_FINAL, false}, {"max", OF_FINAL, true}, {"max_drop", DROP, true}};

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
    {"max_activation_bytes", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL,
     "bytes of memory that a run of a batch of one needs beside the parameters, on one thread: activations and work "
     "memory as they are laid out"},
    {"max_latency_ms", MC_OPTION_NUMBER, "X", NULL, "(0, inf)", NULL, NULL,
     "median milliseconds of a batch of one on one thread of this machine"},
    {"max_latency_ratio", MC_OPTION_NUMBER, "X", NULL, "(0, inf)", NULL, NULL,
     "time of a batch of one on one thread divided by that of the original; both run in turns, the median of the "
     "ratios"},
    {"min", MC_OPTION_BOUNDS, "NAME:X,...", NULL, NULL, NULL, NULL,
     "least that metrics of the result may be: f1:0.9,recall.cat:0.8 (a class behind the dot)"},
    {"max", MC_OPTION_BOUNDS, "NAME:X,...", NULL, NULL, NULL, NULL,
     "most that metrics of the result may be: loss:0.3,mae:2"},
    {"max_drop", MC_OPTION_BOUNDS, "NAME:X,...", NULL, NULL, NULL, NULL,
     "most by which metrics may be worse than the original's: f1:0.01,auc:0.005"},
    {"no_worse", MC_OPTION_BOUNDS, "NAME:X,...", NULL, NULL, NULL, NULL,
     "metrics that have to be no worse than the original's by more than X, by a one-sided confidence bound on the same "
     "samples: accuracy:0.01"},
    {"confidence", MC_OPTION_NUMBER, "X", "0.95", "(0.5, 1)", NULL, "no_worse", "of that bound"},
    {"baseline", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL,
     "record of an earlier run (JSON) than which nothing may be worse: accuracy or r2, bytes, parameters, nonzeros, "
     "MACs"},
    {"tolerance", MC_OPTION_BOUNDS, "NAME:X,...", NULL, NULL, NULL, "baseline",
     "by how much figures may be worse than the baseline's; names further ones to be held: f1:0.01,bytes:1000"},
};
const size_t mc_gate_options_count = MC_COUNT(mc_gate_options);

/* Figures of a measurement that are no metrics, and how much is to be measured to have them; less of each is better,
 * but for sparsity. */
static const struct {
    const char *name;
    enum mc_measuring by;
} sizes[] = {
    {"bytes", MC_MEASURE_COUNTS},         {"bytes_sparse", MC_MEASURE_SIZES}, {"bytes_zstd", MC_MEASURE_SIZES},
    {"bytes_packed", MC_MEASURE_SIZES},   {"parameters", MC_MEASURE_COUNTS},  {"nonzeros", MC_MEASURE_COUNTS},
    {"sparsity", MC_MEASURE_COUNTS},      {"macs", MC_MEASURE_COUNTS},        {"latency_ms", MC_MEASURE_ALL},
    {"activation_bytes", MC_MEASURE_ALL},
};

static bool is_size(const char *name)
{
    for (size_t i = 0; i < MC_COUNT(sizes); i++)
        if (strcmp(sizes[i].name, name) == 0) return true;
    return false;
}

static enum mc_measuring measured_by(const char *figure)
{
    for (size_t i = 0; i < MC_COUNT(sizes); i++)
        if (strcmp(sizes[i].name, figure) == 0) return sizes[i].by;
    return MC_MEASURE_COUNTS;
}

/* Is more of it better? */
static bool rises(const char *name)
{
    const struct mc_figure *figure;
    const char *rest;
    if (is_size(name)) return strcmp(name, "sparsity") == 0;
    return mc_figure_find(&figure, &rest, name, NULL) < 0 || figure->rises;
}

/* --- lists of bounds --- */

/* The next "NAME:X" of a list that was parsed before; false at its end. */
static bool next_bound(const char **at, char name[NAME], double *bound)
{
    if (!*at || !**at) return false;
    const size_t length = strcspn(*at, ",");
    const char *colon = *at + length;
    while (*colon != ':') colon--;
    snprintf(name, NAME, "%.*s", (int)(colon - *at), *at);
    *bound = strtod(colon + 1, NULL);
    *at += length + ((*at)[length] == ',');
    return true;
}

static const char *list_of(const struct mc_settings *gates, const char *name)
{
    return mc_settings_present(gates, name) ? mc_settings_text(gates, name) : NULL;
}

static int look_at_list(const struct mc_settings *gates, const char *list, struct mc_error *err)
{
    const char *at = list_of(gates, list);
    char name[NAME];
    double bound;
    while (next_bound(&at, name, &bound)) {
        const struct mc_figure *figure;
        const char *rest;
        if (is_size(name) && strcmp(list, "no_worse") != 0) continue;
        const int rc = mc_figure_find(&figure, &rest, name, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

int mc_gates_look(const struct mc_settings *gates, const char **option, struct mc_error *err)
{
    static const char *const lists[] = {"min", "max", "max_drop", "no_worse", "tolerance"};
    for (size_t i = 0; i < MC_COUNT(lists); i++) {
        *option = lists[i];
        const int rc = look_at_list(gates, lists[i], err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

const char *mc_gates_need_data(const struct mc_settings *gates)
{
    for (size_t i = 0; i < MC_COUNT(gates_known); i++)
        if (strcmp(gates_known[i].figure, "accuracy") == 0 && mc_settings_present(gates, gates_known[i].name))
            return gates_known[i].name;
    if (mc_settings_present(gates, "no_worse")) return "no_worse";
    for (size_t i = 0; i < MC_COUNT(lists_known); i++) {
        const char *at = list_of(gates, lists_known[i].name);
        char name[NAME];
        double bound;
        while (next_bound(&at, name, &bound))
            if (!is_size(name)) return lists_known[i].name;
    }
    return NULL;
}

bool mc_gates_need_outcomes(const struct mc_settings *gates)
{
    return mc_settings_present(gates, "no_worse");
}

bool mc_gates_need_turns(const struct mc_settings *gates)
{
    return mc_settings_present(gates, "max_latency_ratio");
}

enum mc_measuring mc_gates_need_measuring(const struct mc_settings *gates, const char **gate)
{
    static const char *const lists[] = {"min", "max", "max_drop", "tolerance"};
    enum mc_measuring most = MC_MEASURE_COUNTS;
    *gate = NULL;
    for (size_t i = 0; i < MC_COUNT(gates_known); i++) {
        const enum mc_measuring by = measured_by(gates_known[i].figure);
        if (by <= most || !mc_settings_present(gates, gates_known[i].name)) continue;
        most = by;
        *gate = gates_known[i].name;
    }
    for (size_t i = 0; i < MC_COUNT(lists); i++) {
        const char *at = list_of(gates, lists[i]);
        char name[NAME];
        double bound;
        while (next_bound(&at, name, &bound)) {
            if (measured_by(name) <= most) continue;
            most = measured_by(name);
            *gate = lists[i];
        }
    }
    return most;
}

/* --- values --- */

/* The entry of a class, label or target in a measurement, and its place there; NULL: none is called so. */
static const struct mc_record *group_of(const struct mc_record *measurement, const char *name, int64_t *place)
{
    static const char *const lists[][2] = {{"per_class", "class"}, {"per_label", "label"}, {"per_target", "target"}};
    for (size_t i = 0; i < MC_COUNT(lists); i++) {
        const struct mc_record *list = mc_record_get(measurement, lists[i][0]);
        for (size_t k = 0; k < mc_record_size(list); k++) {
            const struct mc_record *entry = mc_record_at(list, k);
            if (strcmp(mc_record_get_text(entry, lists[i][1], ""), name) != 0) continue;
            *place = (int64_t)k;
            return entry;
        }
    }
    return NULL;
}

/* A figure of a measurement, "f1" or "recall.cat"; NaN where it was not measured. */
static double figure_of(const struct mc_record *measurement, const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot) return mc_record_get_num(measurement, name, NAN);
    char key[NAME];
    int64_t place;
    snprintf(key, sizeof key, "%.*s", (int)(dot - name), name);
    return mc_record_get_num(group_of(measurement, dot + 1, &place), key, NAN);
}

/* `of`: the figure of the original; NULL: the same. */
static double value_of(enum form form, const char *figure, const char *of, const struct mc_gate_evidence *e)
{
    const double before = figure_of(e->original, of ? of : figure), after = figure_of(e->final, figure);
    switch (form) {
    case DROP:
        return rises(figure) ? before - after : after - before;
    case RATIO:
        return before / after;
    default:
        return after;
    }
}

/* --- verdicts --- */

struct check {
    const struct mc_gate_evidence *evidence;
    struct mc_record *into;
    bool *held;
    struct mc_error *err;
};

/* Put what is wrong behind what was wrong before it. */
static void tell(const struct check *c, const char *gate, bool at_most, double bound, double value)
{
    char text[3 * NAME];
    if (!c->err) return;
    snprintf(text, sizeof text, "gate '%s' does not hold: needs %s %.6g, has %.6g", gate,
             at_most ? "at most" : "at least", bound, value);
    if (*c->held) {
        mc_error_set(c->err, MC_GATE_FAILED, "%s", text);
        return;
    }
    const size_t length = strlen(c->err->text);
    snprintf(c->err->text + length, sizeof c->err->text - length, "; %s", text);
}

/* `more` (may be NULL) is given the gate's entry. */
static int judge(const struct check *c, const char *gate, const char *figure, bool at_most, double bound, double value,
                 struct mc_record **more)
{
    if (isnan(value))
        return mc_error_set(c->err, MC_ERR_USAGE, "gate '%s': %s of this model is not known", gate, figure);
    const double margin = at_most ? bound - value : value - bound;
    struct mc_record *entry = mc_record_append_object(c->into);
    mc_record_set_text(entry, "gate", gate);
    mc_record_set_num(entry, "bound", bound);
    mc_record_set_num(entry, "value", value);
    mc_record_set_num(entry, "margin", margin);
    mc_record_set_bool(entry, "held", margin >= 0);
    if (more) *more = entry;
    if (margin < 0) tell(c, gate, at_most, bound, value);
    if (margin < 0) *c->held = false;
    return MC_OK;
}

static int check_known(const struct check *c, const struct mc_settings *gates)
{
    for (size_t i = 0; i < MC_COUNT(gates_known); i++) {
        const struct gate *g = &gates_known[i];
        if (!mc_settings_present(gates, g->name)) continue;
        const int rc = judge(c, g->name, g->figure, g->at_most, mc_settings_number(gates, g->name),
                             value_of(g->form, g->figure, g->before, c->evidence), NULL);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int check_lists(const struct check *c, const struct mc_settings *gates)
{
    for (size_t i = 0; i < MC_COUNT(lists_known); i++) {
        const char *at = list_of(gates, lists_known[i].name);
        char name[NAME], gate[2 * NAME];
        double bound;
        while (next_bound(&at, name, &bound)) {
            snprintf(gate, sizeof gate, "%s.%s", lists_known[i].name, name);
            const int rc = judge(c, gate, name, lists_known[i].at_most, bound,
                                 value_of(lists_known[i].form, name, NULL, c->evidence), NULL);
            if (rc < 0) return rc;
        }
    }
    return MC_OK;
}

/* --- no worse than the original --- */

/* The difference of a figure with an interval whose either bound is one-sided at `confidence`: of accuracy by Tango's
 * score interval, of others by the bootstrap. */
static int interval_of(const struct check *c, const char *name, double confidence, struct mc_interval *interval)
{
    const struct mc_gate_evidence *e = c->evidence;
    const double two_sided = 2 * confidence - 1;
    const struct mc_figure *figure;
    const char *class;
    int64_t group = -1;
    int rc = mc_figure_find(&figure, &class, name, c->err);
    if (rc == MC_OK && (!e->before || !e->after))
        rc = mc_error_set(c->err, MC_ERR_USAGE, "the original was not measured on the data");
    if (rc == MC_OK) rc = mc_paired_check(e->before, e->after, c->err);
    if (rc == MC_OK && class && !group_of(e->final, class, &group))
        rc = mc_error_set(c->err, MC_ERR_USAGE, "the data has no class, label or target '%s'", class);
    if (rc < 0) return rc;
    if (strcmp(name, "accuracy") != 0)
        return mc_paired_bootstrap(e->before, e->after, figure, group, DRAWS, e->seed, two_sided, interval, c->err);
    struct mc_mcnemar counts;
    mc_mcnemar(&counts, e->before, e->after);
    mc_paired_shares(&counts, two_sided, interval);
    return MC_OK;
}

static int check_no_worse(const struct check *c, const struct mc_settings *gates)
{
    const double confidence = mc_settings_number(gates, "confidence");
    const char *at = list_of(gates, "no_worse");
    char name[NAME], gate[2 * NAME];
    double bound;
    while (next_bound(&at, name, &bound)) {
        struct mc_interval i;
        struct mc_record *entry = NULL;
        snprintf(gate, sizeof gate, "no_worse.%s", name);
        int rc = interval_of(c, name, confidence, &i);
        if (rc < 0) return mc_error_wrap(c->err, rc, "gate '%s'", gate);
        const bool rising = rises(name);
        rc = judge(c, gate, name, true, bound, rising ? -i.low : i.high, &entry); /* the most that it may be worse by */
        if (rc < 0) return rc;
        mc_record_set_num(entry, "drop", rising ? -i.difference : i.difference);
        mc_record_set_num(entry, "confidence", confidence);
    }
    return MC_OK;
}

/* --- no worse than last time --- */

static double tolerance_of(const struct mc_settings *gates, const char *name, bool *named)
{
    const char *at = list_of(gates, "tolerance");
    char one[NAME];
    double bound;
    *named = true;
    while (next_bound(&at, one, &bound))
        if (strcmp(one, name) == 0) return bound;
    *named = false;
    return 0;
}

/* A figure that the baseline lacks is not held, unless it was named. */
static int check_against(const struct check *c, const struct mc_settings *gates, const char *name)
{
    char gate[2 * NAME];
    bool named;
    const double tolerance = tolerance_of(gates, name, &named), before = figure_of(c->evidence->baseline, name);
    snprintf(gate, sizeof gate, "baseline.%s", name);
    if (isnan(before) && !named) return MC_OK;
    if (isnan(before)) return mc_error_set(c->err, MC_ERR_USAGE, "gate '%s': the baseline has no such figure", gate);
    const bool rising = rises(name);
    return judge(c, gate, name, !rising, rising ? before - tolerance : before + tolerance,
                 figure_of(c->evidence->final, name), NULL);
}

static int check_baseline(const struct check *c, const struct mc_settings *gates)
{
    static const char *const usual[] = {"accuracy", "r2", "bytes", "parameters", "nonzeros", "macs"};
    const char *at = list_of(gates, "tolerance");
    char name[NAME];
    double bound;
    int rc = MC_OK;
    if (!c->evidence->baseline) return MC_OK;
    for (size_t i = 0; rc == MC_OK && i < MC_COUNT(usual); i++) rc = check_against(c, gates, usual[i]);
    while (rc == MC_OK && next_bound(&at, name, &bound)) {
        bool among = false;
        for (size_t i = 0; i < MC_COUNT(usual); i++) among = among || strcmp(usual[i], name) == 0;
        if (!among) rc = check_against(c, gates, name);
    }
    return rc;
}

int mc_gates_check(const struct mc_settings *gates, const struct mc_gate_evidence *evidence, struct mc_record *into,
                   bool *held, struct mc_error *err)
{
    const struct check c = {evidence, into, held, err};
    *held = true;
    int rc = check_known(&c, gates);
    if (rc == MC_OK) rc = check_lists(&c, gates);
    if (rc == MC_OK) rc = check_no_worse(&c, gates);
    if (rc == MC_OK) rc = check_baseline(&c, gates);
    return rc;
}
