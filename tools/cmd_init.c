/* cmd_init.c - compress init: a recipe to begin with. */
#include "failure.h"
#include "session.h"
#include "verbs.h"

static int init(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_record *record = NULL;
    const char *path = argument_text(args, "output");
    session_context(args, &context);
    int rc = mc_recipe_draft(args->operands[0], argument_text(args, "data"), path, argument_flag(args, "force"),
                             &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    if (rc == MC_OK && !argument_flag(args, "quiet"))
        fprintf(stderr, "wrote %s; next: compress apply %s --out small\n", path, path);
    mc_record_destroy(record);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DATA_OPTION,
    {"output", MC_OPTION_TEXT, "RECIPE", "recipe.yaml", NULL, NULL, NULL, "the recipe to write"},
    {0},
};

static const char *const init_examples[] = {
    "compress init model.onnx --data glyphs,train=400,test=100 -o begin.yaml",
    "compress init model.onnx -o small.yaml -f",
    NULL,
};

const struct verb verb_init = {
    .name = "init",
    .operands = "MODEL --data D [-o RECIPE.yaml]",
    .summary = "write a recipe that fits a model and a data set, to begin with",
    .about =
        "What can be pruned is pruned, what can be trained learns from the original, gates hold what a look at the "
        "steps\npromises; what cannot be done to the model stands in a comment with the reason. Without --data only "
        "what needs none.",
    .examples = init_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = init,
};
