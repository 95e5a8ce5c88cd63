/* test_cluster.c - the best centroids, zeros that stay, ties that hold. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "code/cluster.h"
#include "onnx/onnx.h"
#include "onnx/protos.h"
#include "weights.h"

enum { N = 600 };

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Squared error of the best k means of n sorted numbers, by dynamic programming (Bellman 1973). */
static double best_error(const float *x, size_t n, int k)
{
    static double cost[2][N + 1], sums[N + 1], squares[N + 1];
    for (size_t i = 0; i < n; i++) {
        sums[i + 1] = sums[i] + x[i];
        squares[i + 1] = squares[i] + (double)x[i] * x[i];
    }
    for (size_t i = 0; i <= n; i++) cost[0][i] = i == 0 ? 0 : INFINITY;
    for (int c = 1; c <= k; c++) {
        for (size_t to = 0; to <= n; to++) {
            double best = cost[(c - 1) % 2][to];
            for (size_t from = 0; from < to; from++) {
                const double sum = sums[to] - sums[from];
                const double own = squares[to] - squares[from] - sum * sum / (double)(to - from);
                best = fmin(best, cost[(c - 1) % 2][from] + own);
            }
            cost[c % 2][to] = best;
        }
    }
    return cost[k % 2][n];
}

static double error_of(const float *w, size_t n, const float *centroids, int k)
{
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        double nearest = INFINITY;
        for (int c = 0; c < k; c++) nearest = fmin(nearest, fabs((double)w[i] - centroids[c]));
        error += w[i] == 0 ? 0 : nearest * nearest;
    }
    return error;
}

static void test_centroids_are_the_best_there_are(void **state)
{
    static float w[N], sorted[N];
    struct mc_error err = {0};
    for (int pruned = 0; pruned < 2; pruned++) {
        weights_normal(w, N, 0.1, 11);
        if (pruned) weights_prune(w, N, 0.4);
        size_t n = 0;
        for (int i = 0; i < N; i++)
            if (w[i] != 0) sorted[n++] = w[i];
        qsort(sorted, n, sizeof *sorted, ascending);
        for (int k = 2; k <= 32; k *= 2) {
            float centroids[MC_CLUSTERS_MOST];
            int found;
            assert_ok(mc_cluster_find(w, N, k, centroids, &found, &err), err);
            assert_int_equal(found, k);
            for (int c = 1; c < k; c++) assert_true(centroids[c] > centroids[c - 1]);
            assert_true(error_of(w, N, centroids, k) <= best_error(sorted, n, k) * (1 + 1e-6));
        }
    }
}

static void test_few_different_numbers_are_kept(void **state)
{
    static const float w[] = {0, 1, 1, -2, 0, 5, 5, 5, -2};
    float centroids[MC_CLUSTERS_MOST];
    int found;
    struct mc_error err = {0};
    assert_ok(mc_cluster_find(w, 9, 30, centroids, &found, &err), err);
    assert_int_equal(found, 3);
    assert_true(centroids[0] == -2 && centroids[1] == 1 && centroids[2] == 5);
    assert_ok(mc_cluster_find(w, 1, 30, centroids, &found, &err), err);
    assert_int_equal(found, 0);
}

/* w [20, 30] pruned, b [20]. */
static struct mc_model *make_model(void)
{
    static const int64_t matrix[2] = {20, 30}, vector[1] = {20};
    static float w[N], b[20];
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *model;
    size_t length;
    weights_normal(w, N, 0.1, 12);
    weights_prune(w, N, 0.5);
    weights_normal(b, 20, 1, 13);
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_input(a, m->graph, proto_info(a, "x", MC_FLOAT, "1 20"));
    proto_output(a, m->graph, proto_info(a, "y", MC_FLOAT, "1 30"));
    proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "w", MC_FLOAT, 2, matrix), w, sizeof w));
    proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "b", MC_FLOAT, 1, vector), b, sizeof b));
    proto_node(a, m->graph, "MatMul", "n", "x w", "y");
    const unsigned char *bytes = proto_pack(a, &m->base, &length);
    assert_ok(mc_onnx_load_bytes(&model, bytes, length, NULL, "m", &err), err);
    mc_arena_finish(a);
    return model;
}

static int count_different(const float *w, size_t n)
{
    static float seen[N];
    memcpy(seen, w, n * sizeof *w);
    qsort(seen, n, sizeof *seen, ascending);
    int different = n > 0;
    for (size_t i = 1; i < n; i++) different += seen[i] != seen[i - 1];
    return different;
}

static void test_zeros_stay_and_each_scope_has_its_values(void **state)
{
    struct mc_error err = {0};
    for (int by_channel = 0; by_channel < 2; by_channel++) {
        struct mc_model *model = make_model();
        struct mc_clustered *clustered;
        const struct mc_cluster_options options = {
            .k = 4, .by_channel = by_channel, .vectors = by_channel, .mantissa_bits = 7};
        assert_ok(mc_cluster_model(&clustered, model, &options, &err), err);
        assert_int_equal(mc_clustered_n_tensors(clustered), 1 + by_channel);
        assert_int_equal(mc_clustered_n_values(clustered), 300 + 20 * by_channel);
        assert_true(mc_clustered_error(clustered) > 0 && mc_clustered_error(clustered) < 0.1);
        const float *w = model->graph->initializers[0]->data->data;
        int zeros = 0;
        for (int i = 0; i < N; i++) zeros += w[i] == 0;
        assert_int_equal(zeros, 300);
        for (int i = 0; i < N; i++) { /* seven bits of mantissa */
            uint32_t word;
            memcpy(&word, &w[i], sizeof word);
            assert_int_equal(word & 0xffff, 0);
        }
        for (int row = 0; row < 20; row++) assert_true(count_different(w + row * 30, 30) <= 5);
        if (!by_channel) assert_int_equal(count_different(w, N), 5);
        const float *b = model->graph->initializers[1]->data->data;
        assert_int_equal(count_different(b, 20), by_channel ? 4 : 20);
        mc_clustered_destroy(clustered);
        mc_model_destroy(model);
    }
}

static void test_tied_numbers_move_to_the_mean_of_theirs(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = make_model();
    struct mc_clustered *clustered;
    const struct mc_cluster_options options = {.k = 1, .mantissa_bits = 23};
    assert_ok(mc_cluster_model(&clustered, model, &options, &err), err);
    float *w = model->graph->initializers[0]->data->data;
    int at[2], n = 0;
    for (int i = 0; n < 2; i++)
        if (w[i] != 0) at[n++] = i;
    const float before = w[at[0]];
    w[at[0]] += 30; /* as by a gradient on one of 300 */
    w[at[1]] += 60;
    mc_clustered_tie(clustered, false);
    assert_true(fabsf(w[at[0]] - (before + 90.0f / 300)) < 1e-5f);
    assert_int_equal(count_different(w, N), 2);
    mc_clustered_destroy(clustered);
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_centroids_are_the_best_there_are),
        cmocka_unit_test(test_few_different_numbers_are_kept),
        cmocka_unit_test(test_zeros_stay_and_each_scope_has_its_values),
        cmocka_unit_test(test_tied_numbers_move_to_the_mean_of_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
