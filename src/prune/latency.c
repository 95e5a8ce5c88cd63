/* latency.c - timing models that are cut; see latency.h.
 *
 * What a width saves is measured and not computed: kernels work on whole vectors and blocks, so that time falls in
 * steps (Yang et al. 2018, "NetAdapt"; Shen et al. 2022, "Structural pruning via latency-saliency knapsack"). Best
 * times of single nodes add up to less noise than times of the whole.
 */
#include "prune/latency.h"

#include "base/alloc.h"
#include "base/error.h"
#include "prune/choose.h"
#include "run/bench.h"

static int cut(struct mc_model *model, const struct mc_coupling *coupling, const bool *goes, struct mc_error *err)
{
    const int n_groups = mc_coupling_n_groups(coupling);
    if (!goes) return MC_OK;
    int *groups = MC_NEW_ARRAY(int, n_groups);
    if (!groups) return mc_error_memory(err);
    const int n = mc_list_going(goes, n_groups, groups);
    const int rc = n > 0 ? mc_surgery(model, coupling, groups, n, err) : MC_OK;
    mc_free(groups);
    return rc;
}

int mc_latency_measure(int64_t *ns, const struct mc_model *model, const struct mc_coupling *coupling, const bool *goes,
                       const struct mc_shrink_options *options, struct mc_error *err)
{
    struct mc_model *small = NULL;
    struct mc_bench_times times;
    struct mc_bench_nodes nodes = {0};
    struct mc_runtime single = options->runtime;
    struct mc_dims dims = options->dims;
    single.n_threads = 1; /* threads that wait for each other on a busy machine would be what is measured */
    dims.batch = 1;
    int rc = mc_model_clone(&small, model, true, err);
    if (rc == MC_OK) rc = cut(small, coupling, goes, err);
    if (rc == MC_OK) rc = mc_bench_infer(small, &dims, 0, &single, &times, &nodes, err);
    double ms = 0;
    for (int i = 0; rc == MC_OK && i < nodes.n; i++) ms += nodes.of[i].best_ms;
    *ns = (int64_t)(ms * 1e6);
    mc_bench_nodes_finish(&nodes);
    mc_model_destroy(small);
    return rc;
}
