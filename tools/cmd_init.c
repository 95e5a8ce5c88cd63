/* cmd_init.c - compress init: a recipe to begin with. */
#include <string.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

static int init(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_record *record = NULL;
    const char *model = args->operands[0], *data = argument_text(args, "data"), *path = argument_text(args, "output");
    const bool smallest = strcmp(argument_text(args, "objective"), "smallest") == 0,
               force = argument_flag(args, "force");
    session_context(args, &context);
    int rc = smallest ? mc_recipe_draft_smallest(model, data, argument_number(args, "max-accuracy-drop"), path, force,
                                                 &context, &record, err)
                      : mc_recipe_draft(model, data, path, force, &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    if (rc == MC_OK && !argument_flag(args, "quiet"))
        fprintf(stderr, "wrote %s; next: compress %s %s --out small\n", path, smallest ? "tune" : "apply", path);
    mc_record_destroy(record);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DATA_OPTION,
    {"output", MC_OPTION_TEXT, "RECIPE", "recipe.yaml", NULL, NULL, NULL, "the recipe to write"},
    {"objective", MC_OPTION_CHOICE, "WHAT", "balanced", NULL, "balanced|smallest", NULL,
     "balanced: less of everything, at once; smallest: a search, for tune, for the fewest bytes within the bound"},
    {"max-accuracy-drop", MC_OPTION_NUMBER, "X", "0.01", "[0, 1]", NULL, "objective=smallest",
     "how much worse on the validation samples the smallest may be"},
    {0},
};

static const char *const init_examples[] = {
    "compress init model.onnx --data glyphs,train=400,test=100 -o begin.yaml",
    "compress init model.onnx -o small.yaml -f",
    "compress init model.onnx --data glyphs,train=400,test=100 --objective smallest -o smallest.yaml",
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
