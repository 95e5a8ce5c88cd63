/* sensitivity.h - what each layer's width is worth: loss and accuracy against the share of its groups that is gone. */
#ifndef MC_PRUNE_SENSITIVITY_H
#define MC_PRUNE_SENSITIVITY_H

#include "prune/prune.h"

enum { MC_SENSITIVITY_MOST = 64 };

/* Where results are kept as they come, so that whoever was killed goes on: of the model without the n least important
 * groups of a family. `value` is the accuracy, or the mean squared error. */
struct mc_sensitivity_results {
    bool (*find)(void *context, int family, int n, double *value, double *loss); /* NULL: nothing is kept */
    int (*add)(void *context, int family, int n, double value, double loss, double seconds, struct mc_error *err);
    void *context;
};

struct mc_sensitivity_options {
    struct mc_shrink_options shrink; /* criterion, what is excluded, …; ratio and budget do not matter */
    const struct mc_dataset *data;
    enum mc_role_of_data role;
    const char *head; /* mc_binding_init */
    int n_ratios;     /* at most MC_SENSITIVITY_MOST */
    const double *ratios;
    struct mc_sensitivity_results results; /* of this model, these data and options */
};

/* Remove those shares of each family of groups that may go, one family at a time, all that is tied to it with it, and
 * evaluate each of these models: the figures are measured, not predicted. `record` gets
 * - baseline: {samples, loss, accuracy}
 * - families: [{tensor, axis, width, groups_before, tensors, points: [{ratio, groups_removed, width, macs_share, loss,
 *   loss_change, accuracy, accuracy_change}], mean_loss_change}], the least sensitive first (of equal ones the earlier)
 * Regression has mse instead of accuracy. Shares that come to no group, or to the same number as one before, are left
 * out. Errors as mc_shrink's; MC_ERR_INPUT when there are no samples. */
int mc_sensitivity(const struct mc_model *model, const struct mc_sensitivity_options *options, struct mc_record *record,
                   struct mc_error *err);

#endif
