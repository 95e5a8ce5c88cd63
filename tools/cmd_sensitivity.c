/* cmd_sensitivity.c - compress sensitivity: loss and accuracy against the width of each layer. */
#include "failure.h"
#include "session.h"
#include "verbs.h"

static int sensitivity(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_sensitivity what;
    struct mc_model *model = NULL;
    struct mc_record *record = NULL;
    const char *data = argument_text(args, "data");
    if (!data) return fail_usage(err, "sensitivity", "needs --data D");
    session_context(args, &context);
    mc_sensitivity_init(&what);
    what.role = argument_text(args, "role");
    what.head = argument_text(args, "head");
    what.criterion = argument_text(args, "criterion");
    what.exclude = argument_text(args, "exclude");
    what.step = argument_number(args, "step");
    what.samples = argument_integer(args, "samples");
    what.results = argument_text(args, "results");
    what.anew = argument_flag(args, "force");
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) rc = session_settle(args, model, err);
    if (rc == MC_OK) rc = mc_model_sensitivity(model, data, &what, &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    mc_model_destroy(model);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DATA_OPTION,
    {"role", MC_OPTION_CHOICE, "R", "validation", NULL, "train|validation|test|calibration", NULL,
     "samples to evaluate on"},
    SESSION_HEAD_OPTION,
    SESSION_DIMS_OPTION,
    {"step", MC_OPTION_NUMBER, "X", "0.25", "(0, 1)", NULL, NULL,
     "shares of each layer's channels that are tried: X, twice X, … below 1"},
    {"criterion", MC_OPTION_CHOICE, "NAME", "l2", NULL, "l1|l2|random|scale|lamp|fpgm|taylor|obd|activation|apoz", NULL,
     "by what the channels of a layer are ranked"},
    {"samples", MC_OPTION_INTEGER, "N", "512", "[1, 1e9]", NULL, "criterion=taylor|obd|activation|apoz",
     "samples of the calibration role that a criterion looks at, at most"},
    {"exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, NULL,
     "names of tensors whose channels are left alone, with * and ?, separated by commas"},
    {"results", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL,
     "add each point to FILE as it comes, and go on with what a run that was stopped has left there (-f: anew)"},
    {0},
};

static const char *const sensitivity_examples[] = {
    "compress sensitivity model.onnx --data glyphs,train=400,test=100 --step 0.5",
    NULL,
};

const struct verb verb_sensitivity = {
    .name = "sensitivity",
    .operands = "MODEL --data D",
    .summary = "measure what each layer's width is worth: loss and accuracy against channels removed",
    .examples = sensitivity_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = sensitivity,
};
