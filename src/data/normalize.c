/* normalize.c - samples to a known range; see normalize.h. */
#include "data/normalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static int make_groups(struct mc_normalizer *z, const struct mc_shape *sample, struct mc_error *err)
{
    const int64_t count = mc_shape_count(sample);
    z->n_groups = sample->rank == 3 ? sample->dim[0] : count;
    z->width = z->n_groups > 0 ? count / z->n_groups : 0;
    z->mean = MC_NEW_ARRAY(double, z->n_groups);
    z->deviation = MC_NEW_ARRAY(double, z->n_groups);
    return z->mean && z->deviation ? MC_OK : mc_error_memory(err);
}

/* "a" for all groups or "a+b+c", one a group. */
static int read_numbers(const struct mc_spec *spec, const char *name, double low, double otherwise, double *out,
                        int64_t n, struct mc_error *err)
{
    const char *text = mc_spec_text(spec, name), *at = text;
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) out[i] = otherwise;
    while (at) {
        char *end;
        const double value = strtod(at, &end);
        if (end == at || (*end && *end != '+') || !isfinite(value) || value < low)
            return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs numbers of at least %g, has '%s'", name,
                                low, text);
        if (found < n) out[found] = value;
        found++;
        at = *end ? end + 1 : NULL;
    }
    if (found == 1)
        for (int64_t i = 1; i < n; i++) out[i] = out[0];
    else if (found != 0 && found != n)
        return mc_error_set(err, MC_ERR_USAGE, "data option '%s': needs 1 or %lld numbers, has %lld", name,
                            (long long)n, (long long)found);
    return MC_OK;
}

int mc_normalizer_init(struct mc_normalizer *z, const struct mc_spec *spec, const struct mc_shape *sample,
                       enum mc_normalization *learn, struct mc_error *err)
{
    const bool given = mc_spec_text(spec, "mean") || mc_spec_text(spec, "std");
    const char *how = mc_spec_text(spec, "normalize");
    int64_t standardize;
    *z = (struct mc_normalizer){0};
    *learn = MC_NORMALIZE_GIVEN;
    int rc = mc_spec_integer(spec, "standardize", 0, 1, 0, &standardize, err);
    if (rc < 0) return rc;
    if (!how && standardize) how = "train";
    if (how && strcmp(how, "train") != 0 && strcmp(how, "minmax") != 0)
        return mc_error_set(err, MC_ERR_USAGE, "data option 'normalize': needs train or minmax, has '%s'", how);
    if (how && given)
        return mc_error_set(err, MC_ERR_USAGE, "data options 'normalize' and 'mean', 'std' exclude each other");
    if (how) *learn = strcmp(how, "train") == 0 ? MC_NORMALIZE_TRAIN : MC_NORMALIZE_MINMAX;
    if (how || !given) return MC_OK;
    rc = make_groups(z, sample, err);
    if (rc == MC_OK) rc = read_numbers(spec, "mean", -1e6, 0, z->mean, z->n_groups, err);
    if (rc == MC_OK) rc = read_numbers(spec, "std", 1e-6, 1, z->deviation, z->n_groups, err);
    return rc;
}

void mc_normalizer_finish(struct mc_normalizer *z)
{
    mc_free(z->mean);
    mc_free(z->deviation);
    *z = (struct mc_normalizer){0};
}

static void release(struct mc_normalizer_sums *s)
{
    mc_free(s->first);
    mc_free(s->second);
    mc_free(s->origin);
    *s = (struct mc_normalizer_sums){0};
}

int mc_normalizer_begin(struct mc_normalizer *z, struct mc_normalizer_sums *s, enum mc_normalization how,
                        const struct mc_shape *sample, struct mc_error *err)
{
    *s = (struct mc_normalizer_sums){.how = how};
    const int rc = make_groups(z, sample, err);
    if (rc < 0) return rc;
    s->first = MC_NEW_ARRAY(double, z->n_groups);
    s->second = MC_NEW_ARRAY(double, z->n_groups);
    s->origin = MC_NEW_ARRAY(double, z->n_groups);
    if (s->first && s->second && s->origin) return MC_OK;
    release(s);
    return mc_error_memory(err);
}

void mc_normalizer_add(const struct mc_normalizer *z, struct mc_normalizer_sums *s, const float *x)
{
    for (int64_t g = 0; g < z->n_groups; g++, x += z->width) {
        const bool minmax = s->how == MC_NORMALIZE_MINMAX;
        if (s->n == 0) s->origin[g] = x[0];
        if (s->n == 0 && minmax) s->first[g] = s->second[g] = x[0];
        double sum = 0, squares = 0;
        for (int64_t k = 0; k < z->width && !minmax; k++) {
            const double d = x[k] - s->origin[g];
            sum += d;
            squares += d * d;
        }
        for (int64_t k = 0; k < z->width && minmax; k++) {
            if (x[k] < s->first[g]) s->first[g] = x[k];
            if (x[k] > s->second[g]) s->second[g] = x[k];
        }
        if (minmax) continue;
        s->first[g] += sum;
        s->second[g] += squares;
    }
    s->n++;
}

void mc_normalizer_end(struct mc_normalizer *z, struct mc_normalizer_sums *s)
{
    const double n = (double)s->n * (double)z->width;
    for (int64_t g = 0; g < z->n_groups; g++) {
        z->deviation[g] = 1;
        if (s->n == 0) continue;
        if (s->how == MC_NORMALIZE_MINMAX) {
            z->mean[g] = s->first[g];
            z->deviation[g] = s->second[g] - s->first[g];
            continue;
        }
        const double mean = s->first[g] / n, variance = s->second[g] / n - mean * mean;
        z->mean[g] = s->origin[g] + mean;
        z->deviation[g] = variance > 0 ? sqrt(variance) : 0;
    }
    release(s);
}

void mc_normalizer_apply(const struct mc_normalizer *z, float *x)
{
    for (int64_t g = 0; g < z->n_groups; g++, x += z->width) {
        const double scale = z->deviation[g] > 0 ? 1 / z->deviation[g] : 0, mean = z->mean[g];
        for (int64_t k = 0; k < z->width; k++) x[k] = (float)((x[k] - mean) * scale);
    }
}
