/* cmd_compare.c - compress compare: two models side by side. */
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

static int load_inputs(const struct arguments *args, const struct mc_model *model, struct mc_item ***inputs, int *n,
                       struct mc_error *err)
{
    const int most = mc_model_n_inputs(model);
    *n = 0;
    *inputs = calloc((size_t)args->n_given + 1, sizeof **inputs);
    if (!*inputs) return fail(err, MC_ERR_SYSTEM, "out of memory");
    for (int i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, "input") != 0) continue;
        if (*n == most) return fail_usage(err, "compare", "--input: the models take %d", most);
        const int rc = mc_model_load_input(model, *n, args->given[i].text, &(*inputs)[*n], err);
        if (rc < 0) return rc;
        ++*n;
    }
    return MC_OK;
}

static int compare(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_compare how;
    struct mc_model *models[2] = {NULL};
    struct mc_item **inputs = NULL;
    struct mc_record *record = NULL;
    session_context(args, &context);
    mc_compare_init(&how);
    how.data = argument_text(args, "data");
    how.role = argument_text(args, "role");
    how.head = argument_text(args, "head");
    how.batch = argument_integer(args, "batch");
    how.samples = argument_integer(args, "samples");
    how.draws = (int)argument_integer(args, "draws");
    how.confidence = argument_number(args, "confidence");
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < 2; i++) rc = mc_model_load(&models[i], args->operands[i], err);
    for (int i = 0; rc == MC_OK && i < 2; i++) rc = session_settle(args, models[i], err);
    if (rc == MC_OK) rc = load_inputs(args, models[0], &inputs, &how.n_inputs, err);
    how.inputs = inputs;
    if (rc == MC_OK) rc = mc_model_compare(models[0], models[1], &how, &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    for (int i = 0; inputs && i < how.n_inputs; i++) mc_item_release(inputs[i]);
    free(inputs);
    for (int i = 0; i < 2; i++) mc_model_destroy(models[i]);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DATA_OPTION,
    {"role", MC_OPTION_CHOICE, "R", "test", NULL, "train|validation|test|calibration", "data", "which samples"},
    {"head", MC_OPTION_TEXT, "NAME", NULL, NULL, NULL, "data",
     "output that has the scores; default: the first of float32"},
    {"batch", MC_OPTION_INTEGER, "N", "0", "[0, inf)", NULL, "data", "samples per run; 0: a good number"},
    {"input", MC_OPTION_TEXT, "F...", NULL, NULL, NULL, NULL,
     "inputs for both, in the order of the graph, .pb or .npy; default: random ones"},
    {"samples", MC_OPTION_INTEGER, "N", "8", "[1, inf)", NULL, NULL,
     "how many random samples, where the models leave that open"},
    {"confidence", MC_OPTION_NUMBER, "X", "0.95", "(0, 1)", NULL, "data", "of the intervals of differences"},
    {"draws", MC_OPTION_INTEGER, "N", "1000", "[1, 1000000]", NULL, "data", "samples of the bootstrap"},
    SESSION_DIMS_OPTION,
    {0},
};

static const char *const compare_examples[] = {
    "compress compare model.onnx sparse.onnx --data glyphs,train=400,test=100",
    NULL,
};

const struct verb verb_compare = {
    .name = "compare",
    .operands = "A B [--data D]",
    .summary = "two models side by side: outputs, size, latency; on data, which is better, and how surely",
    .about = "Differences are those of B from A. On the same samples, McNemar's test tells whether what one model "
             "alone has right "
             "is more than chance; the interval of the difference in accuracy is Tango's score interval, that of other "
             "metrics comes from the bootstrap.",
    .examples = compare_examples,
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = compare,
};
