/* cmd_run.c - compress run: one inference, tensors from files to files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

/* Tensors of one run, in the graph's order. */
struct tensors {
    int n;
    struct mc_tensor **of;
};

static int tensors_init(struct tensors *tensors, int n, struct mc_error *err)
{
    *tensors = (struct tensors){.n = n, .of = calloc((size_t)n + 1, sizeof *tensors->of)};
    return tensors->of ? MC_OK : fail(err, MC_ERR_SYSTEM, "out of memory");
}

static void tensors_finish(struct tensors *tensors)
{
    for (int i = 0; tensors->of && i < tensors->n; i++) mc_tensor_destroy(tensors->of[i]);
    free(tensors->of);
}

static int load_inputs(const struct arguments *args, struct tensors *inputs, struct mc_error *err)
{
    int rc = tensors_init(inputs, args->n_given, err); /* room for the most that it can be */
    inputs->n = 0;
    for (int i = 0; rc == MC_OK && i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, "input") != 0) continue;
        rc = mc_tensor_load(&inputs->of[inputs->n], args->given[i].text, err);
        if (rc == MC_OK) inputs->n++;
    }
    return rc;
}

static int make_folder(const char *path, struct mc_error *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return MC_OK;
    return fail(err, MC_ERR_SYSTEM, "cannot create '%s': %s", path, strerror(errno));
}

static int save_outputs(const struct arguments *args, const struct mc_model *model, const struct tensors *outputs,
                        struct mc_error *err)
{
    const char *dir = argument_text(args, "output-dir"), *format = argument_text(args, "format");
    const bool force = argument_flag(args, "force"), quiet = argument_flag(args, "quiet");
    const size_t size = strlen(dir) + 64;
    char *path = malloc(size);
    int rc = path ? make_folder(dir, err) : fail(err, MC_ERR_SYSTEM, "out of memory");
    for (int i = 0; rc == MC_OK && i < outputs->n; i++) {
        snprintf(path, size, "%s/output_%d.%s", dir, i, format);
        rc = strcmp(format, "npy") == 0
                 ? mc_tensor_save_npy(outputs->of[i], path, force, err)
                 : mc_tensor_save_pb(outputs->of[i], mc_model_output_name(model, i), path, force, err);
        if (rc == MC_OK && !quiet) printf("%s\n", path);
    }
    free(path);
    return rc;
}

static int run(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_model *model = NULL;
    struct tensors inputs = {0}, outputs = {0};
    if (!argument_text(args, "output-dir")) return fail_usage(err, "run", "needs --output-dir DIR");
    session_context(args, &context);
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) rc = mc_model_check_inputs(model, err);
    if (rc == MC_OK) rc = load_inputs(args, &inputs, err);
    if (rc == MC_OK) rc = tensors_init(&outputs, mc_model_n_outputs(model), err);
    if (rc == MC_OK) rc = mc_model_run(model, &context, inputs.of, inputs.n, outputs.of, err);
    if (rc == MC_OK) rc = save_outputs(args, model, &outputs, err);
    tensors_finish(&outputs);
    tensors_finish(&inputs);
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

const struct verb verb_run = {
    .name = "run",
    .operands = "MODEL --input F... --output-dir DIR",
    .summary = "run a model once on given tensors",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = run,
};
