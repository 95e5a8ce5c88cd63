/* explain.c - families with their widths and scores; groups with members, scores and verdicts. */
#include "prune/explain.h"

#include "base/buf.h"
#include "kernel/kernels.h"
#include "prune/narrow.h"

enum { MOST_WIDTHS = 1 << 20 };

static void record_why(const char *why, const struct mc_node *by, struct mc_record *object)
{
    char text[160];
    mc_record_set_text(object, "why", why);
    mc_record_set_text(object, "node", by ? mc_node_text(by, text, sizeof(text)) : NULL);
}

/* --- the section: one object a family --- */

static void record_scores(const struct mc_cut *a, const struct mc_family *family, struct mc_record *object)
{
    mc_record_set_num(object, "score_least", a->importance[family->free[0]]);
    if (family->n_removed > 0)
        mc_record_set_num(object, "score_removed", a->importance[family->free[family->n_removed - 1]]);
    mc_record_set_num(object, "score_most", a->importance[family->free[family->n_free - 1]]);
}

void mc_explain_family(const struct mc_cut *a, int f, struct mc_record *object)
{
    const struct mc_family *family = &a->choice.families[f];
    const int64_t before = mc_coupling_extent(a->coupling, family->tensor, family->axis);
    mc_record_set_text(object, "tensor", mc_cut_name(a, family->tensor));
    mc_record_set_int(object, "axis", family->axis);
    mc_record_set_int(object, "width", before);
    if (family->n_free == 0) {
        record_why(family->why, family->by, object);
        return;
    }
    const int64_t going = mc_choice_count(&a->choice, a->coupling, family->tensor, family->axis);
    mc_record_set_int(object, "width_after", before - going);
    mc_record_set_int(object, "groups_before", family->n_groups);
    mc_record_set_int(object, "groups_after", family->n_groups - family->n_removed);
    record_scores(a, family, object);
    struct mc_record *tied = mc_record_array(object, "tensors");
    const struct mc_group *group = mc_coupling_group(a->coupling, family->free[0]);
    for (int i = 0; i < group->n_slices; i++)
        if (mc_coupling_is_parameter(a->coupling, group->slices[i].value))
            mc_record_append_text(tied, mc_cut_name(a, group->slices[i].value));
}

/* Where removal was more than masking, each node once. */
static void record_statistics(const struct mc_cut *a, struct mc_record *section)
{
    struct mc_record *list = mc_record_array(section, "statistics");
    const struct mc_node *last = NULL;
    char text[160];
    for (int i = 0; i < mc_coupling_n_statistics(a->coupling); i++) {
        const struct mc_statistic *s = mc_coupling_statistic(a->coupling, i);
        if (s->node == last || !mc_narrows(a->coupling, a->choice.goes, s)) continue;
        mc_record_append_text(list, mc_node_text(s->node, text, sizeof(text)));
        last = s->node;
    }
}

/* Machines differ: what was chosen by time is said so that it can be had again without a clock. */
static void record_latency(const struct mc_cut *a, struct mc_record *section)
{
    struct mc_record *object = mc_record_object(section, "latency");
    struct mc_buf widths;
    mc_buf_init(&widths, MOST_WIDTHS);
    mc_record_set_num(object, "before_ms", (double)a->choice.cost_before * 1e-6);
    mc_record_set_num(object, "after_ms", (double)a->choice.cost_after * 1e-6);
    mc_record_set_text(object, "cpu", mc_cpu_name(a->options->runtime.kernels->cpu));
    for (int f = 0; f < a->choice.n_families; f++) {
        const struct mc_family *family = &a->choice.families[f];
        if (!family->tensor || family->n_free == 0) continue;
        mc_buf_printf(&widths, "%s%s=%lld", widths.length > 0 ? "," : "", family->tensor->name,
                      (long long)(family->n_groups - family->n_removed) * family->size);
    }
    if (!widths.failed) mc_record_set_text(object, "widths", widths.data);
    mc_buf_finish(&widths);
}

void mc_explain_section(const struct mc_cut *a, struct mc_record *section)
{
    mc_record_set_num(section, "surgery_s", (double)a->surgery_ns * 1e-9);
    mc_record_set_int(section, "groups_removed", a->choice.n_groups);
    mc_record_set_int(section, "macs_before", a->choice.macs_before);
    mc_record_set_int(section, "macs_after", a->choice.macs_after);
    if (a->options->stays > 0 && a->options->budget == MC_BUDGET_LATENCY) record_latency(a, section);
    mc_record_set_int(section, "constants_moved", a->n_moved);
    if (*a->unmeasured) mc_record_set_text(section, "constants_why", a->unmeasured);
    struct mc_record *families = mc_record_array(section, "families"), *frozen = mc_record_array(section, "frozen");
    for (int f = 0; f < a->choice.n_families; f++) {
        const struct mc_family *family = &a->choice.families[f];
        if (family->tensor && (family->n_free > 0 || family->why))
            mc_explain_family(a, f, mc_record_append_object(family->n_free > 0 ? families : frozen));
    }
    record_statistics(a, section);
}

/* --- the explanation: one object a group --- */

static void record_slice(const struct mc_cut *a, const struct mc_slice *slice, struct mc_record *slices)
{
    struct mc_record *object = mc_record_append_object(slices);
    mc_record_set_text(object, "tensor", mc_cut_name(a, slice->value));
    mc_record_set_int(object, "axis", slice->axis);
    struct mc_record *indices = mc_record_array(object, "indices");
    for (int64_t n = 0; n < slice->n; n++) mc_record_append_int(indices, slice->indices[n]);
}

static void record_group(const struct mc_cut *a, int g, const char *verdict, struct mc_record *array)
{
    const struct mc_group *group = mc_coupling_group(a->coupling, g);
    struct mc_record *object = mc_record_append_object(array);
    const struct mc_node *by = NULL;
    const char *why = mc_choice_objection(a->coupling, a->options, group, &by);
    mc_record_set_int(object, "family", group->family);
    mc_record_set_text(object, "verdict", verdict);
    mc_record_set_num(object, "score", a->importance[g]);
    if (why) record_why(why, by, object);
    struct mc_record *slices = mc_record_array(object, "slices");
    for (int k = 0; k < group->n_slices; k++) record_slice(a, &group->slices[k], slices);
}

void mc_explain_groups(const struct mc_cut *a, struct mc_record *explain)
{
    struct mc_record *removed = mc_record_array(explain, "groups"), *kept = mc_record_array(explain, "kept");
    struct mc_record *frozen = mc_record_array(explain, "frozen");
    for (int g = 0; g < mc_coupling_n_groups(a->coupling); g++) {
        const struct mc_family *family = &a->choice.families[mc_coupling_group(a->coupling, g)->family];
        if (!family->tensor) continue; /* no weight lies along it */
        if (family->n_free > 0)
            record_group(a, g, a->choice.goes[g] ? "removed" : "kept", a->choice.goes[g] ? removed : kept);
    }
    for (int f = 0; f < a->choice.n_families; f++) {
        const struct mc_family *family = &a->choice.families[f];
        if (!family->tensor || family->n_free > 0 || !family->why) continue;
        mc_explain_family(a, f, mc_record_append_object(frozen));
    }
}
