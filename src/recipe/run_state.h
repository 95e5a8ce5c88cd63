/* run_state.h - a recipe between its check and its outputs: what run.c works on, and rehearsal.c looks at. */
#ifndef MC_RECIPE_RUN_STATE_H
#define MC_RECIPE_RUN_STATE_H

#include "metric/outcomes.h"
#include "recipe/outputs.h"
#include "recipe/recipe.h"
#include "recipe/stages.h"
#include "recipe/trial.h"
#include "recipe/work.h"
#include "report/record.h"

struct mc_run {
    const struct mc_recipe *recipe;
    struct mc_work work;
    struct mc_job job;
    struct mc_dataset *data;
    struct mc_model *original; /* if a step needs it */
    bool untrained;            /* the model is an architecture fresh from its seed */
    uint64_t seed;
    struct mc_outputs outputs;
    struct mc_stages stages; /* what is kept to go on from; dir NULL: nothing */
    struct mc_record *record;
    struct mc_record *baseline;                    /* of an earlier run, if a gate asks for it */
    struct mc_outcomes before, after;              /* answers of original and result, if a gate asks for them */
    struct mc_record *explanations[MC_MOST_STEPS]; /* one per step, or NULL */
    struct mc_file_out *saved[MC_MOST_STEPS];      /* begun in `outputs`; NULL: the step saves nothing */
    bool held;
    const struct mc_trial *trial; /* NULL: the whole recipe */
    struct mc_dataset *whole;     /* of which `data` is a fold; NULL: it is no fold */
};

/* Find everything that can be wrong, short of trying: the recipe, the files it names, those it would write; load
 * models, open data. `run` has recipe, outputs and perhaps trial set and is otherwise zero; it is finished by the
 * caller in any case. */
int mc_run_prepare(struct mc_run *run, const struct mc_context *context, struct mc_error *err);
void mc_run_finish(struct mc_run *run);

/* Title, program, threads, cpu, seed, recipe, model, data. */
void mc_run_record_head(struct mc_run *run);
/* Name and options of step i into its section; the job gets the step's seed. */
void mc_run_begin_step(struct mc_run *run, int i, struct mc_record *section);
/* The last measurement once more, under a name that does not depend on the number of steps, and with the graph. */
int mc_run_record_final(struct mc_run *run, struct mc_error *err);

/* Paths of all files that appear at the end, lent; returns how many. */
int mc_run_list_outputs(const struct mc_run *run, const char *paths[MC_MOST_OUTPUTS]);

#endif
