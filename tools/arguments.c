/* arguments.c - the command line, taken apart by tables of options; see arguments.h. */
#include "arguments.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { WORD = 64, MOST_WORDS = 256 };

const struct mc_option common_options[] = {
    {"json", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL, "write the record as JSON, replacing FILE; - is stdout"},
    {"report", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, NULL,
     "write the record as a report, replacing FILE: .html, .md, .xml (JUnit), .svg (badge) or .json; may be repeated"},
    {"quiet", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "print no results"},
    {"verbose", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL,
     "print layers, epochs and groups as well, and a log of steps and epochs"},
    {"seed", MC_OPTION_INTEGER, "N", "0", "[0, inf)", NULL, NULL, "seed of all that is random"},
    {"threads", MC_OPTION_INTEGER, "N", "0", "[0, 4096]", NULL, NULL, "threads; 0: as many as the process may use"},
    {"cpu", MC_OPTION_CHOICE, "SET", NULL, NULL, "portable|avx2|avx512", NULL,
     "the most of the instruction sets to use; default: the best there is"},
    {"force", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "replace files that exist"},
    {"help", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "show this help"},
    {0},
};

static const struct {
    char letter;
    const char *name;
} letters[] = {{'q', "quiet"}, {'v', "verbose"}, {'f', "force"}, {'h', "help"}, {'o', "output"}};

/* --- tables --- */

static size_t count(const struct mc_option *options)
{
    size_t n = 0;
    while (options && options[n].name) n++;
    return n;
}

const struct mc_option *verb_options(const struct verb *verb, int table, size_t *n)
{
    *n = 0;
    switch (table) {
    case 0:
        *n = count(verb->options);
        return verb->options;
    case 1:
        return verb->step ? mc_recipe_options(verb->step, n) : NULL;
    case 2:
        return verb->gated ? mc_recipe_options("gates", n) : NULL;
    default:
        *n = count(common_options);
        return common_options;
    }
}

const char *option_as_word(const struct mc_option *option, char *out, size_t size)
{
    snprintf(out, size, "--%s", option->name);
    for (char *c = out; *c; c++)
        if (*c == '.' || *c == '_') *c = '-';
    return out;
}

char option_letter(const struct mc_option *option)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (strcmp(letters[i].name, option->name) == 0) return letters[i].letter;
    return 0;
}

/* Is `word`, "--name" or "-n" of `length` letters, this option? */
static bool is_option(const struct mc_option *option, const char *word, size_t length)
{
    char name[WORD];
    if (word[1] != '-') return length == 2 && option_letter(option) == word[1];
    option_as_word(option, name, sizeof name);
    return strlen(name) == length && memcmp(name, word, length) == 0;
}

static const struct mc_option *find_option(const struct verb *verb, const char *word, size_t length)
{
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        for (size_t i = 0; i < n; i++)
            if (is_option(&options[i], word, length)) return &options[i];
    }
    return NULL;
}

static int refuse_unknown(const struct verb *verb, const char *word, size_t length, struct mc_error *err)
{
    char names[MOST_WORDS][WORD], given[WORD];
    const char *candidates[MOST_WORDS];
    size_t n_names = 0;
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        for (size_t i = 0; i < n && n_names < MOST_WORDS; i++, n_names++)
            candidates[n_names] = option_as_word(&options[i], names[n_names], WORD);
    }
    snprintf(given, sizeof given, "%.*s", (int)length, word);
    const char *nearest = mc_suggest(given, candidates, n_names);
    return fail_usage(err, verb->name, "unknown option '%s'%s%s%s", given, nearest ? " (did you mean '" : "",
                      nearest ? nearest : "", nearest ? "'?)" : "");
}

/* --- parsing --- */

struct parser {
    struct arguments *args;
    char **words;
    int n_words, at;
    char *names; /* next free byte of args->names */
};

static int refuse(struct parser *p, const char *word, const char *problem, struct mc_error *err)
{
    return fail_usage(err, p->args->verb->name, "%s: %s", word, problem);
}

/* One more given option. The text is checked here, so that a mistake is named as it was typed. */
static int give(struct parser *p, const struct mc_option *option, const char *as, const char *text,
                struct mc_error *err)
{
    struct mc_error why;
    if (mc_option_check(option, text, &why) < 0) return refuse(p, as, why.text, err);
    p->args->given[p->args->n_given++] = (struct given){option, as, text};
    return MC_OK;
}

static bool takes_many(const struct mc_option *option)
{
    return option->value && strstr(option->value, "...");
}

static int parse_option(struct parser *p, struct mc_error *err)
{
    const char *word = p->words[p->at++];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct mc_option *option = find_option(p->args->verb, word, length);
    if (!option) return refuse_unknown(p->args->verb, word, length, err);
    const char *as = p->names;
    memcpy(p->names, word, length);
    p->names += length + 1;
    if (option->kind == MC_OPTION_FLAG)
        return equals ? refuse(p, as, "takes no value", err) : give(p, option, as, "true", err);
    if (equals) return give(p, option, as, equals + 1, err);
    if (p->at == p->n_words) return refuse(p, as, "needs a value", err);
    int rc = give(p, option, as, p->words[p->at++], err);
    while (rc == MC_OK && takes_many(option) && p->at < p->n_words && p->words[p->at][0] != '-')
        rc = give(p, option, as, p->words[p->at++], err);
    return rc;
}

/* Does "name=one|two", or "name" for one that has a value, hold of the option `name` of the same verb? */
static bool condition_holds(const struct arguments *args, const char *only)
{
    char name[WORD];
    const size_t length = strcspn(only, "=");
    snprintf(name, sizeof name, "%.*s", (int)length, only);
    const char *text = argument_text(args, name);
    if (!text || !only[length]) return text != NULL;
    for (const char *word = only + length; *word; word += 1 + strcspn(word + 1, "|"))
        if (strcspn(word + 1, "|") == strlen(text) && strncmp(word + 1, text, strlen(text)) == 0) return true;
    return false;
}

static bool was_given(const struct arguments *args, const struct mc_option *option, const char **as)
{
    for (int i = 0; i < args->n_given; i++) {
        if (args->given[i].option != option) continue;
        *as = args->given[i].as;
        return true;
    }
    return false;
}

/* The verb's own options; those of steps and gates are checked with the recipe. */
static int check_conditions(struct parser *p, struct mc_error *err)
{
    size_t n;
    const struct mc_option *own = verb_options(p->args->verb, 0, &n);
    for (size_t i = 0; i < n; i++) {
        const char *as;
        if (!own[i].only || condition_holds(p->args, own[i].only) || !was_given(p->args, &own[i], &as)) continue;
        return fail_usage(err, p->args->verb->name, "%s: has a meaning only with --%s", as, own[i].only);
    }
    return MC_OK;
}

static int check_operands(struct parser *p, struct mc_error *err)
{
    const struct verb *verb = p->args->verb;
    const int n = p->args->n_operands;
    if (argument_flag(p->args, "help")) return MC_OK;
    if (n > verb->max_operands) return refuse(p, p->args->operands[verb->max_operands], "one word too many", err);
    if (n >= verb->min_operands) return MC_OK;
    return fail_usage(err, verb->name, "needs: compress %s %s", verb->name, verb->operands);
}

int arguments_parse(struct arguments *args, const struct verb *verb, int n_words, char **words, struct mc_error *err)
{
    size_t letters_needed = 1;
    for (int i = 0; i < n_words; i++) letters_needed += strlen(words[i]) + 1;
    *args = (struct arguments){
        .verb = verb,
        .operands = calloc((size_t)n_words + 1, sizeof *args->operands),
        .given = calloc((size_t)n_words + 1, sizeof *args->given),
        .names = calloc(letters_needed, 1),
    };
    if (!args->operands || !args->given || !args->names) return fail(err, MC_ERR_SYSTEM, "out of memory");
    struct parser p = {.args = args, .words = words, .n_words = n_words, .names = args->names};
    bool options_over = false;
    while (p.at < n_words) {
        const char *word = words[p.at];
        if (!options_over && strcmp(word, "--") == 0) {
            options_over = true;
            p.at++;
        } else if (!options_over && word[0] == '-' && word[1] != '\0') {
            const int rc = parse_option(&p, err);
            if (rc < 0) return rc;
        } else {
            args->operands[args->n_operands++] = words[p.at++];
        }
    }
    const int rc = check_operands(&p, err);
    return rc == MC_OK && !argument_flag(args, "help") ? check_conditions(&p, err) : rc;
}

void arguments_finish(struct arguments *args)
{
    free(args->operands);
    free(args->given);
    free(args->names);
}

/* --- asking --- */

static const struct given *last_given(const struct arguments *args, const char *name)
{
    for (int i = args->n_given; i-- > 0;)
        if (strcmp(args->given[i].option->name, name) == 0) return &args->given[i];
    return NULL;
}

bool argument_given(const struct arguments *args, const char *name)
{
    return last_given(args, name) != NULL;
}

const char *argument_text(const struct arguments *args, const char *name)
{
    const struct given *given = last_given(args, name);
    if (given) return given->text;
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(args->verb, table, &n);
        for (size_t i = 0; i < n; i++)
            if (strcmp(options[i].name, name) == 0) return options[i].fallback;
    }
    return NULL;
}

bool argument_flag(const struct arguments *args, const char *name)
{
    return last_given(args, name) != NULL;
}

int64_t argument_integer(const struct arguments *args, const char *name)
{
    const char *text = argument_text(args, name);
    return text ? strtoll(text, NULL, 10) : 0;
}

double argument_number(const struct arguments *args, const char *name)
{
    const char *text = argument_text(args, name);
    return text ? strtod(text, NULL) : 0;
}
