/* prune.h - weights to zero, and channels away. */
#ifndef MC_PRUNE_PRUNE_H
#define MC_PRUNE_PRUNE_H

#include "data/data.h"
#include "graph/coupling.h"
#include "kernel/runtime.h"
#include "report/record.h"

/* ---- magnitude pruning: individual weights ---- */

/* Among which weights those that go are chosen. */
enum mc_scope {
    MC_SCOPE_GLOBAL,      /* all */
    MC_SCOPE_LAYER,       /* those of a tensor */
    MC_SCOPE_ROW,         /* those that make one output (of a tensor whose outputs are not known: the tensor) */
    MC_SCOPE_ERDOS_RENYI, /* those of a tensor, whose density is in proportion to the sum of its extents over their
                           * product (Evci et al. 2020) */
    MC_SCOPE_LAMP, /* all, by their share in the squares of what is left of the tensor (lamp.h) */
};

struct mc_sparsify_options {
    double sparsity; /* share of weights that become zero, [0, 1) */
    enum mc_scope scope;
    int pattern_n, pattern_m;      /* keep n of every m neighbours along the input axis (2:4); 0: unstructured. m <= 64.
                                    * `sparsity` 0 then means the pattern's own, 1 - n/m */
    int block_rows, block_columns; /* weights go in blocks of so many neighbours along the output axis and along the
                                    * input axis (4 and 1: 4x1), judged by their root mean square; `sparsity` is the
                                    * share of blocks. 0: single weights */
    const char *exclude;           /* comma-separated patterns of tensor names (* and ?), or NULL */
};

/* Masks over the weights of a model: the stored tensors of rank >= 2 that a node contracts or convolves with its data.
 * Where the model has an operator or a shape that is unknown, every float initializer of rank >= 2 counts instead, so
 * that no operator knowledge is needed. A weight that is used in several places has one mask. */
struct mc_masks {
    int n;
    const struct mc_value **values;
    unsigned char **keep;      /* one byte per element, 1: keep */
    int *input_axis;           /* the axis that a contraction sums over; the last where that is not known */
    int *output_axis;          /* the one that counts its outputs; -1 where that is not known */
    struct mc_tensor **scores; /* what is compared instead of magnitudes (prune/scores.h); NULL: those */
};

/* Which weights there are: as mc_masks_create, but `keep` are NULL. */
int mc_masks_find(struct mc_masks *masks, const struct mc_model *model, const char *exclude, struct mc_error *err);
/* All ones. The operators of `model` must be bound. Lends the model's values, so it must outlive the masks. */
int mc_masks_create(struct mc_masks *masks, const struct mc_model *model, const char *exclude, struct mc_error *err);
void mc_masks_finish(struct mc_masks *masks);
/* Recompute the masks from the present weights so that `sparsity` of them are 0, exactly round(sparsity * count) per
 * model or per tensor; of equal magnitudes the earlier go first. With a pattern, `sparsity` (if options->sparsity is
 * set) eases it: of every m stay max(n, ceil(m (1 - sparsity))). MC_ERR_USAGE outside [0, 1) or for a bad pattern or
 * block. */
int mc_masks_update(struct mc_masks *masks, const struct mc_sparsify_options *options, double sparsity,
                    struct mc_error *err);
/* Give every weight contents that nobody shares, in `model`. */
int mc_masks_own(const struct mc_masks *masks, struct mc_model *model, struct mc_error *err);
/* Write zeros into `model`: the masks' own or a clone of it. */
int mc_masks_apply(const struct mc_masks *masks, struct mc_model *model, struct mc_error *err);
/* What mc_masks_update and mc_masks_apply do to `options->sparsity`, without masks: in `model`, in which the weights
 * were found, or a clone of it. `defer`: contents that are mapped from a file are changed when they are written
 * (mc_value.edit), so that a model may be larger than memory; nothing else may happen to it until then. */
int mc_sparsify(struct mc_model *model, const struct mc_masks *weights, const struct mc_sparsify_options *options,
                bool defer, struct mc_error *err);

/* ---- structured pruning: neurons and channels ---- */

/* How groups are judged (importance.h); from TAYLOR on by samples. */
enum mc_criterion {
    MC_CRITERION_L1,
    MC_CRITERION_L2,
    MC_CRITERION_RANDOM,
    MC_CRITERION_SCALE,
    MC_CRITERION_LAMP,
    MC_CRITERION_GEOMETRIC,
    MC_CRITERION_TAYLOR,
    MC_CRITERION_HESSIAN,
    MC_CRITERION_ACTIVATION,
    MC_CRITERION_APOZ,
};

/* Which groups compete. */
enum mc_ranking {
    MC_RANKING_AUTO,       /* LAYER for a ratio, BALANCED for a budget */
    MC_RANKING_LAYER,      /* those of one family: the same share of each */
    MC_RANKING_GLOBAL,     /* all */
    MC_RANKING_ISOMORPHIC, /* families whose parameters are tied in the same way (Fang et al. 2024): the same share of
                              each such class */
    MC_RANKING_BALANCED,   /* all, but what is left of each family's importance counts, and what a removal frees
                              (choose.c) */
};

/* What is to become less. */
enum mc_budget {
    MC_BUDGET_MACS, /* multiply-accumulates */
    MC_BUDGET_PARAMETERS,
    MC_BUDGET_BYTES,   /* of the parameters as they are stored */
    MC_BUDGET_LATENCY, /* nanoseconds of one sample on one thread of this machine, measured */
};

/* What scores of a family are divided by where families compete. */
enum mc_score_norm {
    MC_SCORES_BY_AUTO, /* MEAN, or NONE for scores that compare as they are (LAMP, TAYLOR, HESSIAN) */
    MC_SCORES_BY_NONE,
    MC_SCORES_BY_MEAN,
    MC_SCORES_BY_MAX,
    MC_SCORES_BY_SUM,
    MC_SCORES_BY_DEVIATION, /* standard deviation, after the least was taken off */
};

/* Samples of a data set to look at. */
struct mc_samples {
    const struct mc_dataset *data; /* NULL: none */
    enum mc_role_of_data role;
    int64_t n; /* at most */
    /* As in struct mc_context; NULL: not. */
    bool (*progress)(void *context, const struct mc_progress *at);
    void *progress_context;
};

struct mc_shrink_options {
    double ratio; /* share of each family of groups that goes, [0, 1), rounded down; used unless `stays` > 0; 0.5 */
    double stays; /* share of what `budget` counts that stays, (0, 1]: families compete by importance for it */
    enum mc_budget budget;       /* default MACS */
    enum mc_criterion criterion; /* default L2 */
    /* {scores: [{tensor, axis (0), values}]}: the scores of a group's slices are added up; NULL: by `criterion` */
    const struct mc_record *scores;
    const struct mc_record *curves;   /* of `compress sensitivity`: widths by the least predicted loss under the budget,
                                       * which there has to be; NULL: by `ranking` */
    enum mc_ranking ranking;          /* default AUTO */
    enum mc_score_norm normalization; /* default AUTO; for GLOBAL and ISOMORPHIC */
    struct mc_samples samples;        /* for criteria that judge by samples; default: none */
    int64_t round;                    /* widths that are cut become multiples of it; default 1: any */
    bool lossless;       /* nothing goes but what leaves no trace: `ratio` and `stays` do not count; default false */
    bool whole_heads;    /* of attention heads go, and not features of all heads; default false */
    int64_t minimum;     /* groups of a family that stay at least; default 1 */
    const char *widths;  /* bounds of single layers, before `round` and `minimum` (prune/widths.h); NULL: none */
    const char *exclude; /* comma-separated patterns (* and ?): a group with a tensor of such a name stays */
    uint64_t seed;       /* of the random criterion and of the inputs of the checks */
    struct mc_dims dims; /* shapes for analysis and checks; default: 2 for an unknown batch */
    struct mc_runtime runtime;
    bool reconstruct; /* fit the weights that read removed channels to `samples` by least squares; default false */
    double ridge;     /* how firmly they are held to what they were, relative to the terms' mean square; default 1e-3 */
    bool reestimate;  /* take running statistics of batch normalizations anew from `samples`; default false */
    bool keep_constants; /* default true: what a removed channel still produced goes into the next bias; false: it is 0
                          */
};

void mc_shrink_options_init(struct mc_shrink_options *options);

/* Remove groups of `model` in place, after checking on a random batch that the result equals the masked twin to
 * rounding (1e-4 relative to the largest output); a mismatch is MC_ERR_INTERNAL and the model is unchanged, as it is
 * after any failure. Operators must be bound. On success all former pointers to parts of the model are void.
 *
 * `section` (may be NULL) gets
 * - lossless, if asked for: {unread, dead, merged}: channels that nobody read, that were constant, and that others were
 *   read in place of (these then count as unread)
 * - analysis_s (groups, importance, choice), surgery_s: seconds without running the model
 * - groups_removed, macs_before, macs_after (for `dims`), constants_moved; constants_why when they could not be found
 * - latency, for that budget: {before_ms, after_ms, cpu, widths}: the latter, as `widths` of the options, give the
 *   same model again on any machine
 * - families: [{tensor, axis, width, width_after, groups_before, groups_after, score_least, score_removed, score_most,
 *   tensors}]: what was cut; `tensor` makes the channels, `tensors` are all parameters that are tied to it, scores are
 *   the criterion's: least and largest of the groups that may go, and the largest of those that went
 * - frozen: [{tensor, axis, width, why, node}]: what had to stay
 * - statistics: [node]: those that take statistics along an axis that was cut, now over what stays, as in the twin
 * - twin: {checked, max_difference, max_output}, or {checked: false, why} where the model cannot be run here
 * - reconstruction: [{tensor, rows, error_before, error_after} or {tensor, why}] (prune/reconstruct.h), and
 *   batch_norm_statistics, how many were taken anew: both after that comparison, and if they were asked for
 *
 * `explain` (may be NULL) gets groups: [{family, verdict: "removed", score, slices: [{tensor, axis, indices}]}], in
 * terms of the original model; kept: the same of groups that stay, with why and node where they have to; frozen, as
 * above.
 *
 * Errors: MC_ERR_USAGE (options; a budget that cannot be reached), MC_ERR_UNSUPPORTED (nothing may go: says why). */
int mc_shrink(struct mc_model *model, const struct mc_shrink_options *options, struct mc_record *section,
              struct mc_record *explain, struct mc_error *err);

/* The surgery alone: cut the given groups (indices into the coupling) out of the model that was analysed or a clone of
 * it. Constants that they left behind are lost. After a failure the model is good for nothing but destroying: work on
 * a clone. For tests and other callers. */
int mc_surgery(struct mc_model *model, const struct mc_coupling *coupling, const int *groups, int n_groups,
               struct mc_error *err);

#endif
