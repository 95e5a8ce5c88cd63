/* yaml.c - YAML documents as trees; see yaml.h.
 *
 * libfyaml is asked for events, not for documents: the limits hold while the tree grows, not after.
 */
#define _GNU_SOURCE /* memmem */
#include "recipe/yaml.h"

#include <ctype.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- errors with a place --- */

/* The hint has room for this much of the line, beside the mark under it. */
enum { LINE_WINDOW = 100 };

static const char *line_at(const struct mc_yaml_source *source, int line, size_t *length)
{
    const char *at = source->text, *end = source->text + source->length;
    for (; line > 1 && at < end; line--) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *length = (size_t)((stop ? stop : end) - at);
    return at;
}

/* The line and a mark under the column, as a hint of two lines; of a long line the part around the column. */
static void show_line(const struct mc_yaml_source *source, int line, int column, struct mc_error *err)
{
    size_t length;
    const char *text = line_at(source, line, &length);
    size_t from = 0, mark = (size_t)(column - 1);
    if (mark > length) mark = length;
    if (mark > LINE_WINDOW / 2) from = mark - LINE_WINDOW / 2;
    if (length - from > LINE_WINDOW) length = from + LINE_WINDOW;
    char shown[LINE_WINDOW + 1];
    for (size_t i = from; i < length; i++) shown[i - from] = iscntrl((unsigned char)text[i]) ? ' ' : text[i];
    shown[length - from] = '\0';
    mc_error_hint(err, "%s\n%*s^", shown, (int)(mark - from), "");
}

/* "shrink.yaml:7:12" or "--ratio". */
static void place_text(const struct mc_yaml_source *source, int line, int column, char *out, size_t size)
{
    if (source->text)
        snprintf(out, size, "%s:%d:%d", source->name, line, column);
    else
        snprintf(out, size, "%s", source->name);
}

static int refuse(const struct mc_yaml_source *source, int line, int column, struct mc_error *err, const char *text)
{
    char place[256];
    place_text(source, line, column, place, sizeof place);
    mc_error_set(err, MC_ERR_USAGE, "%s: %s", place, text);
    if (source->text) show_line(source, line, column, err);
    return MC_ERR_USAGE;
}

int mc_yaml_wrap(const struct mc_yaml *at, int status, struct mc_error *err)
{
    char place[256];
    place_text(at->source, at->line, at->column, place, sizeof place);
    mc_error_wrap(err, status, "%s", place);
    if (err && !*err->hint && at->source->text) show_line(at->source, at->line, at->column, err);
    return status;
}

int mc_yaml_error(const struct mc_yaml *at, int status, struct mc_error *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mc_error_set(err, status, "%s", text);
    return mc_yaml_wrap(at, status, err);
}

const char *mc_yaml_kind_text(const struct mc_yaml *node)
{
    if (node->empty) return "nothing";
    return node->kind == MC_YAML_SCALAR ? "a text" : node->kind == MC_YAML_SEQUENCE ? "a list" : "a mapping";
}

/* --- nodes --- */

struct mc_yaml *mc_yaml_find(const struct mc_yaml *mapping, const char *key)
{
    if (!mapping || mapping->kind != MC_YAML_MAPPING) return NULL;
    for (int i = 0; i < mapping->n; i++)
        if (strcmp(mapping->entries[i].key->text, key) == 0) return mapping->entries[i].value;
    return NULL;
}

void mc_yaml_remove(struct mc_yaml *mapping, const char *key)
{
    int kept = 0;
    for (int i = 0; i < mapping->n; i++)
        if (strcmp(mapping->entries[i].key->text, key) != 0) mapping->entries[kept++] = mapping->entries[i];
    mapping->n = kept;
}

struct mc_yaml *mc_yaml_scalar(struct mc_arena *arena, const struct mc_yaml_source *source, const char *text)
{
    struct mc_yaml *node = MC_ARENA_NEW(arena, struct mc_yaml);
    if (!node) return NULL;
    node->source = source;
    node->empty = !*text;
    node->text = mc_arena_strdup(arena, text);
    return node->text ? node : NULL;
}

/* Entries grow by doubling inside the arena; what is left behind is bounded by what is used. */
static bool append(struct mc_arena *arena, struct mc_yaml *node, const struct mc_yaml *key, struct mc_yaml *value)
{
    if ((size_t)node->n == node->capacity) {
        const size_t capacity = node->capacity ? 2 * node->capacity : 8;
        struct mc_yaml_entry *grown = MC_ARENA_ARRAY(arena, struct mc_yaml_entry, capacity);
        if (!grown) return false;
        if (node->n) memcpy(grown, node->entries, (size_t)node->n * sizeof *grown);
        node->entries = grown;
        node->capacity = capacity;
    }
    node->entries[node->n++] = (struct mc_yaml_entry){key, value};
    return true;
}

/* --- parsing --- */

struct parser {
    struct fy_parser *fy;
    struct fy_diag *diag;
    struct mc_arena *arena;
    const struct mc_yaml_source *source;
    int depth, n_nodes;
    struct mc_error *err;
};

/* What libfyaml found wrong, in its words. */
static int refuse_syntax(struct parser *p)
{
    void *at = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(p->diag, &at);
    char text[256];
    snprintf(text, sizeof text, "no YAML: %s", e && e->msg ? e->msg : "it cannot be read");
    text[strcspn(text, "\n")] = '\0';
    const int line = e && e->line > 0 ? e->line : 1;
    size_t length;
    const char *found = line_at(p->source, line, &length);
    if (memmem(found, length, "${", 2)) /* YAML takes its brace for its own */
        snprintf(text + strlen(text), sizeof text - strlen(text), "; within braces \"${name}\" needs quotes");
    return refuse(p->source, line, e && e->column > 0 ? e->column : 1, p->err, text);
}

static bool has_error(const struct parser *p)
{
    void *at = NULL;
    return fy_parser_get_stream_error(p->fy) || fy_diag_errors_iterate(p->diag, &at) != NULL;
}

static int refuse_event(struct parser *p, struct fy_event *event, const char *text)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    return refuse(p->source, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1, p->err, text);
}

static struct fy_event *next_event(struct parser *p)
{
    return fy_parser_parse(p->fy);
}

static int parse_node(struct parser *p, struct fy_event *event, struct mc_yaml **node);

/* Entries up to the event that ends the collection. */
static int parse_entries(struct parser *p, struct mc_yaml *node, enum fy_event_type end)
{
    for (;;) {
        struct fy_event *event = next_event(p);
        if (!event) return refuse_syntax(p);
        if (event->type == end) {
            fy_parser_event_free(p->fy, event);
            return MC_OK;
        }
        struct mc_yaml *key = NULL, *value = NULL;
        int rc = parse_node(p, event, &value);
        if (rc == MC_OK && node->kind == MC_YAML_MAPPING) {
            key = value;
            if (key->kind != MC_YAML_SCALAR) return mc_yaml_error(key, MC_ERR_USAGE, p->err, "a key has to be a text");
            if (mc_yaml_find(node, key->text))
                return mc_yaml_error(key, MC_ERR_USAGE, p->err, "key '%s' stands here twice", key->text);
            event = next_event(p);
            if (!event) return refuse_syntax(p);
            rc = parse_node(p, event, &value);
        }
        if (rc < 0) return rc;
        if (key && value->empty) value->line = key->line, value->column = key->column; /* it has no place of its own */
        if (!append(p->arena, node, key, value)) return mc_error_memory(p->err);
    }
}

static int parse_scalar(struct parser *p, struct fy_event *event, struct mc_yaml *node)
{
    size_t length;
    const char *text = fy_token_get_text(event->scalar.value, &length);
    node->text = mc_arena_strndup(p->arena, text ? text : "", text ? length : 0);
    if (!node->text) return mc_error_memory(p->err);
    if (strlen(node->text) != (text ? length : 0)) return refuse_event(p, event, "a text holds a zero byte");
    const bool plain = fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    node->empty = plain && (length == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
    return MC_OK;
}

static bool is_quoted(const struct fy_event *event)
{
    const enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* What a recipe does not take, and the limits. */
static int check_event(struct parser *p, struct fy_event *event)
{
    if (event->type == FYET_ALIAS) return refuse_event(p, event, "aliases are not taken");
    if (fy_event_get_anchor_token(event)) return refuse_event(p, event, "anchors are not taken");
    if (fy_event_get_tag_token(event)) return refuse_event(p, event, "tags are not taken");
    if (p->n_nodes >= MC_YAML_MAX_NODES) return refuse_event(p, event, "too many entries");
    if (p->depth >= MC_YAML_MAX_DEPTH) return refuse_event(p, event, "nested too deeply");
    return MC_OK;
}

/* The node that begins with `event`, which is released here. */
static int parse_node(struct parser *p, struct fy_event *event, struct mc_yaml **node)
{
    const enum fy_event_type type = event->type;
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct mc_yaml *n = MC_ARENA_NEW(p->arena, struct mc_yaml);
    int rc = n ? check_event(p, event) : mc_error_memory(p->err);
    if (rc == MC_OK) {
        p->n_nodes++;
        *n = (struct mc_yaml){
            .source = p->source, .line = mark ? mark->line + 1 : 1, .column = mark ? mark->column + 1 : 1};
        if (type == FYET_SCALAR) rc = parse_scalar(p, event, n);
        if (type == FYET_SCALAR && is_quoted(event)) n->column--; /* libfyaml points behind the quote */
    }
    fy_parser_event_free(p->fy, event);
    if (rc < 0) return rc;
    *node = n;
    if (type == FYET_SCALAR) return MC_OK;
    const bool mapping = type == FYET_MAPPING_START;
    n->kind = mapping ? MC_YAML_MAPPING : MC_YAML_SEQUENCE;
    p->depth++;
    rc = parse_entries(p, n, mapping ? FYET_MAPPING_END : FYET_SEQUENCE_END);
    p->depth--;
    return rc;
}

static bool is_node(enum fy_event_type type)
{
    return type == FYET_SCALAR || type == FYET_MAPPING_START || type == FYET_SEQUENCE_START || type == FYET_ALIAS;
}

/* The one document of the stream; *root stays NULL if there is none. */
static int parse_stream(struct parser *p, struct mc_yaml **root)
{
    *root = NULL;
    for (;;) {
        struct fy_event *event = next_event(p);
        if (!event) return has_error(p) ? refuse_syntax(p) : MC_OK;
        if (is_node(event->type)) {
            const int rc = parse_node(p, event, root);
            if (rc < 0) return rc;
            continue;
        }
        const bool second = event->type == FYET_DOCUMENT_START && *root;
        const int rc = second ? refuse_event(p, event, "a second document") : MC_OK;
        const bool over = event->type == FYET_STREAM_END;
        fy_parser_event_free(p->fy, event);
        if (rc < 0 || over) return rc;
    }
}

int mc_yaml_parse(struct mc_yaml **root, struct mc_arena *arena, const struct mc_yaml_source *source,
                  struct mc_error *err)
{
    if (source->length > MC_YAML_MAX_BYTES)
        return mc_error_set(err, MC_ERR_USAGE, "%s: %zu bytes, at most %d are taken", source->name, source->length,
                            MC_YAML_MAX_BYTES);
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    struct parser p = {.arena = arena, .source = source, .err = err, .diag = fy_diag_create(&diag_config)};
    if (!p.diag) return mc_error_memory(err);
    fy_diag_set_collect_errors(p.diag, true); /* and print none */
    const struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = p.diag};
    p.fy = fy_parser_create(&config);
    int rc = p.fy ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && fy_parser_set_string(p.fy, source->text, source->length) != 0) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = parse_stream(&p, root);
    if (rc == MC_OK && !*root) rc = refuse(source, 1, 1, err, "there is nothing in it");
    fy_parser_destroy(p.fy);
    fy_diag_destroy(p.diag);
    return rc;
}

/* --- putting --- */

int mc_yaml_merge(struct mc_yaml **base, struct mc_arena *arena, struct mc_yaml *over, struct mc_error *err)
{
    if (!*base || (*base)->kind != MC_YAML_MAPPING || over->kind != MC_YAML_MAPPING) {
        *base = over;
        return MC_OK;
    }
    for (int i = 0; i < over->n; i++) {
        const struct mc_yaml_entry *entry = &over->entries[i];
        struct mc_yaml **known = NULL;
        for (int k = 0; k < (*base)->n && !known; k++)
            if (strcmp((*base)->entries[k].key->text, entry->key->text) == 0) known = &(*base)->entries[k].value;
        if (!known && !append(arena, *base, entry->key, entry->value)) return mc_error_memory(err);
        const int rc = known ? mc_yaml_merge(known, arena, entry->value, err) : MC_OK;
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* In a sequence of "- prune: {name: cut, …}" what stands under "prune" in the one called `step`. */
static struct mc_yaml **named_entry(struct mc_yaml *sequence, const char *step)
{
    for (int i = 0; i < sequence->n; i++) {
        struct mc_yaml *entry = sequence->entries[i].value;
        if (entry->kind != MC_YAML_MAPPING || entry->n != 1) continue;
        const struct mc_yaml *name = mc_yaml_find(entry->entries[0].value, "name");
        if (name && name->kind == MC_YAML_SCALAR && strcmp(name->text, step) == 0) return &entry->entries[0].value;
    }
    return NULL;
}

/* An entry of a sequence or mapping named by one step of a path; NULL: there is none yet. */
static struct mc_yaml **entry_at(struct mc_yaml *node, const char *step)
{
    if (node->kind == MC_YAML_SEQUENCE) {
        char *end;
        const long i = strtol(step, &end, 10);
        if (*end) return named_entry(node, step);
        return i >= 0 && i < node->n ? &node->entries[i].value : NULL;
    }
    for (int i = 0; i < node->n; i++)
        if (strcmp(node->entries[i].key->text, step) == 0) return &node->entries[i].value;
    return NULL;
}

enum { STEP = 128 }; /* one step of a path, as text */

/* The next step of a dotted path, which moves behind it; false: no path is like that. */
static bool next_step(const char **path, char step[STEP])
{
    const size_t length = strcspn(*path, ".");
    if (length == 0 || length >= STEP) return false;
    memcpy(step, *path, length);
    step[length] = '\0';
    *path += length + ((*path)[length] == '.');
    return true;
}

struct mc_yaml *mc_yaml_at(struct mc_yaml *root, const char *path)
{
    char step[STEP];
    while (root && *path) {
        struct mc_yaml **entry = next_step(&path, step) ? entry_at(root, step) : NULL;
        root = entry ? *entry : NULL;
    }
    return root;
}

/* Make the entry that `step` names, empty. */
static int make_entry(struct mc_yaml ***entry, struct mc_arena *arena, struct mc_yaml *node, const char *step,
                      const struct mc_yaml *value, struct mc_error *err)
{
    struct mc_yaml *key = NULL;
    if (node->kind == MC_YAML_SEQUENCE) {
        char *end;
        const long i = strtol(step, &end, 10);
        if (*end || i != node->n)
            return mc_yaml_error(value, MC_ERR_USAGE, err,
                                 "'%s' is neither number nor name of an entry of a list of %d", step, node->n);
    } else {
        key = mc_yaml_scalar(arena, value->source, step);
        if (!key) return mc_error_memory(err);
        key->line = value->line;
        key->column = value->column;
    }
    if (!append(arena, node, key, NULL)) return mc_error_memory(err);
    *entry = &node->entries[node->n - 1].value;
    return MC_OK;
}

/* Let *node be a collection that `step` can lead into. */
static int make_way(struct mc_arena *arena, struct mc_yaml **node, const char *step, const struct mc_yaml *value,
                    struct mc_error *err)
{
    if (*node && (*node)->kind != MC_YAML_SCALAR) return MC_OK;
    if (*node && !(*node)->empty)
        return mc_yaml_error(value, MC_ERR_USAGE, err, "'%s' leads into '%s', which is no mapping", step,
                             (*node)->text);
    struct mc_yaml *made = MC_ARENA_NEW(arena, struct mc_yaml);
    if (!made) return mc_error_memory(err);
    made->kind = isdigit((unsigned char)*step) ? MC_YAML_SEQUENCE : MC_YAML_MAPPING;
    made->source = value->source;
    made->line = value->line;
    made->column = value->column;
    *node = made;
    return MC_OK;
}

int mc_yaml_put(struct mc_yaml **root, struct mc_arena *arena, const char *path, struct mc_yaml *value,
                struct mc_error *err)
{
    struct mc_yaml **at = root;
    for (int depth = 0; *path; depth++) {
        char step[STEP];
        const char *rest = path;
        if (depth == MC_YAML_MAX_DEPTH || !next_step(&path, step))
            return mc_yaml_error(value, MC_ERR_USAGE, err, "no path can be '%s'", rest);
        int rc = make_way(arena, at, step, value, err);
        if (rc < 0) return rc;
        struct mc_yaml **entry = entry_at(*at, step);
        if (!entry) rc = make_entry(&entry, arena, *at, step, value, err);
        if (rc < 0) return rc;
        at = entry;
    }
    *at = value;
    return MC_OK;
}
