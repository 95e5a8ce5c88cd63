/* yaml.h - YAML documents as trees that know where each node was written; parsed by libfyaml.
 *
 * Of YAML 1.2 a recipe takes scalars, sequences and mappings with scalar keys. Aliases, anchors and tags are refused,
 * so that a small file cannot become a large tree, as are repeated keys. Nodes live in an arena.
 */
#ifndef MC_RECIPE_YAML_H
#define MC_RECIPE_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "compress/compress.h"

/* Most that is read: bytes of a document, nesting, nodes. */
enum { MC_YAML_MAX_BYTES = 1 << 20, MC_YAML_MAX_DEPTH = 32, MC_YAML_MAX_NODES = 20000 };

/* Where nodes come from; outlives them. */
struct mc_yaml_source {
    const char *name; /* "shrink.yaml", or "--ratio" */
    const char *dir;  /* what relative paths in it are relative to; NULL: the working directory */
    const char *text; /* the document; NULL: a word of the command line, which has no lines */
    size_t length;
};

enum mc_yaml_kind { MC_YAML_SCALAR, MC_YAML_SEQUENCE, MC_YAML_MAPPING };

struct mc_yaml {
    enum mc_yaml_kind kind;
    const struct mc_yaml_source *source;
    int line, column; /* from 1 */
    const char *text; /* scalar */
    bool empty;       /* a plain scalar without letters, as after "gates:", or null */
    int n;
    size_t capacity;
    struct mc_yaml_entry *entries;
};

struct mc_yaml_entry {
    const struct mc_yaml *key; /* of a mapping; NULL in a sequence */
    struct mc_yaml *value;
};

/* The root is handed out as long as the arena lives. MC_ERR_USAGE with line and column. */
int mc_yaml_parse(struct mc_yaml **root, struct mc_arena *arena, const struct mc_yaml_source *source,
                  struct mc_error *err);

/* Value under a key of a mapping, or NULL. */
struct mc_yaml *mc_yaml_find(const struct mc_yaml *mapping, const char *key);

/* What stands at a dotted path, "steps.0.train.epochs", or NULL. */
struct mc_yaml *mc_yaml_at(struct mc_yaml *root, const char *path);

/* Put `value` at a dotted path below `*root` (NULL: nothing yet), making mappings and sequences on the way; a number
 * steps into a sequence, and the one behind its last entry appends; a word steps to the options of the step of that
 * name. MC_ERR_USAGE if a scalar is in the way. Keys that are made come from `value`'s source. */
int mc_yaml_put(struct mc_yaml **root, struct mc_arena *arena, const char *path, struct mc_yaml *value,
                struct mc_error *err);

/* Lay `over` over *base (NULL: nothing yet): mappings are laid over mappings key by key, and whatever else it has takes
 * the place of what was there. Nodes are shared, not copied. */
int mc_yaml_merge(struct mc_yaml **base, struct mc_arena *arena, struct mc_yaml *over, struct mc_error *err);

/* A scalar that no document holds. NULL without memory. */
struct mc_yaml *mc_yaml_scalar(struct mc_arena *arena, const struct mc_yaml_source *source, const char *text);

/* Take a key out of a mapping; nothing if it is not there. */
void mc_yaml_remove(struct mc_yaml *mapping, const char *key);

/* As text that parses to the same tree: entries on lines of their own, what lies deeper in braces and brackets. */
void mc_yaml_print(const struct mc_yaml *root, struct mc_buf *out);
/* All in one line, in braces and brackets; a scalar as itself. */
void mc_yaml_print_flow(const struct mc_yaml *node, struct mc_buf *out);

/* "shrink.yaml:7:12: …", the line with a mark under it as hint; or "--ratio: …". Returns `status`. */
int mc_yaml_error(const struct mc_yaml *at, int status, struct mc_error *err, const char *fmt, ...) MC_PRINTF(4, 5);
/* Put the place in front of an error that is there already. */
int mc_yaml_wrap(const struct mc_yaml *at, int status, struct mc_error *err);

/* "a text", "a list", "a mapping", "nothing": for messages. */
const char *mc_yaml_kind_text(const struct mc_yaml *node);

#endif
