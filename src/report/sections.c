/* sections.c - what of a record is shown, as grids; see sections.h. */
#include "report/sections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "report/changes.h"
#include "report/curve.h"
#include "report/quantity.h"

/* --- sections: each fills a grid or leaves it empty --- */

static void add_fact(struct mc_grid *grid, const struct mc_record *record, const char *label, const char *path)
{
    const char *text = mc_record_get_text(record, path, NULL);
    const int64_t number = mc_record_get_int(record, path, -1);
    char digits[MC_QUANTITY_TEXT];
    if (!text && number < 0) return;
    mc_grid_add(grid, "%s", label);
    mc_grid_add(grid, "%s", text ? text : mc_count_text(number, digits));
}

/* What was worked on and how. */
static void show_facts(struct mc_printing *p)
{
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 2, MC_GRID_TEXT(0) | MC_GRID_TEXT(1), false);
    add_fact(&grid, p->record, "recipe", "recipe");
    add_fact(&grid, p->record, "model", "model");
    add_fact(&grid, p->record, "data", "data.name");
    if (p->details) {
        add_fact(&grid, p->record, "trained on", "data.train");
        add_fact(&grid, p->record, "validated on", "data.validation");
        add_fact(&grid, p->record, "tested on", "data.test");
        add_fact(&grid, p->record, "seed", "seed");
        add_fact(&grid, p->record, "threads", "threads");
        add_fact(&grid, p->record, "cpu", "cpu");
        add_fact(&grid, p->record, "program", "program");
    }
    mc_section_show(p, &grid);
}

static void add_stage_heads(struct mc_grid *grid, const struct mc_record *steps)
{
    mc_grid_add(grid, "%s", "");
    mc_grid_add(grid, "original");
    for (size_t i = 0; i < mc_record_size(steps); i++)
        mc_grid_add(grid, "%zu %s", i + 1, mc_record_get_text(mc_record_at(steps, i), "step", "?"));
    mc_grid_add(grid, "change");
}

/* Before, after each step, and the change: a figure a row, a stage a column. */
/* How long each step took, or, of a recipe that was only looked at, would take. */
static void add_stage_times(struct mc_grid *grid, const struct mc_record *record, const struct mc_record *steps)
{
    const bool planned = mc_record_get(record, "would_write") != NULL;
    const double total = mc_record_get_num(record, "expected_s", NAN);
    if (planned && isnan(total)) return;
    mc_grid_add(grid, planned ? "estimated, s" : "step, s");
    mc_grid_add(grid, "%s", "");
    for (size_t i = 0; i < mc_record_size(steps); i++)
        mc_grid_add(grid, "%.1f", mc_record_get_num(mc_record_at(steps, i), planned ? "expected_s" : "seconds", 0));
    if (planned)
        mc_grid_add(grid, "%.1f in all", total);
    else
        mc_grid_end_row(grid);
}

static void show_stages(struct mc_printing *p)
{
    const struct mc_record *original = mc_record_get(p->record, "original"), *steps = mc_record_get(p->record, "steps");
    if (!original || !steps) return;
    const size_t n = mc_record_size(steps);
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, (int)n + 3, MC_GRID_TEXT(0), true);
    add_stage_heads(&grid, steps);
    for (size_t f = 0; f < mc_quantities_count; f++) {
        char text[MC_QUANTITY_TEXT];
        const struct mc_record *final = mc_record_get(p->record, "final");
        if (!*mc_quantity_text(&mc_quantities[f], original, text) && !*mc_quantity_text(&mc_quantities[f], final, text))
            continue;
        mc_grid_add(&grid, "%s", mc_quantities[f].label);
        mc_grid_add(&grid, "%s", mc_quantity_text(&mc_quantities[f], original, text));
        for (size_t i = 0; i < n; i++)
            mc_grid_add(&grid, "%s",
                        mc_quantity_text(&mc_quantities[f], mc_record_get(mc_record_at(steps, i), "result"), text));
        mc_grid_add(&grid, "%s", mc_quantity_change(&mc_quantities[f], original, final, text));
    }
    add_stage_times(&grid, p->record, steps);
    mc_section_show(p, &grid);
}

/* What a recipe that was only looked at says of each step, and which files it would write. */
static void show_plan(struct mc_printing *p)
{
    const struct mc_record *steps = mc_record_get(p->record, "steps"), *files = mc_record_get(p->record, "would_write");
    struct mc_grid grid;
    if (!files) return;
    mc_grid_init(&grid, "Steps", 2, MC_GRID_TEXT(0) | MC_GRID_TEXT(1), false);
    for (size_t i = 0; i < mc_record_size(steps); i++) {
        const struct mc_record *step = mc_record_at(steps, i);
        mc_grid_add(&grid, "%zu %s", i + 1, mc_record_get_text(step, "name", mc_record_get_text(step, "step", "?")));
        mc_grid_add(&grid, "%s", mc_record_get_text(step, "given", ""));
    }
    for (size_t i = 0; i < mc_record_size(files); i++) {
        mc_grid_add(&grid, "would write");
        mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(files, i), "", "?"));
    }
    mc_section_show(p, &grid);
}

/* The figures of a record that is itself one measurement: eval, info. */
static void show_figures(struct mc_printing *p)
{
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 2, MC_GRID_TEXT(0), false);
    for (size_t f = 0; f < mc_quantities_count; f++) {
        char buffer[MC_QUANTITY_TEXT];
        const char *text = mc_quantity_text(&mc_quantities[f], p->record, buffer);
        if (!*text) continue;
        mc_grid_add(&grid, "%s", mc_quantities[f].label);
        mc_grid_add(&grid, "%s", text);
    }
    mc_section_show(p, &grid);
}

/* --- two models --- */

static void show_sides(struct mc_printing *p)
{
    const struct mc_record *first = mc_record_get(p->record, "first"), *second = mc_record_get(p->record, "second");
    struct mc_grid grid;
    if (!first || !second) return;
    mc_grid_init(&grid, NULL, 4, MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "%s", "");
    mc_grid_add(&grid, "%s", mc_record_get_text(first, "model", "first"));
    mc_grid_add(&grid, "%s", mc_record_get_text(second, "model", "second"));
    mc_grid_add(&grid, "change");
    for (size_t f = 0; f < mc_quantities_count; f++) {
        char a[MC_QUANTITY_TEXT], b[MC_QUANTITY_TEXT], change[MC_QUANTITY_TEXT];
        const char *left = mc_quantity_text(&mc_quantities[f], first, a),
                   *right = mc_quantity_text(&mc_quantities[f], second, b);
        if (!*left && !*right) continue;
        mc_grid_add(&grid, "%s", mc_quantities[f].label);
        mc_grid_add(&grid, "%s", left);
        mc_grid_add(&grid, "%s", right);
        mc_grid_add(&grid, "%s", mc_quantity_change(&mc_quantities[f], first, second, change));
    }
    mc_section_show(p, &grid);
}

/* Runs side by side: a figure a row, a run a column. */
static void show_runs(struct mc_printing *p)
{
    const struct mc_record *runs =
        mc_record_get(mc_record_get(p->record, "runs.0"), "run") ? mc_record_get(p->record, "runs") : NULL;
    const size_t n = mc_record_size(runs);
    struct mc_grid grid;
    if (n == 0) return;
    mc_grid_init(&grid, NULL, (int)n + 1, MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "run");
    for (size_t i = 0; i < n; i++) mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(runs, i), "run", "?"));
    mc_grid_add(&grid, "gates");
    for (size_t i = 0; i < n; i++) {
        const struct mc_record *run = mc_record_at(runs, i);
        const long long gates = mc_record_get_int(run, "gates", 0), failed = mc_record_get_int(run, "gates_failed", 0);
        failed ? mc_grid_add(&grid, "%lld of %lld FAILED", failed, gates) : mc_grid_add(&grid, gates ? "held" : "none");
    }
    for (size_t f = 0; f < mc_quantities_count; f++) {
        char text[MC_QUANTITY_TEXT];
        bool any = false;
        for (size_t i = 0; i < n; i++) any = any || *mc_quantity_text(&mc_quantities[f], mc_record_at(runs, i), text);
        if (any) mc_grid_add(&grid, "%s", mc_quantities[f].label);
        for (size_t i = 0; any && i < n; i++)
            mc_grid_add(&grid, "%s", mc_quantity_text(&mc_quantities[f], mc_record_at(runs, i), text));
    }
    mc_section_show(p, &grid);
}

static void show_output_differences(struct mc_printing *p)
{
    const struct mc_record *outputs = mc_record_get(p->record, "output_differences");
    const char *why = mc_record_get_text(p->record, "outputs_why", NULL);
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Outputs" : NULL, 3, MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "output");
    mc_grid_add(&grid, "largest difference");
    mc_grid_add(&grid, "largest value");
    for (size_t i = 0; i < mc_record_size(outputs); i++) {
        const struct mc_record *output = mc_record_at(outputs, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(output, "output", "?"));
        mc_grid_add(&grid, "%.4g", mc_record_get_num(output, "max_difference", NAN));
        mc_grid_add(&grid, "%.4g", mc_record_get_num(output, "max_output", NAN));
    }
    mc_section_show(p, &grid);
    if (!why) return;
    mc_grid_init(&grid, NULL, 2, MC_GRID_TEXT(0) | MC_GRID_TEXT(1), false);
    mc_grid_add(&grid, "outputs not compared");
    mc_grid_add(&grid, "%s", why);
    mc_section_show(p, &grid);
}

static void show_paired(struct mc_printing *p)
{
    static const struct mc_quantity counts[] = {{"agreement", "same answers", MC_AS_SHARE},
                                                {"both_right", "both right", MC_AS_COUNT},
                                                {"only_first_right", "only the first right", MC_AS_COUNT},
                                                {"only_second_right", "only the second right", MC_AS_COUNT},
                                                {"neither_right", "neither right", MC_AS_COUNT},
                                                {"mcnemar_p", "McNemar, p", MC_AS_FINE},
                                                {"mcnemar_mid_p", "McNemar, mid-p", MC_AS_FINE},
                                                {"accuracy_difference", "difference in accuracy", MC_AS_SHARE},
                                                {"accuracy_difference_low", "from", MC_AS_SHARE},
                                                {"accuracy_difference_high", "to", MC_AS_SHARE}};
    const struct mc_record *paired = mc_record_get(p->record, "paired"), *list = mc_record_get(paired, "differences");
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "The same samples" : NULL, 2, MC_GRID_TEXT(0), false);
    for (size_t f = 0; f < MC_COUNT(counts); f++) {
        char buffer[MC_QUANTITY_TEXT];
        const char *text = mc_quantity_text(&counts[f], paired, buffer);
        if (!*text) continue;
        mc_grid_add(&grid, "%s", counts[f].label);
        mc_grid_add(&grid, "%s", text);
    }
    mc_section_show(p, &grid);
    mc_grid_init(&grid, p->details ? "Differences" : NULL, 4, MC_GRID_TEXT(0), true);
    static const char *const heads[] = {"metric", "difference", "from", "to"};
    for (size_t i = 0; i < MC_COUNT(heads); i++) mc_grid_add(&grid, "%s", heads[i]);
    for (size_t i = 0; i < mc_record_size(list); i++) {
        const struct mc_record *entry = mc_record_at(list, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(entry, "metric", "?"));
        for (size_t k = 1; k < MC_COUNT(heads); k++)
            mc_grid_add(&grid, "%+.5f", mc_record_get_num(entry, k == 1 ? "difference" : k == 2 ? "low" : "high", NAN));
    }
    mc_section_show(p, &grid);
}

/* --- classes --- */

static void show_groups(struct mc_printing *p, const struct mc_record *measurement, const char *title)
{
    static const char *const lists[][2] = {{"per_class", "class"}, {"per_label", "label"}, {"per_target", "target"}};
    static const struct mc_quantity columns[] = {{"samples", "samples", MC_AS_COUNT},
                                                 {"precision", "precision", MC_AS_SHARE},
                                                 {"recall", "recall", MC_AS_SHARE},
                                                 {"f1", "F1", MC_AS_SHARE},
                                                 {"auc", "AUC", MC_AS_REAL},
                                                 {"mse", "MSE", MC_AS_REAL},
                                                 {"rmse", "RMSE", MC_AS_REAL},
                                                 {"mae", "MAE", MC_AS_REAL},
                                                 {"r2", "R2", MC_AS_REAL}};
    for (size_t l = 0; p->details && l < MC_COUNT(lists); l++) {
        const struct mc_record *list = mc_record_get(measurement, lists[l][0]);
        const size_t from = l == 2 ? 5 : 0, to = l == 2 ? MC_COUNT(columns) : 5;
        struct mc_grid grid;
        mc_grid_init(&grid, title, (int)(to - from) + 1, MC_GRID_TEXT(0), true);
        mc_grid_add(&grid, "%s", lists[l][1]);
        for (size_t c = from; c < to; c++) mc_grid_add(&grid, "%s", columns[c].label);
        for (size_t i = 0; i < mc_record_size(list); i++) {
            const struct mc_record *entry = mc_record_at(list, i);
            mc_grid_add(&grid, "%s", mc_record_get_text(entry, lists[l][1], "?"));
            for (size_t c = from; c < to; c++) {
                char text[MC_QUANTITY_TEXT];
                mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], entry, text));
            }
        }
        mc_section_show(p, &grid);
    }
}

/* Rows are what samples are, columns what they were taken for. */
static void show_confusion(struct mc_printing *p, const struct mc_record *measurement, const char *title)
{
    enum { MOST = 20 };
    const struct mc_record *rows = mc_record_get(measurement, "confusion"),
                           *classes = mc_record_get(measurement, "per_class");
    const size_t K = mc_record_size(rows);
    struct mc_grid grid;
    if (!p->details || K == 0 || K > MOST) return;
    mc_grid_init(&grid, title, (int)K + 1, MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "is, taken for");
    for (size_t k = 0; k < K; k++) mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(classes, k), "class", "?"));
    for (size_t k = 0; k < K; k++) {
        const struct mc_record *row = mc_record_at(rows, k);
        mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(classes, k), "class", "?"));
        for (size_t j = 0; j < K; j++) {
            char path[32];
            snprintf(path, sizeof path, "%zu", j);
            mc_grid_add(&grid, "%lld", (long long)mc_record_get_int(row, path, 0));
        }
    }
    mc_section_show(p, &grid);
}

static void show_classes(struct mc_printing *p)
{
    const struct mc_record *final = mc_record_get(p->record, "final"), *of = final ? final : p->record;
    show_groups(p, of, final ? "Classes of the result" : "Classes");
    show_confusion(p, of, "Confusion");
    if (mc_record_get(p->record, "second")) {
        show_groups(p, mc_record_get(p->record, "first"), "Classes, first");
        show_groups(p, mc_record_get(p->record, "second"), "Classes, second");
    }
}

static void show_bench(struct mc_printing *p)
{
    static const struct mc_quantity times[] = {
        {"batch", "batch", MC_AS_COUNT},         {"runs", "runs", MC_AS_COUNT},
        {"median_ms", "median, ms", MC_AS_TIME}, {"best_ms", "best, ms", MC_AS_TIME},
        {"worst_ms", "worst, ms", MC_AS_TIME},
    };
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 2, MC_GRID_TEXT(0), false);
    for (size_t f = 0; f < MC_COUNT(times); f++) {
        char buffer[MC_QUANTITY_TEXT];
        const char *text = mc_quantity_text(&times[f], p->record, buffer);
        if (!*text || isnan(mc_record_get_num(p->record, "median_ms", NAN))) continue;
        mc_grid_add(&grid, "%s", times[f].label);
        mc_grid_add(&grid, "%s", text);
    }
    static const struct mc_quantity loading[] = {{"loading.median_ms", "reading a batch, ms", MC_AS_TIME},
                                                 {"loading.samples_per_second", "read, samples/s", MC_AS_COUNT}};
    for (size_t f = 0; f < MC_COUNT(loading); f++) {
        char buffer[MC_QUANTITY_TEXT];
        const char *text = mc_quantity_text(&loading[f], p->record, buffer);
        if (!*text) continue;
        mc_grid_add(&grid, "%s", loading[f].label);
        mc_grid_add(&grid, "%s", text);
    }
    mc_section_show(p, &grid);
}

static void show_gates(struct mc_printing *p)
{
    const struct mc_record *gates = mc_record_get(p->record, "gates");
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Gates" : NULL, 5, MC_GRID_TEXT(0) | MC_GRID_TEXT(4), true);
    static const char *const heads[] = {"gate", "bound", "value", "margin", ""};
    for (size_t i = 0; i < MC_COUNT(heads); i++) mc_grid_add(&grid, "%s", heads[i]);
    for (size_t i = 0; i < mc_record_size(gates); i++) {
        const struct mc_record *gate = mc_record_at(gates, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(gate, "gate", "?"));
        mc_grid_add(&grid, "%.6g", mc_record_get_num(gate, "bound", NAN));
        mc_grid_add(&grid, "%.6g", mc_record_get_num(gate, "value", NAN));
        mc_grid_add(&grid, "%+.6g", mc_record_get_num(gate, "margin", NAN));
        mc_grid_add(&grid, "%s", mc_record_get_bool(gate, "held", false) ? "held" : "NOT HELD");
    }
    mc_section_show(p, &grid);
}

static void show_values(struct mc_printing *p, const char *key, const char *label)
{
    const struct mc_record *values = mc_record_get(p->record, key);
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 3, MC_GRID_TEXT(0) | MC_GRID_TEXT(1) | MC_GRID_TEXT(2), true);
    mc_grid_add(&grid, "%s", label);
    mc_grid_add(&grid, "type");
    mc_grid_add(&grid, "shape");
    for (size_t i = 0; i < mc_record_size(values); i++) {
        const struct mc_record *value = mc_record_at(values, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(value, "name", ""));
        mc_grid_add(&grid, "%s", mc_record_get_text(value, "type", ""));
        mc_grid_add(&grid, "%s", mc_record_get_text(value, "shape", ""));
    }
    mc_section_show(p, &grid);
}

static void show_functions(struct mc_printing *p)
{
    const struct mc_record *functions = mc_record_get(p->record, "functions");
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 2, MC_GRID_TEXT(0), true);
    if (functions) mc_grid_add(&grid, "function");
    if (functions) mc_grid_add(&grid, "nodes");
    for (size_t i = 0; i < mc_record_size(functions); i++) {
        const struct mc_record *function = mc_record_at(functions, i);
        char digits[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "%s", mc_record_get_text(function, "function", "?"));
        mc_grid_add(&grid, "%s", mc_count_text(mc_record_get_int(function, "nodes", 0), digits));
    }
    mc_section_show(p, &grid);
}

static void show_operators(struct mc_printing *p)
{
    const struct mc_record *operators = mc_record_get(p->record, "operators");
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 6,
                 MC_GRID_TEXT(0) | MC_GRID_TEXT(2) | MC_GRID_TEXT(3) | MC_GRID_TEXT(4) | MC_GRID_TEXT(5), true);
    static const char *const heads[] = {"operator", "nodes", "runs", "trains", "prunes", "because"};
    for (size_t i = 0; i < MC_COUNT(heads); i++) mc_grid_add(&grid, "%s", heads[i]);
    for (size_t i = 0; i < mc_record_size(operators); i++) {
        const struct mc_record *op = mc_record_at(operators, i);
        char digits[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "%s", mc_record_get_text(op, "operator", "?"));
        mc_grid_add(&grid, "%s", mc_count_text(mc_record_get_int(op, "nodes", 0), digits));
        static const char *const can[] = {"runs", "trains", "prunes"};
        for (size_t k = 0; k < MC_COUNT(can); k++)
            mc_grid_add(&grid, "%s", mc_record_get_bool(op, can[k], false) ? "yes" : "no");
        mc_grid_add(&grid, "%s", mc_record_get_text(op, "why", ""));
    }
    mc_section_show(p, &grid);
}

static void show_inputs(struct mc_printing *p)
{
    show_values(p, "model_inputs", "input");
}

static void show_outputs_of(struct mc_printing *p)
{
    show_values(p, "model_outputs", "output");
}

/* Verdicts over the whole model. */
static void show_abilities(struct mc_printing *p)
{
    static const char *const abilities[] = {"run", "train", "prune"};
    struct mc_grid grid;
    mc_grid_init(&grid, NULL, 3, MC_GRID_TEXT(0) | MC_GRID_TEXT(1) | MC_GRID_TEXT(2), false);
    const struct mc_record *can = mc_record_get(p->record, "can");
    for (size_t i = 0; can && i < MC_COUNT(abilities); i++) {
        const struct mc_record *ability = mc_record_get(can, abilities[i]);
        mc_grid_add(&grid, "can %s", abilities[i]);
        mc_grid_add(&grid, "%s", mc_record_get_bool(ability, "able", false) ? "yes" : "no");
        mc_grid_add(&grid, "%s", mc_record_get_text(ability, "why", ""));
    }
    mc_section_show(p, &grid);
}

/* Parameters that no gradient leads to. */
static void show_untrained(struct mc_printing *p, const struct mc_record *of)
{
    static const char *const keys[] = {"parameter", "node", "operator", "why"};
    const struct mc_record *list = mc_record_get(of, "untrained");
    struct mc_grid grid;
    mc_grid_init(&grid, "Not trained", (int)MC_COUNT(keys),
                 MC_GRID_TEXT(0) | MC_GRID_TEXT(1) | MC_GRID_TEXT(2) | MC_GRID_TEXT(3), true);
    for (size_t k = 0; k < MC_COUNT(keys); k++) mc_grid_add(&grid, "%s", k == 1 ? "gradient ends at" : keys[k]);
    for (size_t i = 0; i < mc_record_size(list); i++)
        for (size_t k = 0; k < MC_COUNT(keys); k++)
            mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(list, i), keys[k], ""));
    mc_section_show(p, &grid);
}

static void show_unable(struct mc_printing *p)
{
    show_untrained(p, mc_record_get(p->record, "can.train"));
}

static void show_layers_of(struct mc_printing *p, const struct mc_record *measurement, const char *title)
{
    const struct mc_record *layers = mc_record_get(measurement, "layers");
    static const struct mc_quantity columns[] = {{"parameters", "parameters", MC_AS_COUNT},
                                                 {"nonzeros", "non-zeros", MC_AS_COUNT},
                                                 {"sparsity", "zeros", MC_AS_SHARE},
                                                 {"macs", "MACs", MC_AS_COUNT},
                                                 {"bytes", "bytes", MC_AS_COUNT},
                                                 {"bytes_moved", "bytes moved", MC_AS_COUNT},
                                                 {"time_ms", "ms", MC_AS_TIME}};
    struct mc_grid grid;
    mc_grid_init(&grid, title, 3 + (int)MC_COUNT(columns), MC_GRID_TEXT(0) | MC_GRID_TEXT(1) | MC_GRID_TEXT(2), true);
    mc_grid_add(&grid, "layer");
    mc_grid_add(&grid, "operator");
    mc_grid_add(&grid, "output");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    for (size_t i = 0; i < mc_record_size(layers); i++) {
        const struct mc_record *layer = mc_record_at(layers, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(layer, "layer", "?"));
        mc_grid_add(&grid, "%s", mc_record_get_text(layer, "operator", "?"));
        const char *shape = mc_record_get_text(layer, "shape", "");
        mc_grid_add(&grid, "%s", mc_record_get_text(layer, "symbolic_shape", shape));
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            char text[MC_QUANTITY_TEXT];
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], layer, text));
        }
    }
    mc_section_show(p, &grid);
}

static void show_layers(struct mc_printing *p)
{
    show_layers_of(p, p->record, p->details ? "Layers" : NULL);
    if (!p->details) return;
    show_layers_of(p, mc_record_get(p->record, "original"), "Layers of the original");
    const struct mc_record *steps = mc_record_get(p->record, "steps");
    for (size_t i = 0; i < mc_record_size(steps); i++) {
        char title[64];
        const struct mc_record *step = mc_record_at(steps, i);
        snprintf(title, sizeof title, "Layers after step %zu, %s", i + 1, mc_record_get_text(step, "step", "?"));
        show_layers_of(p, mc_record_get(step, "result"), title);
    }
}

/* Nodes as they were timed, in the order in which they ran. */
static void show_nodes(struct mc_printing *p)
{
    const struct mc_record *nodes = mc_record_get(p->record, "nodes"), *limits = mc_record_get(p->record, "limits");
    static const struct mc_quantity columns[] = {
        {"time_ms", "ms", MC_AS_TIME},  {"time_share", "of time", MC_AS_SHARE},
        {"macs", "MACs", MC_AS_COUNT},  {"gflops", "GFLOP/s", MC_AS_REAL},
        {"gbytes", "GB/s", MC_AS_REAL}, {"limit_share", "of limit", MC_AS_SHARE}};
    static const struct mc_quantity roofs[] = {{"gflops", "GFLOP/s", MC_AS_REAL}, {"gbytes", "GB/s", MC_AS_REAL}};
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Nodes" : NULL, 3 + (int)MC_COUNT(columns),
                 MC_GRID_TEXT(0) | MC_GRID_TEXT(1) | MC_GRID_TEXT(2), true);
    mc_grid_add(&grid, "node");
    mc_grid_add(&grid, "operator");
    mc_grid_add(&grid, "output");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    for (size_t i = 0; i < mc_record_size(nodes); i++) {
        const struct mc_record *node = mc_record_at(nodes, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(node, "node", "?"));
        mc_grid_add(&grid, "%s", mc_record_get_text(node, "operator", "?"));
        mc_grid_add(&grid, "%s", mc_record_get_text(node, "shape", ""));
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            char text[MC_QUANTITY_TEXT];
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], node, text));
        }
    }
    mc_section_show(p, &grid);
    if (!limits) return;
    mc_grid_init(&grid, p->details ? "Limits of this machine" : NULL, 2, MC_GRID_TEXT(0), false);
    for (size_t c = 0; c < MC_COUNT(roofs); c++) {
        char text[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "limit, %s", roofs[c].label);
        mc_grid_add(&grid, "%s", mc_quantity_text(&roofs[c], limits, text));
    }
    mc_section_show(p, &grid);
}

static void show_epochs(struct mc_printing *p, const struct mc_record *step, const char *title)
{
    const struct mc_record *epochs = mc_record_get(step, "training.epochs");
    const bool numbers = mc_record_get(step, "training.epochs.0.validation_r2") != NULL;
    const struct mc_quantity columns[] = {{"epoch", "epoch", MC_AS_COUNT},
                                          {"rate", "rate", MC_AS_FINE},
                                          {"train_loss", "training loss", MC_AS_REAL},
                                          {"validation_loss", "validation loss", MC_AS_REAL},
                                          {numbers ? "validation_r2" : "validation_accuracy",
                                           numbers ? "validation R2" : "validation accuracy",
                                           numbers ? MC_AS_REAL : MC_AS_SHARE},
                                          {"seconds", "seconds", MC_AS_TIME}};
    struct mc_grid grid;
    mc_grid_init(&grid, title, (int)MC_COUNT(columns), 0, true);
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    for (size_t i = 0; i < mc_record_size(epochs); i++) {
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            char text[MC_QUANTITY_TEXT];
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], mc_record_at(epochs, i), text));
        }
    }
    mc_section_show(p, &grid);
}

/* A drawing keeps its columns only in a block of code. */
static void show_curves(struct mc_printing *p, const char *title, const struct mc_curve *curves, int n,
                        bool logarithmic, const char *under)
{
    const bool markdown = p->print == mc_grid_print_markdown;
    if (p->begun) mc_buf_puts(p->out, "\n");
    p->begun = true;
    mc_buf_printf(p->out, "%s%s\n%s", markdown ? "## " : "", title, markdown ? "\n```\n" : "");
    mc_curves_draw(curves, n, logarithmic, under, p->out);
    if (markdown) mc_buf_puts(p->out, "```\n");
}

/* The numbers under `key` of the entries of an array, in fresh memory; NaN where there is none. */
static double *column_of(const struct mc_record *array, const char *key, bool *any)
{
    const size_t n = mc_record_size(array);
    double *column = MC_NEW_ARRAY(double, n);
    *any = false;
    for (size_t i = 0; column && i < n; i++) {
        column[i] = mc_record_get_num(mc_record_at(array, i), key, NAN);
        *any = *any || !isnan(column[i]);
    }
    return column;
}

static void show_learning_curves(struct mc_printing *p, const struct mc_record *step, const char *title)
{
    const struct mc_record *epochs = mc_record_get(step, "training.epochs");
    const int n = (int)mc_record_size(epochs);
    bool trained, validated;
    double *training = column_of(epochs, "train_loss", &trained);
    double *validation = column_of(epochs, "validation_loss", &validated);
    char under[48];
    snprintf(under, sizeof under, "loss, epochs 1 to %d", n);
    const struct mc_curve curves[] = {{'v', "validation", validated ? n : 0, validation},
                                      {'t', "training", n, training}};
    if (!training || !validation)
        p->out->failed = true;
    else if (n > 1)
        show_curves(p, title, curves, 2, false, under);
    mc_free(training);
    mc_free(validation);
}

/* What the curves say, and what a parameter costs. */
static void show_verdict(struct mc_printing *p, const struct mc_record *step, const char *title)
{
    const struct mc_record *verdict = mc_record_get(step, "training.verdict");
    struct mc_grid grid;
    if (!verdict || mc_record_size(mc_record_get(step, "training.epochs")) == 0) return;
    mc_grid_init(&grid, title, 2, MC_GRID_TEXT(0) | MC_GRID_TEXT(1), false);
    mc_grid_add(&grid, "fit");
    mc_grid_add(&grid, "%s: %s", mc_record_get_text(verdict, "fit", "?"), mc_record_get_text(verdict, "why", ""));
    mc_grid_add(&grid, "size");
    char parameters[MC_QUANTITY_TEXT];
    mc_grid_add(&grid, "%s parameters, %.3g for each training sample; %.3g s an epoch, %.4g samples a second",
                mc_count_text(mc_record_get_int(verdict, "parameters", 0), parameters),
                mc_record_get_num(verdict, "parameters_per_sample", NAN), mc_record_get_num(verdict, "epoch_s", NAN),
                mc_record_get_num(verdict, "samples_per_s", NAN));
    mc_section_show(p, &grid);
}

static void show_rates(struct mc_printing *p, const struct mc_record *step, const char *title)
{
    const struct mc_record *finder = mc_record_get(step, "rate_finder"), *curve = mc_record_get(finder, "curve");
    const int n = (int)mc_record_size(curve);
    bool any;
    if (!finder || n == 0) return;
    double *loss = column_of(curve, "loss", &any);
    char under[96];
    snprintf(under, sizeof under, "rates %.3g to %.3g; suggested %.3g", mc_record_get_num(finder, "curve.0.rate", NAN),
             mc_record_get_num(mc_record_at(curve, (size_t)n - 1), "rate", NAN),
             mc_record_get_num(finder, "suggested", NAN));
    const struct mc_curve curves[] = {{'*', "loss", n, loss}};
    if (loss)
        show_curves(p, title, curves, 1, true, under);
    else
        p->out->failed = true;
    mc_free(loss);
}

/* What became of the parts of a file that was packed. */
static void show_parts(struct mc_printing *p)
{
    const struct mc_record *parts = mc_record_get(p->record, "parts");
    static const struct mc_quantity columns[] = {{"segments", "segments", MC_AS_COUNT},
                                                 {"bytes", "bytes", MC_AS_COUNT},
                                                 {"bytes_packed", "packed", MC_AS_COUNT}};
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Parts" : NULL, 1 + (int)MC_COUNT(columns), MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "method");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    for (size_t i = 0; i < mc_record_size(parts); i++) {
        const struct mc_record *part = mc_record_at(parts, i);
        mc_grid_add(&grid, "%s", mc_record_get_text(part, "method", "?"));
        for (size_t c = 0; c < MC_COUNT(columns); c++) {
            char text[MC_QUANTITY_TEXT];
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], part, text));
        }
    }
    mc_section_show(p, &grid);
}

static void show_training(struct mc_printing *p)
{
    const struct mc_record *steps = mc_record_get(p->record, "steps");
    for (size_t i = 0; i < mc_record_size(steps); i++) {
        char title[96];
        const struct mc_record *step = mc_record_at(steps, i);
        const char *name = mc_record_get_text(step, "step", "?");
        snprintf(title, sizeof title, "Rates before step %zu, %s", i + 1, name);
        show_rates(p, step, title);
        snprintf(title, sizeof title, "Training in step %zu, %s", i + 1, name);
        if (p->details) show_epochs(p, step, title);
        snprintf(title, sizeof title, "Curves of step %zu, %s", i + 1, name);
        if (p->details) show_learning_curves(p, step, title);
        snprintf(title, sizeof title, "Verdict on step %zu, %s", i + 1, name);
        show_verdict(p, step, p->details ? title : NULL);
    }
    for (size_t i = 0; i < mc_record_size(steps); i++) {
        const struct mc_record *training = mc_record_get(mc_record_at(steps, i), "training");
        if (!training || mc_record_size(mc_record_get(training, "untrained")) == 0) continue;
        show_untrained(p, training); /* of the first step that trains: once is enough */
        break;
    }
}

static void show_outputs(struct mc_printing *p)
{
    const struct mc_record *outputs = mc_record_get(p->record, "outputs");
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Outputs" : NULL, 2, MC_GRID_TEXT(0) | MC_GRID_TEXT(1), false);
    for (size_t i = 0; i < mc_record_size(outputs); i++) {
        mc_grid_add(&grid, "wrote %s", mc_record_get_text(mc_record_at(outputs, i), "kind", "?"));
        mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(outputs, i), "path", "?"));
    }
    mc_section_show(p, &grid);
}

/* The trials of a search, best first; without details, the first of them. */
static void show_trials(struct mc_printing *p)
{
    enum { SHOWN = 10 };
    const struct mc_record *tune = mc_record_get(p->record, "tune"), *trials = mc_record_get(tune, "trials");
    const size_t n = mc_record_size(trials);
    if (n == 0) return;
    const struct mc_record *first = mc_record_get(mc_record_at(trials, 0), "values");
    const int n_values = (int)mc_record_size(first);
    const bool folds = mc_record_get_int(tune, "folds", 0) > 0, sized = mc_record_get(tune, "objective") != NULL;
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Trials" : NULL, 2 + n_values + folds + 2 * sized,
                 (MC_GRID_TEXT(n_values + 1) - 1) & ~UINT64_C(1), true);
    mc_grid_add(&grid, "trial");
    for (int k = 0; k < n_values; k++)
        mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(first, (size_t)k), "option", "?"));
    mc_grid_add(&grid, "%s", mc_record_get_text(tune, "metric", ""));
    if (folds) mc_grid_add(&grid, "spread");
    if (sized) mc_grid_add(&grid, "bytes, %s", mc_record_get_text(tune, "size", ""));
    if (sized) mc_grid_add(&grid, "%s", "");
    for (size_t i = 0; i < n && (p->details || i < SHOWN); i++) {
        const struct mc_record *trial = mc_record_at(trials, i), *values = mc_record_get(trial, "values");
        const double mean = mc_record_get_num(trial, "mean", NAN), spread = mc_record_get_num(trial, "spread", NAN);
        mc_grid_add(&grid, "%lld", (long long)mc_record_get_int(trial, "trial", 0));
        for (int k = 0; k < n_values; k++)
            mc_grid_add(&grid, "%s", mc_record_get_text(mc_record_at(values, (size_t)k), "value", ""));
        isnan(mean) ? mc_grid_add(&grid, "failed") : mc_grid_add(&grid, "%.4f", mean);
        if (folds) isnan(spread) ? mc_grid_add(&grid, "%s", "") : mc_grid_add(&grid, "%.4f", spread);
        char bytes[MC_QUANTITY_TEXT];
        if (sized) mc_grid_add(&grid, "%s", mc_count_text(llround(mc_record_get_num(trial, "bytes", 0)), bytes));
        if (sized) mc_grid_add(&grid, "%s", mc_record_get_bool(trial, "holds", false) ? "held" : "not held");
    }
    mc_section_show(p, &grid);
}

struct point {
    double bytes, metric;
};

static int by_bytes(const void *a, const void *b)
{
    const double x = ((const struct point *)a)->bytes, y = ((const struct point *)b)->bytes;
    return (x > y) - (x < y);
}

/* What a search by bytes tried, from the smallest to the largest. */
static void show_tradeoff(struct mc_printing *p)
{
    const struct mc_record *tune = mc_record_get(p->record, "tune"), *trials = mc_record_get(tune, "trials");
    const size_t n = mc_record_size(trials);
    if (!mc_record_get(tune, "objective") || n < 2) return;
    struct point *points = MC_NEW_ARRAY(struct point, n);
    double *metric = MC_NEW_ARRAY(double, n);
    if (!points || !metric) p->out->failed = true;
    for (size_t i = 0; points && metric && i < n; i++)
        points[i] = (struct point){mc_record_get_num(mc_record_at(trials, i), "bytes", NAN),
                                   mc_record_get_num(mc_record_at(trials, i), "mean", NAN)};
    if (points && metric) {
        char least[MC_QUANTITY_TEXT], most[MC_QUANTITY_TEXT], under[160];
        qsort(points, n, sizeof *points, by_bytes);
        for (size_t i = 0; i < n; i++) metric[i] = points[i].metric;
        snprintf(under, sizeof under, "%s, trials from %s to %s bytes", mc_record_get_text(tune, "metric", ""),
                 mc_count_text((int64_t)points[0].bytes, least), mc_count_text((int64_t)points[n - 1].bytes, most));
        const struct mc_curve curve = {'o', "trials", (int)n, metric};
        show_curves(p, "Trade-off", &curve, 1, false, under);
    }
    mc_free(metric);
    mc_free(points);
}

typedef void section(struct mc_printing *p);

static section *const sections[] = {
    show_facts,
    show_runs,
    show_stages,
    show_plan,
    show_gates,
    show_inputs,
    show_outputs_of,
    show_figures,
    show_sides,
    show_output_differences,
    show_paired,
    show_classes,
    show_bench,
    show_functions,
    show_operators,
    show_abilities,
    show_unable,
    mc_changes_show_channels,
    mc_changes_show_ranks,
    show_trials,
    show_tradeoff,
    mc_changes_show_sensitivity,
    show_training,
    show_layers,
    show_nodes,
    show_parts,
    show_outputs,
};

/* What the page (page.h) does not draw itself. */
static section *const tables[] = {
    show_inputs,    show_outputs_of, show_figures,   show_sides,  show_output_differences, show_paired, show_bench,
    show_functions, show_operators,  show_abilities, show_unable, mc_changes_show_ranks,   show_trials, show_nodes,
    show_parts,
};

void mc_report_sections(const struct mc_record *record, bool details, mc_grid_printer *print, struct mc_buf *out)
{
    struct mc_printing p = {.record = record, .details = details, .print = print, .out = out};
    for (size_t i = 0; i < MC_COUNT(sections); i++) sections[i](&p);
}

void mc_report_tables(const struct mc_record *record, mc_grid_printer *print, struct mc_buf *out)
{
    struct mc_printing p = {.record = record, .details = true, .print = print, .out = out};
    for (size_t i = 0; i < MC_COUNT(tables); i++) tables[i](&p);
}
