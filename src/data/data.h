/* data.h - labelled data sets: open by name, split by seed, read in batches.
 *
 * A data set holds N samples of one shape and one target each: a class (int64) or a real number or vector
 * (float). Sources keep samples as they were stored (bytes stay bytes) and give float32 batches.
 */
#ifndef MC_DATA_DATA_H
#define MC_DATA_DATA_H

#include "base/rng.h"
#include "data/augment.h"
#include "data/normalize.h"
#include "tensor/tensor.h"

enum mc_role_of_data { MC_DATA_TRAIN, MC_DATA_VALIDATION, MC_DATA_TEST, MC_DATA_CALIBRATION, MC_DATA_ROLES };

/* One of several classes; any of several labels, which are targets of 0 and 1; numbers. */
enum mc_task { MC_TASK_CLASSIFICATION, MC_TASK_LABELS, MC_TASK_REGRESSION };

/* A column of a table as it became features: what is a category, and what stands for a missing number, is decided from
 * the training samples. */
struct mc_column {
    const char *name;
    int64_t n_categories;          /* 0: a number */
    const char *const *categories; /* a feature each: 1 where the sample has it, all 0 for none of them */
    int64_t n_missing;             /* cells without a value, in all samples */
    double fill;                   /* what stands for a missing number */
};

/* A source of samples. Implementations embed it first in their own struct. */
struct mc_source {
    int64_t n_samples;
    struct mc_shape sample; /* shape of one sample, without batch; of a source with `fit` known after that */
    enum mc_task task;
    int64_t n_classes;              /* classification */
    int64_t n_targets;              /* labels or numbers per sample */
    const char *const *class_names; /* of classes, labels or targets; NULL: 0, 1, … */
    bool unlabelled;                /* nobody knows the targets: class 0 of none is read, or nothing */
    const float *weights;           /* [n_samples] how much a sample counts in training; NULL: all alike */
    int n_columns;                  /* of a table; else 0 */
    const struct mc_column *columns;
    bool decodes; /* reading a sample takes more than copying it */
    /* Settle what depends on the training samples: those are index[0 … n), or, `like` given, another source's of the
     * same kind, which has settled it. NULL: nothing does. Called once, before any read. */
    int (*fit)(struct mc_source *source, const struct mc_source *like, const int64_t *index, int64_t n,
               struct mc_error *err);
    /* Write sample i as floats; read its target (class in *label, or n_targets floats). Thread-safe. */
    int (*read)(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                struct mc_error *err);
    void (*destroy)(struct mc_source *source);
};

/* A data set: four roles, each a list of indices into a source. Roles that the source does not come with are split off:
 * test = 20 % where there is no test source, validation = 10 % of what is left to train on, calibration = the first 512
 * of training. The split depends on the data set's own seed alone, never on that of a run: what was test for the one
 * who trained a model stays test for the one who prunes it. */
struct mc_dataset {
    char *spec; /* as given, with the last part of the path alone: for reports */
    /* By role, owned unless `borrowed`: there is always one to train on; NULL: split off that. */
    struct mc_source *sources[MC_DATA_ROLES];
    bool borrowed;
    const struct mc_source *from[MC_DATA_ROLES]; /* source of each role */
    int64_t n[MC_DATA_ROLES];
    int64_t *index[MC_DATA_ROLES];
    enum mc_task task;
    struct mc_shape sample;
    int64_t n_classes, n_targets;
    const char *const *class_names;  /* lent by the training source; NULL: 0, 1, … */
    double weight_scale;             /* brings the mean weight of training samples to 1; 0: there are no weights */
    struct mc_normalizer normalizer; /* of every sample that is read; lent too where `borrowed` */
    struct mc_augment augment;       /* of samples that are trained on (data/draw.h) */
};

/* Open "kind:path,option=value…". Kinds (docs/data.md has all options):
 *   glyphs          digits drawn by this program, 1x28x28 in [0, 1], ten classes
 *   mnist:DIR       IDX files, plain or .gz, of any extents and up to 256 classes, 1xHxW in [0, 1]
 *   cifar10:DIR     CIFAR-10's binary batches, plain or .gz, 3x32x32 in [0, 1]
 *   csv:FILE        a header line, numbers and words; the last column or label=NAME is a class, target=NAME a number
 *   npz:FILE        NumPy arrays x and y in an archive; npy:DIR: in files of their own
 *   images:DIR      PNG and JPEG files, a folder a class
 * Options of all: unlabelled (1: targets are not read); seed (of drawing and splitting, default 0), train and test (at
 * most so many samples), validation (a share below 1, or a count), split (share of test where the source has none);
 * mean and std or normalize (data/normalize.h); augment (data/augment.h). Roles may come from several:
 * "train=csv:a.csv;test=csv:b.csv", where the others of the same kind have the options of the first that they do not
 * give themselves. Relative paths are relative to `base_dir` (NULL: the working directory). Unknown kinds and options
 * are MC_ERR_USAGE with the nearest valid word; files that are absent or broken MC_ERR_INPUT. The caller destroys the
 * data set. */
int mc_dataset_open(struct mc_dataset **dataset, const char *spec, const char *base_dir, struct mc_error *err);
void mc_dataset_destroy(struct mc_dataset *dataset);

/* Samples index[begin … begin+n) of a role, in `order` (NULL: as they stand; else a permutation of the role's
 * positions), into x [n, sample…] (float32) and labels [n] or targets [n, n_targets]; either may be NULL. Normalized,
 * and otherwise as they are: what training changes is in data/draw.h. */
int mc_dataset_read(const struct mc_dataset *dataset, enum mc_role_of_data role, const int64_t *order, int64_t begin,
                    int64_t n, float *x, int64_t *labels, float *targets, int n_threads, struct mc_error *err);

/* k folds of training + validation for cross-validation: fold f becomes validation, the rest training. Stratified
 * for classification. A new data set that shares `of`'s sources, which must outlive it; what was settled from the
 * training samples stays as it is. MC_ERR_USAGE where validation samples have a source of their own. */
int mc_dataset_fold(struct mc_dataset **dataset, const struct mc_dataset *of, int k, int f, uint64_t seed,
                    struct mc_error *err);

/* Are the targets of a role known? */
static inline bool mc_dataset_is_labelled(const struct mc_dataset *dataset, enum mc_role_of_data role)
{
    return !dataset->from[role] || !dataset->from[role]->unlabelled;
}
/* Is there any role whose targets are? If not, the data set has no classes and no targets. */
static inline bool mc_dataset_has_targets(const struct mc_dataset *dataset)
{
    return dataset->n_classes > 0 || dataset->n_targets > 0;
}
/* MC_ERR_INPUT with the reason, "to measure by", where the targets of a role are not known. */
int mc_dataset_need_labels(const struct mc_dataset *dataset, enum mc_role_of_data role, const char *why,
                           struct mc_error *err);

const char *mc_data_role_name(enum mc_role_of_data role); /* "train", … */
/* NULL: test. MC_ERR_USAGE for an unknown name. */
int mc_data_role_find(const char *name, enum mc_role_of_data *role, struct mc_error *err);

#endif
