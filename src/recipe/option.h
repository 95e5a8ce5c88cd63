/* option.h - values of options: from text to type, with the range and the choices that the option declares.
 *
 * `struct mc_option` (compress.h) declares an option once; recipes, command line, help and manual all read that.
 */
#ifndef MC_RECIPE_OPTION_H
#define MC_RECIPE_OPTION_H

#include "train/train.h"

struct mc_yaml;

/* The value of one option; which member counts follows from its kind. */
struct mc_setting {
    bool given;       /* false: the fallback */
    bool present;     /* false: neither given nor a fallback; the rest is zero */
    const char *text; /* as it was written; lent by the recipe or the option */
    bool flag;
    int64_t integer; /* INTEGER; index of the CHOICE; bit set of a LIST */
    double number;   /* NUMBER, INTEGER */
    struct mc_rate rate;
    const struct mc_yaml *at; /* where it was given; NULL: the fallback */
    const char *path;         /* MODEL: where the file is; NULL for a choice or an architecture. Lent by the recipe */
    struct mc_model *model;   /* MODEL: once loaded; owned by the settings */
};

/* MC_ERR_USAGE: "needs a number in [0, 1), has '1.5'". Sets all but `given`; keeps a pointer to `text`. */
int mc_option_parse(const struct mc_option *option, const char *text, struct mc_setting *setting, struct mc_error *err);

/* "a number in [0, 1)": what the option takes, into `out`, which is returned. */
const char *mc_option_needs(const struct mc_option *option, char *out, size_t size);

/* "[0, 1)" with "inf" and "-inf" as ends. Asserts that it is well-formed: ranges are literals. */
bool mc_range_holds(const char *range, double value);

/* Word i of "a|b|c" into `out`; false when there are not so many. */
bool mc_choice_word(const char *choices, int i, char *out, size_t size);

/* All settings of one table, in its order. */
struct mc_settings {
    const struct mc_option *options;
    size_t n;
    struct mc_setting *values;
};

/* Every setting is its fallback. The fallbacks must parse, which is asserted. */
int mc_settings_init(struct mc_settings *settings, const struct mc_option *options, size_t n, struct mc_error *err);
void mc_settings_finish(struct mc_settings *settings);
/* By name, which must be in the table. */
struct mc_setting *mc_settings_find(const struct mc_settings *settings, const char *name);
bool mc_settings_has(const struct mc_settings *settings, const char *name); /* is the name in the table? */
double mc_settings_number(const struct mc_settings *settings, const char *name);
int64_t mc_settings_integer(const struct mc_settings *settings, const char *name);
const char *mc_settings_text(const struct mc_settings *settings, const char *name); /* NULL: not present */
bool mc_settings_flag(const struct mc_settings *settings, const char *name);
/* The file or architecture that a MODEL names; NULL: it is one of its choices. */
const struct mc_model *mc_settings_model(const struct mc_settings *settings, const char *name);
/* Was it given, or is there a fallback? */
bool mc_settings_present(const struct mc_settings *settings, const char *name);

/* Does a condition "method=channel", "optimizer=adam|adamw" or "teacher", that there is one, hold? NULL does. */
bool mc_settings_condition(const struct mc_settings *settings, const char *only);

#endif
