/* bench.c - repeating and timing; see bench.h. */
#include "run/bench.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "graph/cost.h"
#include "run/plan.h"

enum { WARM_UP = 2, LEAST = 3, NODE_RUNS = 10 };

struct samples {
    double *ms;
    size_t n, capacity;
};

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The middle of n > 0 numbers, which are sorted by it. */
static double median(double *of, size_t n)
{
    qsort(of, n, sizeof *of, ascending);
    return n % 2 ? of[n / 2] : (of[n / 2 - 1] + of[n / 2]) / 2;
}

static void summarize(struct samples *s, struct mc_bench_times *times)
{
    const size_t n = s->n;
    const double middle = median(s->ms, n); /* sorts them */
    *times = (struct mc_bench_times){
        .n_steps = (int64_t)n,
        .median_ms = middle,
        .best_ms = s->ms[0],
        .worst_ms = s->ms[n - 1],
    };
}

int mc_bench_repeat(int (*step)(void *context, struct mc_error *err), void *context, double seconds,
                    struct mc_bench_times *times, struct mc_error *err)
{
    struct samples s = {0};
    int rc = MC_OK;
    for (int i = 0; i < WARM_UP && rc == MC_OK; i++) rc = step(context, err);
    const int64_t end = mc_clock_ns() + (int64_t)(seconds * 1e9);
    for (int64_t start = mc_clock_ns(); rc == MC_OK && (s.n < LEAST || start < end);) {
        if (!mc_grow((void **)&s.ms, s.n, &s.capacity, sizeof *s.ms)) {
            rc = mc_error_memory(err);
            break;
        }
        start = mc_clock_ns(); /* growing is not the step's */
        rc = step(context, err);
        s.ms[s.n++] = (double)(mc_clock_ns() - start) * 1e-6;
    }
    if (rc == MC_OK) summarize(&s, times);
    mc_free(s.ms);
    return rc;
}

/* --- two in turns --- */

static int time_turn(int (*step)(void *context, struct mc_error *err), void *const contexts[2], double *ratio,
                     struct mc_error *err)
{
    static const int order[] = {0, 1, 1, 0};
    int64_t ns[2] = {0};
    for (size_t i = 0; i < MC_COUNT(order); i++) {
        const int64_t start = mc_clock_ns();
        const int rc = step(contexts[order[i]], err);
        if (rc < 0) return rc;
        ns[order[i]] += mc_clock_ns() - start;
    }
    *ratio = (double)(ns[1] > 0 ? ns[1] : 1) / (double)(ns[0] > 0 ? ns[0] : 1);
    return MC_OK;
}

int mc_bench_turns(int (*step)(void *context, struct mc_error *err), void *first, void *second, double seconds,
                   double *ratio, struct mc_error *err)
{
    void *const contexts[] = {first, second};
    double *ratios = NULL;
    size_t n = 0, capacity = 0;
    int rc = time_turn(step, contexts, ratio, err);
    const int64_t end = mc_clock_ns() + (int64_t)(seconds * 1e9);
    while (rc == MC_OK && (n < LEAST || mc_clock_ns() < end)) {
        if (mc_grow((void **)&ratios, n, &capacity, sizeof *ratios))
            rc = time_turn(step, contexts, &ratios[n++], err);
        else
            rc = mc_error_memory(err);
    }
    if (rc == MC_OK) *ratio = median(ratios, n);
    mc_free(ratios);
    return rc;
}

/* --- inference --- */

struct inference {
    struct mc_plan *plan;
    int n_inputs;
    struct mc_tensor **inputs;
};

static int create_inputs(struct inference *f, uint64_t seed, struct mc_error *err)
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("bench"));
    const int n = mc_plan_n_inputs(f->plan);
    f->inputs = MC_NEW_ARRAY(struct mc_tensor *, n);
    if (!f->inputs) return mc_error_memory(err);
    for (; f->n_inputs < n; f->n_inputs++) {
        const struct mc_tensor *like = mc_plan_input(f->plan, f->n_inputs);
        struct mc_tensor **t = &f->inputs[f->n_inputs];
        const int rc = mc_tensor_create(t, like->dtype, &like->shape, err);
        if (rc < 0) return rc;
        for (int64_t i = 0; mc_dtype_is_float(like->dtype) && i < mc_tensor_count(*t); i++)
            mc_tensor_set_f64(*t, i, mc_rng_normal(&rng));
    }
    return MC_OK;
}

static int infer(void *context, struct mc_error *err)
{
    struct inference *f = context;
    for (int i = 0; i < f->n_inputs; i++) {
        const int rc = mc_plan_bind_input(f->plan, i, f->inputs[i], err);
        if (rc < 0) return rc;
    }
    return mc_plan_run(f->plan, err);
}

/* --- node by node --- */

static int list_nodes(struct mc_bench_nodes *nodes, struct mc_plan *plan, struct mc_error *err)
{
    const struct mc_facts *facts = mc_plan_facts(plan);
    const int n = mc_plan_n_steps(plan);
    int rc = MC_OK;
    nodes->of = MC_NEW_ARRAY(struct mc_bench_node, n > 0 ? n : 1);
    if (!nodes->of) rc = mc_error_memory(err);
    for (int i = 0; i < n && rc == MC_OK; i++) {
        const struct mc_node *node = mc_plan_step_node(plan, i), *call = mc_plan_step_call(plan, i);
        struct mc_bench_node *to = &nodes->of[nodes->n++];
        to->node = node;
        to->type = call->op->type;
        rc = mc_node_cost(&to->cost, call, facts, err);
        const struct mc_fact *made = node->outputs[0] ? &facts->of[node->outputs[0]->id] : NULL;
        to->shape = made && !made->open ? made->shape : (struct mc_shape){.rank = -1};
    }
    return rc;
}

static int time_nodes(struct inference *f, struct mc_bench_nodes *nodes, struct mc_error *err)
{
    mc_plan_time(f->plan, true);
    for (int run = 0; run < NODE_RUNS; run++) {
        const int rc = infer(f, err);
        if (rc < 0) return rc;
        for (int i = 0; i < nodes->n; i++) {
            const double ms = (double)mc_plan_step_ns(f->plan, i) * 1e-6;
            if (run == 0 || ms < nodes->of[i].best_ms) nodes->of[i].best_ms = ms;
        }
    }
    return MC_OK;
}

void mc_bench_nodes_finish(struct mc_bench_nodes *nodes)
{
    mc_free(nodes->of);
    *nodes = (struct mc_bench_nodes){0};
}

int mc_bench_infer(const struct mc_model *model, const struct mc_dims *dims, double seconds,
                   const struct mc_runtime *runtime, struct mc_bench_times *times, struct mc_bench_nodes *nodes,
                   struct mc_error *err)
{
    struct inference f = {0};
    const struct mc_plan_options options = {.dims = *dims, .runtime = runtime};
    int rc = mc_plan_create(&f.plan, model, &options, err);
    if (rc == MC_OK) rc = create_inputs(&f, mc_plan_runtime(f.plan)->seed, err);
    if (rc == MC_OK) rc = mc_bench_repeat(infer, &f, seconds, times, err);
    if (rc == MC_OK && nodes) rc = list_nodes(nodes, f.plan, err);
    if (rc == MC_OK && nodes) rc = time_nodes(&f, nodes, err);
    for (int i = 0; i < f.n_inputs; i++) mc_tensor_destroy(f.inputs[i]);
    mc_free(f.inputs);
    mc_plan_destroy(f.plan);
    return rc;
}
