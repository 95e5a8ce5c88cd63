/* cmd_prune.c - compress prune: weights to zero, or channels away. */
#include "change.h"
#include "verbs.h"

/* With data there is something to train on, and then pruning is gradual unless the user says otherwise. */
#define EPOCHS_WITH_DATA "5"

static int prune(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    int rc = change_recipe(args, args->operands[0], &recipe, err);
    if (rc < 0) return rc;
    if (argument_given(args, "data") && !argument_given(args, "epochs") && !argument_given(args, "score")) {
        rc = mc_recipe_set_text(recipe, "steps.0.prune.epochs", EPOCHS_WITH_DATA, "--epochs", err);
        if (rc < 0) {
            mc_recipe_destroy(recipe);
            return rc;
        }
    }
    return change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const prune_examples[] = {
    "compress prune model.onnx --sparsity 0.8 -o sparse.onnx",
    "compress prune model.onnx --method channel --macs 0.5 --explain gone.json -o narrow.onnx",
    NULL,
};

const struct verb verb_prune = {
    .name = "prune",
    .operands = "MODEL -o OUT",
    .summary = "set weights to zero, or remove neurons, channels and heads",
    .about =
        "Without --data in one shot. With --data pruning is gradual and followed by training, for " EPOCHS_WITH_DATA
        " epochs unless\n--epochs says otherwise; --epochs 0 only measures. With --score the data are for that, and "
        "nothing is trained unless\n--epochs says so.",
    .examples = prune_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "prune",
    .gated = true,
    .joins = true,
    .run = prune,
};
