/* cmd_help.c - compress help, compress version: help and the manual, from the tables of verbs and options. */
#include <string.h>

#include "completion.h"
#include "failure.h"
#include "help.h"
#include "schema.h"
#include "session.h"
#include "verbs.h"

enum { INDENT = 4, WORD = 64, MEANING = 512 };

static int finish(struct mc_error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return MC_OK;
    return fail(err, MC_ERR_SYSTEM, "cannot write to stdout");
}

/* --- one option --- */

/* "-o, --output FILE" */
static const char *option_words(const struct mc_option *option, char *out, size_t size)
{
    char word[WORD], letter[8] = "";
    if (option_letter(option)) snprintf(letter, sizeof letter, "-%c, ", option_letter(option));
    snprintf(out, size, "%s%s%s%s", letter, option_as_word(option, word, sizeof word), option->value ? " " : "",
             option->value ? option->value : "");
    return out;
}

/* Help, then choices, range, condition and default, where there are any. */
static const char *option_meaning(const struct mc_option *option, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s%s%s%s%s%s%s", option->help, option->choices ? "; " : "",
             option->choices ? option->choices : "", option->range ? "; in " : "", option->range ? option->range : "",
             option->only ? "; with " : "", option->only ? option->only : "", option->fallback ? "; default " : "",
             option->fallback ? option->fallback : "");
    return out;
}

static void print_option(const struct mc_option *option)
{
    char words[2 * WORD], meaning[MEANING];
    printf("%*s%s\n%*s%s\n", INDENT, "", option_words(option, words, sizeof words), 2 * INDENT, "",
           option_meaning(option, meaning, sizeof meaning));
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
    if (verb->examples) printf("\nexamples\n");
    for (size_t i = 0; verb->examples && verb->examples[i]; i++) printf("%*s%s\n", INDENT, "", verb->examples[i]);
    return finish(err);
}

static int print_overview(struct mc_error *err)
{
    printf("compress VERB ... - prune, distil, measure and shrink ONNX models\n\n");
    for (int i = 0; verbs[i]; i++) printf("    %-13s%s\n", verbs[i]->name, verbs[i]->summary);
    printf("\n'compress help VERB' shows the options of a verb, 'compress help --man' the manual.\n");
    return finish(err);
}

/* --- manual, in the macros of man(7): man/compress.1 --- */

/* Text with what roff would take for its own masked. */
static void roff(const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void manual_options(const struct mc_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char words[2 * WORD];
        printf(".TP\n.B ");
        roff(option_words(&options[i], words, sizeof words));
        putchar('\n');
        char meaning[MEANING];
        roff(option_meaning(&options[i], meaning, sizeof meaning));
        putchar('\n');
    }
}

static void manual_examples(const struct verb *verb)
{
    if (!verb->examples) return;
    printf(".PP\n.nf\n");
    for (size_t i = 0; verb->examples[i]; i++) {
        printf(".B ");
        roff(verb->examples[i]);
        putchar('\n');
    }
    printf(".fi\n");
}

static void manual_about(const struct verb *verb)
{
    if (!verb->about) return;
    printf(".PP\n");
    roff(verb->about);
    putchar('\n');
}

/* A section of the page of the whole command. */
static void manual_verb(const struct verb *verb)
{
    printf(".SS ");
    roff(verb->name);
    printf("\n.B compress %s\n", verb->name);
    roff(verb->operands);
    printf("\n.PP\n");
    roff(verb->summary);
    putchar('\n');
    manual_about(verb);
    for (int table = 0; table < 2; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        manual_options(options, n);
    }
    if (verb->gated) printf(".PP\nThe gates below are options too.\n");
    manual_examples(verb);
}

static const struct {
    const char *status, *meaning;
} exits[] = {
    {"0", "done, every gate held"},
    {"1", "done, a gate did not hold: the report says which, and no model was written unless asked for"},
    {"2", "the command line or the recipe is wrong"},
    {"3", "the model needs an operator or type that the verb cannot handle; the message names each node"},
    {"4", "an input file is broken or does not fit"},
    {"5", "the system failed: input/output, memory"},
    {"6", "a self-check failed: a defect of this program; nothing was written"},
    {"130", "interrupted; nothing was written"},
};

static void manual_exits(void)
{
    printf(".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        printf(".TP\n.B %s\n", exits[i].status);
        roff(exits[i].meaning);
        putchar('\n');
    }
}

/* The page of one verb alone: compress-prune(1). */
static int print_manual_of(const struct verb *verb, struct mc_error *err)
{
    printf(".\\\" Written by 'compress help %s --man'.\n.TH COMPRESS-", verb->name);
    for (const char *c = verb->name; *c; c++) putchar(*c - 'a' + 'A');
    printf(" 1 \"\" \"compress %s\"\n.SH NAME\ncompress-%s \\- ", MC_VERSION, verb->name);
    roff(verb->summary);
    printf("\n.SH SYNOPSIS\n.B compress %s\n", verb->name);
    roff(verb->operands);
    printf("\n");
    if (verb->about) printf(".SH DESCRIPTION\n");
    manual_about(verb);
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        if (n == 0) continue;
        printf(".SH ");
        for (const char *c = table_titles[table]; *c; c++) putchar(*c == ' ' ? ' ' : *c - 'a' + 'A');
        putchar('\n');
        manual_options(options, n);
    }
    if (verb->examples) printf(".SH EXAMPLES\n");
    manual_examples(verb);
    manual_exits();
    printf(".SH SEE ALSO\n.BR compress (1)\n");
    return finish(err);
}

static int print_manual(struct mc_error *err)
{
    size_t n;
    printf(".\\\" Written by 'compress help --man' from the tables that the program itself reads; a test compares.\n"
           ".TH COMPRESS 1 \"\" \"compress %s\"\n"
           ".SH NAME\ncompress \\- prune, distil, measure and shrink ONNX models\n"
           ".SH SYNOPSIS\n.B compress\n.I verb\n[operands and options]\n"
           ".SH DESCRIPTION\n"
           "Results go to stdout, everything else to stderr. An option may stand anywhere after the verb, as\n"
           "\\-\\-name VALUE or \\-\\-name=VALUE; \\-\\- ends options. A recipe takes the same options as keys.\n"
           ".SH VERBS\n",
           MC_VERSION);
    for (int i = 0; verbs[i]; i++) manual_verb(verbs[i]);
    printf(".SH GATES\nA gate that does not hold makes the exit status 1.\n");
    const struct mc_option *options = mc_recipe_options("gates", &n);
    manual_options(options, n);
    printf(".SH OPTIONS OF EVERY VERB\n");
    options = verb_options(&verb_help, OPTION_TABLES - 1, &n);
    manual_options(options, n);
    manual_exits();
    return finish(err);
}

static int help(const struct arguments *args, struct mc_error *err)
{
    const struct verb *verb = args->n_operands ? verb_find(args->operands[0], err) : NULL;
    if (args->n_operands && !verb) return MC_ERR_USAGE;
    if (argument_given(args, "completion")) {
        completion_print(argument_text(args, "completion"));
        return finish(err);
    }
    if (argument_given(args, "schema")) {
        schema_print_recipe();
        return finish(err);
    }
    if (argument_flag(args, "man")) return verb ? print_manual_of(verb, err) : print_manual(err);
    return verb ? help_print_verb(verb, err) : print_overview(err);
}

static int version(const struct arguments *args, struct mc_error *err)
{
    (void)args;
    printf("compress %s\n", MC_VERSION);
    return finish(err);
}

static const char *const examples[] = {
    "compress help prune",
    "compress help --schema recipe > recipe.schema.json",
    "compress help --completion bash > compress.bash",
    NULL,
};

static const struct mc_option options[] = {
    {"man", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "print the manual page, of the verb if one is named"},
    {"completion", MC_OPTION_CHOICE, "SHELL", NULL, NULL, "bash|zsh|fish", NULL,
     "print what lets a shell complete verbs, options and their choices"},
    {"schema", MC_OPTION_CHOICE, "WHAT", NULL, NULL, "recipe", NULL,
     "print the JSON Schema of recipes, for editors and validators"},
    {0},
};

const struct verb verb_help = {
    .name = "help",
    .operands = "[VERB]",
    .summary = "show the verbs, or the options of one",
    .examples = examples,
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
