/* cmd_bench.c - compress bench: time per batch. */
#include <string.h>

#include "session.h"
#include "verbs.h"

static int bench(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_bench what;
    struct mc_model *model = NULL;
    struct mc_record *record = NULL;
    session_context(args, &context);
    mc_bench_init(&what);
    what.batch = argument_integer(args, "batch");
    what.seconds = argument_number(args, "seconds");
    what.train = argument_flag(args, "train");
    what.bfloat16 = strcmp(argument_text(args, "precision"), "bfloat16") == 0;
    what.per_node = argument_flag(args, "per-node");
    what.data = argument_text(args, "data");
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) rc = session_settle(args, model, err);
    if (rc == MC_OK && !what.train && !what.per_node) mc_model_spend(model); /* costs are counted from weights */
    if (rc == MC_OK) rc = mc_model_bench(model, &what, &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    mc_model_destroy(model);
    return rc;
}

static const struct mc_option options[] = {
    {"batch", MC_OPTION_INTEGER, "N", "1", "[1, inf)", NULL, NULL, "samples per run, where the model leaves it open"},
    SESSION_DIMS_OPTION,
    {"seconds", MC_OPTION_NUMBER, "S", "2", "[0, 86400]", NULL, NULL, "measure at least for so long"},
    {"train", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "time a training step: forward, cross-entropy on random labels, backward, SGD with momentum"},
    {"precision", MC_OPTION_CHOICE, "TYPE", "float32", NULL, "float32|bfloat16", "train",
     "what training multiplies matrices as; bfloat16: factors are rounded to it and sums are float32"},
    {"per-node", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "the time of every node, its GFLOP/s and GB/s, and what share that is of this machine's measured limits"},
    {"data", MC_OPTION_TEXT, "D", NULL, NULL, NULL, NULL,
     "also time reading batches of this data set's training samples, changed and normalized as training gets them"},
    {0},
};

static const char *const bench_examples[] = {
    "compress bench model.onnx --batch 8 --threads 1 --seconds 0.1",
    NULL,
};

const struct verb verb_bench = {
    .name = "bench",
    .operands = "MODEL",
    .summary = "time a batch on a warmed-up model",
    .examples = bench_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = bench,
};
