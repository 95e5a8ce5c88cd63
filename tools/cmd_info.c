/* cmd_info.c - compress info: what a model is and what can be done with it. */
#include "session.h"
#include "verbs.h"

static int info(const struct arguments *args, struct mc_error *err)
{
    struct mc_context context;
    struct mc_model *model = NULL;
    struct mc_record *record = NULL;
    session_context(args, &context);
    int rc = mc_model_load(&model, args->operands[0], err);
    if (rc == MC_OK) rc = session_settle(args, model, err);
    if (rc == MC_OK) rc = mc_model_info(model, &context, &record, err);
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    mc_model_destroy(model);
    return rc;
}

static const struct mc_option options[] = {
    SESSION_DIMS_OPTION,
    {0},
};

static const char *const info_examples[] = {
    "compress info model.onnx -v",
    NULL,
};

const struct verb verb_info = {
    .name = "info",
    .operands = "MODEL",
    .summary = "show operators, parameters, multiply-accumulates, bytes, sparsity; what can be run, trained, pruned",
    .examples = info_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = info,
};
