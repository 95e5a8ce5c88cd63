/* cut.c - from a model to a smaller one, up to the comparison with its masked twin; see cut.h. */
#include "prune/cut.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/error.h"
#include "prune/importance.h"
#include "run/plan.h"
#include "train/binding.h"

void mc_cut_forget(struct mc_cut *s)
{
    mc_choice_finish(&s->choice);
    mc_free(s->importance);
    s->importance = NULL;
    mc_coupling_destroy(s->coupling);
    s->coupling = NULL;
    mc_facts_finish(&s->facts);
}

void mc_cut_finish(struct mc_cut *s)
{
    mc_cut_forget(s);
    mc_residues_finish(&s->residues);
    mc_unshared_finish(&s->unshared);
    mc_model_destroy(s->small);
    mc_model_destroy(s->work);
}

/* Shapes have to be known: which input's are not? */
static int need_shapes(const struct mc_cut *s, struct mc_error *err)
{
    for (int i = 0; i < mc_model_n_inputs(s->work); i++) {
        const struct mc_fact *fact = &s->facts.of[mc_model_input(s->work, i)->id];
        struct mc_facts strict;
        if (fact->dtype != MC_UNDEFINED || fact->open) continue;
        const int rc = mc_model_facts(&strict, s->work, &s->options->dims, false, err);
        if (rc == MC_OK) mc_facts_finish(&strict);
        return rc;
    }
    return MC_OK;
}

static bool same_extents(const struct mc_cut *s, const struct mc_facts *facts)
{
    for (int i = 0; i < mc_coupling_n_contractions(s->coupling); i++) {
        const struct mc_contraction *k = mc_coupling_contraction(s->coupling, i);
        const struct mc_shape *shape = &facts->of[k->data->id].shape;
        if (facts->of[k->data->id].dtype == MC_UNDEFINED || k->data_axis >= shape->rank) return false;
        if (shape->dim[k->data_axis] != mc_coupling_extent(s->coupling, k->data, k->data_axis)) return false;
    }
    return true;
}

/* An open batch is analysed as two, so that it is told from what is always one. Where a batch of one leaves all
 * channels where they are, that is run instead: of half the activations. */
static int settle_checks(struct mc_cut *s, struct mc_error *err)
{
    struct mc_facts facts = {0};
    s->checks = *s->options;
    s->checks.dims.batch = 1;
    const int rc = mc_model_facts(&facts, s->work, &s->checks.dims, true, err);
    if (rc < 0 || !same_extents(s, &facts)) s->checks.dims = s->options->dims;
    mc_facts_finish(&facts);
    return rc;
}

static int analyse(struct mc_cut *s, const struct mc_model *model, struct mc_error *err)
{
    int rc = mc_model_clone(&s->work, model, true, err);
    if (rc == 0 && s->options->samples.data) s->fixed_batch = mc_batch_open(s->work, 2);
    if (rc == 0) rc = mc_unshare(&s->unshared, s->work, err);
    if (rc == 0) rc = mc_model_facts(&s->facts, s->work, &s->options->dims, true, err);
    if (rc == 0) rc = need_shapes(s, err);
    if (rc == 0) rc = mc_coupling_create(&s->coupling, s->work, &s->facts, s->options->whole_heads, err);
    return rc < 0 ? rc : settle_checks(s, err);
}

static int choose(struct mc_cut *s, struct mc_error *err)
{
    s->importance = MC_NEW_ARRAY(double, mc_coupling_n_groups(s->coupling));
    if (!s->importance) return mc_error_memory(err);
    const int rc = mc_importance(s->work, s->coupling, s->options, s->importance, err);
    return rc < 0 ? rc : mc_choose(&s->choice, s->work, &s->facts, s->coupling, s->importance, s->options, err);
}

static int find_constants(struct mc_cut *s, struct mc_error *err)
{
    int rc = mc_residues_create(&s->residues, s->coupling, s->choice.goes, err);
    if (rc < 0 || !s->options->keep_constants) return rc;
    struct mc_error problem = {0};
    rc = mc_residues_measure(&s->residues, s->work, s->coupling, s->choice.goes, &s->checks, &problem);
    if (rc == 0) return 0;
    if (rc == MC_ERR_SYSTEM || rc == MC_ERR_INTERNAL) return mc_error_set(err, rc, "%s", problem.text);
    snprintf(s->unmeasured, sizeof(s->unmeasured), "%.*s", (int)sizeof(s->unmeasured) - 1, problem.text);
    return 0;
}

/* Every computed shape that was known must be what is left of it; where a rule promised more than it held, this says so
 * even for models that cannot be run. */
static int check_shapes(const struct mc_cut *s, struct mc_error *err)
{
    struct mc_facts facts = {0};
    int rc = mc_model_facts(&facts, s->small, &s->options->dims, true, err);
    for (int id = 0; id < s->facts.n_values && rc == 0; id++) {
        const struct mc_value *v = s->work->values[id];
        const struct mc_value *now = s->small->values[id];
        if (!v || !now || !now->producer || s->facts.of[id].dtype == MC_UNDEFINED) continue;
        struct mc_shape expected = s->facts.of[id].shape;
        for (int a = 0; a < expected.rank; a++) expected.dim[a] -= mc_choice_count(&s->choice, s->coupling, v, a);
        if (facts.of[id].dtype != MC_UNDEFINED && mc_shape_equal(&facts.of[id].shape, &expected)) continue;
        char is[160] = "unknown", should[160];
        if (facts.of[id].dtype != MC_UNDEFINED) mc_shape_text(&facts.of[id].shape, is, sizeof(is));
        rc = mc_error_set(err, MC_ERR_INTERNAL, "after the cut '%s' has shape %s and should have %s", v->name, is,
                          mc_shape_text(&expected, should, sizeof(should)));
    }
    mc_facts_finish(&facts);
    return rc;
}

int mc_cut_run(struct mc_cut *s, struct mc_error *err)
{
    mc_model_destroy(s->small);
    s->small = NULL;
    mc_residues_finish(&s->residues);
    s->unmeasured[0] = '\0';
    int rc = find_constants(s, err);
    mc_block_trim();
    const int64_t started = mc_clock_ns();
    if (rc == 0) rc = mc_model_clone(&s->small, s->work, true, err);
    if (rc == 0) rc = mc_surgery(s->small, s->coupling, s->choice.groups, s->choice.n_groups, err);
    if (rc == 0) rc = check_shapes(s, err);
    if (rc == 0) rc = mc_residues_move(&s->residues, s->small, s->coupling, s->choice.goes, &s->n_moved, err);
    s->surgery_ns = mc_clock_ns() - started;
    return rc;
}

int mc_cut_init(struct mc_cut *s, const struct mc_model *model, const struct mc_shrink_options *options,
                struct mc_error *err)
{
    *s = (struct mc_cut){.options = options};
    const int rc = analyse(s, model, err);
    return rc < 0 ? rc : choose(s, err);
}

void mc_cut_take(struct mc_cut *s)
{
    const int n_groups = mc_coupling_n_groups(s->coupling);
    mc_choice_mark(&s->choice, n_groups);
    s->choice.n_groups = mc_list_going(s->choice.goes, n_groups, s->choice.groups);
}

void mc_cut_choose(struct mc_cut *s, int family, int n)
{
    for (int f = 0; f < s->choice.n_families; f++) s->choice.families[f].n_removed = f == family ? n : 0;
    mc_cut_take(s);
}

const char *mc_cut_name(const struct mc_cut *s, const struct mc_value *v)
{
    return v->id < s->unshared.n_values && s->unshared.origin[v->id] ? s->unshared.origin[v->id]->name : v->name;
}
