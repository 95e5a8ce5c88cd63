/* rewrite.c - runs passes until nothing changes, and checks the result; see rewrite.h. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "prune/twin.h"
#include "rewrite/pass.h"
#include "run/plan.h"

/* Constants first, so that the others see them; what nobody uses any more last. */
const struct mc_pass *const mc_passes[] = {&mc_pass_fold,    &mc_pass_identity, &mc_pass_transpose,
                                           &mc_pass_reshape, &mc_pass_affine,   &mc_pass_fuse,
                                           &mc_pass_common,  &mc_pass_share,    &mc_pass_dead};
const size_t mc_passes_count = MC_COUNT(mc_passes);

enum { MOST_ROUNDS = 50 }; /* each takes something out, so there is an end; this is for our own mistakes */

void mc_rewrite_options_init(struct mc_rewrite_options *options)
{
    *options = (struct mc_rewrite_options){.passes = (UINT64_C(1) << MC_COUNT(mc_passes)) - 1, .dims = {.batch = 2}};
    mc_runtime_init(&options->runtime, 0, MC_CPU_AVX512);
}

/* --- what passes see --- */

static bool is_open(const struct mc_value *input)
{
    const struct mc_type *type = &input->type;
    if (input->data) return false;
    if (type->kind != MC_TYPE_TENSOR || type->dtype == MC_UNDEFINED || type->rank < 0) return true;
    for (int k = 0; k < type->rank; k++)
        if (type->dim[k] < 0) return true;
    return false;
}

/* What an open extent reaches. A node with graphs inside may see anything. */
static void find_dependent(struct mc_rewrite *r)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_inputs; i++) r->depends[graph->inputs[i]->id] = is_open(graph->inputs[i]);
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        bool depends = mc_node_n_subgraphs(node) > 0;
        for (int k = 0; k < node->n_inputs; k++)
            depends = depends || (node->inputs[k] && r->depends[node->inputs[k]->id]);
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) r->depends[node->outputs[k]->id] = depends;
    }
}

static int look(struct mc_rewrite *r, struct mc_error *err)
{
    r->depends = MC_NEW_ARRAY(bool, r->model->n_values + 1);
    if (!r->depends) return mc_error_memory(err);
    find_dependent(r);
    int rc = mc_uses_create(&r->uses, r->model, err);
    if (rc == MC_OK)
        rc = mc_facts_create_partial(&r->facts, r->model, &r->dims, mc_plan_evaluate_node, &r->runtime, err);
    return rc;
}

static void look_away(struct mc_rewrite *r)
{
    mc_facts_finish(&r->facts);
    mc_uses_finish(&r->uses);
    mc_free(r->depends);
    r->facts = (struct mc_facts){0};
    r->uses = (struct mc_uses){0};
    r->depends = NULL;
}

const struct mc_fact *mc_rewrite_fact(const struct mc_rewrite *r, const struct mc_value *v)
{
    if (!v || v->id >= r->facts.n_values || r->depends[v->id]) return NULL;
    const struct mc_fact *fact = &r->facts.of[v->id];
    return fact->dtype != MC_UNDEFINED && !fact->open ? fact : NULL;
}

const struct mc_tensor *mc_rewrite_constant(const struct mc_rewrite *r, const struct mc_value *v)
{
    if (v && v->data) return v->data;
    const struct mc_fact *fact = mc_rewrite_fact(r, v);
    return fact ? fact->constant : NULL;
}

struct mc_node *mc_rewrite_only_consumer(const struct mc_rewrite *r, const struct mc_value *v)
{
    if (!v || v->is_output || v->id >= r->uses.n_values || r->uses.n[v->id] != 1) return NULL;
    struct mc_node *node = r->uses.of[v->id][0].node;
    return node && node->graph == r->model->graph ? node : NULL;
}

enum mc_meaning mc_meaning_of(const struct mc_node *node)
{
    return node && node->op ? node->op->means : MC_MEANS_OTHER;
}

/* --- what they change graphs with --- */

/* An output of the model keeps its name: whoever makes x makes it under that. */
static bool take_name(struct mc_node *node, struct mc_value *x)
{
    struct mc_value *y = node->outputs[0];
    struct mc_node *producer = x->producer;
    struct mc_error ignored;
    if (!producer || x->is_output || x->is_input || producer->graph != node->graph) return false;
    y->producer = NULL;
    node->outputs[0] = NULL;
    if (mc_value_replace(x, y, &ignored) < 0) return false;
    for (int k = 0; k < producer->n_outputs; k++)
        if (producer->outputs[k] == x) producer->outputs[k] = y;
    y->producer = producer;
    x->producer = NULL;
    mc_node_remove(node);
    mc_value_remove(x);
    return true;
}

bool mc_bypass(struct mc_node *node, struct mc_value *x)
{
    struct mc_value *y = node->outputs[0];
    struct mc_error ignored;
    if (y->is_output) return take_name(node, x);
    if (mc_value_replace(y, x, &ignored) < 0) return false;
    mc_node_remove(node);
    mc_value_remove(y);
    return true;
}

/* --- the whole --- */

static int run_pass(struct mc_rewrite *r, const struct mc_pass *pass, int64_t *n, struct mc_error *err)
{
    int64_t found = 0;
    int rc = look(r, err);
    if (rc == MC_OK) rc = pass->run(r, &found, err);
    look_away(r);
    mc_ops_bind(r->model);
    *n += found;
    return rc < 0 ? mc_error_wrap(err, rc, "pass %s", pass->name) : MC_OK;
}

static int run_passes(struct mc_rewrite *r, uint64_t passes, int64_t *n, struct mc_error *err)
{
    for (int round = 0; round < MOST_ROUNDS; round++) {
        int64_t before = 0, after = 0;
        for (size_t i = 0; i < mc_passes_count; i++) before += n[i];
        for (size_t i = 0; i < mc_passes_count; i++) {
            const int rc = passes >> i & 1 ? run_pass(r, mc_passes[i], &n[i], err) : MC_OK;
            if (rc < 0) return rc;
        }
        for (size_t i = 0; i < mc_passes_count; i++) after += n[i];
        if (after == before) return MC_OK;
    }
    return mc_error_set(err, MC_ERR_INTERNAL, "passes have not come to an end after %d rounds", MOST_ROUNDS);
}

static int64_t count_parameters(const struct mc_model *model)
{
    int64_t n = 0;
    for (int i = 0; i < model->graph->n_initializers; i++) n += mc_tensor_count(model->graph->initializers[i]->data);
    return n;
}

static void record(const struct mc_model *before, const struct mc_model *after, const int64_t *n,
                   const struct mc_twin *twin, struct mc_record *section)
{
    mc_record_set_int(section, "nodes_before", before->graph->n_nodes);
    mc_record_set_int(section, "nodes_after", after->graph->n_nodes);
    mc_record_set_int(section, "parameters_before", count_parameters(before));
    mc_record_set_int(section, "parameters_after", count_parameters(after));
    struct mc_record *passes = mc_record_array(section, "passes");
    for (size_t i = 0; i < mc_passes_count; i++) {
        struct mc_record *pass = mc_record_append_object(passes);
        mc_record_set_text(pass, "name", mc_passes[i]->name);
        mc_record_set_int(pass, "changes", n[i]);
    }
    mc_twin_record(twin, mc_record_object(section, "check"));
}

int mc_rewrite(struct mc_model *model, const struct mc_rewrite_options *options, struct mc_record *section,
               struct mc_error *err)
{
    struct mc_rewrite r = {.runtime = options->runtime, .dims = options->dims};
    struct mc_twin twin = {0};
    int64_t n[64] = {0};
    int rc = mc_model_clone(&r.model, model, true, err);
    if (rc == MC_OK) mc_ops_bind(r.model);
    if (rc == MC_OK) rc = run_passes(&r, options->passes, n, err);
    const struct mc_shrink_options check = {.dims = options->dims, .runtime = options->runtime, .seed = options->seed};
    if (rc == MC_OK) rc = mc_twin_check(&twin, model, r.model, NULL, &check, err);
    if (rc == MC_OK && section) {
        record(model, r.model, n, &twin, section);
        rc = mc_record_check(section, err);
    }
    if (rc == MC_OK) mc_model_swap(model, r.model);
    mc_model_destroy(r.model);
    return rc;
}
