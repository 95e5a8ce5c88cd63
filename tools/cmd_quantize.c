/* cmd_quantize.c - compress quantize: weights and activations in fewer bits. */
#include "change.h"
#include "verbs.h"

static int quantize(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const quantize_examples[] = {
    "compress quantize model.onnx -o eight.onnx",
    "compress quantize model.onnx --weights int4 -o four.onnx",
    "compress quantize model.onnx --scheme static --data glyphs -o static.onnx",
    "compress quantize model.onnx --scheme dynamic -o dynamic.onnx",
    NULL,
};

const struct verb verb_quantize = {
    .name = "quantize",
    .operands = "MODEL -o OUT",
    .summary = "weights and activations in 8 bits, weights in 4, or half floats",
    .about =
        "Batch normalization goes into the weights first. Weights are stored as integers with scales, or as half "
        "floats, and a\n"
        "node makes floats of them; what is zero stays zero. With --scheme static activations are rounded between\n"
        "QuantizeLinear and DequantizeLinear wherever nodes run on bytes; with dynamic what goes into dense layers, "
        "by\n"
        "DynamicQuantizeLinear. Any runtime for ONNX runs the result. The opset rises where that is needed: to 13 for\n"
        "scales of outputs, to 21 for 4 bits. The last step of a recipe: what trains or prunes wants floats.",
    .examples = quantize_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "quantize",
    .gated = true,
    .joins = true,
    .run = quantize,
};
