/* option.c - values of options: from text to type; see option.h. */
#include "recipe/option.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { WORD = 64 };

/* --- ranges and choices --- */

bool mc_range_holds(const char *range, double value)
{
    char open, close, *end;
    open = range[0];
    const double low = strtod(range + 1, &end);
    assert((open == '[' || open == '(') && *end == ',');
    const double high = strtod(end + 1, &end);
    close = *end;
    assert((close == ']' || close == ')') && end[1] == '\0');
    const bool above = open == '[' ? value >= low : value > low; /* false for NaN */
    const bool below = close == ']' ? value <= high : value < high;
    return above && below;
}

bool mc_choice_word(const char *choices, int i, char *out, size_t size)
{
    for (; i > 0; i--) {
        choices = strchr(choices, '|');
        if (!choices) return false;
        choices++;
    }
    const size_t length = strcspn(choices, "|");
    assert(length < size);
    memcpy(out, choices, length);
    out[length] = '\0';
    return true;
}

/* Index of the word text[0 … length), or -1. */
static int find_choice(const char *choices, const char *text, size_t length)
{
    char word[WORD];
    for (int i = 0; mc_choice_word(choices, i, word, sizeof word); i++)
        if (strlen(word) == length && memcmp(word, text, length) == 0) return i;
    return -1;
}

/* --- kinds --- */

const char *mc_option_needs(const struct mc_option *option, char *out, size_t size)
{
    static const char *const kinds[] = {
        [MC_OPTION_FLAG] = "true or false",
        [MC_OPTION_INTEGER] = "an integer",
        [MC_OPTION_NUMBER] = "a number",
        [MC_OPTION_TEXT] = "a text",
        [MC_OPTION_RATE] =
            "a rate above 0, or with a schedule step:…, exponential:…, linear:…, cosine:…, one-cycle:… or "
            "plateau:…",
        [MC_OPTION_LIST] = "a list of ",
        [MC_OPTION_MODEL] = "a file or an architecture",
        [MC_OPTION_NUMBERS] = "numbers of at least 0 with commas between them",
        [MC_OPTION_BOUNDS] = "names with a number each, NAME:X,NAME:X",
    };
    const bool listed = option->kind == MC_OPTION_CHOICE || option->kind == MC_OPTION_LIST;
    snprintf(out, size, "%s%s%s%s", kinds[option->kind] ? kinds[option->kind] : "", listed ? option->choices : "",
             option->range ? " in " : "", option->range ? option->range : "");
    return out;
}

static int refuse(const struct mc_option *option, const char *text, struct mc_error *err)
{
    char needs[8 * WORD];
    return mc_error_set(err, MC_ERR_USAGE, "needs %s, has '%s'", mc_option_needs(option, needs, sizeof needs), text);
}

/* A decimal number and nothing else; strtod alone would take "nan", "0x1p3" and leading blanks as well. */
static bool read_number(const char *text, double *value)
{
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return false;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static int parse_number(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    if (!read_number(text, &s->number) || (option->range && !mc_range_holds(option->range, s->number)))
        return refuse(option, text, err);
    return MC_OK;
}

static int parse_integer(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    const bool whole = *text && strspn(text, "0123456789+-") == strlen(text) && *end == '\0' && errno == 0;
    if (!whole || (option->range && !mc_range_holds(option->range, (double)value))) return refuse(option, text, err);
    s->integer = value;
    s->number = (double)value;
    return MC_OK;
}

static int parse_flag(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    s->flag = strcmp(text, "true") == 0;
    return s->flag || strcmp(text, "false") == 0 ? MC_OK : refuse(option, text, err);
}

/* The text's first `length` letters are one of the choices; else say which there are, and which was meant. */
static int parse_word(const struct mc_option *option, const char *text, size_t length, int *index, struct mc_error *err)
{
    *index = find_choice(option->choices, text, length);
    if (*index >= 0) return MC_OK;
    char words[16][WORD], given[WORD];
    const char *candidates[MC_COUNT(words)];
    int n = 0;
    while (n < (int)MC_COUNT(words) && mc_choice_word(option->choices, n, words[n], WORD)) {
        candidates[n] = words[n];
        n++;
    }
    snprintf(given, sizeof given, "%.*s", (int)length, text);
    const char *nearest = mc_suggest(given, candidates, (size_t)n);
    return mc_error_set(err, MC_ERR_USAGE, "needs %s, has '%s'%s%s%s", option->choices, given,
                        nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
}

static int parse_choice(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    int index;
    const int rc = parse_word(option, text, strlen(text), &index, err);
    if (rc == MC_OK) s->integer = index;
    return rc;
}

static int parse_list(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, ",");
        int index;
        const int rc = parse_word(option, at, length, &index, err);
        if (rc < 0) return rc;
        s->integer |= INT64_C(1) << index;
        at += length + (at[length] == ',');
    }
    return MC_OK;
}

/* What follows the name of a schedule: so many numbers. */
static const struct schedule {
    const char *name, *form;
    int least, most;
} schedules[] = {
    [MC_RATE_CONSTANT] = {"constant", "RATE", 1, 1},
    [MC_RATE_STEP] = {"step", "RATE,FACTOR,EPOCH... with rising epochs", 3, 2 + MC_MOST_MILESTONES},
    [MC_RATE_EXPONENTIAL] = {"exponential", "RATE,FACTOR", 2, 2},
    [MC_RATE_LINEAR] = {"linear", "RATE or RATE,LAST", 1, 2},
    [MC_RATE_COSINE] = {"cosine", "RATE or RATE,LAST", 1, 2},
    [MC_RATE_ONE_CYCLE] = {"one-cycle", "RATE or RATE,SHARE", 1, 2},
    [MC_RATE_PLATEAU] = {"plateau", "RATE,FACTOR,EPOCHS", 3, 3},
};
enum { MOST_NUMBERS = 2 + MC_MOST_MILESTONES };

/* The next of "0.001,0.9", and *at behind its comma; NULL behind the last. */
static bool next_number(const char **at, double *number)
{
    char word[WORD];
    const size_t length = strcspn(*at, ",");
    if (length >= sizeof word) return false;
    memcpy(word, *at, length);
    word[length] = '\0';
    *at = (*at)[length] ? *at + length + 1 : NULL;
    return read_number(word, number);
}

/* "0.001,0.9" into numbers; how many, or -1. */
static int read_numbers(const char *text, double *numbers, int most)
{
    int n = 0;
    while (text)
        if (n == most || !next_number(&text, &numbers[n++])) return -1;
    return n;
}

/* The numbers of a schedule where they belong; are they such that it makes sense? */
static bool settle_rate(struct mc_rate *rate, const double *x, int n)
{
    rate->first = x[0];
    bool good = x[0] > 0;
    switch (rate->kind) {
    case MC_RATE_STEP:
    case MC_RATE_PLATEAU:
        rate->n_milestones = n - 2;
        memcpy(rate->milestones, x + 2, (size_t)(n - 2) * sizeof *x);
        for (int i = 2; i < n; i++) good = good && x[i] >= (rate->kind == MC_RATE_STEP) && (i == 2 || x[i] > x[i - 1]);
        rate->factor = x[1];
        return good && x[1] > 0 && x[1] <= 1;
    case MC_RATE_EXPONENTIAL:
        rate->factor = x[1];
        return good && x[1] > 0 && x[1] <= 1;
    case MC_RATE_LINEAR:
    case MC_RATE_COSINE:
        rate->last = n > 1 ? x[1] : 0;
        return good && rate->last >= 0 && rate->last <= x[0];
    case MC_RATE_ONE_CYCLE:
        rate->rise = n > 1 ? x[1] : 0.3;
        return good && rate->rise > 0 && rate->rise < 1;
    case MC_RATE_CONSTANT:
        break;
    }
    return good;
}

/* The schedule that a rate names: constant for a number alone; NULL for an unknown one. */
static const struct schedule *find_schedule(const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon) return &schedules[MC_RATE_CONSTANT];
    for (size_t i = 0; i < MC_COUNT(schedules); i++)
        if (strlen(schedules[i].name) == (size_t)(colon - text) &&
            memcmp(schedules[i].name, text, (size_t)(colon - text)) == 0)
            return &schedules[i];
    return NULL;
}

/* "0.01", "linear:0.01", "exponential:0.001,0.9", … */
static int parse_rate(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    double numbers[MOST_NUMBERS];
    const char *colon = strchr(text, ':');
    const struct schedule *schedule = find_schedule(text);
    if (!schedule) return refuse(option, text, err);
    s->rate = (struct mc_rate){.kind = (enum mc_rate_kind)(schedule - schedules), .factor = 1};
    const int n = read_numbers(colon ? colon + 1 : text, numbers, schedule->most);
    if (n >= schedule->least && settle_rate(&s->rate, numbers, n)) return MC_OK;
    if (!colon) return refuse(option, text, err);
    return mc_error_set(err, MC_ERR_USAGE, "needs %s:%s, in their ranges; has '%s'", schedule->name, schedule->form,
                        text);
}

static int parse_numbers(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    (void)s;
    double number;
    if (option->choices && find_choice(option->choices, text, strlen(text)) >= 0) return MC_OK;
    for (const char *at = text; at;)
        if (!next_number(&at, &number) || number < 0) return refuse(option, text, err);
    return MC_OK;
}

static int parse_text(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    (void)s;
    return *text ? MC_OK : refuse(option, text, err);
}

/* "f1:0.9,recall.cat:0.8"; what the names are is for those to say who know them. */
static int parse_bounds(const struct mc_option *option, const char *text, struct mc_setting *s, struct mc_error *err)
{
    (void)s;
    for (const char *at = text;;) {
        char number[WORD];
        const size_t length = strcspn(at, ",");
        const char *colon = at + length;
        double value;
        while (colon > at && *colon != ':') colon--;
        const size_t digits = (size_t)(at + length - colon);
        if (colon == at || digits < 2 || digits > sizeof number || (size_t)(colon - at) >= WORD)
            return refuse(option, text, err);
        snprintf(number, sizeof number, "%.*s", (int)digits - 1, colon + 1);
        if (!read_number(number, &value)) return refuse(option, text, err);
        if (!at[length]) return MC_OK;
        at += length + 1;
    }
}

int mc_option_parse(const struct mc_option *option, const char *text, struct mc_setting *setting, struct mc_error *err)
{
    static int (*const parsers[])(const struct mc_option *, const char *, struct mc_setting *, struct mc_error *) = {
        [MC_OPTION_FLAG] = parse_flag,     [MC_OPTION_INTEGER] = parse_integer, [MC_OPTION_NUMBER] = parse_number,
        [MC_OPTION_TEXT] = parse_text,     [MC_OPTION_CHOICE] = parse_choice,   [MC_OPTION_RATE] = parse_rate,
        [MC_OPTION_LIST] = parse_list,     [MC_OPTION_MODEL] = parse_text,      [MC_OPTION_NUMBERS] = parse_numbers,
        [MC_OPTION_BOUNDS] = parse_bounds,
    };
    struct mc_setting parsed = {.given = setting->given, .present = true, .text = text};
    const int rc = parsers[option->kind](option, text, &parsed, err);
    if (rc == MC_OK) *setting = parsed;
    return rc;
}

int mc_option_check(const struct mc_option *option, const char *text, struct mc_error *err)
{
    struct mc_setting setting = {0};
    return mc_option_parse(option, text, &setting, err);
}

/* --- tables --- */

int mc_settings_init(struct mc_settings *settings, const struct mc_option *options, size_t n, struct mc_error *err)
{
    *settings = (struct mc_settings){.options = options, .n = n, .values = MC_NEW_ARRAY(struct mc_setting, n)};
    if (!settings->values) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (!options[i].fallback) continue;
        const int rc = mc_option_parse(&options[i], options[i].fallback, &settings->values[i], NULL);
        assert(rc == MC_OK);
        (void)rc;
    }
    return MC_OK;
}

void mc_settings_finish(struct mc_settings *settings)
{
    for (size_t i = 0; settings->values && i < settings->n; i++) mc_model_destroy(settings->values[i].model);
    mc_free(settings->values);
    *settings = (struct mc_settings){0};
}

static struct mc_setting *look_up(const struct mc_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n; i++)
        if (strcmp(settings->options[i].name, name) == 0) return &settings->values[i];
    return NULL;
}

bool mc_settings_has(const struct mc_settings *settings, const char *name)
{
    return look_up(settings, name) != NULL;
}

struct mc_setting *mc_settings_find(const struct mc_settings *settings, const char *name)
{
    struct mc_setting *setting = look_up(settings, name);
    assert(setting);
    return setting;
}

double mc_settings_number(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->number;
}

int64_t mc_settings_integer(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->integer;
}

const char *mc_settings_text(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->text;
}

bool mc_settings_flag(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->flag;
}

const struct mc_model *mc_settings_model(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->model;
}

bool mc_settings_present(const struct mc_settings *settings, const char *name)
{
    return mc_settings_find(settings, name)->present;
}

bool mc_settings_condition(const struct mc_settings *settings, const char *only)
{
    if (!only) return true;
    char name[WORD];
    const size_t length = strcspn(only, "=");
    assert(length < sizeof name);
    memcpy(name, only, length);
    name[length] = '\0';
    if (only[length] == '\0') return mc_settings_present(settings, name);
    const char *text = mc_settings_text(settings, name);
    return text && find_choice(only + length + 1, text, strlen(text)) >= 0;
}
