/* change.c - verbs that change a model; see change.h. */
#include "change.h"

#include <string.h>

#include "failure.h"
#include "session.h"

/* Every given option of one of the verb's tables, under a part of the recipe. */
static int set_given(const struct arguments *args, struct mc_recipe *recipe, int table, const char *part,
                     struct mc_error *err)
{
    size_t n;
    const struct mc_option *options = verb_options(args->verb, table, &n);
    for (int i = 0; i < args->n_given; i++) {
        const struct given *given = &args->given[i];
        char path[128];
        if (!options || given->option < options || given->option >= options + n) continue;
        snprintf(path, sizeof path, "%s.%s", part, given->option->name);
        const int rc = mc_recipe_set_text(recipe, path, given->text, given->as, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* Latency and zstd's figure take seconds of a large model: only for those who keep the figures or judge by them. */
static const char *what_to_measure(const struct arguments *args)
{
    if (argument_given(args, "measure")) return argument_text(args, "measure");
    size_t n;
    const struct mc_option *gates = verb_options(args->verb, 2, &n);
    bool judged = false;
    for (int i = 0; i < args->n_given; i++)
        judged = judged || (gates && args->given[i].option >= gates && args->given[i].option < gates + n);
    return judged || argument_given(args, "data") || argument_given(args, "json") || argument_given(args, "report")
               ? "all"
               : "counts";
}

static int set_common(const struct arguments *args, struct mc_recipe *recipe, const char *model, struct mc_error *err)
{
    int rc = mc_recipe_set_text(recipe, "model", model, args->verb->name, err);
    if (rc == MC_OK && argument_given(args, "data"))
        rc = mc_recipe_set_text(recipe, "data", argument_text(args, "data"), "--data", err);
    if (rc == MC_OK && argument_given(args, "dims"))
        rc = mc_recipe_set_text(recipe, "dims", argument_text(args, "dims"), "--dims", err);
    if (rc == MC_OK) rc = mc_recipe_set_text(recipe, "measure", what_to_measure(args), "--measure", err);
    if (rc == MC_OK && argument_given(args, "head"))
        rc = mc_recipe_set_text(recipe, "head", argument_text(args, "head"), "--head", err);
    if (rc == MC_OK && argument_given(args, "packed"))
        rc = mc_recipe_set_text(recipe, "output.packed", argument_text(args, "packed"), "--packed", err);
    if (rc == MC_OK && argument_given(args, "form"))
        rc = mc_recipe_set_text(recipe, "output.form", argument_text(args, "form"), "--form", err);
    if (rc == MC_OK) rc = mc_recipe_set_text(recipe, "output.model", argument_text(args, "output"), "--output", err);
    return rc;
}

int change_recipe(const struct arguments *args, const char *model, struct mc_recipe **recipe, struct mc_error *err)
{
    char part[64];
    if (!argument_given(args, "output")) return fail_usage(err, args->verb->name, "needs -o OUT");
    int rc = mc_recipe_create(recipe, err);
    if (rc < 0) return rc;
    snprintf(part, sizeof part, "steps.0.%s", args->verb->step);
    rc = set_common(args, *recipe, model, err);
    if (rc == MC_OK) rc = mc_recipe_set_text(*recipe, part, "", args->verb->name, err); /* the step, be it bare */
    if (rc == MC_OK) rc = set_given(args, *recipe, 1, part, err);
    if (rc == MC_OK) rc = set_given(args, *recipe, 2, "gates", err);
    if (rc < 0) mc_recipe_destroy(*recipe);
    return rc;
}

int change_run(const struct arguments *args, struct mc_recipe *recipe, const char *dir, bool resume,
               struct mc_error *err)
{
    struct mc_context context;
    struct mc_record *record = NULL;
    const bool force = argument_flag(args, "force");
    session_context(args, &context);
    int rc = session_join(&context, err);
    if (rc == MC_OK)
        rc = dir ? mc_recipe_run_in(recipe, &context, dir, force, resume, &record, err)
                 : mc_recipe_run(recipe, &context, NULL, force, &record, err);
    if (record) {
        struct mc_error problem = {0};
        const int shown = session_show(args, record, &problem);
        if (shown < 0) *err = problem, rc = shown;
    }
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
    return rc;
}

/* "--set gates.max_bytes=60000" */
static int set(const struct arguments *args, struct mc_recipe *recipe, const char *text, struct mc_error *err)
{
    char path[256], given_as[300];
    const size_t length = strcspn(text, "=");
    if (text[length] != '=' || length == 0 || length >= sizeof path)
        return fail_usage(err, args->verb->name, "--set: needs path=value, has '%s'", text);
    memcpy(path, text, length);
    path[length] = '\0';
    snprintf(given_as, sizeof given_as, "--set %s", path);
    return mc_recipe_set(recipe, path, text + length + 1, given_as, err);
}

int change_set_all(const struct arguments *args, struct mc_recipe *recipe, struct mc_error *err)
{
    int rc = MC_OK;
    if (argument_given(args, "seed"))
        rc = mc_recipe_set_text(recipe, "seed", argument_text(args, "seed"), "--seed", err);
    for (int i = 0; rc == MC_OK && i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, "set") == 0) rc = set(args, recipe, args->given[i].text, err);
    return rc;
}
