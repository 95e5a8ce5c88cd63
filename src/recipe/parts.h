/* parts.h - the parts of a recipe beside its steps and gates: top level and output. */
#ifndef MC_RECIPE_PARTS_H
#define MC_RECIPE_PARTS_H

#include "recipe/option.h"

extern const struct mc_option mc_recipe_top_options[]; /* without the keys that hold a part: steps, gates, output */
extern const size_t mc_recipe_top_options_count;
extern const struct mc_option mc_output_options[];
extern const size_t mc_output_options_count;

extern const struct mc_option mc_step_options[]; /* of every step, beside those of its kind */
extern const size_t mc_step_options_count;

extern const struct mc_option mc_tune_options[]; /* without the key that holds a part: space */
extern const size_t mc_tune_options_count;

enum mc_search { MC_SEARCH_GRID, MC_SEARCH_RANDOM, MC_SEARCH_HALVING, MC_SEARCH_LADDER }; /* choices of tune.search */

/* Choices of output.report, by bit. */
enum {
    MC_REPORT_JSON,
    MC_REPORT_MARKDOWN,
    MC_REPORT_HTML,
    MC_REPORT_JUNIT,
    MC_REPORT_COMMENT,
    MC_REPORT_BADGE,
    MC_REPORT_KINDS,
};

#endif
