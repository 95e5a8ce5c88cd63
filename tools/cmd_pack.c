/* cmd_pack.c - compress pack and unpack: an ONNX file in its container, and out again. */
#include <string.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

static enum mc_pack_level level_of(const struct arguments *args)
{
    const char *level = argument_text(args, "level");
    return strcmp(level, "fast") == 0 ? MC_PACK_FAST : strcmp(level, "best") == 0 ? MC_PACK_BEST : MC_PACK_AUTO;
}

/* Show what was done, and let it go. */
static int end(const struct arguments *args, struct mc_record *record, int rc, struct mc_error *err)
{
    if (rc == MC_OK) rc = session_show(args, record, err);
    mc_record_destroy(record);
    return rc;
}

static int pack(const struct arguments *args, struct mc_error *err)
{
    struct mc_record *record = NULL;
    if (!argument_given(args, "output")) return fail_usage(err, "pack", "needs -o FILE");
    const int rc = mc_pack_file(args->operands[0], argument_text(args, "output"), level_of(args),
                                argument_flag(args, "force"), &record, err);
    return end(args, record, rc, err);
}

static int unpack(const struct arguments *args, struct mc_error *err)
{
    struct mc_record *record = NULL;
    if (!argument_given(args, "output")) return fail_usage(err, "unpack", "needs -o MODEL");
    const int rc =
        mc_unpack_file(args->operands[0], argument_text(args, "output"), argument_flag(args, "force"), &record, err);
    return end(args, record, rc, err);
}

static const struct mc_option pack_options[] = {
    {"output", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL, "the container to write"},
    {"level", MC_OPTION_CHOICE, "LEVEL", "auto", NULL, "auto|fast|best", NULL,
     "how hard to try; auto: best up to 16 MiB, fast beyond"},
    {0},
};

static const struct mc_option unpack_options[] = {
    {"output", MC_OPTION_TEXT, "MODEL", NULL, NULL, NULL, NULL, "the ONNX file to write"},
    {0},
};

static const char *const pack_examples[] = {
    "compress pack model.onnx -o packed.onnx",
    NULL,
};

const struct verb verb_pack = {
    .name = "pack",
    .operands = "MODEL -o FILE",
    .summary = "put an ONNX file into a container that is a fraction of it and loses nothing",
    .about =
        "Zeros, few different values, and the distribution of the rest are coded apart from each other and from the\n"
        "graph. Whatever takes a model takes its container. External data go into it with the model.",
    .examples = pack_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = pack_options,
    .run = pack,
};

static const char *const unpack_examples[] = {
    "compress unpack packed.onnx -o again.onnx",
    NULL,
};

const struct verb verb_unpack = {
    .name = "unpack",
    .operands = "FILE -o MODEL",
    .summary = "take an ONNX file out of its container, byte for byte as it was",
    .about = "External data that are in the container are written beside the model, under the names that it has for them.",
    .examples = unpack_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = unpack_options,
    .run = unpack,
};
