/* geometric.c - distances between groups of a family, by products of their weights; see geometric.h. */
#include "prune/geometric.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"

struct family {
    const struct mc_coupling *c;
    int n;
    int *groups;    /* free ones */
    double *square; /* [n, n] squared distances, all tensors together */
    struct mc_error *err;
};

/* Weights of slice s of a group into a row. */
static void copy_slice(const struct mc_slice *slice, const struct mc_tensor *t, double *row)
{
    const int64_t outer = mc_shape_span(&t->shape, 0, slice->axis), extent = t->shape.dim[slice->axis];
    const int64_t inner = mc_shape_span(&t->shape, slice->axis + 1, t->shape.rank);
    for (int64_t i = 0; i < slice->n; i++)
        for (int64_t o = 0; o < outer; o++)
            for (int64_t k = 0; k < inner; k++)
                *row++ = mc_tensor_get_f64(t, (o * extent + slice->indices[i]) * inner + k);
}

static bool counts(const struct mc_coupling *c, const struct mc_slice *slice, enum mc_role role)
{
    return mc_coupling_is_parameter(c, slice->value) && mc_dtype_is_float(mc_coupling_fact(c, slice->value)->dtype) &&
           mc_coupling_role(c, slice->value, slice->axis) == role;
}

/* |a - b|^2 = aa - 2 ab + bb over rows of weights. */
static int add_slices(struct family *f, int s)
{
    const struct mc_slice *first = &mc_coupling_group(f->c, f->groups[0])->slices[s];
    const struct mc_tensor *t = mc_coupling_fact(f->c, first->value)->constant;
    const int64_t width = mc_tensor_count(t) / t->shape.dim[first->axis] * first->n;
    double *rows = mc_alloc((size_t)f->n, (size_t)width * sizeof(*rows));
    double *products = mc_alloc((size_t)f->n, (size_t)f->n * sizeof(*products));
    int rc = rows && products && mc_gemm_fits(f->n, f->n, width) ? 0 : mc_error_memory(f->err);
    if (rc == 0) {
        for (int i = 0; i < f->n; i++)
            copy_slice(&mc_coupling_group(f->c, f->groups[i])->slices[s], t, rows + i * width);
        const struct mc_gemm gemm = mc_gemm_dense(MC_DOUBLE, false, true, f->n, f->n, width);
        mc_gemm(&gemm, rows, rows, products);
        for (int i = 0; i < f->n; i++)
            for (int k = 0; k < f->n; k++) {
                const double d = products[i * f->n + i] - 2 * products[i * f->n + k] + products[k * f->n + k];
                f->square[i * f->n + k] += d > 0 ? d : 0;
            }
    }
    mc_free(products);
    mc_free(rows);
    return rc;
}

/* Groups of a family have slices along the same axes; where they are not equally wide there is no distance. */
static bool is_even(const struct family *f, int s)
{
    const int64_t n = mc_coupling_group(f->c, f->groups[0])->slices[s].n;
    for (int i = 1; i < f->n; i++)
        if (mc_coupling_group(f->c, f->groups[i])->slices[s].n != n) return false;
    return true;
}

static int score_family(struct family *f, double *importance)
{
    const struct mc_group *first = mc_coupling_group(f->c, f->groups[0]);
    f->square = mc_alloc((size_t)f->n, (size_t)f->n * sizeof(*f->square));
    if (!f->square) return mc_error_memory(f->err);
    memset(f->square, 0, (size_t)f->n * (size_t)f->n * sizeof(*f->square));
    bool produced = false;
    for (int s = 0; s < first->n_slices; s++) produced |= counts(f->c, &first->slices[s], MC_ROLE_PRODUCES);
    int rc = 0;
    for (int s = 0; s < first->n_slices && rc == 0; s++)
        if (counts(f->c, &first->slices[s], produced ? MC_ROLE_PRODUCES : MC_ROLE_CONSUMES) && is_even(f, s))
            rc = add_slices(f, s);
    for (int i = 0; i < f->n; i++)
        for (int k = 0; k < f->n; k++) importance[f->groups[i]] += sqrt(f->square[i * f->n + k]);
    mc_free(f->square);
    return rc;
}

int mc_geometric(const struct mc_coupling *coupling, double *importance, struct mc_error *err)
{
    const int n_groups = mc_coupling_n_groups(coupling), n_families = mc_coupling_n_families(coupling);
    memset(importance, 0, (size_t)n_groups * sizeof(*importance));
    int *count = MC_NEW_ARRAY(int, n_families), *list = MC_NEW_ARRAY(int, n_groups);
    int *first = MC_NEW_ARRAY(int, n_families);
    int rc = count && list && first ? 0 : mc_error_memory(err), at = 0;
    for (int g = 0; g < n_groups && rc == 0; g++)
        if (!mc_coupling_group(coupling, g)->frozen_why) count[mc_coupling_group(coupling, g)->family]++;
    for (int f = 0; f < n_families && rc == 0; at += count[f++]) first[f] = at;
    for (int g = 0; g < n_groups && rc == 0; g++)
        if (!mc_coupling_group(coupling, g)->frozen_why) list[first[mc_coupling_group(coupling, g)->family]++] = g;
    for (int f = 0; f < n_families && rc == 0; f++) {
        struct family family = {.c = coupling, .n = count[f], .groups = list + first[f] - count[f], .err = err};
        if (family.n > 0) rc = score_family(&family, importance);
    }
    mc_free(first);
    mc_free(list);
    mc_free(count);
    return rc;
}
