/* shrink.c - removing coupled groups from a model: analyse, choose, cut, compare, mend, report.
 *
 * All of it happens on copies (prune/cut.h). The caller's model changes in the last step, which cannot fail.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "prune/explain.h"
#include "prune/lossless.h"
#include "prune/narrow.h"
#include "prune/reconstruct.h"
#include "prune/twin.h"
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

/* What samples can mend. The twin was compared before: from here on the small model computes something better. */
static int mend(struct mc_cut *s, struct mc_record *section, struct mc_error *err)
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

static void record(const struct mc_cut *s, struct mc_record *section, struct mc_record *explain)
{
    if (section) mc_explain_section(s, section);
    if (explain) mc_explain_groups(s, explain);
}

/* Compare with the original, its statistics taken over what stays. Of what led to the cut only mending needs anything
 * after that: it makes room for the two models. */
static int check_twin(struct mc_cut *s, struct mc_record *section, struct mc_error *err)
{
    struct mc_model *narrow = NULL;
    struct mc_twin twin = {0};
    int rc = mc_narrow(&narrow, s->work, s->coupling, s->choice.goes, err);
    if (!s->options->reconstruct && !s->options->reestimate) mc_cut_forget(s);
    if (rc == 0) rc = mc_twin_check(&twin, narrow ? narrow : s->work, s->small, &s->residues, &s->checks, err);
    if (rc == 0 && section) mc_twin_record(&twin, mc_record_object(section, "twin"));
    mc_model_destroy(narrow);
    return rc;
}

/* --- without loss --- */

/* What is left out when the outputs are others than they were: a net in which equal weights see unequal inputs, or a
 * constant that is none where it is read. */
static const struct attempt {
    bool merges, dead;
} attempts[] = {{true, true}, {true, false}, {false, false}};

/* *same: the outputs are those of the original. */
static int try_without_loss(struct mc_cut *s, const struct mc_model *model, const struct mc_shrink_options *options,
                            struct attempt attempt, struct mc_twin *twin, struct mc_record *section, bool *same,
                            struct mc_error *err)
{
    struct mc_model *merged = NULL;
    struct mc_error problem = {0};
    int64_t n_merged = 0, n_unread = 0, n_dead = 0;
    *s = (struct mc_cut){0};
    int rc = mc_model_clone(&merged, model, true, err);
    if (rc == 0 && attempt.merges) rc = mc_merge_duplicates(merged, options, &n_merged, err);
    if (rc == 0) rc = mc_cut_init(s, merged, options, err);
    if (rc == 0) mc_lossless_choose(s, attempt.dead, &n_unread, &n_dead);
    if (rc == 0)
        rc =
            mc_choice_cost(&s->choice.macs_after, MC_BUDGET_MACS, s->work, &s->facts, s->coupling, s->choice.goes, err);
    if (rc == 0) rc = mc_cut_run(s, err);
    mc_model_destroy(merged);
    if (rc < 0) return rc;
    rc = mc_twin_check(twin, model, s->small, NULL, options, &problem);
    *same = rc != MC_ERR_INTERNAL;
    if (rc < 0 && *same) return mc_error_set(err, rc, "%s", problem.text);
    struct mc_record *counts = section && *same ? mc_record_object(section, "lossless") : NULL;
    if (counts) {
        mc_record_set_int(counts, "unread", n_unread);
        mc_record_set_int(counts, "dead", n_dead);
        mc_record_set_int(counts, "merged", n_merged);
    }
    return 0;
}

static int shrink_without_loss(struct mc_model *model, const struct mc_shrink_options *asked, struct mc_record *section,
                               struct mc_record *explain, struct mc_error *err)
{
    struct mc_shrink_options options = *asked;
    struct mc_cut s = {0};
    struct mc_twin twin = {0};
    bool same = false;
    int rc = 0;
    options.ratio = options.stays = 0;
    for (size_t i = 0; i < MC_COUNT(attempts) && rc == 0 && !same; i++) {
        mc_cut_finish(&s);
        rc = try_without_loss(&s, model, &options, attempts[i], &twin, section, &same, err);
    }
    if (rc == 0 && !same) rc = mc_error_set(err, MC_ERR_INTERNAL, "channels that nobody reads changed the outputs");
    if (rc == 0) record(&s, section, explain);
    if (rc == 0 && section) mc_twin_record(&twin, mc_record_object(section, "twin"));
    if (rc == 0) rc = mc_reshare(&s.unshared, s.small, err);
    if (rc == 0 && section) rc = mc_record_check(section, err);
    if (rc == 0) {
        mc_batch_close(s.small, s.fixed_batch);
        mc_model_swap(model, s.small);
    }
    mc_cut_finish(&s);
    return rc;
}

int mc_shrink(struct mc_model *model, const struct mc_shrink_options *options, struct mc_record *section,
              struct mc_record *explain, struct mc_error *err)
{
    if (options->lossless) return shrink_without_loss(model, options, section, explain, err);
    struct mc_cut s;
    const int64_t started = mc_clock_ns();
    int rc = mc_cut_init(&s, model, options, err);
    if (section) mc_record_set_num(section, "analysis_s", (double)(mc_clock_ns() - started) * 1e-9);
    if (rc == 0) rc = mc_cut_run(&s, err);
    if (rc == 0) record(&s, section, explain);
    if (rc == 0) rc = check_twin(&s, section, err);
    if (rc == 0) rc = mend(&s, section, err);
    if (rc == 0) rc = mc_reshare(&s.unshared, s.small, err);
    if (rc == 0 && section) rc = mc_record_check(section, err);
    if (rc == 0 && explain) rc = mc_record_check(explain, err);
    if (rc == 0) {
        mc_batch_close(s.small, s.fixed_batch);
        mc_model_swap(model, s.small);
    }
    mc_cut_finish(&s);
    return rc;
}
