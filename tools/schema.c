/* schema.c - what a recipe may say, as a JSON Schema; see schema.h. Everything comes from the tables of options. */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/compress.h"

enum { WORD = 64 };

/* --- JSON --- */

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

/* "a|b" as ["a", "b"] */
static void print_words(const char *choices)
{
    char word[WORD];
    putchar('[');
    for (const char *at = choices; *at;) {
        const size_t length = strcspn(at, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        printf("%s", at == choices ? "" : ", ");
        print_text(word);
        at += length + (at[length] == '|');
    }
    putchar(']');
}

/* --- options --- */

/* "[0, 1)" as bounds; infinite ones are none. */
static void print_range(const char *range)
{
    char *end;
    if (!range) return;
    const double low = strtod(range + 1, &end), high = strtod(end + 1, &end);
    if (low > -1e300) printf(", \"%s\": %g", *range == '[' ? "minimum" : "exclusiveMinimum", low);
    if (high < 1e300) printf(", \"%s\": %g", *end == ']' ? "maximum" : "exclusiveMaximum", high);
}

#define A_LIST "\"type\": \"array\", \"items\": "
#define A_NUMBER "{\"type\": \"number\"}"

static void print_type(const struct mc_option *option)
{
    switch (option->kind) {
    case MC_OPTION_FLAG:
        printf("{\"type\": \"boolean\"}");
        break;
    case MC_OPTION_INTEGER:
    case MC_OPTION_NUMBER:
        printf("{\"type\": \"%s\"", option->kind == MC_OPTION_INTEGER ? "integer" : "number");
        print_range(option->range);
        printf("}");
        break;
    case MC_OPTION_CHOICE:
        printf("{\"enum\": ");
        print_words(option->choices);
        printf("}");
        break;
    case MC_OPTION_LIST:
        printf("{\"type\": \"string\"}, {" A_LIST "{\"enum\": ");
        print_words(option->choices);
        printf("}}");
        break;
    case MC_OPTION_RATE:
        printf("{\"type\": \"number\", \"exclusiveMinimum\": 0}, {\"type\": \"string\"}, {\"type\": \"object\", "
               "\"maxProperties\": 1, \"additionalProperties\": {\"anyOf\": [" A_NUMBER ", {" A_LIST A_NUMBER "}]}}");
        break;
    case MC_OPTION_BOUNDS:
        printf("{\"type\": \"string\"}, {\"type\": \"object\", \"additionalProperties\": " A_NUMBER "}");
        break;
    case MC_OPTION_NUMBERS:
        printf("{\"type\": \"string\"}, {" A_LIST A_NUMBER "}");
        break;
    case MC_OPTION_TEXT:
    case MC_OPTION_MODEL:
        printf("{\"type\": \"string\"}%s", strcmp(option->name, "data") == 0 ? ", {\"type\": \"object\"}" : "");
        break;
    }
}

static void print_option(const struct mc_option *option, int indent)
{
    const char *dot = strrchr(option->name, '.');
    printf("%*s", indent, "");
    print_text(dot ? dot + 1 : option->name);
    printf(": {\"description\": ");
    print_text(option->help);
    if (option->fallback) printf(", \"default\": ");
    if (option->fallback) print_text(option->fallback);
    printf(", \"anyOf\": [");
    print_type(option);
    printf(", {\"$ref\": \"#/$defs/variable\"}]}");
}

/* Does "stop.patience" lie in "stop"? */
static bool lies_in(const struct mc_option *option, const char *group, size_t length)
{
    return strncmp(option->name, group, length) == 0 && option->name[length] == '.';
}

/* The options "group.…" as one property; `first` is the first of them. */
static void print_group(const struct mc_option *options, size_t n, const struct mc_option *first, int indent)
{
    const size_t length = strcspn(first->name, ".");
    printf("%*s\"%.*s\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n", indent, "",
           (int)length, first->name);
    for (const struct mc_option *o = first; o < options + n; o++) {
        if (!lies_in(o, first->name, length)) continue;
        if (o != first) printf(",\n");
        print_option(o, indent + 2);
    }
    printf("}}");
}

/* Was the group of options[i] printed with an earlier one? */
static bool is_printed(const struct mc_option *options, size_t i)
{
    const size_t length = strcspn(options[i].name, ".");
    for (size_t k = 0; k < i && options[i].name[length]; k++)
        if (lies_in(&options[k], options[i].name, length)) return true;
    return false;
}

/* The options of a part as properties, each followed by a comma where `more` come. */
static void print_options(const char *part, int indent, bool more)
{
    size_t n;
    const struct mc_option *options = mc_recipe_options(part, &n);
    bool begun = false;
    for (size_t i = 0; i < n; i++) {
        if (is_printed(options, i)) continue;
        if (begun) printf(",\n");
        begun = true;
        if (strchr(options[i].name, '.'))
            print_group(options, n, &options[i], indent);
        else
            print_option(&options[i], indent);
    }
    printf("%s\n", more && begun ? "," : "");
}

/* --- the recipe --- */

static void print_steps(void)
{
    const char *name;
    printf("    \"steps\": {\"type\": \"array\", \"items\": {\"anyOf\": [\n      {\"enum\": [");
    for (size_t i = 0; (name = mc_recipe_step(i, NULL)); i++) printf("%s\"%s\"", i ? ", " : "", name);
    printf("]},\n      {\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": 1, \"additionalProperties\": "
           "false, "
           "\"properties\": {\n");
    for (size_t i = 0; (name = mc_recipe_step(i, NULL)); i++)
        printf("%s        \"%s\": {\"$ref\": \"#/$defs/%s\"}", i ? ",\n" : "", name, name);
    printf("}}]}}");
}

static void print_part(const char *name)
{
    printf("    \"%s\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, \"properties\": {\n", name);
    if (strcmp(name, "tune") == 0) printf("      \"space\": {\"type\": \"object\"},\n");
    print_options(name, 6, false);
    printf("    }}");
}

static void print_definition(const char *name, const char *help)
{
    printf(",\n    \"%s\": {\"description\": ", name);
    print_text(help);
    printf(", \"type\": [\"object\", \"null\"], \"additionalProperties\": false, \"properties\": {\n");
    print_options(name, 6, true);
    print_options("step", 6, false);
    printf("    }}");
}

void schema_print_recipe(void)
{
    const char *name, *help;
    printf("{\n"
           "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
           "  \"title\": \"recipe of compress " MC_VERSION "\",\n"
           "  \"type\": \"object\", \"additionalProperties\": false,\n"
           "  \"properties\": {\n");
    print_options("recipe", 4, true);
    printf("    \"include\": {\"anyOf\": [{\"type\": \"string\"}, {" A_LIST "{\"type\": \"string\"}}]},\n"
           "    \"vars\": {\"type\": \"object\"},\n");
    print_steps();
    static const char *const parts[] = {"gates", "output", "tune"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        printf(",\n");
        print_part(parts[i]);
    }
    printf("\n  },\n"
           "  \"$defs\": {\n"
           "    \"variable\": {\"type\": \"string\", \"pattern\": \"[$][{].+[}]\"}");
    for (size_t i = 0; (name = mc_recipe_step(i, &help)); i++) print_definition(name, help);
    printf("\n  }\n}\n");
}
