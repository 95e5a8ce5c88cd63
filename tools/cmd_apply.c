/* cmd_apply.c - compress apply: a whole recipe. */
#include <string.h>

#include "change.h"
#include "failure.h"
#include "verbs.h"

/* "--set gates.max_bytes=60000" */
static int set(struct mc_recipe *recipe, const char *text, struct mc_error *err)
{
    char path[256], given_as[300];
    const size_t length = strcspn(text, "=");
    if (text[length] != '=' || length == 0 || length >= sizeof path)
        return fail_usage(err, "apply", "--set: needs path=value, has '%s'", text);
    memcpy(path, text, length);
    path[length] = '\0';
    snprintf(given_as, sizeof given_as, "--set %s", path);
    return mc_recipe_set(recipe, path, text + length + 1, given_as, err);
}

static int set_all(const struct arguments *args, struct mc_recipe *recipe, struct mc_error *err)
{
    int rc = MC_OK;
    if (argument_given(args, "seed"))
        rc = mc_recipe_set_text(recipe, "seed", argument_text(args, "seed"), "--seed", err);
    for (int i = 0; rc == MC_OK && i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, "set") == 0) rc = set(recipe, args->given[i].text, err);
    return rc;
}

static int apply(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    int rc = mc_recipe_load(&recipe, args->operands[0], err);
    if (rc < 0) return rc;
    rc = set_all(args, recipe, err);
    if (rc == MC_OK) return change_run(args, recipe, argument_text(args, "out"), err);
    mc_recipe_destroy(recipe);
    return rc;
}

static const struct mc_option options[] = {
    {"set", MC_OPTION_TEXT, "PATH=VALUE", NULL, NULL, NULL, NULL,
     "set what stands at a path of the recipe, as gates.max_bytes=60000; may be repeated"},
    {"out", MC_OPTION_TEXT, "DIR", NULL, NULL, NULL, NULL, "where outputs go; made if it is not there"},
    {0},
};

const struct verb verb_apply = {
    .name = "apply",
    .operands = "RECIPE.yaml",
    .summary = "do what a recipe says: model, steps, gates, smaller model and report",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = apply,
};
