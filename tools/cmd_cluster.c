/* cmd_cluster.c - compress cluster: weights share a few values. */
#include "change.h"
#include "verbs.h"

static int cluster(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const int rc = change_recipe(args, args->operands[0], &recipe, err);
    return rc < 0 ? rc : change_run(args, recipe, NULL, false, err);
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const cluster_examples[] = {
    "compress cluster model.onnx --bits 4 --packed model.packed -o clustered.onnx",
    NULL,
};

const struct verb verb_cluster = {
    .name = "cluster",
    .operands = "MODEL -o OUT",
    .summary = "let weights share a few values, which the packed container keeps as a table and indices",
    .about = "Values are found by k-means for each tensor or channel; what is zero stays zero. With --epochs each is "
             "trained by\n"
             "the gradients of all weights that share it. The ONNX file stays as long as it was: --packed, pack.",
    .examples = cluster_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .step = "cluster",
    .gated = true,
    .joins = true,
    .run = cluster,
};
