/* steps.h - the kinds of step: what each is called, which options it takes, what it does.
 *
 * Adding a step: write step_<name>.c with its options and its run function, end it with a constant, list it in
 * steps.c. Recipes, command line, help and manual follow.
 */
#ifndef MC_RECIPE_STEPS_H
#define MC_RECIPE_STEPS_H

#include "prune/prune.h"
#include "recipe/option.h"

struct mc_context;
struct mc_rehearsal;

/* What a step works on. */
struct mc_job {
    struct mc_model *model;          /* being shrunk, owned by the job; a step may put another in its place */
    const struct mc_model *original; /* as the recipe found it; NULL unless a step needs it */
    const struct mc_dataset *data;   /* NULL: none */
    const char *head;                /* name of the output that is measured and trained; NULL: the first */
    const struct mc_context *context;
    const struct mc_stages *stages; /* whose log tells what is done */
    struct mc_runtime runtime;
    uint64_t seed;          /* of this step */
    const char *checkpoint; /* where this step saves its state; NULL: nowhere */
    bool resumes;           /* it goes on from there, whatever its option says */
    bool defers; /* what is written next is too large for memory: mapped contents are changed when they are written */
    struct mc_rehearsal *rehearsal; /* NULL: it is in earnest (recipe/rehearsal.h) */
    struct mc_record *explain;      /* of this step, for what its option "explain" asks for; NULL: nothing */
};

struct mc_step_kind {
    const char *name;
    const char *help; /* one line */
    const struct mc_option *options;
    size_t n_options;
    /* Does a step with these settings need data? */
    bool (*needs_data)(const struct mc_settings *settings);
    /* Does it need the model as it was before the first step? NULL: never. */
    bool (*needs_original)(const struct mc_settings *settings);
    /* Does such a step change nothing but what initializers contain? NULL: it may. */
    bool (*keeps_graph)(const struct mc_settings *settings);
    /* What the table of options cannot say: MC_ERR_USAGE, and *option names the option that is meant. May be NULL. */
    int (*check)(const struct mc_settings *settings, const char **option, struct mc_error *err);
    /* Do it; in a rehearsal only what takes little time and leaves the model in its shape. `section` gets what was
     * done. After a failure the job's model may be anything. */
    int (*run)(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err);
};

extern const struct mc_step_kind mc_step_train, mc_step_finetune, mc_step_prune, mc_step_factorize, mc_step_distill,
    mc_step_cluster, mc_step_quantize, mc_step_optimize;

/* Samples of the calibration role, as many as the option "samples" says, with the job's progress. */
struct mc_samples mc_job_samples(const struct mc_settings *settings, const struct mc_job *job);
/* What a step's bound of accuracy is measured by: that of a model on the job's validation samples. MC_ERR_INPUT
 * without such, MC_ERR_USAGE for data without classes. */
int mc_job_accuracy(const struct mc_job *job, const struct mc_model *model, double *accuracy, struct mc_error *err);

/* All of them, in the order in which help shows them. */
extern const struct mc_step_kind *const mc_steps[];
extern const size_t mc_steps_count;

const struct mc_step_kind *mc_steps_find(const char *name); /* NULL: unknown */

#endif
