/* cancel.c - train with a callback that watches the progress, and stops after so many steps.
 *
 *   cancel STEPS
 *
 * What was stopped leaves no file and ends with MC_INTERRUPTED.
 */
#include <compress/compress.h>
#include <stdlib.h>

struct watch {
    int64_t most, seen;
};

static bool progress(void *context, const struct mc_progress *at)
{
    struct watch *watch = context;
    watch->seen++;
    return at->done < watch->most;
}

int main(int argc, char **argv)
{
    struct watch watch = {.most = argc > 1 ? atoll(argv[1]) : 10};
    struct mc_context context;
    struct mc_error err = {0};
    struct mc_recipe *recipe = NULL;
    struct mc_record *record = NULL;
    mc_context_init(&context);
    context.progress = progress;
    context.progress_context = &watch;
    int rc = mc_recipe_create(&recipe, &err);
    if (rc == MC_OK) rc = mc_recipe_set(recipe, "model", "mlp:784-16-10", NULL, &err);
    if (rc == MC_OK) rc = mc_recipe_set(recipe, "data", "glyphs,train=2000,test=100", NULL, &err);
    if (rc == MC_OK) rc = mc_recipe_set(recipe, "steps.0.train.epochs", "20", NULL, &err);
    if (rc == MC_OK) rc = mc_recipe_run(recipe, &context, NULL, false, &record, &err);
    printf("%s%s\n", watch.seen > 0 ? "watched, " : "", mc_status_name(rc));
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
    return rc == MC_INTERRUPTED ? 0 : 1;
}
