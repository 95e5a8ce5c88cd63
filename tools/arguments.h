/* arguments.h - the command line, taken apart by tables of options. */
#ifndef MC_TOOLS_ARGUMENTS_H
#define MC_TOOLS_ARGUMENTS_H

#include "compress/compress.h"

struct arguments;

/* One verb of the command. */
struct verb {
    const char *name;
    const char *operands;        /* as help shows them: "MODEL -o OUT" */
    const char *summary;         /* one line, lower case */
    const char *about;           /* further paragraphs of the manual, or NULL */
    const char *const *examples; /* command lines, which the tests run one after the other; ended by NULL */
    int min_operands, max_operands;
    const struct mc_option *options; /* its own; ended by a NULL name; may be NULL */
    const char *step;                /* step of a recipe whose options it takes as well, or NULL */
    bool gated;                      /* takes the gates of a recipe as options */
    bool joins;                      /* under mpirun its processes do one work together */
    int (*run)(const struct arguments *args, struct mc_error *err);
};

/* One option as it was given. */
struct given {
    const struct mc_option *option;
    const char *as;   /* "--sparsity" */
    const char *text; /* "true" for a flag */
};

struct arguments {
    const struct verb *verb;
    int n_operands;
    const char **operands;
    int n_given;
    struct given *given;
    char *names; /* memory behind given[].as */
};

/* Options of every verb; ended by a NULL name. */
extern const struct mc_option common_options[];

/* The tables of options that a verb takes: 0 its own, 1 its step's, 2 gates, 3 common; NULL with *n = 0 for none. */
enum { OPTION_TABLES = 4 };
const struct mc_option *verb_options(const struct verb *verb, int table, size_t *n);

/* "stop.patience" as "--stop-patience"; returns `out`. */
const char *option_as_word(const struct mc_option *option, char *out, size_t size);
/* The letter of -q, -v, …; 0: none. */
char option_letter(const struct mc_option *option);

/* Words after the verb. An option may stand anywhere, "--name value" or "--name=value"; "--" ends options. An option
 * whose value is shown with "..." takes every word up to the next option. MC_ERR_USAGE names the word and the nearest
 * valid one. `args` is finished by the caller in any case. */
int arguments_parse(struct arguments *args, const struct verb *verb, int n_words, char **words, struct mc_error *err);
void arguments_finish(struct arguments *args);

/* Last value given, else the option's fallback, which may be NULL. `name` must be an option of the verb. */
const char *argument_text(const struct arguments *args, const char *name);
bool argument_flag(const struct arguments *args, const char *name);
int64_t argument_integer(const struct arguments *args, const char *name); /* 0: absent */
double argument_number(const struct arguments *args, const char *name);
bool argument_given(const struct arguments *args, const char *name);

#endif
