/* recipe.c - recipes from files and from calls; see recipe.h and compress.h. */
#include "recipe/recipe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "recipe/context.h"
#include "recipe/vars.h"

/* A source in the arena; strings are copied. */
static struct mc_yaml_source *add_source(struct mc_arena *arena, const char *name, const char *dir, const char *text,
                                         size_t length)
{
    struct mc_yaml_source *source = MC_ARENA_NEW(arena, struct mc_yaml_source);
    if (!source) return NULL;
    source->name = mc_arena_strdup(arena, name);
    source->dir = dir ? mc_arena_strdup(arena, dir) : NULL;
    source->text = text ? mc_arena_strndup(arena, text, length) : NULL;
    source->length = length;
    const bool whole = source->name && (source->dir || !dir) && (source->text || !text);
    return whole ? source : NULL;
}

int mc_recipe_create(struct mc_recipe **recipe, struct mc_error *err)
{
    struct mc_recipe *r = MC_NEW(struct mc_recipe);
    if (!r) return mc_error_memory(err);
    mc_arena_init(&r->arena);
    r->root = MC_ARENA_NEW(&r->arena, struct mc_yaml);
    const struct mc_yaml_source *source = add_source(&r->arena, "recipe", NULL, NULL, 0);
    if (!r->root || !source) {
        mc_recipe_destroy(r);
        return mc_error_memory(err);
    }
    *r->root = (struct mc_yaml){.kind = MC_YAML_MAPPING, .source = source};
    *recipe = r;
    return MC_OK;
}

/* Files that include files that include files, at most. */
enum { MOST_INCLUDED = 8 };

static int read_tree(struct mc_arena *arena, const char *path, int depth, struct mc_yaml **tree, struct mc_error *err);

/* Lay the file that `at` names over *tree. */
static int include_one(struct mc_arena *arena, const struct mc_yaml *at, int depth, struct mc_yaml **tree,
                       struct mc_error *err)
{
    struct mc_yaml *part = NULL;
    if (at->kind != MC_YAML_SCALAR || at->empty)
        return mc_yaml_error(at, MC_ERR_USAGE, err, "'include': needs a file or a list of files, has %s",
                             mc_yaml_kind_text(at));
    if (depth == MOST_INCLUDED)
        return mc_yaml_error(at, MC_ERR_USAGE, err, "files include each other more than %d deep", MOST_INCLUDED);
    char *path = mc_path_join(at->source->dir, at->text);
    if (!path) return mc_error_memory(err);
    int rc = read_tree(arena, path, depth + 1, &part, err);
    if (rc == MC_OK) rc = mc_yaml_merge(tree, arena, part, err);
    mc_free(path);
    return rc == MC_ERR_INPUT || rc == MC_ERR_SYSTEM ? mc_yaml_wrap(at, rc, err) : rc;
}

/* What `include` names, in its order, and over it what the file itself says. */
static int include_all(struct mc_arena *arena, struct mc_yaml *own, int depth, struct mc_yaml **tree,
                       struct mc_error *err)
{
    const struct mc_yaml *include = mc_yaml_find(own, "include");
    if (!include) {
        *tree = own;
        return MC_OK;
    }
    const bool list = include->kind == MC_YAML_SEQUENCE;
    struct mc_yaml *base = NULL;
    int rc = MC_OK;
    for (int i = 0; i < (list ? include->n : 1) && rc == MC_OK; i++)
        rc = include_one(arena, list ? include->entries[i].value : include, depth, &base, err);
    mc_yaml_remove(own, "include");
    if (rc == MC_OK) rc = mc_yaml_merge(&base, arena, own, err);
    if (rc == MC_OK && base != own) base->source = own->source, base->line = own->line, base->column = own->column;
    *tree = base;
    return rc;
}

static int parse_tree(struct mc_arena *arena, const struct mc_yaml_source *source, int depth, struct mc_yaml **tree,
                      struct mc_error *err)
{
    struct mc_yaml *own = NULL;
    const int rc = source ? mc_yaml_parse(&own, arena, source, err) : mc_error_memory(err);
    return rc == MC_OK ? include_all(arena, own, depth, tree, err) : rc;
}

static int read_tree(struct mc_arena *arena, const char *path, int depth, struct mc_yaml **tree, struct mc_error *err)
{
    struct mc_file_view file;
    int rc = mc_file_open(&file, path, MC_YAML_MAX_BYTES, err);
    if (rc < 0) return rc;
    char *dir = mc_path_dir(path);
    const struct mc_yaml_source *source =
        dir ? add_source(arena, path, dir, file.data ? (const char *)file.data : "", file.length) : NULL;
    rc = parse_tree(arena, source, depth, tree, err);
    mc_free(dir);
    mc_file_close(&file);
    return rc;
}

static int read_file(struct mc_recipe *r, const char *path, struct mc_error *err)
{
    r->name = mc_arena_strdup(&r->arena, mc_path_name(path));
    return r->name ? read_tree(&r->arena, path, 0, &r->root, err) : mc_error_memory(err);
}

int mc_recipe_load(struct mc_recipe **recipe, const char *path, struct mc_error *err)
{
    struct mc_recipe *r;
    int rc = mc_recipe_create(&r, err);
    if (rc < 0) return rc;
    rc = read_file(r, path, err);
    if (rc == MC_OK)
        *recipe = r;
    else
        mc_recipe_destroy(r);
    return rc;
}

int mc_recipe_parse(struct mc_recipe **recipe, const char *name, const char *dir, const char *text, size_t length,
                    struct mc_error *err)
{
    struct mc_recipe *r;
    int rc = mc_recipe_create(&r, err);
    if (rc < 0) return rc;
    rc = parse_tree(&r->arena, add_source(&r->arena, name, dir, text, length), 0, &r->root, err);
    if (rc == MC_OK)
        *recipe = r;
    else
        mc_recipe_destroy(r);
    return rc;
}

void mc_recipe_destroy(struct mc_recipe *recipe)
{
    if (!recipe) return;
    mc_arena_finish(&recipe->arena);
    mc_free(recipe);
}

/* A variable of a file is reached, not made: a misspelt one would be set in silence. */
static int put(struct mc_recipe *recipe, const char *path, struct mc_yaml *node, struct mc_error *err)
{
    const int rc = recipe->name ? mc_vars_check(recipe->root, path, node, err) : MC_OK;
    return rc == MC_OK ? mc_yaml_put(&recipe->root, &recipe->arena, path, node, err) : rc;
}

int mc_recipe_set(struct mc_recipe *recipe, const char *path, const char *value, const char *given_as,
                  struct mc_error *err)
{
    struct mc_arena *arena = &recipe->arena;
    struct mc_yaml_source *source = add_source(arena, given_as ? given_as : path, NULL, value, strlen(value));
    struct mc_yaml *node = NULL;
    if (!source) return mc_error_memory(err);
    if (!*value) /* "--set data=": nothing, as in "data:" */
        return mc_recipe_set_text(recipe, path, "", given_as, err);
    const int rc = mc_yaml_parse(&node, arena, source, err);
    source->text = NULL; /* it has been read; from here on the word is place enough */
    return rc == MC_OK ? put(recipe, path, node, err) : rc;
}

int mc_recipe_set_text(struct mc_recipe *recipe, const char *path, const char *text, const char *given_as,
                       struct mc_error *err)
{
    struct mc_arena *arena = &recipe->arena;
    const struct mc_yaml_source *source = add_source(arena, given_as ? given_as : path, NULL, NULL, 0);
    struct mc_yaml *node = source ? mc_yaml_scalar(arena, source, text) : NULL;
    return node ? put(recipe, path, node, err) : mc_error_memory(err);
}
