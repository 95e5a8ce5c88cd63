/* cmd_eval.c - compress eval: loss and metrics on a data set. */
#include "failure.h"
#include "session.h"
#include "verbs.h"

static int eval(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_model *model = NULL;
    struct mc_record *record = NULL;
    const char *data = argument_text(args, "data");
    if (!data) return fail_usage(err, "eval", "needs --data D");
    session_context(args, &context);
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) rc = session_join(&context, err);
    if (rc == MC_OK)
        rc = mc_model_evaluate(model, data, argument_text(args, "role"), argument_text(args, "head"),
                               argument_integer(args, "batch"), &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    mc_model_destroy(model);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DATA_OPTION,
    {"role", MC_OPTION_CHOICE, "R", "test", NULL, "train|validation|test|calibration", NULL, "which samples"},
    SESSION_HEAD_OPTION,
    {"batch", MC_OPTION_INTEGER, "N", "0", "[0, inf)", NULL, NULL, "samples per run; 0: a good number"},
    {0},
};

static const char *const eval_examples[] = {
    "compress eval model.onnx --data glyphs,train=400,test=100 --json -",
    NULL,
};

const struct verb verb_eval = {
    .name = "eval",
    .operands = "MODEL --data D",
    .summary = "measure loss, accuracy, precision, recall and F1 on a data set",
    .examples = eval_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .joins = true,
    .run = eval,
};
