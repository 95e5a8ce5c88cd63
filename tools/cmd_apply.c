/* cmd_apply.c - compress apply: a whole recipe. */
#include "change.h"
#include "failure.h"
#include "session.h"
#include "verbs.h"

/* Look at the recipe without doing it; takes it over. */
static int look(const struct arguments *args, struct mc_recipe *recipe, bool timed, struct mc_error *err)
{
    struct mc_context context;
    struct mc_record *record = NULL;
    session_context(args, &context);
    int rc = mc_recipe_check(recipe, &context, argument_text(args, "out"), argument_flag(args, "force"), timed, &record,
                             err);
    if (rc == MC_OK && !timed && !argument_flag(args, "quiet") && !argument_given(args, "json")) {
        const size_t n = mc_record_size(mc_record_get(record, "steps"));
        printf("%s: can be done, %zu step%s\n", args->operands[0], n, n == 1 ? "" : "s");
    } else if (rc == MC_OK)
        rc = session_show(args, record, err);
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
    return rc;
}

static int apply(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    const bool check = argument_flag(args, "check"), plan = argument_flag(args, "plan"),
               resume = argument_flag(args, "resume");
    if (resume && !argument_given(args, "out")) return fail_usage(err, "apply", "--resume needs --out DIR");
    int rc = mc_recipe_load(&recipe, args->operands[0], err);
    if (rc < 0) return rc;
    rc = change_set_all(args, recipe, err);
    if (rc == MC_OK && (check || plan)) return look(args, recipe, plan, err);
    if (rc == MC_OK) return change_run(args, recipe, argument_text(args, "out"), resume, err);
    mc_recipe_destroy(recipe);
    return rc;
}

static const struct mc_option options[] = {
    CHANGE_SET_OPTION,
    {"out", MC_OPTION_TEXT, "DIR", NULL, NULL, NULL, NULL,
     "the run directory: where outputs go, with a folder 'run' for the log, the record, and what --resume needs; made "
     "if "
     "it is not there"},
    {"resume", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "go on from what is in --out: steps whose inputs are the same are not done again, training goes on where it was"},
    {"check", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "check all that can be wrong, the model on the data too, and do nothing"},
    {"plan", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "check, and show what each step would come to: sizes, and an estimate of its time from a look at its training"},
    {0},
};

static const char *const apply_examples[] = {
    "compress apply recipe.yaml --check",
    "compress apply recipe.yaml --plan",
    "compress apply recipe.yaml --out small",
    "compress apply recipe.yaml --out small --resume --set steps.weights.sparsity=0.7",
    NULL,
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
    .examples = apply_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .joins = true,
    .run = apply,
};
