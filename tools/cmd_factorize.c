/* cmd_factorize.c - compress factorize: layers in two of lower rank. */
#include "change.h"
#include "verbs.h"

static int factorize(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const factorize_examples[] = {
    "compress factorize model.onnx --energy 0.9 -o low.onnx",
    "compress factorize model.onnx --macs 0.5 --by outputs --data glyphs --epochs 2 -o lower.onnx",
    NULL,
};

const struct verb verb_factorize = {
    .name = "factorize",
    .operands = "MODEL -o OUT",
    .summary = "cut dense and convolutional layers in two of lower rank, where that costs less",
    .about =
        "Of a Conv, Gemm or MatMul with a matrix of M outputs and K inputs become two: the same kernel with r "
        "channels, and a\n"
        "product of those, r (M + K) multiply-accumulates in the place of M K. Nothing is written unless the outputs "
        "are\n"
        "those of the model with the products of the parts in the place of its weights.",
    .examples = factorize_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "factorize",
    .gated = true,
    .joins = true,
    .run = factorize,
};
