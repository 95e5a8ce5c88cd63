/* cmd_run.c - compress run: one inference, tensors from files to files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

/* What goes in or comes out of one run, in the graph's order. */
struct items {
    int n;
    struct mc_item **of;
};

static int items_init(struct items *items, int n, struct mc_error *err)
{
    *items = (struct items){.n = n, .of = calloc((size_t)n + 1, sizeof *items->of)};
    return items->of ? MC_OK : fail(err, MC_ERR_SYSTEM, "out of memory");
}

static void items_finish(struct items *items)
{
    for (int i = 0; items->of && i < items->n; i++) mc_item_release(items->of[i]);
    free(items->of);
}

static int load_inputs(const struct arguments *args, const struct mc_model *model, struct items *inputs,
                       struct mc_error *err)
{
    const int needed = mc_model_n_inputs(model);
    int given = 0;
    for (int i = 0; i < args->n_given; i++) given += strcmp(args->given[i].option->name, "input") == 0;
    if (given != needed)
        return fail(err, MC_ERR_USAGE, "the model takes %d input%s, has been given %d", needed, needed == 1 ? "" : "s",
                    given);
    int rc = items_init(inputs, given, err);
    for (int i = 0, k = 0; rc == MC_OK && i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, "input") != 0) continue;
        rc = mc_model_load_input(model, k, args->given[i].text, &inputs->of[k], err);
        k++;
    }
    return rc;
}

static int make_folder(const char *path, struct mc_error *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return MC_OK;
    return fail(err, MC_ERR_SYSTEM, "cannot create '%s': %s", path, strerror(errno));
}

static int save_outputs(const struct arguments *args, const struct mc_model *model, const struct items *outputs,
                        struct mc_error *err)
{
    const char *dir = argument_text(args, "output-dir"), *format = argument_text(args, "format");
    const bool force = argument_flag(args, "force"), quiet = argument_flag(args, "quiet");
    const size_t size = strlen(dir) + 64;
    char *path = malloc(size);
    int rc = path ? make_folder(dir, err) : fail(err, MC_ERR_SYSTEM, "out of memory");
    for (int i = 0; rc == MC_OK && i < outputs->n; i++) {
        snprintf(path, size, "%s/output_%d.%s", dir, i, format);
        rc = mc_model_save_output(model, i, outputs->of[i], path, strcmp(format, "npy") == 0, force, err);
        if (rc == MC_OK && !quiet) printf("%s\n", path);
    }
    free(path);
    return rc;
}

static int run(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_model *model = NULL;
    struct items inputs = {0}, outputs = {0};
    if (!argument_text(args, "output-dir")) return fail_usage(err, "run", "needs --output-dir DIR");
    session_context(args, &context);
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) mc_model_spend(model);
    if (rc == MC_OK) rc = load_inputs(args, model, &inputs, err);
    if (rc == MC_OK) rc = items_init(&outputs, mc_model_n_outputs(model), err);
    if (rc == MC_OK) rc = mc_model_run_items(model, &context, inputs.of, inputs.n, outputs.of, err);
    if (rc == MC_OK) rc = save_outputs(args, model, &outputs, err);
    items_finish(&outputs);
    items_finish(&inputs);
    mc_model_destroy(model);
    return rc;
}

static const struct mc_option options[] = {
    {"input", MC_OPTION_TEXT, "F...", NULL, NULL, NULL, NULL,
     "inputs in the graph's order, .pb (TensorProto) or .npy files; may be repeated"},
    {"output-dir", MC_OPTION_TEXT, "DIR", NULL, NULL, NULL, NULL,
     "where output_0.pb, output_1.pb, ... go; made if it is not there"},
    {"format", MC_OPTION_CHOICE, "KIND", "pb", NULL, "pb|npy", NULL, "format of the outputs"},
    {0},
};

static const char *const run_examples[] = {
    "compress run model.onnx --input image.npy --output-dir results --format npy",
    NULL,
};

const struct verb verb_run = {
    .name = "run",
    .operands = "MODEL --input F... --output-dir DIR",
    .summary = "run a model once on given tensors",
    .examples = run_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = run,
};
