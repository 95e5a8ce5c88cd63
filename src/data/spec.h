/* spec.h - "kind:path,option=value…", taken apart. */
#ifndef MC_DATA_SPEC_H
#define MC_DATA_SPEC_H

#include "compress/compress.h"

enum { MC_SPEC_MAX_OPTIONS = 32 };

struct mc_spec {
    char *text; /* the words below point into it, or into the specification that they were inherited from */
    const char *kind;
    const char *path; /* "" if none */
    int n_options;
    struct {
        const char *name, *value;
    } options[MC_SPEC_MAX_OPTIONS];
};

/* MC_ERR_USAGE for an option without '=', a repeated one, or too many. */
int mc_spec_parse(struct mc_spec *spec, const char *text, struct mc_error *err);
void mc_spec_finish(struct mc_spec *spec);

/* Add the options of `from` that `spec` does not give, if the two are of one kind. */
int mc_spec_inherit(struct mc_spec *spec, const struct mc_spec *from, struct mc_error *err);

/* Refuse options that are not among `names`, with the nearest that is. */
int mc_spec_check(const struct mc_spec *spec, const char *const *names, size_t n, struct mc_error *err);

const char *mc_spec_text(const struct mc_spec *spec, const char *name); /* NULL: not given */
/* Number within [low, high]; `otherwise` when not given. */
int mc_spec_number(const struct mc_spec *spec, const char *name, double low, double high, double otherwise,
                   double *value, struct mc_error *err);
int mc_spec_integer(const struct mc_spec *spec, const char *name, int64_t low, int64_t high, int64_t otherwise,
                    int64_t *value, struct mc_error *err);
/* Do samples come without targets, "unlabelled=1"? */
bool mc_spec_is_unlabelled(const struct mc_spec *spec);

#endif
