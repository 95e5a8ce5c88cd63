/* change.h - verbs that change a model: each is a recipe of one step, built from the command line. */
#ifndef MC_TOOLS_CHANGE_H
#define MC_TOOLS_CHANGE_H

#include "arguments.h"

/* Entries of every such verb's own table of options. */
#define CHANGE_OPTIONS                                                                                                 \
    {"output", MC_OPTION_TEXT, "OUT", NULL, NULL, NULL, NULL, "the ONNX file to write"},                               \
        {"head", MC_OPTION_TEXT,                                                                                       \
         "NAME", NULL,                                                                                                 \
         NULL,   NULL,                                                                                                 \
         NULL,   "the output to measure and to train, for a model with several; default: the first of float32"},       \
        {"dims",       MC_OPTION_TEXT,                                                                                 \
         "NAME=N,...", NULL,                                                                                           \
         NULL,         NULL,                                                                                           \
         NULL,         "what open dimensions of the inputs are to be while it is worked on: height=48,x.3=320"},       \
        {"measure",                                                                                                    \
         MC_OPTION_CHOICE,                                                                                             \
         "WHAT",                                                                                                       \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "counts|sizes|all",                                                                                           \
         NULL,                                                                                                         \
         "parameters, MACs, bytes; also what zstd and the container make of them; also latency (counts; all with "     \
         "--data, --json, --report or a gate)"},                                                                       \
        {"packed", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL, "write the result's packed container as well"},     \
        {"form", MC_OPTION_CHOICE,                                                                                     \
         "FORM", "dense",                                                                                              \
         NULL,   "dense|sparse",                                                                                       \
         NULL,   "sparse: initializers whose non-zeros and their places are shorter are written as such"},             \
    {                                                                                                                  \
        "data", MC_OPTION_TEXT, "DATA", NULL, NULL, NULL, NULL,                                                        \
            "data set to train on and to measure with: glyphs, mnist:DIR, cifar10:DIR, csv:FILE, npz:FILE, npy:DIR, "  \
            "images:DIR, with options"                                                                                 \
    }

/* A recipe of the verb's step on `model`, with all that the command line says. */
int change_recipe(const struct arguments *args, const char *model, struct mc_recipe **recipe, struct mc_error *err);

#define CHANGE_SET_OPTION                                                                                              \
    {                                                                                                                  \
        "set", MC_OPTION_TEXT, "PATH=VALUE", NULL, NULL, NULL, NULL,                                                   \
            "set what stands at a path of the recipe, as gates.max_bytes=60000; may be repeated"                       \
    }

/* What --seed and --set say of a recipe that was loaded. */
int change_set_all(const struct arguments *args, struct mc_recipe *recipe, struct mc_error *err);

/* Run a recipe and show its record, also when a gate did not hold; takes over the recipe. `dir` is its run directory;
 * NULL: it has none, and outputs go where they say. */
int change_run(const struct arguments *args, struct mc_recipe *recipe, const char *dir, bool resume,
               struct mc_error *err);

#endif
