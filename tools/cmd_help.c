/* cmd_help.c - compress help, compress version: help and the manual, from the tables of verbs and options. */
#include <string.h>

#include "failure.h"
#include "help.h"
#include "session.h"
#include "verbs.h"

enum { INDENT = 4, WORD = 64 };

static int finish(struct mc_error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return MC_OK;
    return fail(err, MC_ERR_SYSTEM, "cannot write to stdout");
}

/* --- one option --- */

/* "-o, --output FILE" */
static void print_words(const struct mc_option *option, const char *quote)
{
    char word[WORD];
    fputs(quote, stdout);
    if (option_letter(option)) printf("-%c, ", option_letter(option));
    fputs(option_as_word(option, word, sizeof word), stdout);
    if (option->value) printf(" %s", option->value);
    fputs(quote, stdout);
}

/* Help, then range, choices, default and condition, where there are any. */
static void print_meaning(const struct mc_option *option)
{
    fputs(option->help, stdout);
    if (option->choices) printf("; %s", option->choices);
    if (option->range) printf("; in %s", option->range);
    if (option->only) printf("; with %s", option->only);
    if (option->fallback) printf("; default %s", option->fallback);
}

static void print_option(const struct mc_option *option)
{
    printf("%*s", INDENT, "");
    print_words(option, "");
    printf("\n%*s", 2 * INDENT, "");
    print_meaning(option);
    printf("\n");
}

static const char *const table_titles[OPTION_TABLES] = {"options", "options of the step", "gates", "common options"};

/* --- help --- */

int help_print_verb(const struct verb *verb, struct mc_error *err)
{
    printf("compress %s %s\n\n%*s%s\n", verb->name, verb->operands, INDENT, "", verb->summary);
    if (verb->about) printf("\n%s\n", verb->about);
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        if (n == 0) continue;
        printf("\n%s\n", table_titles[table]);
        for (size_t i = 0; i < n; i++) print_option(&options[i]);
    }
    return finish(err);
}

static int print_overview(struct mc_error *err)
{
    printf("compress VERB ... - prune, distil, measure and shrink ONNX models\n\n");
    for (int i = 0; verbs[i]; i++) printf("    %-10s%s\n", verbs[i]->name, verbs[i]->summary);
    printf("\n'compress help VERB' shows the options of a verb, 'compress help --man' the manual.\n");
    return finish(err);
}

/* --- manual, in Markdown: docs/compress.1.md --- */

static void manual_options(const struct mc_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("- ");
        print_words(&options[i], "`");
        printf(": ");
        print_meaning(&options[i]);
        printf("\n");
    }
}

static void manual_verb(const struct verb *verb)
{
    printf("\n### compress %s\n\n`compress %s %s`\n\n%c%s.\n", verb->name, verb->name, verb->operands,
           verb->summary[0] - 'a' + 'A', verb->summary + 1);
    if (verb->about) printf("\n%s\n", verb->about);
    for (int table = 0; table < 2; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        if (n > 0) printf("\n");
        manual_options(options, n);
    }
    if (verb->gated) printf("\nThe gates below are options too.\n");
}

static int print_manual(struct mc_error *err)
{
    printf(
        "# compress(1)\n\n"
        "`compress VERB ...` prunes, distils, measures and shrinks ONNX models.\n\n"
        "<!-- Written by 'compress help --man' from the tables that the program itself reads; a test compares. -->\n\n"
        "Results go to stdout, everything else to stderr. An option may stand anywhere after the verb, as\n"
        "`--name VALUE` or `--name=VALUE`; `--` ends options.\n\n"
        "## Verbs\n");
    for (int i = 0; verbs[i]; i++) manual_verb(verbs[i]);
    size_t n;
    const struct mc_option *options = mc_recipe_options("gates", &n);
    if (n > 0) printf("\n## Gates\n\n");
    manual_options(options, n);
    printf("\n## Options of every verb\n\n");
    options = verb_options(&verb_help, OPTION_TABLES - 1, &n);
    manual_options(options, n);
    printf("\n## Exit status\n\n"
           "| status | meaning |\n| ---: | --- |\n"
           "| 0 | done, every gate held |\n"
           "| 1 | done, a gate did not hold: the report says which, and no model was written unless asked for |\n"
           "| 2 | the command line or the recipe is wrong |\n"
           "| 3 | the model needs an operator or type that the verb cannot handle; the message names each node |\n"
           "| 4 | an input file is broken or does not fit |\n"
           "| 5 | the system failed: input/output, memory |\n"
           "| 6 | a self-check failed: a defect of this program; nothing was written |\n"
           "| 130 | interrupted; nothing was written |\n");
    return finish(err);
}

static int help(const struct arguments *args, struct mc_error *err)
{
    if (argument_flag(args, "man")) return print_manual(err);
    if (args->n_operands == 0) return print_overview(err);
    const struct verb *verb = verb_find(args->operands[0], err);
    return verb ? help_print_verb(verb, err) : MC_ERR_USAGE;
}

static int version(const struct arguments *args, struct mc_error *err)
{
    (void)args;
    printf("compress %s\n", MC_VERSION);
    return finish(err);
}

static const struct mc_option options[] = {
    {"man", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "print the manual, in Markdown"},
    {0},
};

const struct verb verb_help = {
    .name = "help",
    .operands = "[VERB]",
    .summary = "show the verbs, or the options of one",
    .max_operands = 1,
    .options = options,
    .run = help,
};

const struct verb verb_version = {
    .name = "version",
    .operands = "",
    .summary = "show the version",
    .run = version,
};
