/* cmd_train.c - compress train, compress finetune: fit an architecture or a model to data. */
#include "change.h"
#include "verbs.h"

static int train(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

const struct verb verb_train = {
    .name = "train",
    .operands = "ARCHITECTURE|MODEL --data DATA -o OUT",
    .summary = "fit a named architecture, or an ONNX file as it is, to data",
    .about =
        "Architectures: mlp:784-300-10 (any widths), linear, logistic, lenet-300-100, lenet-5, vgg-11-bn, resnet-20, "
        "resnet-32, resnet-56, mobilenet-v2:FACTOR (of its widths), conv-1d, transformer:WIDTH-HEADS-LAYERS. Weights "
        "are drawn by --seed.",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "train",
    .gated = true,
    .joins = true,
    .run = train,
};

const struct verb verb_finetune = {
    .name = "finetune",
    .operands = "MODEL --data DATA -o OUT",
    .summary = "as train, with gentler defaults: a trained model is mended, and its zeros stay",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "finetune",
    .gated = true,
    .joins = true,
    .run = train,
};
