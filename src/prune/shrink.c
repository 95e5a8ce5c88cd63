/* shrink.c - removing coupled groups from a model: analyse, choose, cut, compare, report.
 *
 * All of it happens on copies. `work` is the model with shared vectors taken apart, on which everything is decided and
 * which also serves as the masked twin; `small` is its clone under the knife. The caller's model changes in the
 * last step, which cannot fail.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/explain.h"
#include "prune/importance.h"
#include "prune/reconstruct.h"
#include "run/plan.h"
#include "train/binding.h"

void mc_shrink_options_init(struct mc_shrink_options *options)
{
    *options = (struct mc_shrink_options){.ratio = 0.5,
                                          .criterion = MC_CRITERION_L2,
                                          .round = 1,
                                          .minimum = 1,
                                          .dims = {.batch = 2},
                                          .ridge = 1e-3,
                                          .keep_constants = true};
    mc_runtime_init(&options->runtime, 0, MC_CPU_AVX512);
}

struct shrink {
    const struct mc_shrink_options *options;
    struct mc_model *work, *small;
    struct mc_unshared unshared;
    struct mc_facts facts;
    struct mc_coupling *coupling;
    double *importance; /* by group */
    struct mc_choice choice;
    struct mc_residues residues;
    struct mc_twin twin;
    int64_t fixed_batch; /* mc_batch_open: samples are run at other batches */
    int64_t n_moved;
    char unmeasured[256]; /* why constants could not be found */
};

static void finish(struct shrink *s)
{
    mc_residues_finish(&s->residues);
    mc_choice_finish(&s->choice);
    mc_free(s->importance);
    mc_coupling_destroy(s->coupling);
    mc_facts_finish(&s->facts);
    mc_unshared_finish(&s->unshared);
    mc_model_destroy(s->small);
    mc_model_destroy(s->work);
}

/* Shapes have to be known: which input's are not? */
static int need_shapes(const struct shrink *s, struct mc_error *err)
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

static int analyse(struct shrink *s, const struct mc_model *model, struct mc_error *err)
{
    int rc = mc_model_clone(&s->work, model, true, err);
    if (rc == 0 && s->options->samples.data) s->fixed_batch = mc_batch_open(s->work, 2);
    if (rc == 0) rc = mc_unshare(&s->unshared, s->work, err);
    if (rc == 0) rc = mc_model_facts(&s->facts, s->work, &s->options->dims, true, err);
    if (rc == 0) rc = need_shapes(s, err);
    if (rc == 0) rc = mc_coupling_create(&s->coupling, s->work, &s->facts, err);
    return rc;
}

static int choose(struct shrink *s, struct mc_error *err)
{
    s->importance = MC_NEW_ARRAY(double, mc_coupling_n_groups(s->coupling));
    if (!s->importance) return mc_error_memory(err);
    const int rc = mc_importance(s->work, s->coupling, s->options, s->importance, err);
    return rc < 0 ? rc : mc_choose(&s->choice, s->work, &s->facts, s->coupling, s->importance, s->options, err);
}

static int find_constants(struct shrink *s, struct mc_error *err)
{
    int rc = mc_residues_create(&s->residues, s->coupling, s->choice.goes, err);
    if (rc < 0 || !s->options->keep_constants) return rc;
    struct mc_error problem = {0};
    rc = mc_residues_measure(&s->residues, s->work, s->coupling, s->choice.goes, s->options, &problem);
    if (rc == 0) return 0;
    if (rc == MC_ERR_SYSTEM || rc == MC_ERR_INTERNAL) return mc_error_set(err, rc, "%s", problem.text);
    snprintf(s->unmeasured, sizeof(s->unmeasured), "%.*s", (int)sizeof(s->unmeasured) - 1, problem.text);
    return 0;
}

/* Every computed shape that was known must be what is left of it; where a rule promised more than it held, this says so
 * even for models that cannot be run. */
static int check_shapes(const struct shrink *s, struct mc_error *err)
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

static int cut(struct shrink *s, struct mc_error *err)
{
    int rc = mc_model_clone(&s->small, s->work, true, err);
    if (rc == 0) rc = mc_surgery(s->small, s->coupling, s->choice.groups, s->choice.n_groups, err);
    if (rc == 0) rc = check_shapes(s, err);
    if (rc == 0) rc = mc_residues_move(&s->residues, s->small, s->coupling, s->choice.goes, &s->n_moved, err);
    return rc;
}

/* What samples can mend. The twin was compared before: from here on the small model computes something better. */
static int mend(struct shrink *s, struct mc_record *section, struct mc_error *err)
{
    const struct mc_shrink_options *o = s->options;
    int64_t n = 0;
    int rc = 0;
    if ((o->reconstruct || o->reestimate) && !o->samples.data)
        return mc_error_set(err, MC_ERR_USAGE, "%s needs samples, and there is no data",
                            o->reconstruct ? "reconstruction" : "batch normalization");
    if (o->reconstruct)
        rc = mc_reconstruct(s->small, s->work, s->coupling, s->choice.goes, o,
                            section ? mc_record_array(section, "reconstruction") : NULL, err);
    if (rc == 0 && o->reestimate) rc = mc_reestimate(s->small, s->coupling, o, &n, err);
    if (rc == 0 && o->reestimate && section) mc_record_set_int(section, "batch_norm_statistics", n);
    return rc;
}

static void record(const struct shrink *s, struct mc_record *section, struct mc_record *explain)
{
    const struct mc_account account = {
        .options = s->options,
        .unshared = &s->unshared,
        .coupling = s->coupling,
        .importance = s->importance,
        .choice = &s->choice,
        .twin = &s->twin,
        .n_moved = s->n_moved,
        .unmeasured = s->unmeasured,
    };
    if (section) mc_explain_section(&account, section);
    if (explain) mc_explain_groups(&account, explain);
}

int mc_shrink(struct mc_model *model, const struct mc_shrink_options *options, struct mc_record *section,
              struct mc_record *explain, struct mc_error *err)
{
    struct shrink s = {.options = options};
    int rc = analyse(&s, model, err);
    if (rc == 0) rc = choose(&s, err);
    if (rc == 0) rc = find_constants(&s, err);
    if (rc == 0) rc = cut(&s, err);
    if (rc == 0) rc = mc_twin_check(&s.twin, s.work, s.small, &s.residues, options, err);
    if (rc == 0) record(&s, section, explain);
    if (rc == 0) rc = mend(&s, section, err);
    if (rc == 0) rc = mc_reshare(&s.unshared, s.small, err);
    if (rc == 0 && section) rc = mc_record_check(section, err);
    if (rc == 0 && explain) rc = mc_record_check(explain, err);
    if (rc == 0) {
        mc_batch_close(s.small, s.fixed_batch);
        mc_model_swap(model, s.small);
    }
    finish(&s);
    return rc;
}
