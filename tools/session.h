/* session.h - what every verb does before and after its own work: context, progress, interrupt, results. */
#ifndef MC_TOOLS_SESSION_H
#define MC_TOOLS_SESSION_H

#include "arguments.h"

/* Context from the common options. Progress is drawn on stderr if that is a terminal; SIGINT and SIGTERM make the next
 * report of progress stop the work, a second one kills at once. */
void session_context(const struct arguments *args, struct mc_context *context);

/* Under mpirun: meet the other processes, which have to come here as well; the context gets them. */
int session_join(struct mc_context *context, struct mc_error *err);

/* Entries of the tables of verbs that measure on data. */
#define SESSION_DATA_OPTION                                                                                            \
    {                                                                                                                  \
        "data", MC_OPTION_TEXT, "D", NULL, NULL, NULL, NULL,                                                           \
            "data set: glyphs, mnist:DIR, cifar10:DIR, csv:FILE, npz:FILE, npy:DIR, images:DIR, with options"          \
    }
#define SESSION_HEAD_OPTION                                                                                            \
    {                                                                                                                  \
        "head", MC_OPTION_TEXT, "NAME", NULL, NULL, NULL, NULL,                                                        \
            "the output to look at, for a model with several; default: the first of float32"                           \
    }

/* The entry of a verb's table for session_settle. */
#define SESSION_DIMS_OPTION                                                                                            \
    {                                                                                                                  \
        "dims", MC_OPTION_TEXT, "NAME=N,...", NULL, NULL, NULL, NULL,                                                  \
            "what open dimensions of the inputs are to be: height=48,x.3=320"                                          \
    }

/* Settle the model's open dimensions by --dims, if it was given. */
int session_settle(const struct arguments *args, struct mc_model *model, struct mc_error *err);
/* Take the line of progress off the terminal. */
void session_clear_progress(void);

/* What the common options say can be checked before any work: names of reports. */
int session_check(const struct arguments *args, struct mc_error *err);
/* The record as the common options ask for it: --json, --report, -q, -v. */
int session_show(const struct arguments *args, const struct mc_record *record, struct mc_error *err);

#endif
