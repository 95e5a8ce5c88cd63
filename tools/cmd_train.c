/* cmd_train.c - compress train, compress finetune: fit an architecture or a model to data. */
#include "change.h"
#include "verbs.h"

static int train(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const train_examples[] = {
    "compress train lenet-300-100 --data glyphs,train=400,test=100 --epochs 2 --seed 1 -o lenet.onnx",
    NULL,
};

const struct verb verb_train = {
    .name = "train",
    .operands = "ARCHITECTURE|MODEL --data DATA -o OUT",
    .summary = "fit a named architecture, or an ONNX file as it is, to data",
    .about =
        "Architectures: mlp:784-300-10 (any widths), linear, logistic, lenet-300-100, lenet-5, vgg-11-bn, resnet-20, "
        "resnet-32, resnet-56, mobilenet-v2:FACTOR (of its widths), conv-1d, transformer:WIDTH-HEADS-LAYERS. Weights "
        "are drawn by --seed.",
    .examples = train_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "train",
    .gated = true,
    .joins = true,
    .run = train,
};

static const char *const finetune_examples[] = {
    "compress finetune model.onnx --data glyphs,train=400,test=100 --rate cosine:0.001 -o tuned.onnx",
    NULL,
};

const struct verb verb_finetune = {
    .name = "finetune",
    .operands = "MODEL --data DATA -o OUT",
    .summary = "as train, with gentler defaults: a trained model is mended, and its zeros stay",
    .examples = finetune_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "finetune",
    .gated = true,
    .joins = true,
    .run = train,
};
