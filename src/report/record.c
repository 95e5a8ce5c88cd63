/* record.c - the record on jansson; see record.h.
 *
 * A struct mc_record is a handle on one JSON value. Handles live in the arena of their record, which also remembers
 * whether any setter ran out of memory.
 */
#include "report/record.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "report/record_json.h"

/* Grows when a key changes its meaning or goes. */
enum { RECORD_VERSION = 1 };

struct root {
    struct mc_arena arena;
    bool failed;
};

struct mc_record {
    struct root *root;
    json_t *json; /* owned by the top handle alone; the others borrow */
};

int mc_record_create(struct mc_record **record, struct mc_error *err)
{
    struct root *root = MC_NEW(struct root);
    if (!root) return mc_error_memory(err);
    mc_arena_init(&root->arena);
    struct mc_record *top = MC_ARENA_NEW(&root->arena, struct mc_record);
    if (top) *top = (struct mc_record){root, json_object()};
    if (!top || !top->json) {
        mc_arena_finish(&root->arena);
        mc_free(root);
        return mc_error_memory(err);
    }
    *record = top;
    return MC_OK;
}

void mc_record_begin(struct mc_record *record, const char *title)
{
    mc_record_set_int(record, "record_version", RECORD_VERSION);
    mc_record_set_text(record, "title", title);
    mc_record_set_text(record, "program", "compress " MC_VERSION);
}

void mc_record_destroy(struct mc_record *record)
{
    if (!record) return;
    struct root *root = record->root;
    json_decref(record->json);
    mc_arena_finish(&root->arena);
    mc_free(root);
}

int mc_record_check(const struct mc_record *record, struct mc_error *err)
{
    return record->root->failed ? mc_error_memory(err) : MC_OK;
}

json_t *mc_record_json(const struct mc_record *record)
{
    return record->json;
}

/* --- setters --- */

/* Put `value` (a new reference, NULL: no memory) under `key`. */
static void set(struct mc_record *object, const char *key, json_t *value)
{
    if (!object)
        json_decref(value);
    else if (!value || json_object_set_new(object->json, key, value) != 0)
        object->root->failed = true;
}

static void append(struct mc_record *array, json_t *value)
{
    if (!array)
        json_decref(value);
    else if (!value || json_array_append_new(array->json, value) != 0)
        array->root->failed = true;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null(); /* JSON has no NaN and no infinity */
}

/* Names in a model may be any bytes, JSON is UTF-8: what jansson refuses is spelled in ASCII, the rest as '?'. */
static json_t *ascii(const char *value)
{
    char *copy = mc_strdup(value);
    if (!copy) return NULL;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    json_t *json = json_string(copy);
    mc_free(copy);
    return json;
}

static json_t *text(const char *value)
{
    if (!value) return json_null();
    json_t *json = json_string(value);
    return json ? json : ascii(value);
}

void mc_record_set_int(struct mc_record *object, const char *key, int64_t value)
{
    set(object, key, json_integer(value));
}

void mc_record_set_num(struct mc_record *object, const char *key, double value)
{
    set(object, key, number(value));
}

void mc_record_set_text(struct mc_record *object, const char *key, const char *value)
{
    set(object, key, text(value));
}

void mc_record_set_bool(struct mc_record *object, const char *key, bool value)
{
    set(object, key, json_boolean(value));
}

void mc_record_set_record(struct mc_record *object, const char *key, const struct mc_record *value)
{
    set(object, key, value ? json_deep_copy(value->json) : NULL);
}

void mc_record_append_record(struct mc_record *array, const struct mc_record *value)
{
    append(array, json_deep_copy(value->json));
}

void mc_record_append_int(struct mc_record *array, int64_t value)
{
    append(array, json_integer(value));
}

void mc_record_append_num(struct mc_record *array, double value)
{
    append(array, number(value));
}

void mc_record_append_text(struct mc_record *array, const char *value)
{
    append(array, text(value));
}

/* --- children --- */

static struct mc_record *handle(const struct mc_record *of, json_t *json)
{
    if (!json) return NULL;
    struct mc_record *child = MC_ARENA_NEW(&of->root->arena, struct mc_record);
    if (child)
        *child = (struct mc_record){of->root, json};
    else
        of->root->failed = true;
    return child;
}

/* The child under `key` if it has the kind of `fresh`, else `fresh` put there; takes over `fresh`. */
static struct mc_record *child(struct mc_record *object, const char *key, json_t *fresh)
{
    if (!object) {
        json_decref(fresh);
        return NULL;
    }
    json_t *present = json_object_get(object->json, key);
    if (present && fresh && json_typeof(present) == json_typeof(fresh)) {
        json_decref(fresh);
        return handle(object, present);
    }
    set(object, key, fresh);
    return handle(object, json_object_get(object->json, key));
}

struct mc_record *mc_record_object(struct mc_record *object, const char *key)
{
    return child(object, key, json_object());
}

struct mc_record *mc_record_array(struct mc_record *object, const char *key)
{
    return child(object, key, json_array());
}

static struct mc_record *append_child(struct mc_record *array, json_t *fresh)
{
    append(array, fresh);
    const size_t n = array ? json_array_size(array->json) : 0;
    return n ? handle(array, json_array_get(array->json, n - 1)) : NULL;
}

struct mc_record *mc_record_append_object(struct mc_record *array)
{
    return append_child(array, json_object());
}

struct mc_record *mc_record_append_array(struct mc_record *array)
{
    return append_child(array, json_array());
}

/* --- from a file --- */

/* Records of runs that were made here are far smaller. */
enum { MAX_FILE_BYTES = 1 << 28 };

static int parse(struct mc_record *record, const char *name, const void *bytes, size_t length, struct mc_error *err)
{
    json_error_t why;
    json_t *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return mc_error_set(err, MC_ERR_INPUT, "'%s':%d:%d: is no JSON: %s", name, why.line, why.column, why.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return mc_error_set(err, MC_ERR_INPUT, "'%s': is no record, which is an object", name);
    }
    json_decref(record->json);
    record->json = json;
    return MC_OK;
}

int mc_record_parse(struct mc_record **record, const char *name, const void *bytes, size_t length, struct mc_error *err)
{
    struct mc_record *r = NULL;
    int rc = mc_record_create(&r, err);
    if (rc < 0) return rc;
    rc = parse(r, name, bytes, length, err);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}

int mc_record_load(struct mc_record **record, const char *path, struct mc_error *err)
{
    struct mc_file_view file;
    int rc = mc_file_open(&file, path, MAX_FILE_BYTES, err);
    if (rc < 0) return rc;
    rc = mc_record_parse(record, path, file.data, file.length, err);
    mc_file_close(&file);
    return rc;
}

/* --- getters --- */

/* Follow "a.0.b"; NULL when a step is absent. */
static json_t *follow(const struct mc_record *record, const char *path)
{
    json_t *at = record ? record->json : NULL;
    while (at && *path) {
        char step[128];
        const size_t length = strcspn(path, ".");
        if (length >= sizeof step) return NULL;
        memcpy(step, path, length);
        step[length] = '\0';
        if (json_is_array(at) && isdigit((unsigned char)step[0]))
            at = json_array_get(at, strtoul(step, NULL, 10));
        else
            at = json_object_get(at, step);
        path += length + (path[length] == '.');
    }
    return at;
}

double mc_record_get_num(const struct mc_record *record, const char *path, double otherwise)
{
    const json_t *json = follow(record, path);
    return json_is_number(json) ? json_number_value(json) : otherwise;
}

int64_t mc_record_get_int(const struct mc_record *record, const char *path, int64_t otherwise)
{
    const json_t *json = follow(record, path);
    return json_is_integer(json) ? json_integer_value(json) : otherwise;
}

bool mc_record_get_bool(const struct mc_record *record, const char *path, bool otherwise)
{
    const json_t *json = follow(record, path);
    return json_is_boolean(json) ? json_is_true(json) : otherwise;
}

const char *mc_record_get_text(const struct mc_record *record, const char *path, const char *otherwise)
{
    const json_t *json = follow(record, path);
    return json_is_string(json) ? json_string_value(json) : otherwise;
}

const struct mc_record *mc_record_get(const struct mc_record *record, const char *path)
{
    json_t *json = follow(record, path);
    return json ? handle(record, json) : NULL;
}

size_t mc_record_size(const struct mc_record *record)
{
    if (!record) return 0;
    return json_is_array(record->json) ? json_array_size(record->json) : json_object_size(record->json);
}

const struct mc_record *mc_record_at(const struct mc_record *array, size_t i)
{
    return array ? handle(array, json_array_get(array->json, i)) : NULL;
}
