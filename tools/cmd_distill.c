/* cmd_distill.c - compress distill: train a student to imitate a teacher. */
#include "change.h"
#include "failure.h"
#include "verbs.h"

/* The teacher is the recipe's model, so that gates and report compare the student with it. */
static int distill(const struct arguments *args, struct mc_error *err)
{
    struct mc_recipe *recipe;
    if (!argument_given(args, "teacher")) return fail_usage(err, "distill", "needs --teacher MODEL");
    if (!argument_given(args, "student")) return fail_usage(err, "distill", "needs --student MODEL|ARCHITECTURE");
    int rc = change_recipe(args, argument_text(args, "teacher"), &recipe, err);
    if (rc < 0) return rc;
    rc = mc_recipe_set_text(recipe, "steps.0.distill.teacher", "original", "--teacher", err);
    if (rc == MC_OK) return change_run(args, recipe, NULL, false, err);
    mc_recipe_destroy(recipe);
    return rc;
}

static const struct mc_option options[] = {CHANGE_OPTIONS, {0}};

static const char *const distill_examples[] = {
    "compress distill --teacher model.onnx --student thinned --data glyphs,train=400,test=100 --epochs 2 -o student.onnx",
    NULL,
};

const struct verb verb_distill = {
    .name = "distill",
    .operands = "--teacher MODEL --student MODEL|ARCHITECTURE --data DATA -o OUT",
    .summary = "train a student to imitate a teacher",
    .about = "The report compares the student with the teacher.",
    .examples = distill_examples,
    .options = options,
    .step = "distill",
    .gated = true,
    .joins = true,
    .run = distill,
};
