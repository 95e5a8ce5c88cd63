/* parameters.h - the tensors that training changes: which they are, and copies of them.
 *
 * mc_trainable (train/train.h) finds what descent moves. Running statistics move as well, though no gradient leads to
 * them; so snapshots are of every float initializer.
 */
#ifndef MC_TRAIN_PARAMETERS_H
#define MC_TRAIN_PARAMETERS_H

#include "graph/graph.h"
#include "report/record.h"
#include "run/plan.h"

/* Give an initializer of its own to every node that only repeats one that others use too: PyTorch's exporter merges
 * parameters of equal contents and writes Identity nodes for all but one, and training would tie what was never tied.
 * The new initializer bears the name of the value that it replaces. */
int mc_parameters_untie(struct mc_model *model, struct mc_error *err);

/* Give every float initializer of the main graph storage of its own: what lies in a file's message, or is shared with a
 * clone of the model, must not be written to. The writer's form (origin_tensor) is kept. */
int mc_parameters_own(struct mc_model *model, struct mc_error *err);

/* Put into the section, as "untrained", the parameters that no gradient of the plan leads to because of a node on the
 * way: `parameter`, `node`, `operator` and `why` of each; nothing if there are none. What is no weight, such as a scale
 * or a running mean, is not among them. */
int mc_record_untrained(struct mc_plan *plan, const struct mc_model *model, struct mc_record *section,
                        struct mc_error *err);
/* MC_ERR_UNSUPPORTED: no gradient leads from the scores to any of the parameters; says where one of them ends. */
int mc_refuse_untrainable(struct mc_plan *plan, struct mc_value *const *parameters, int n, struct mc_error *err);

/* Contents of all float initializers of the main graph. */
struct mc_snapshot {
    int n;
    struct mc_value **values;
    void **contents;
};

/* Room for the contents; taken at once. The model must keep its initializers and their sizes while it lives. */
int mc_snapshot_init(struct mc_snapshot *snapshot, const struct mc_model *model, struct mc_error *err);
void mc_snapshot_finish(struct mc_snapshot *snapshot);
void mc_snapshot_take(struct mc_snapshot *snapshot);
void mc_snapshot_restore(const struct mc_snapshot *snapshot);

#endif
