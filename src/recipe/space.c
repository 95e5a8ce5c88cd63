/* space.c - what a search varies; see space.h. */
#include "recipe/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"

static const char *const range_names[] = {
    [MC_AXIS_UNIFORM] = "uniform", [MC_AXIS_LOG] = "log", [MC_AXIS_INTEGER] = "integer"};

static bool read_number(const struct mc_yaml *node, double *number)
{
    if (node->kind != MC_YAML_SCALAR || node->empty) return false;
    char *end;
    *number = strtod(node->text, &end);
    return *end == '\0' && isfinite(*number);
}

/* {log: [0.0001, 0.1]}, {log: [0.0001, 0.1, 4]} */
static int read_range(struct mc_axis *axis, const struct mc_yaml *value, struct mc_error *err)
{
    const struct mc_yaml *key = value->n == 1 ? value->entries[0].key : NULL, *list = value->entries[0].value;
    axis->kind = MC_AXIS_CHOICE;
    for (int kind = MC_AXIS_UNIFORM; key && kind <= MC_AXIS_INTEGER; kind++)
        if (strcmp(key->text, range_names[kind]) == 0) axis->kind = (enum mc_axis_kind)kind;
    if (axis->kind == MC_AXIS_CHOICE)
        return mc_yaml_error(key ? key : value, MC_ERR_USAGE, err,
                             "'%s': needs a list of values, or one of uniform, log, integer with [low, high]",
                             axis->path);
    double points = 0;
    const bool whole = list->kind == MC_YAML_SEQUENCE && (list->n == 2 || list->n == 3) &&
                       read_number(list->entries[0].value, &axis->low) &&
                       read_number(list->entries[1].value, &axis->high) &&
                       (list->n == 2 || read_number(list->entries[2].value, &points));
    if (!whole || !(axis->low < axis->high))
        return mc_yaml_error(list, MC_ERR_USAGE, err,
                             "'%s': needs [low, high] or [low, high, points] with low below high", axis->path);
    if (axis->kind == MC_AXIS_LOG && axis->low <= 0)
        return mc_yaml_error(list, MC_ERR_USAGE, err, "'%s': log needs numbers above 0", axis->path);
    if (list->n == 3 && !(points >= 2 && points <= MC_SPACE_MAX_TRIALS && points == floor(points)))
        return mc_yaml_error(list, MC_ERR_USAGE, err, "'%s': needs 2 points or more, a whole number", axis->path);
    axis->n = (int)points;
    return MC_OK;
}

static int read_axis(struct mc_axis *axis, const struct mc_yaml_entry *entry, struct mc_error *err)
{
    const struct mc_yaml *value = entry->value;
    *axis = (struct mc_axis){.path = entry->key->text, .at = value};
    if (value->kind == MC_YAML_MAPPING && value->n > 0) return read_range(axis, value, err);
    if (value->kind != MC_YAML_SEQUENCE || value->n == 0)
        return mc_yaml_error(value, MC_ERR_USAGE, err, "'%s': needs a list of values or a range, has %s", axis->path,
                             mc_yaml_kind_text(value));
    axis->n = value->n;
    return MC_OK;
}

int mc_space_init(struct mc_space *space, const struct mc_yaml *mapping, struct mc_error *err)
{
    space->n = 0;
    if (mapping->kind != MC_YAML_MAPPING || mapping->n == 0)
        return mc_yaml_error(mapping, MC_ERR_USAGE, err, "'space' needs a mapping of options to values, has %s",
                             mc_yaml_kind_text(mapping));
    if (mapping->n > MC_SPACE_MAX_AXES)
        return mc_yaml_error(mapping, MC_ERR_USAGE, err, "'space' has %d options, of which %d may be varied",
                             mapping->n, MC_SPACE_MAX_AXES);
    for (int i = 0; i < mapping->n; i++) {
        const int rc = read_axis(&space->axes[space->n++], &mapping->entries[i], err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

int mc_space_grid_size(const struct mc_space *space, int *n, struct mc_error *err)
{
    *n = 1;
    for (int i = 0; i < space->n; i++) {
        const struct mc_axis *axis = &space->axes[i];
        if (axis->n == 0)
            return mc_yaml_error(axis->at, MC_ERR_USAGE, err,
                                 "'%s': a grid needs a number of points, as in {log: [0.0001, 0.1, 4]}", axis->path);
        if (axis->n > MC_SPACE_MAX_TRIALS / *n)
            return mc_yaml_error(axis->at, MC_ERR_USAGE, err, "the grid has more than %d combinations",
                                 MC_SPACE_MAX_TRIALS);
        *n *= axis->n;
    }
    return MC_OK;
}

/* A number of a range, which stands where the range does. */
static struct mc_yaml *number(const struct mc_axis *axis, const char *text, struct mc_arena *arena)
{
    struct mc_yaml *node = mc_yaml_scalar(arena, axis->at->source, text);
    if (!node) return NULL;
    node->line = axis->at->line;
    node->column = axis->at->column;
    return node;
}

/* The number at a share in [0, 1] of a range. */
static struct mc_yaml *number_at(const struct mc_axis *axis, double share, struct mc_arena *arena)
{
    char text[32];
    const double low = axis->low, high = axis->high;
    if (axis->kind == MC_AXIS_LOG)
        snprintf(text, sizeof text, "%.6g", exp(log(low) + share * (log(high) - log(low))));
    else if (axis->kind == MC_AXIS_INTEGER)
        snprintf(text, sizeof text, "%.0f", floor(low + share * (high - low) + 0.5));
    else
        snprintf(text, sizeof text, "%.6g", low + share * (high - low));
    return number(axis, text, arena);
}

struct mc_yaml *mc_space_grid_value(const struct mc_space *space, int axis, int trial, struct mc_arena *arena)
{
    for (int i = space->n - 1; i > axis; i--) trial /= space->axes[i].n;
    const struct mc_axis *a = &space->axes[axis];
    const int point = trial % a->n;
    if (a->kind == MC_AXIS_CHOICE) return a->at->entries[point].value;
    return number_at(a, (double)point / (a->n - 1), arena);
}

struct mc_yaml *mc_space_random_value(const struct mc_space *space, int axis, int trial, uint64_t seed,
                                      struct mc_arena *arena)
{
    const struct mc_axis *a = &space->axes[axis];
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("tune") + (uint64_t)trial * MC_SPACE_MAX_AXES + (uint64_t)axis);
    if (a->kind == MC_AXIS_CHOICE) return a->at->entries[mc_rng_below(&rng, (uint64_t)a->n)].value;
    if (a->kind != MC_AXIS_INTEGER) return number_at(a, mc_rng_uniform(&rng), arena);
    const double span = floor(a->high) - ceil(a->low);
    char text[32];
    if (span < 0) return number_at(a, 0, arena);
    snprintf(text, sizeof text, "%.0f", ceil(a->low) + (double)mc_rng_below(&rng, (uint64_t)span + 1));
    return number(a, text, arena);
}
