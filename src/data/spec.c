/* spec.c - data set names; see spec.h. */
#include "data/spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/suggest.h"

static int add_option(struct mc_spec *spec, char *word, struct mc_error *err)
{
    char *equals = strchr(word, '=');
    if (!equals || equals == word)
        return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs the form name=value", word);
    *equals = '\0';
    if (mc_spec_text(spec, word)) return mc_error_set(err, MC_ERR_USAGE, "data option '%s' is given twice", word);
    if (spec->n_options == MC_SPEC_MAX_OPTIONS)
        return mc_error_set(err, MC_ERR_USAGE, "more than %d data options", MC_SPEC_MAX_OPTIONS);
    spec->options[spec->n_options].name = word;
    spec->options[spec->n_options++].value = equals + 1;
    return MC_OK;
}

int mc_spec_parse(struct mc_spec *spec, const char *text, struct mc_error *err)
{
    *spec = (struct mc_spec){.path = ""};
    spec->text = mc_strdup(text);
    if (!spec->text) return mc_error_memory(err);
    spec->kind = spec->text;
    char *rest = strchr(spec->text, ',');
    if (rest) *rest++ = '\0';
    char *colon = strchr(spec->text, ':');
    if (colon) {
        *colon = '\0';
        spec->path = colon + 1;
    }
    while (rest) {
        char *word = rest;
        rest = strchr(rest, ',');
        if (rest) *rest++ = '\0';
        const int rc = add_option(spec, word, err);
        if (rc < 0) {
            mc_spec_finish(spec);
            return rc;
        }
    }
    return MC_OK;
}

void mc_spec_finish(struct mc_spec *spec)
{
    mc_free(spec->text);
    *spec = (struct mc_spec){.path = ""};
}

int mc_spec_inherit(struct mc_spec *spec, const struct mc_spec *from, struct mc_error *err)
{
    if (strcmp(spec->kind, from->kind) != 0) return MC_OK;
    for (int i = 0; i < from->n_options; i++) {
        if (mc_spec_text(spec, from->options[i].name)) continue;
        if (spec->n_options == MC_SPEC_MAX_OPTIONS)
            return mc_error_set(err, MC_ERR_USAGE, "more than %d data options", MC_SPEC_MAX_OPTIONS);
        spec->options[spec->n_options++] = from->options[i];
    }
    return MC_OK;
}

int mc_spec_check(const struct mc_spec *spec, const char *const *names, size_t n, struct mc_error *err)
{
    for (int i = 0; i < spec->n_options; i++) {
        const char *name = spec->options[i].name;
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) known = strcmp(name, names[k]) == 0;
        if (known) continue;
        mc_error_set(err, MC_ERR_USAGE, "data '%s' has no option '%s'", spec->kind, name);
        const char *nearest = mc_suggest(name, names, n);
        if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
        return MC_ERR_USAGE;
    }
    return MC_OK;
}

const char *mc_spec_text(const struct mc_spec *spec, const char *name)
{
    for (int i = 0; i < spec->n_options; i++)
        if (strcmp(spec->options[i].name, name) == 0) return spec->options[i].value;
    return NULL;
}

int mc_spec_number(const struct mc_spec *spec, const char *name, double low, double high, double otherwise,
                   double *value, struct mc_error *err)
{
    const char *text = mc_spec_text(spec, name);
    *value = otherwise;
    if (!text) return MC_OK;
    char *end;
    const double parsed = strtod(text, &end);
    if (end == text || *end || !(parsed >= low && parsed <= high))
        return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs a number from %g to %g, has '%s'", name, low,
                            high, text);
    *value = parsed;
    return MC_OK;
}

int mc_spec_integer(const struct mc_spec *spec, const char *name, int64_t low, int64_t high, int64_t otherwise,
                    int64_t *value, struct mc_error *err)
{
    const char *text = mc_spec_text(spec, name);
    *value = otherwise;
    if (!text) return MC_OK;
    char *end;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    if (end == text || *end || errno || parsed < low || parsed > high)
        return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs an integer from %lld to %lld, has '%s'", name,
                            (long long)low, (long long)high, text);
    *value = parsed;
    return MC_OK;
}

bool mc_spec_is_unlabelled(const struct mc_spec *spec)
{
    const char *text = mc_spec_text(spec, "unlabelled");
    return text && strcmp(text, "1") == 0;
}
