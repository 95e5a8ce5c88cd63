/* widths.c - reading bounds of widths; see widths.h. */
#include "prune/widths.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/exclude.h"

struct entry {
    const char *names; /* from here, `length` letters */
    size_t length;
    struct mc_width_bounds bounds;
    bool exact, taken, used;
};

struct mc_widths {
    size_t n;
    struct entry *entries;
    char *text; /* what `names` point into */
};

/* A number of at most nine digits at *at, which moves behind it; -1: none. */
static int64_t read_number(const char **at)
{
    int64_t n = -1;
    for (int digits = 0; **at >= '0' && **at <= '9' && digits < 9; digits++, ++*at)
        n = (n < 0 ? 0 : n) * 10 + (**at - '0');
    return n;
}

static bool read_bounds(const char *at, const char *end, struct mc_width_bounds *bounds)
{
    const int64_t least = read_number(&at);
    const bool range = end - at >= 2 && at[0] == '.' && at[1] == '.';
    if (range) at += 2;
    const int64_t most = range ? read_number(&at) : least;
    const bool multiple = range && at < end && *at == '/';
    if (multiple) at++;
    *bounds = (struct mc_width_bounds){least < 0 ? 1 : least, most < 0 ? INT64_MAX : most, 0};
    if (multiple) bounds->multiple = read_number(&at);
    return at == end && (range || least > 0) && bounds->least > 0 && bounds->most >= bounds->least &&
           (!multiple || (bounds->multiple > 0 && bounds->multiple <= 4096));
}

static void trim(const char **from, const char **end)
{
    while (*from < *end && **from == ' ') ++*from;
    while (*from < *end && (*end)[-1] == ' ') --*end;
}

static int read_entry(struct entry *entry, const char *from, const char *end, struct mc_error *err)
{
    const char *sign = NULL;
    trim(&from, &end);
    for (const char *p = from; p < end; p++)
        if (*p == '=') sign = p; /* the last: names may have one */
    const char *names_end = sign, *bounds = sign ? sign + 1 : NULL, *bounds_end = end;
    if (sign) {
        trim(&from, &names_end);
        trim(&bounds, &bounds_end);
    }
    if (!sign || names_end == from || !read_bounds(bounds, bounds_end, &entry->bounds))
        return mc_error_set(err, MC_ERR_USAGE,
                            "'%.*s': needs NAMES=WIDTH or NAMES=LEAST..MOST, perhaps /MULTIPLE, as conv*=16..64/8",
                            (int)(end - from), from);
    entry->names = from;
    entry->length = (size_t)(names_end - from);
    entry->exact = !memchr(from, '*', entry->length) && !memchr(from, '?', entry->length);
    return MC_OK;
}

int mc_widths_create(struct mc_widths **widths, const char *text, struct mc_error *err)
{
    struct mc_widths *w = MC_NEW(struct mc_widths);
    if (!w) return mc_error_memory(err);
    size_t n = text ? 1 : 0;
    for (const char *p = text; p && *p; p++) n += *p == ',';
    w->entries = MC_NEW_ARRAY(struct entry, n);
    w->text = mc_strdup(text ? text : "");
    int rc = w->entries && w->text ? MC_OK : mc_error_memory(err);
    const char *from = w->text;
    for (; rc == MC_OK && w->n < n; w->n++) {
        const char *comma = strchr(from, ','), *end = comma ? comma : from + strlen(from);
        rc = read_entry(&w->entries[w->n], from, end, err);
        from = end + 1;
    }
    if (rc < 0) {
        mc_widths_destroy(w);
        return rc;
    }
    *widths = w;
    return MC_OK;
}

void mc_widths_destroy(struct mc_widths *widths)
{
    if (!widths) return;
    mc_free(widths->text);
    mc_free(widths->entries);
    mc_free(widths);
}

bool mc_widths_take(struct mc_widths *widths, const char *tensor, struct mc_width_bounds *bounds)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < widths->n && (!found || found->used); i++) {
        struct entry *entry = &widths->entries[i];
        if (mc_name_matches(entry->names, entry->names + entry->length, tensor) && (!found || !entry->used))
            found = entry;
    }
    if (!found) return false;
    found->taken = true;
    found->used = found->exact;
    *bounds = found->bounds;
    return true;
}

int mc_widths_check_taken(const struct mc_widths *widths, struct mc_error *err)
{
    for (size_t i = 0; i < widths->n; i++) {
        const struct entry *entry = &widths->entries[i];
        if (!entry->taken)
            return mc_error_set(err, MC_ERR_USAGE, "widths: '%.*s' is no layer whose channels can go",
                                (int)entry->length, entry->names);
    }
    return MC_OK;
}
