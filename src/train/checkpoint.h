/* checkpoint.h - the whole state of a training run in a file, from which another process goes on bit for bit.
 *
 * An archive (base/archive.h) of
 *   about            the options and the data that the arithmetic depends on, a line each; a run with others is refused
 *   state            where in which epoch the run is, with its early stopping and its plateau
 *   epochs           figures of the epochs that are over
 *   value/NAME       every float initializer; good/NAME, best/NAME and average/NAME the same where there are such
 *   first/NAME, second/NAME   what the optimizer keeps of a parameter
 *   mask/NAME, kept  masks, and what the caller's schedule keeps
 * It is written beside its place and renamed when whole: whenever a process is killed, the file has the state of one
 * step or of a later one.
 */
#ifndef MC_TRAIN_CHECKPOINT_H
#define MC_TRAIN_CHECKPOINT_H

#include "train/fit_state.h"

/* Into options->checkpoint, in the place of what is there. A state with weights that are not finite is not written. */
int mc_checkpoint_save(const struct mc_fit *fit, struct mc_error *err);

/* From options->checkpoint into a run that is ready to begin; a file that does not exist changes nothing. MC_ERR_INPUT
 * for one that is damaged, or was made by another run, naming the option that differs: the run is then unusable. */
int mc_checkpoint_load(struct mc_fit *fit, struct mc_error *err);

#endif
