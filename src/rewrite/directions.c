/* directions.c - eigenvectors of weights and of outputs; see directions.h. */
#include "rewrite/directions.h"

#include <string.h>

#include "base/alloc.h"
#include "kernel/blas.h"
#include "kernel/eigen.h"
#include "prune/samples.h"

enum {
    MOST_DIRECTIONS = 4096, /* matrices of that square are decomposed */
    PLACES = 1024,          /* outputs at so many places are added up at a time */
    HELD = 1 << 24,         /* numbers of outputs that a run hands out at a time */
};

void mc_layer_finish(struct mc_layer *layer)
{
    mc_free(layer->spectrum.shares);
    mc_free(layer->vectors);
    mc_free(layer->mean);
    layer->spectrum.shares = layer->vectors = layer->mean = NULL;
}

int mc_layer_weights(const struct mc_layer *layer, double **w, struct mc_error *err)
{
    const int64_t M = layer->rows.M, K = layer->rows.K;
    const struct mc_tensor *t = layer->node->inputs[1]->data;
    *w = mc_alloc((size_t)M, (size_t)K * sizeof **w);
    if (!*w) return mc_error_memory(err);
    for (int64_t m = 0; m < M; m++)
        for (int64_t k = 0; k < K; k++) (*w)[m * K + k] = mc_tensor_get_f64(t, mc_rows_at(&layer->rows, m, k));
    return MC_OK;
}

/* Room for n directions; false with `why` set where they are too many. */
static bool start(struct mc_layer *layer, int64_t n, int *rc, struct mc_error *err)
{
    if (n > MOST_DIRECTIONS) {
        layer->why = "it is too large";
        return false;
    }
    layer->spectrum.n = n;
    layer->spectrum.shares = MC_NEW_ARRAY(double, n);
    layer->vectors = MC_NEW_ARRAY(double, n *n);
    if (!layer->spectrum.shares || !layer->vectors) *rc = mc_error_memory(err);
    return *rc == MC_OK;
}

/* The sums in `vectors` are those of all products: decompose them. */
static int decompose(struct mc_layer *layer, struct mc_error *err)
{
    const int rc = mc_eigen_symmetric(layer->spectrum.n, layer->vectors, layer->spectrum.shares, err);
    if (rc < 0) return mc_error_wrap(err, rc, "tensor '%s'", layer->node->inputs[1]->name);
    mc_spectrum_sum(&layer->spectrum);
    return MC_OK;
}

int mc_directions_of_weights(struct mc_layer *layer, struct mc_error *err)
{
    const int64_t M = layer->rows.M, K = layer->rows.K;
    double *w = NULL;
    int rc = MC_OK;
    layer->of_inputs = K < M;
    if (!start(layer, K < M ? K : M, &rc, err)) return rc;
    rc = mc_layer_weights(layer, &w, err);
    if (rc == MC_OK) {
        const struct mc_gemm gram = layer->of_inputs ? mc_gemm_dense(MC_DOUBLE, true, false, K, K, M)
                                                     : mc_gemm_dense(MC_DOUBLE, false, true, M, M, K);
        mc_gemm(&gram, w, w, layer->vectors);
        rc = decompose(layer, err);
    }
    mc_free(w);
    return rc;
}

/* --- outputs --- */

/* Outputs at places [from, from + n) as rows [n, M], which count row-major over all axes but that of the outputs. */
static void gather(const struct mc_tensor *y, int axis, int64_t from, int64_t n, double *rows)
{
    const int64_t M = y->shape.dim[axis], inner = mc_shape_span(&y->shape, axis + 1, y->shape.rank);
    const float *data = y->data;
    for (int64_t i = 0; i < n; i++) {
        const float *at = data + (from + i) / inner * M * inner + (from + i) % inner;
        for (int64_t m = 0; m < M; m++) *rows++ = (double)at[m * inner];
    }
}

static void add_up(struct mc_layer *layer, const struct mc_tensor *y, double *rows)
{
    const int64_t M = layer->rows.M, places = mc_tensor_count(y) / M;
    for (int64_t from = 0; from < places; from += PLACES) {
        const int64_t n = places - from < PLACES ? places - from : PLACES;
        struct mc_gemm gram = mc_gemm_dense(MC_DOUBLE, true, false, M, M, n);
        gram.beta = 1;
        gather(y, layer->out_axis, from, n, rows);
        mc_gemm(&gram, rows, rows, layer->vectors);
        for (int64_t i = 0; layer->mean && i < n; i++)
            for (int64_t m = 0; m < M; m++) layer->mean[m] += rows[i * M + m];
    }
    layer->n_seen += (double)places;
}

static bool has_outputs(const struct mc_layer *layer, const struct mc_tensor *y)
{
    const int axis = layer->out_axis;
    return y->dtype == MC_FLOAT && axis >= 0 && axis < y->shape.rank && y->shape.dim[axis] == layer->rows.M;
}

/* Sums of the outputs of layers [from, to). */
static int see(struct mc_layer *layers, int from, int to, const struct mc_model *model,
               const struct mc_samples *samples, const struct mc_runtime *runtime, double *rows, struct mc_error *err)
{
    struct mc_sampler sampler = {0};
    const struct mc_value **taps = MC_NEW_ARRAY(const struct mc_value *, to - from);
    struct mc_layer **seen = MC_NEW_ARRAY(struct mc_layer *, to - from);
    int n = 0, rc = taps && seen ? MC_OK : mc_error_memory(err);
    for (int i = from; i < to && rc == MC_OK; i++) {
        if (layers[i].why) continue;
        taps[n] = layers[i].node->outputs[0];
        seen[n++] = &layers[i];
    }
    if (rc == MC_OK && n > 0) rc = mc_sampler_observe(&sampler, samples, model, taps, n, false, runtime, err);
    while (rc == MC_OK && n > 0 && (rc = mc_sampler_next(&sampler, "factorize", err)) > 0) {
        for (int i = 0; i < n; i++) {
            const struct mc_tensor *y = mc_sampler_tap(&sampler, i);
            if (!has_outputs(seen[i], y)) seen[i]->why = "its outputs are not float32";
            if (!seen[i]->why) add_up(seen[i], y, rows);
        }
        rc = MC_OK;
    }
    mc_sampler_finish(&sampler);
    mc_free(seen);
    mc_free(taps);
    return rc;
}

/* From sums to what varies about the mean. */
static void centre(struct mc_layer *layer)
{
    const int64_t M = layer->rows.M;
    for (int64_t m = 0; m < M; m++) layer->mean[m] /= layer->n_seen;
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < M; j++) layer->vectors[i * M + j] -= layer->n_seen * layer->mean[i] * layer->mean[j];
}

/* The end of the layers from `from` on whose outputs a run hands out; their number of places follows from their cost.
 */
static int end_of_run(const struct mc_layer *layers, int from, int n, int64_t batch)
{
    double held = 0;
    for (int i = from; i < n; i++) {
        held += (double)batch * layers[i].macs / (double)layers[i].rows.K;
        if (held > HELD && i > from) return i;
    }
    return n;
}

int mc_directions_of_outputs(struct mc_layer *layers, const bool *centred, int n, const struct mc_model *model,
                             const struct mc_samples *samples, const struct mc_runtime *runtime, struct mc_error *err)
{
    enum { BATCH = 32 }; /* that of prune/samples.h */
    int64_t most = 0;
    int rc = MC_OK;
    for (int i = 0; i < n && rc == MC_OK; i++) {
        const int64_t M = layers[i].rows.M;
        if (layers[i].why || !start(&layers[i], M, &rc, err)) continue;
        if (centred[i]) layers[i].mean = MC_NEW_ARRAY(double, M);
        if (centred[i] && !layers[i].mean) rc = mc_error_memory(err);
        most = M > most ? M : most;
    }
    double *rows = rc == MC_OK ? MC_NEW_ARRAY(double, most *PLACES) : NULL;
    if (rc == MC_OK && !rows) rc = mc_error_memory(err);
    for (int from = 0, to; from < n && rc == MC_OK; from = to) {
        to = end_of_run(layers, from, n, BATCH);
        rc = see(layers, from, to, model, samples, runtime, rows, err);
    }
    for (int i = 0; i < n && rc == MC_OK; i++) {
        if (layers[i].why) continue;
        if (layers[i].mean) centre(&layers[i]);
        rc = decompose(&layers[i], err);
    }
    mc_free(rows);
    return rc;
}
