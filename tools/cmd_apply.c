/* cmd_apply.c - compress apply: a whole recipe. */
#include "change.h"
#include "verbs.h"

static int apply(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    int rc = mc_recipe_load(&recipe, args->operands[0], err);
    if (rc < 0) return rc;
    rc = change_set_all(args, recipe, err);
    if (rc == MC_OK) return change_run(args, recipe, argument_text(args, "out"), err);
    mc_recipe_destroy(recipe);
    return rc;
}

static const struct mc_option options[] = {
    CHANGE_SET_OPTION,
    {"out", MC_OPTION_TEXT, "DIR", NULL, NULL, NULL, NULL, "where outputs go; made if it is not there"},
    {0},
};

const struct verb verb_apply = {
    .name = "apply",
    .operands = "RECIPE.yaml",
    .summary = "do what a recipe says: model, steps, gates, smaller model and report",
    .about =
        "Under mpirun its processes share every batch that is trained on and every measurement on data: the result is\n"
        "that of one process, but for rounding. So it is with train, finetune, prune, distill and eval; "
        "docs/recipe.md\n"
        "tells of it.",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .joins = true,
    .run = apply,
};
