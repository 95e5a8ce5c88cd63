/* recipe.c - recipes from files and from calls; see recipe.h and compress.h. */
#include "recipe/recipe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "recipe/context.h"

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

static int read_file(struct mc_recipe *r, const char *path, struct mc_error *err)
{
    struct mc_file_view file;
    int rc = mc_file_open(&file, path, MC_YAML_MAX_BYTES, err);
    if (rc < 0) return rc;
    char *dir = mc_path_dir(path);
    const struct mc_yaml_source *source =
        dir ? add_source(&r->arena, path, dir, file.data ? (const char *)file.data : "", file.length) : NULL;
    r->name = mc_arena_strdup(&r->arena, mc_path_name(path));
    rc = source && r->name ? mc_yaml_parse(&r->root, &r->arena, source, err) : mc_error_memory(err);
    mc_free(dir);
    mc_file_close(&file);
    return rc;
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

void mc_recipe_destroy(struct mc_recipe *recipe)
{
    if (!recipe) return;
    mc_arena_finish(&recipe->arena);
    mc_free(recipe);
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
    return rc == MC_OK ? mc_yaml_put(&recipe->root, arena, path, node, err) : rc;
}

int mc_recipe_set_text(struct mc_recipe *recipe, const char *path, const char *text, const char *given_as,
                       struct mc_error *err)
{
    struct mc_arena *arena = &recipe->arena;
    const struct mc_yaml_source *source = add_source(arena, given_as ? given_as : path, NULL, NULL, 0);
    struct mc_yaml *node = source ? mc_yaml_scalar(arena, source, text) : NULL;
    return node ? mc_yaml_put(&recipe->root, arena, path, node, err) : mc_error_memory(err);
}
