/* shrink.c - removing coupled groups from a model: analyse, choose, cut, compare, report.
 *
 * All of it happens on copies. `work` is the model with shared vectors taken apart, on which everything is decided and
 * which also serves as the masked twin; `small` is its clone under the knife. The caller's model changes in the
 * last step, which cannot fail.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/choose.h"
#include "prune/importance.h"
#include "prune/twin.h"
#include "prune/unshare.h"
#include "run/plan.h"

void mc_shrink_options_init(struct mc_shrink_options *options)
{
    *options = (struct mc_shrink_options){.ratio = 0.5,
                                          .criterion = MC_CRITERION_L2,
                                          .round = 1,
                                          .minimum = 1,
                                          .dims = {.batch = 2},
                                          .keep_constants = true};
    mc_runtime_init(&options->runtime, 0, MC_CPU_AVX512);
}

struct shrink {
    const struct mc_shrink_options *options;
    struct mc_model *work, *small;
    struct mc_unshared unshared;
    struct mc_facts facts;
    struct mc_coupling *coupling;
    struct mc_choice choice;
    struct mc_residues residues;
    struct mc_twin twin;
    int64_t n_moved;
    char unmeasured[256]; /* why constants could not be found */
};

static void finish(struct shrink *s)
{
    mc_residues_finish(&s->residues);
    mc_choice_finish(&s->choice);
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
    if (rc == 0) rc = mc_unshare(&s->unshared, s->work, err);
    if (rc == 0) rc = mc_model_facts(&s->facts, s->work, &s->options->dims, true, err);
    if (rc == 0) rc = need_shapes(s, err);
    if (rc == 0) rc = mc_coupling_create(&s->coupling, s->work, &s->facts, err);
    return rc;
}

static int choose(struct shrink *s, struct mc_error *err)
{
    double *importance = MC_NEW_ARRAY(double, mc_coupling_n_groups(s->coupling));
    if (!importance) return mc_error_memory(err);
    int rc = mc_importance(s->work, s->coupling, s->options->criterion, s->options->seed, importance, err);
    if (rc == 0) rc = mc_choose(&s->choice, s->work, &s->facts, s->coupling, importance, s->options, err);
    mc_free(importance);
    return rc;
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

/* Indices of an axis that go with the chosen groups. */
static int64_t count_going(const struct shrink *s, const struct mc_value *v, int axis)
{
    const int64_t extent = mc_coupling_extent(s->coupling, v, axis);
    int64_t n = 0;
    for (int64_t i = 0; i < extent; i++) {
        const int group = mc_coupling_group_of(s->coupling, v, axis, i);
        n += group >= 0 && s->choice.goes[group];
    }
    return n;
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
        for (int a = 0; a < expected.rank; a++) expected.dim[a] -= count_going(s, v, a);
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

/* --- the record --- */

static const char *original_name(const struct shrink *s, const struct mc_value *v)
{
    return v->id < s->unshared.n_values && s->unshared.origin[v->id] ? s->unshared.origin[v->id]->name : v->name;
}

static void record_family(const struct shrink *s, const struct mc_family *family, struct mc_record *array)
{
    struct mc_record *object = mc_record_append_object(array);
    const int64_t before = mc_coupling_extent(s->coupling, family->tensor, family->axis);
    mc_record_set_text(object, "tensor", original_name(s, family->tensor));
    mc_record_set_int(object, "axis", family->axis);
    mc_record_set_int(object, "width", before);
    if (family->n_free == 0) {
        mc_record_set_text(object, "why", family->why);
        char text[160];
        mc_record_set_text(object, "node", family->by ? mc_node_text(family->by, text, sizeof(text)) : NULL);
        return;
    }
    mc_record_set_int(object, "width_after", before - count_going(s, family->tensor, family->axis));
    mc_record_set_int(object, "groups_before", family->n_groups);
    mc_record_set_int(object, "groups_after", family->n_groups - family->n_removed);
    struct mc_record *tied = mc_record_array(object, "tensors");
    const struct mc_group *group = mc_coupling_group(s->coupling, family->free[0]);
    for (int i = 0; i < group->n_slices; i++)
        if (mc_coupling_is_parameter(s->coupling, group->slices[i].value))
            mc_record_append_text(tied, original_name(s, group->slices[i].value));
}

static void record_families(const struct shrink *s, struct mc_record *section)
{
    struct mc_record *families = mc_record_array(section, "families"), *frozen = mc_record_array(section, "frozen");
    for (int f = 0; f < s->choice.n_families; f++) {
        const struct mc_family *family = &s->choice.families[f];
        if (family->tensor && (family->n_free > 0 || family->why))
            record_family(s, family, family->n_free > 0 ? families : frozen);
    }
}

static void record_twin(const struct shrink *s, struct mc_record *section)
{
    struct mc_record *twin = mc_record_object(section, "twin");
    mc_record_set_bool(twin, "checked", s->twin.checked);
    if (s->twin.checked) {
        mc_record_set_num(twin, "max_difference", s->twin.max_difference);
        mc_record_set_num(twin, "max_output", s->twin.max_output);
    } else {
        mc_record_set_text(twin, "why", s->twin.why);
    }
}

static void record_section(const struct shrink *s, struct mc_record *section)
{
    mc_record_set_int(section, "groups_removed", s->choice.n_groups);
    mc_record_set_int(section, "macs_before", s->choice.macs_before);
    mc_record_set_int(section, "macs_after", s->choice.macs_after);
    mc_record_set_int(section, "constants_moved", s->n_moved);
    if (*s->unmeasured) mc_record_set_text(section, "constants_why", s->unmeasured);
    record_families(s, section);
    record_twin(s, section);
}

static void record_explanation(const struct shrink *s, struct mc_record *explain)
{
    struct mc_record *groups = mc_record_array(explain, "groups");
    for (int i = 0; i < s->choice.n_groups; i++) {
        const struct mc_group *group = mc_coupling_group(s->coupling, s->choice.groups[i]);
        struct mc_record *object = mc_record_append_object(groups);
        mc_record_set_int(object, "family", group->family);
        struct mc_record *slices = mc_record_array(object, "slices");
        for (int k = 0; k < group->n_slices; k++) {
            struct mc_record *slice = mc_record_append_object(slices);
            mc_record_set_text(slice, "tensor", original_name(s, group->slices[k].value));
            mc_record_set_int(slice, "axis", group->slices[k].axis);
            struct mc_record *indices = mc_record_array(slice, "indices");
            for (int64_t n = 0; n < group->slices[k].n; n++) mc_record_append_int(indices, group->slices[k].indices[n]);
        }
    }
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
    if (rc == 0) rc = mc_reshare(&s.unshared, s.small, err);
    if (rc == 0 && section) {
        record_section(&s, section);
        rc = mc_record_check(section, err);
    }
    if (rc == 0 && explain) {
        record_explanation(&s, explain);
        rc = mc_record_check(explain, err);
    }
    if (rc == 0) mc_model_swap(model, s.small);
    finish(&s);
    return rc;
}
