/* check_schema.c - do JSON files follow a JSON Schema? For the command-line tests.
 *
 *   check_schema SCHEMA FILE…
 *
 * Knows the keywords of draft 2020-12 that docs/record.schema.json uses, and refuses others, so that none is passed
 * over. tests/reference/record_schema.py asks another implementation the same. Exit status 1 if a file does not follow.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct check {
    const json_t *schema; /* the whole, for references */
    const char *file;
    bool told; /* of a branch of anyOf nothing is told */
    int n_bad;
};

static void validate(struct check *c, const json_t *value, const json_t *schema, const char *path);

static void blame(struct check *c, const char *path, const char *what)
{
    if (c->told) printf("%s: %s: %s\n", c->file, *path ? path : "/", what);
    c->n_bad++;
}

static bool is_of_type(const json_t *value, const char *type)
{
    if (strcmp(type, "object") == 0) return json_is_object(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    if (strcmp(type, "null") == 0) return json_is_null(value);
    if (strcmp(type, "number") == 0) return json_is_number(value);
    return strcmp(type, "integer") == 0 && json_is_integer(value);
}

static void check_type(struct check *c, const json_t *value, const json_t *types, const char *path)
{
    bool fits = json_is_string(types) && is_of_type(value, json_string_value(types));
    for (size_t i = 0; i < json_array_size(types); i++)
        fits = fits || is_of_type(value, json_string_value(json_array_get(types, i)));
    if (!fits) blame(c, path, "is of another type");
}

static void check_enum(struct check *c, const json_t *value, const json_t *list, const char *path)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(value, json_array_get(list, i))) return;
    blame(c, path, "is none of the choices");
}

static void check_required(struct check *c, const json_t *value, const json_t *list, const char *path)
{
    for (size_t i = 0; json_is_object(value) && i < json_array_size(list); i++)
        if (!json_object_get(value, json_string_value(json_array_get(list, i)))) blame(c, path, "lacks a key");
}

static void check_entries(struct check *c, json_t *value, const json_t *schema, const char *path)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *entry;
    if (!json_is_object(value)) return;
    json_object_foreach(value, key, entry)
    {
        char at[512];
        snprintf(at, sizeof at, "%.400s/%.100s", path, key);
        const json_t *of = json_object_get(properties, key);
        if (of)
            validate(c, entry, of, at);
        else if (json_is_false(json_object_get(schema, "additionalProperties")))
            blame(c, at, "is a key that the schema does not have");
    }
}

static void check_items(struct check *c, const json_t *value, const json_t *of, const char *path)
{
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        char at[512];
        snprintf(at, sizeof at, "%.480s/%zu", path, i);
        validate(c, json_array_get(value, i), of, at);
    }
}

static void check_any(struct check *c, const json_t *value, const json_t *branches, const char *path)
{
    for (size_t i = 0; i < json_array_size(branches); i++) {
        struct check quiet = {.schema = c->schema, .file = c->file};
        validate(&quiet, value, json_array_get(branches, i), path);
        if (quiet.n_bad == 0) return;
    }
    blame(c, path, "fits none of the branches");
}

static void check_bound(struct check *c, const json_t *value, const json_t *bound, int sign, const char *path)
{
    if (json_is_number(value) && sign * (json_number_value(value) - json_number_value(bound)) < 0)
        blame(c, path, "is out of range");
}

/* Only "#/$defs/name". */
static const json_t *follow(const struct check *c, const json_t *ref)
{
    static const char defs[] = "#/$defs/";
    const char *text = json_string_value(ref);
    if (!text || strncmp(text, defs, sizeof defs - 1) != 0) return NULL;
    return json_object_get(json_object_get(c->schema, "$defs"), text + sizeof defs - 1);
}

static void check_keyword(struct check *c, const json_t *value, const char *key, const json_t *argument,
                          const char *path)
{
    static const char *const silent[] = {"$schema",     "$defs",      "title",
                                         "description", "properties", "additionalProperties"};
    if (strcmp(key, "$ref") == 0) {
        const json_t *target = follow(c, argument);
        target ? validate(c, value, target, path) : blame(c, path, "the schema refers to what is not there");
    } else if (strcmp(key, "type") == 0) {
        check_type(c, value, argument, path);
    } else if (strcmp(key, "enum") == 0) {
        check_enum(c, value, argument, path);
    } else if (strcmp(key, "const") == 0) {
        if (!json_equal(value, argument)) blame(c, path, "is another constant");
    } else if (strcmp(key, "required") == 0) {
        check_required(c, value, argument, path);
    } else if (strcmp(key, "items") == 0) {
        check_items(c, value, argument, path);
    } else if (strcmp(key, "anyOf") == 0) {
        check_any(c, value, argument, path);
    } else if (strcmp(key, "minimum") == 0 || strcmp(key, "maximum") == 0) {
        check_bound(c, value, argument, key[1] == 'i' ? 1 : -1, path);
    } else {
        for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
            if (strcmp(key, silent[i]) == 0) return;
        blame(c, path, "the schema has a keyword that is not known here");
    }
}

static void validate(struct check *c, const json_t *value, const json_t *schema, const char *path)
{
    const char *key;
    json_t *argument;
    json_object_foreach((json_t *)schema, key, argument) check_keyword(c, value, key, argument, path);
    check_entries(c, (json_t *)value, schema, path);
}

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *json = json_load_file(path, 0, &why);
    if (!json) printf("%s:%d: %s\n", path, why.line, why.text);
    return json;
}

int main(int argc, char **argv)
{
    json_t *schema = argc > 2 ? load(argv[1]) : NULL;
    int n_bad = schema ? 0 : 1;
    for (int i = 2; schema && i < argc; i++) {
        json_t *value = load(argv[i]);
        struct check c = {.schema = schema, .file = argv[i], .told = true, .n_bad = value ? 0 : 1};
        if (value) validate(&c, value, schema, "");
        n_bad += c.n_bad;
        json_decref(value);
    }
    json_decref(schema);
    return n_bad > 0;
}
