/* cmd_optimize.c - compress optimize: the same computation in fewer nodes. */
#include "change.h"
#include "verbs.h"

static int optimize(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const optimize_examples[] = {
    "compress optimize model.onnx -o fewer.onnx",
    NULL,
};

const struct verb verb_optimize = {
    .name = "optimize",
    .operands = "MODEL -o OUT",
    .summary = "the same computation in fewer nodes: fold, merge and take out what exporters left",
    .about =
        "Passes, run until none finds anything:\n"
        "  fold       what is the same in every run becomes an initializer\n"
        "  identity   nodes that give what they get go: Identity, Dropout that is off, casts and views of no effect\n"
        "  transpose  a transposition of a transposition is one\n"
        "  reshape    a Reshape of a view is one of what that shows\n"
        "  affine     batch normalization and constant factors and addends go into the weights before them\n"
        "  fuse       nodes that together are LayerNormalization, Gelu or Swish become one, where the opset has it\n"
        "  common     nodes that do the same to the same become one\n"
        "  share      initializers of the same contents become one; train before, not after: they are one from then "
        "on\n"
        "  dead       nodes and initializers that nobody uses go\n"
        "Inputs and outputs stay as they are. Nothing is written unless the outputs for random inputs stay the same.",
    .examples = optimize_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "optimize",
    .gated = true,
    .joins = true,
    .run = optimize,
};
