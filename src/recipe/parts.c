/* parts.c - what a recipe consists of, as tables; see parts.h and compress.h. */
#include "recipe/parts.h"

#include <string.h>

#include "base/alloc.h"
#include "recipe/gates.h"
#include "recipe/steps.h"
#include "train/train.h"

const struct mc_option mc_recipe_top_options[] = {
    {"model", MC_OPTION_MODEL, "MODEL", NULL, NULL, NULL, NULL,
     "ONNX file, relative to the recipe, or a named architecture: " MC_ARCHITECTURES},
    {"data", MC_OPTION_TEXT, "DATA", NULL, NULL, NULL, NULL, "data set, its path relative to the recipe"},
    {"dims", MC_OPTION_TEXT, "NAME=N,...", NULL, NULL, NULL, NULL,
     "what open dimensions of the inputs are to be while it is worked on: height=48,x.3=320"},
    {"head", MC_OPTION_TEXT, "NAME", NULL, NULL, NULL, NULL,
     "the output to measure and to train, for a model with several; default: the first of float32"},
    {"seed", MC_OPTION_INTEGER, "N", NULL, "[0, inf)", NULL, NULL, "seed of all that is random"},
    {"measure", MC_OPTION_CHOICE, "WHAT", "all", NULL, "counts|sizes|all", NULL,
     "of each stage: parameters, MACs, bytes; also what zstd and the container make of them; also latency"},
};
const size_t mc_recipe_top_options_count = MC_COUNT(mc_recipe_top_options);

const struct mc_option mc_output_options[] = {
    {"model", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL, "where the small model goes, relative to --out"},
    {"packed", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL, "where its packed container goes"},
    {"form", MC_OPTION_CHOICE, "FORM", "dense", NULL, "dense|sparse", NULL,
     "sparse: initializers whose non-zeros and their places are shorter are written as such"},
    {"report", MC_OPTION_LIST, "KINDS", NULL, NULL, "json|md|html|junit|comment|badge", NULL,
     "reports to write: report.json, report.md, report.html, junit.xml with a case for each gate, comment.md for a "
     "pull "
     "request, badge.svg"},
    {"always", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "write the model even if a gate does not hold"},
};
const size_t mc_output_options_count = MC_COUNT(mc_output_options);

const struct mc_option mc_step_options[] = {
    {"name", MC_OPTION_TEXT, "NAME", NULL, NULL, NULL, NULL,
     "what the step is called, for --set steps.NAME.option=value"},
    {"save", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL,
     "the model as this step leaves it, as a file of its own, relative to --out"},
};
const size_t mc_step_options_count = MC_COUNT(mc_step_options);

const struct mc_option mc_tune_options[] = {
    {"search", MC_OPTION_CHOICE, "HOW", "grid", NULL, "grid|random|halving|ladder", NULL,
     "grid: all combinations of the space; random: so many drawn from it; halving: of those drawn the best go on with "
     "more of the resource; ladder: for each combination of the others, the harshest value of the first option, whose "
     "values go from gentle to harsh, that keeps the bound, by bisection"},
    {"objective", MC_OPTION_CHOICE, "WHAT", "best", NULL, "best|smallest", NULL,
     "best: at the metric; smallest: fewest bytes, of those whose metric is within max_drop of the model's before the "
     "first step"},
    {"max_drop", MC_OPTION_NUMBER, "X", "0.01", "[0, inf)", NULL, "objective=smallest",
     "how much worse at the metric the smallest may be"},
    {"size", MC_OPTION_CHOICE, "WHAT", "packed", NULL, "packed|file", "objective=smallest",
     "which bytes are counted: of the container, or of the ONNX file"},
    {"trials", MC_OPTION_INTEGER, "N", "20", "[1, 10000]", NULL, "search=random|halving", "combinations to draw"},
    {"folds", MC_OPTION_INTEGER, "K", "0", "[0, 100]", NULL, NULL,
     "cross-validation in so many parts, stratified for classes; 0: the validation samples, once"},
    {"metric", MC_OPTION_CHOICE, "NAME", NULL, NULL, "accuracy|precision|recall|f1|loss|mse|mae|r2", NULL,
     "what is best at its mean over the folds; default: accuracy, of numbers r2"},
    {"resource", MC_OPTION_TEXT, "PATH", NULL, NULL, NULL, "search=halving",
     "option of the recipe that early rounds have less of, as steps.0.train.epochs; the last round has what the "
     "recipe says"},
    {"eta", MC_OPTION_INTEGER, "N", "3", "[2, 16]", NULL, "search=halving",
     "one in so many goes on from a round, with so many times the resource"},
    {"least", MC_OPTION_INTEGER, "N", "1", "[1, inf)", NULL, "search=halving",
     "the resource of the first round, at least"},
    {"results", MC_OPTION_TEXT, "FILE", "tune.tsv", NULL, NULL, NULL,
     "where results are added as they come, relative to --out"},
    {"best", MC_OPTION_TEXT, "FILE", "best.yaml", NULL, NULL, NULL,
     "where the recipe with the best values goes, relative to --out"},
};
const size_t mc_tune_options_count = MC_COUNT(mc_tune_options);

const struct mc_option *mc_recipe_options(const char *part, size_t *n)
{
    const struct {
        const char *name;
        const struct mc_option *options;
        size_t n;
    } parts[] = {
        {"recipe", mc_recipe_top_options, mc_recipe_top_options_count},
        {"gates", mc_gate_options, mc_gate_options_count},
        {"output", mc_output_options, mc_output_options_count},
        {"step", mc_step_options, mc_step_options_count},
        {"tune", mc_tune_options, mc_tune_options_count},
    };
    for (size_t i = 0; i < MC_COUNT(parts); i++) {
        if (strcmp(parts[i].name, part) != 0) continue;
        *n = parts[i].n;
        return parts[i].options;
    }
    const struct mc_step_kind *kind = mc_steps_find(part);
    *n = kind ? kind->n_options : 0;
    return kind ? kind->options : NULL;
}

const char *mc_recipe_step(size_t i, const char **help)
{
    if (i >= mc_steps_count) return NULL;
    if (help) *help = mc_steps[i]->help;
    return mc_steps[i]->name;
}
