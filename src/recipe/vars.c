/* vars.c - variables of a recipe; see vars.h. */
#include "recipe/vars.h"

#include <string.h>

#include "base/error.h"

enum { MOST_VARS = 256, NAME = 64 };

struct expander {
    struct mc_arena *arena;
    const struct mc_yaml *vars;
    const struct mc_yaml **values; /* of the first n_known variables, expanded */
    int n_known, n_nodes;
    struct mc_error *err;
};

/* `vars` has n names that may be meant. */
static int refuse_name(const struct mc_yaml *vars, int n, const struct mc_yaml *at, const char *name,
                       struct mc_error *err)
{
    const char *names[MOST_VARS];
    if (n > MOST_VARS) n = MOST_VARS;
    for (int i = 0; i < n; i++) names[i] = vars->entries[i].key->text;
    const char *nearest = mc_suggest(name, names, (size_t)n);
    return mc_yaml_error(at, MC_ERR_USAGE, err, "'vars' has no '%s'%s%s%s", name, nearest ? " (did you mean '" : "",
                         nearest ? nearest : "", nearest ? "'?)" : "");
}

int mc_vars_check(const struct mc_yaml *root, const char *path, const struct mc_yaml *at, struct mc_error *err)
{
    static const char prefix[] = "vars.";
    const struct mc_yaml *vars = mc_yaml_find(root, "vars");
    char name[NAME];
    if (strncmp(path, prefix, sizeof prefix - 1) != 0) return MC_OK;
    path += sizeof prefix - 1;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
    if (vars && vars->kind != MC_YAML_MAPPING && !vars->empty) return MC_OK; /* for mc_vars_expand to refuse */
    const bool any = vars && !vars->empty;
    return any && mc_yaml_find(vars, name) ? MC_OK : refuse_name(vars, any ? vars->n : 0, at, name, err);
}

/* The variable that "${name}" at `text` names; *length is that of the whole. */
static int look_up(const struct expander *e, const struct mc_yaml *at, const char *text, size_t *length,
                   const struct mc_yaml **value)
{
    char name[NAME];
    const size_t n = strcspn(text + 2, "}");
    if (text[2 + n] != '}' || n == 0 || n >= sizeof name)
        return mc_yaml_error(at, MC_ERR_USAGE, e->err, "'${' needs a name and '}' behind it, has '%.40s'", text);
    memcpy(name, text + 2, n);
    name[n] = '\0';
    *length = n + 3;
    for (int i = 0; i < e->n_known; i++) {
        *value = e->values[i];
        if (strcmp(e->vars->entries[i].key->text, name) == 0) return MC_OK;
    }
    return refuse_name(e->vars, e->n_known, at, name, e->err);
}

static int expand_text(const struct expander *e, const struct mc_yaml *at, struct mc_buf *out)
{
    for (const char *text = at->text; *text;) {
        size_t length = strcspn(text, "$");
        mc_buf_append(out, text, length);
        text += length;
        if (strncmp(text, "$${", 3) == 0) {
            mc_buf_puts(out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            const struct mc_yaml *value;
            const int rc = look_up(e, at, text, &length, &value);
            if (rc < 0) return rc;
            if (value->kind != MC_YAML_SCALAR)
                return mc_yaml_error(at, MC_ERR_USAGE, e->err, "'%.*s' is %s, which cannot stand within a text",
                                     (int)length, text, mc_yaml_kind_text(value));
            mc_buf_puts(out, value->text);
            text += length;
        } else if (*text) {
            mc_buf_append(out, text++, 1);
        }
    }
    return MC_OK;
}

static int expand_scalar(const struct expander *e, const struct mc_yaml *node, const struct mc_yaml **expanded)
{
    size_t length = 0;
    int rc = MC_OK;
    if (strncmp(node->text, "${", 2) == 0 && strcspn(node->text, "}") + 1 == strlen(node->text)) {
        rc = look_up(e, node, node->text, &length, expanded);
        if (rc < 0 || (*expanded)->kind != MC_YAML_SCALAR) return rc;
    }
    struct mc_buf text;
    mc_buf_init(&text, MC_YAML_MAX_BYTES);
    rc = expand_text(e, node, &text);
    struct mc_yaml *made =
        rc == MC_OK && !text.failed ? mc_yaml_scalar(e->arena, node->source, text.data ? text.data : "") : NULL;
    if (made) made->line = node->line, made->column = node->column;
    *expanded = made;
    mc_buf_finish(&text);
    return rc < 0 || made ? rc : mc_error_memory(e->err);
}

static int expand(struct expander *e, const struct mc_yaml *node, const struct mc_yaml **expanded)
{
    if (++e->n_nodes > MC_YAML_MAX_NODES)
        return mc_yaml_error(node, MC_ERR_USAGE, e->err, "too many entries, with variables in their places");
    if (node->kind == MC_YAML_SCALAR && strstr(node->text, "${")) return expand_scalar(e, node, expanded);
    *expanded = node;
    if (node->kind == MC_YAML_SCALAR || node->n == 0) return MC_OK;
    struct mc_yaml *copy = MC_ARENA_NEW(e->arena, struct mc_yaml);
    struct mc_yaml_entry *entries = MC_ARENA_ARRAY(e->arena, struct mc_yaml_entry, node->n);
    if (!copy || !entries) return mc_error_memory(e->err);
    *copy = *node;
    copy->entries = entries;
    copy->capacity = (size_t)node->n;
    for (int i = 0; i < node->n; i++) {
        const struct mc_yaml *value;
        const int rc = expand(e, node->entries[i].value, &value);
        if (rc < 0) return rc;
        entries[i] = (struct mc_yaml_entry){node->entries[i].key, (struct mc_yaml *)(uintptr_t)value};
    }
    *expanded = copy;
    return MC_OK;
}

int mc_vars_expand(const struct mc_yaml **expanded, const struct mc_yaml *root, struct mc_arena *arena,
                   struct mc_error *err)
{
    const struct mc_yaml *vars = mc_yaml_find(root, "vars");
    *expanded = root;
    if (!vars || vars->empty) return MC_OK;
    if (vars->kind != MC_YAML_MAPPING)
        return mc_yaml_error(vars, MC_ERR_USAGE, err, "'vars' needs a mapping, has %s", mc_yaml_kind_text(vars));
    if (vars->n > MOST_VARS)
        return mc_yaml_error(vars, MC_ERR_USAGE, err, "'vars': at most %d are taken, has %d", MOST_VARS, vars->n);
    struct expander e = {.arena = arena, .vars = vars, .err = err};
    e.values = MC_ARENA_ARRAY(arena, const struct mc_yaml *, vars->n);
    if (!e.values) return mc_error_memory(err);
    for (; e.n_known < vars->n; e.n_known++) {
        const int rc = expand(&e, vars->entries[e.n_known].value, &e.values[e.n_known]);
        if (rc < 0) return rc;
    }
    return expand(&e, root, expanded);
}
