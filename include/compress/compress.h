/* compress.h - the public interface of libcompress.
 *
 * Everything a program needs to load an ONNX model, measure it, make it smaller and write it back.
 * The `compress` command is written against this header alone.
 *
 * Conventions
 *   - A function that can fail returns 0 or a negative `enum mc_status`, and takes `struct mc_error *`
 *     last. The error is untouched on success; it may be NULL if the text is not wanted.
 *   - What `create`, `load` or `open` hands out through a pointer belongs to the caller, who gives it
 *     to the matching `destroy`. `destroy` accepts NULL. On failure nothing is handed out.
 *   - What a getter returns is lent: it lives as long as the object it came from.
 *   - The library never prints, never exits, and keeps no global mutable state. Objects may be used
 *     from any thread, one thread at a time.
 */
#ifndef COMPRESS_COMPRESS_H
#define COMPRESS_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Semantic versioning 2.0.0, in which 0 stands before what is promised: a minor version may take away what the one
 * before had, and the soname changes with it. */
#define MC_VERSION "0.1.0"

#if defined(__GNUC__)
#define MC_API __attribute__((visibility("default")))
#define MC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MC_API
#define MC_PRINTF(fmt, args)
#endif

/* Version of the library that runs, to be held against MC_VERSION. */
MC_API const char *mc_version(void);

/* --- errors ------------------------------------------------------------------------------------ */

/* Result of a call. The negated value is the exit status the command gives for it. */
enum mc_status {
    MC_OK = 0,
    MC_GATE_FAILED = -1,     /* done, but a gate did not hold */
    MC_ERR_USAGE = -2,       /* an option, a recipe or a call asks for something that cannot be */
    MC_ERR_UNSUPPORTED = -3, /* the model needs an operator, attribute or type that is missing here */
    MC_ERR_INPUT = -4,       /* a file is broken or does not fit */
    MC_ERR_SYSTEM = -5,      /* input/output or memory */
    MC_ERR_INTERNAL = -6,    /* a self-check failed: a defect of this library */
    MC_INTERRUPTED = -130,   /* the progress callback asked to stop */
};

/* What went wrong, outermost place first: "cannot load 'net.onnx': node 'conv2' (Conv): …".
 * Owned by the caller, no destructor; initialise with `struct mc_error err = {0}`. */
struct mc_error {
    int status;
    char text[1024]; /* one line, lower case, no full stop */
    char hint[256];  /* how to mend it, or the line of a recipe that is meant with a mark under it; or "" */
};

/* Short name of a status: "ok", "gate", "usage", "unsupported", "input", "system", "internal", "interrupted". */
MC_API const char *mc_status_name(int status);

/* The candidate nearest to a misspelt word, or NULL if none is near. */
MC_API const char *mc_suggest(const char *word, const char *const *candidates, size_t n);

/* --- context ----------------------------------------------------------------------------------- */

/* How far work is. */
struct mc_progress {
    const char *what;    /* "training", "teacher", or the name of a step */
    int64_t done, total; /* steps; total 0: unknown */
    double loss;         /* the present one, or NaN */
    const char *metric;  /* "accuracy" or "R2" on the validation samples after the last epoch; NULL: none yet */
    double value;        /* of the metric */
    int64_t samples;     /* seen by training so far; 0 elsewhere */
};

/* Processes that do one piece of work together: all make the same calls with the same arguments, in the same order, and
 * come to the same results. A step of training takes its batch from all of them: each has a share of the samples,
 * gradients and batch statistics are of the whole batch. Measuring on data is shared likewise. What one learns of a
 * failure all learn. Files are written by the process of rank 0 alone.
 *
 * The functions are called by all of them in the same order and return MC_OK, or a negative status where the others
 * cannot be reached. */
struct mc_peers {
    int rank, size;                                              /* rank in [0, size) */
    int (*sum_floats)(void *context, float *values, size_t n);   /* each value becomes its sum over all processes, */
    int (*sum_doubles)(void *context, double *values, size_t n); /* with the same bits everywhere */
    int (*send)(void *context, int from, void *bytes, size_t length); /* the bytes of process `from` come to all */
    void *context;
    bool broken; /* set by the library: one of them has failed, and nothing is shared any more */
};

/* The processes that mpirun has started, this being one of them. Initializes MPI unless the caller has; `close` undoes
 * that. MC_ERR_USAGE where the library was built without MPI, MC_ERR_SYSTEM where Open MPI cannot be opened. */
MC_API int mc_peers_open_mpi(struct mc_peers **peers, struct mc_error *err);
MC_API void mc_peers_close(struct mc_peers *peers);

/* Where computing takes its large blocks from, instead of malloc: activations, gradients and work memory of whatever is
 * run, and weights in the order in which a kernel reads them. Models, tensors, results and everything small come from
 * malloc all the same, as does what the libraries underneath allocate (docs/library.md).
 *
 * Called from the thread that makes the call. `take` returns a block of so many bytes, aligned to a power of two, or
 * NULL: then the call fails with MC_ERR_SYSTEM. `give` gets each block back, at the latest when the call is over, or,
 * of a runner's, with mc_runner_destroy. */
struct mc_memory {
    void *(*take)(void *context, size_t bytes, size_t alignment);
    void (*give)(void *context, void *block);
    void *context;
};

/* How work is to be done; a plain struct on the caller's side, filled by mc_context_init. NULL stands for the
 * defaults wherever one is asked for. */
struct mc_context {
    int threads;     /* 0: as many as the process may use, or one where a single run is over at once */
    const char *cpu; /* "portable", "avx2" or "avx512": the most to use; NULL: the best there is */
    uint64_t seed;   /* of whatever is random and not given a seed by a recipe; default 0 */

    /* Called as work goes on, from the calling thread; NULL: not. Returns true to go on; false stops the call with
     * MC_INTERRUPTED and leaves nothing half-written. */
    bool (*progress)(void *progress_context, const struct mc_progress *at);
    void *progress_context;

    /* Called with a line, without its end, for whatever a recipe begins and ends, from the calling thread; NULL: not.
     */
    void (*log)(void *log_context, const char *line);
    void *log_context;

    struct mc_peers *peers; /* processes that do the same, each on its share of the samples; NULL: none */

    const struct mc_memory *memory; /* for large blocks, copied; NULL: malloc */
};

MC_API void mc_context_init(struct mc_context *context);

/* --- records ----------------------------------------------------------------------------------- */

/* All that a call did and measured, as a tree of JSON kind; docs/record.md lists the keys. */
struct mc_record;

enum mc_format {
    MC_FORMAT_JSON, /* stable keys in a stable order; numbers read back as they were */
    MC_FORMAT_MARKDOWN,
    MC_FORMAT_TABLE,   /* for a terminal */
    MC_FORMAT_DETAILS, /* MC_FORMAT_TABLE with layers, epochs and groups */
    MC_FORMAT_HTML,    /* one page that needs nothing beside it: no network, no script */
    MC_FORMAT_JUNIT,   /* XML: a test case for each gate */
    MC_FORMAT_COMMENT, /* Markdown for a pull request: the verdict, what was before and after, the rest folded */
    MC_FORMAT_BADGE,   /* SVG: a small picture for a README */
};

/* What the ending of a path says: .json, .md, .html, .xml (JUnit), .svg (badge). MC_ERR_USAGE for others. */
MC_API int mc_format_of_path(const char *path, enum mc_format *format, struct mc_error *err);

MC_API void mc_record_destroy(struct mc_record *record);

/* By dotted path, "final.accuracy" or "steps.0.name"; `otherwise` when absent or of another kind. */
MC_API double mc_record_get_num(const struct mc_record *record, const char *path, double otherwise);
MC_API int64_t mc_record_get_int(const struct mc_record *record, const char *path, int64_t otherwise);
MC_API bool mc_record_get_bool(const struct mc_record *record, const char *path, bool otherwise);
MC_API const char *mc_record_get_text(const struct mc_record *record, const char *path, const char *otherwise);
/* A part of it, lent; NULL when absent. */
MC_API const struct mc_record *mc_record_get(const struct mc_record *record, const char *path);
/* Entries of an array or object; entry i of an array, lent. */
MC_API size_t mc_record_size(const struct mc_record *record);
MC_API const struct mc_record *mc_record_at(const struct mc_record *array, size_t i);

/* A record that was saved as JSON. MC_ERR_INPUT, with line and column, if it cannot be read. */
MC_API int mc_record_load(struct mc_record **record, const char *path, struct mc_error *err);

/* The whole record as text. To a stream: nothing but MC_ERR_SYSTEM can go wrong. To a file: replaced in one go;
 * MC_ERR_USAGE if it exists and `overwrite` is false. */
MC_API int mc_record_print(const struct mc_record *record, enum mc_format format, FILE *stream, struct mc_error *err);
MC_API int mc_record_save(const struct mc_record *record, enum mc_format format, const char *path, bool overwrite,
                          struct mc_error *err);

/* The whole record as text in fresh memory, which the caller gives to mc_text_release. */
MC_API int mc_record_text(const struct mc_record *record, enum mc_format format, char **text, struct mc_error *err);
MC_API void mc_text_release(char *text);

/* Several runs side by side: a record of its own with the figures of each (docs/record.md, report). `names` is how they
 * are called, a file name say. */
MC_API int mc_record_gather(struct mc_record **gathered, const struct mc_record *const *records,
                            const char *const *names, size_t n, struct mc_error *err);

/* --- models ------------------------------------------------------------------------------------ */

struct mc_model;

/* Read an ONNX file, packed or not, with the external data beside it. MC_ERR_INPUT if it is broken, MC_ERR_UNSUPPORTED
 * for a feature of the format that is missing here; unknown operators are no error yet. Calls of the file's own
 * functions are kept: what runs or measures the model puts the bodies in their place for itself, a recipe for good. */
MC_API int mc_model_load(struct mc_model **model, const char *path, struct mc_error *err);
MC_API void mc_model_destroy(struct mc_model *model);
/* Say what dimensions that the model leaves open are to be, for whatever has to know: "height=48,x.3=320", by the name
 * that the model gives one, or as axis 3 of the input x. Nothing of it is written to a file. A first dimension that
 * nobody settles is a batch. MC_ERR_USAGE, naming the open ones, if there is none of that name. */
MC_API int mc_model_settle(struct mc_model *model, const char *dims, struct mc_error *err);
/* Say that the model is there to be run with inputs of one set of shapes: whoever compiles it next (mc_model_run, a
 * runner, mc_model_bench but for training) may let its weights go one by one as it packs them, which takes much less
 * memory than to have all of them twice. The model can still be asked for inputs and outputs and be destroyed; what
 * needs the weights again may fail with MC_ERR_USAGE. */
MC_API void mc_model_spend(struct mc_model *model);
/* Write an ONNX file in one go. MC_ERR_USAGE if it exists and `overwrite` is false. */
MC_API int mc_model_save(const struct mc_model *model, const char *path, bool overwrite, struct mc_error *err);

/* What a model is: inputs, outputs, operators, layers, parameters, multiply-accumulates, bytes, sparsity; what can be
 * run, trained and pruned, and what not and why. Never fails for an operator's sake. */
MC_API int mc_model_info(const struct mc_model *model, const struct mc_context *context, struct mc_record **record,
                         struct mc_error *err);

/* Loss and metrics over the test samples of a data set, "kind:path,option=value" (docs/data.md), whose path is
 * relative to the working directory. `role`: "train", "validation", "test" (NULL) or "calibration". `head`: name of the
 * output that has the scores; NULL: the first of float32. `batch` 0: a good one. */
MC_API int mc_model_evaluate(const struct mc_model *model, const char *data, const char *role, const char *head,
                             int64_t batch, const struct mc_context *context, struct mc_record **record,
                             struct mc_error *err);

struct mc_sensitivity {
    const char *role;      /* samples to evaluate on: "validation" (NULL), … */
    const char *head;      /* as in mc_model_evaluate */
    const char *criterion; /* by what channels of a layer are ranked, as `prune` has it: "l2" (NULL), … */
    const char *exclude;   /* names of tensors whose channels are left alone; NULL: none */
    double step;           /* shares of each layer's channels that are tried: step, 2 step, … below 1; default 0.25 */
    int64_t samples;       /* of the calibration role for criteria that look at samples; default 512 */
    const char *results;   /* file to which each point is added as it comes, and from which those of a run that was
                            * stopped are taken; NULL: none. MC_ERR_USAGE if it is of other models, data or options */
    bool anew;             /* what is in that file goes */
};

MC_API void mc_sensitivity_init(struct mc_sensitivity *what);
/* Loss and accuracy against the share of channels that are removed, for each group of layers that are tied together,
 * the least sensitive first (docs/record.md). Every point is a model that was cut and evaluated. */
MC_API int mc_model_sensitivity(const struct mc_model *model, const char *data, const struct mc_sensitivity *what,
                                const struct mc_context *context, struct mc_record **record, struct mc_error *err);

/* --- packed models --- */

/* A packed model is an ONNX file, with the files of its external data, in a container (docs/container.md) that takes a
 * fraction of their bytes and gives every one of them back. Wherever a model's file is asked for its container will
 * do. */

enum mc_pack_level {
    MC_PACK_AUTO, /* best up to 16 MiB, fast beyond */
    MC_PACK_FAST, /* 100 MB/s and more, and several times that back */
    MC_PACK_BEST, /* some percent smaller, a tenth of the speed */
};

/* Put an ONNX file and what lies beside it into a container, in memory that does not grow with them. It was read again
 * and compared before it gets its name: MC_ERR_INTERNAL if they do not come back. `record` (may be NULL) gets what
 * became of their parts. MC_ERR_INPUT if it is no ONNX file, or a container already, or external data are not there;
 * MC_ERR_USAGE if `packed` exists and `overwrite` is false. */
MC_API int mc_pack_file(const char *model, const char *packed, enum mc_pack_level level, bool overwrite,
                        struct mc_record **record, struct mc_error *err);
/* Take them out, byte for byte as they were: external data beside the model, under the names that it has for them, in
 * folders that are made where they are not there. All files appear, or none. MC_ERR_INPUT, naming the block, if the
 * container is broken; MC_ERR_USAGE if one of the files exists and `overwrite` is false. */
MC_API int mc_unpack_file(const char *packed, const char *model, bool overwrite, struct mc_record **record,
                          struct mc_error *err);

/* --- tensors, inference, timing ---------------------------------------------------------------- */

struct mc_tensor;
struct mc_item; /* what a model is given and gives out: a tensor, or a sequence, a map, nothing (an empty optional) */

/* From a TensorProto (.pb) or NumPy (.npy) file, told apart by contents. */
MC_API int mc_tensor_load(struct mc_tensor **tensor, const char *path, struct mc_error *err);
MC_API void mc_tensor_destroy(struct mc_tensor *tensor);

/* Element types, with ONNX's numbers (TensorProto.DataType), of which these are the most frequent. */
enum mc_type_of_element {
    MC_TYPE_FLOAT = 1,
    MC_TYPE_UINT8 = 2,
    MC_TYPE_INT8 = 3,
    MC_TYPE_INT32 = 6,
    MC_TYPE_INT64 = 7,
    MC_TYPE_BOOL = 9,
    MC_TYPE_FLOAT16 = 10,
    MC_TYPE_DOUBLE = 11,
};

struct mc_tensor_contents {
    int type;            /* ONNX's number */
    int rank;            /* at most 16 */
    const int64_t *dims; /* [rank], outermost first */
    const void *data;    /* dense, row-major */
    size_t bytes;        /* of all elements */
};

/* What a tensor holds, lent. Data of a tensor of strings is NULL. */
MC_API void mc_tensor_read(const struct mc_tensor *tensor, struct mc_tensor_contents *contents);
/* A tensor of its own with a copy of the contents. MC_ERR_USAGE for strings, an unknown type, a wrong shape or number
 * of bytes. */
MC_API int mc_tensor_from(struct mc_tensor **tensor, const struct mc_tensor_contents *contents, struct mc_error *err);
/* As TensorProto under a name, or as NumPy file (format 1.0). */
MC_API int mc_tensor_save_pb(const struct mc_tensor *tensor, const char *name, const char *path, bool overwrite,
                             struct mc_error *err);
MC_API int mc_tensor_save_npy(const struct mc_tensor *tensor, const char *path, bool overwrite, struct mc_error *err);

/* Inputs that a caller has to give (initializers are none), and outputs; in the graph's order. */
MC_API int mc_model_n_inputs(const struct mc_model *model);
MC_API int mc_model_n_outputs(const struct mc_model *model);
MC_API const char *mc_model_input_name(const struct mc_model *model, int i);
MC_API const char *mc_model_output_name(const struct mc_model *model, int i);

/* Input i from a file: TensorProto (.pb) or NumPy (.npy) for a tensor, SequenceProto or OptionalProto (.pb) where the
 * model declares a sequence or an optional. The item belongs to the caller, who gives it to mc_item_release. */
MC_API int mc_model_load_input(const struct mc_model *model, int i, const char *path, struct mc_item **item,
                               struct mc_error *err);
/* Output i of a run into a file of the same kinds; `npy` for tensors alone. */
MC_API int mc_model_save_output(const struct mc_model *model, int i, const struct mc_item *item, const char *path,
                                bool npy, bool overwrite, struct mc_error *err);
MC_API void mc_item_release(struct mc_item *item);

/* One inference. Shapes of the inputs settle the model's open dimensions. `outputs` has room for mc_model_n_outputs
 * tensors, which are the caller's on success. MC_ERR_USAGE for a wrong number of inputs, MC_ERR_INPUT for one of the
 * wrong type or shape, MC_ERR_UNSUPPORTED naming all nodes that cannot be run. */
MC_API int mc_model_run(const struct mc_model *model, const struct mc_context *context, struct mc_tensor *const *inputs,
                        int n_inputs, struct mc_tensor **outputs, struct mc_error *err);
/* The same for models with inputs or outputs that are no tensors. The contents of the inputs may not be changed after
 * the call. */
MC_API int mc_model_run_items(const struct mc_model *model, const struct mc_context *context,
                              struct mc_item *const *inputs, int n_inputs, struct mc_item **outputs,
                              struct mc_error *err);

/* A model made ready to be run again and again: what was compiled for the shapes of earlier inputs is kept, for the
 * last eight sets of shapes. The model has to outlive it and must not change. */
struct mc_runner;

MC_API int mc_runner_create(struct mc_runner **runner, const struct mc_model *model, const struct mc_context *context,
                            struct mc_error *err);
/* As mc_model_run_items. */
MC_API int mc_runner_run(struct mc_runner *runner, struct mc_item *const *inputs, int n_inputs,
                         struct mc_item **outputs, struct mc_error *err);
MC_API void mc_runner_destroy(struct mc_runner *runner);

struct mc_bench {
    int64_t batch;    /* samples per run, where the model leaves it open; default 1 */
    double seconds;   /* to measure for, at least; default 2; never fewer than 3 runs */
    bool train;       /* a whole training step: forward, softmax cross-entropy on random labels, backward, and an SGD
                       * step with momentum 0.9 on every parameter; else inference */
    bool bfloat16;    /* training: matrices are multiplied rounded to bfloat16, as by `precision` of a recipe's step */
    bool per_node;    /* inference: also the time of every node, beside what this machine can do at most */
    const char *data; /* a data set (docs/data.md): also the time to read a batch of its training samples, changed and
                       * normalized as training gets them; NULL: none */
};

MC_API void mc_bench_init(struct mc_bench *bench);
/* Time per batch on random inputs, after two runs to warm up: median_ms, best_ms, worst_ms, number of runs; with
 * per_node also `nodes` and `limits`, with data `loading` (docs/record.md). */
MC_API int mc_model_bench(const struct mc_model *model, const struct mc_bench *bench, const struct mc_context *context,
                          struct mc_record **record, struct mc_error *err);

/* How two models are compared. */
struct mc_compare {
    const char *data;              /* a data set (docs/data.md) on which both are measured; NULL: none */
    const char *role;              /* as for mc_model_evaluate */
    const char *head;              /* name of the output that has the scores; NULL: the first of float32 */
    int64_t batch;                 /* samples per run; 0: a good number */
    struct mc_item *const *inputs; /* what outputs are compared on; n_inputs 0: random inputs */
    int n_inputs;
    int64_t samples;   /* of random inputs, where the models leave that open [8] */
    double confidence; /* of intervals, (0, 1) [0.95] */
    int draws;         /* of the bootstrap [1000] */
};

MC_API void mc_compare_init(struct mc_compare *compare);
/* Two models side by side: measurements, differences of outputs, and on data metrics, agreement, McNemar's test, and
 * intervals of differences (docs/record.md). That they have other inputs or cannot be run is in the record; it fails
 * where data or inputs are given and do not fit. */
MC_API int mc_model_compare(const struct mc_model *first, const struct mc_model *second,
                            const struct mc_compare *compare, const struct mc_context *context,
                            struct mc_record **record, struct mc_error *err);

/* --- recipes ----------------------------------------------------------------------------------- */

/* A model, data, steps, gates and outputs: everything that changes a model is a recipe, if only of one step. It is held
 * as the tree that a file said, so that whatever a file can say can be set, and is checked as a whole before any work
 * is done. docs/recipe.md describes it. */
struct mc_recipe;

enum mc_option_kind {
    MC_OPTION_FLAG,    /* true or false; on the command line its mere presence is true */
    MC_OPTION_INTEGER, /* 64 bits */
    MC_OPTION_NUMBER,
    MC_OPTION_TEXT,
    MC_OPTION_CHOICE,
    MC_OPTION_RATE,    /* 0.01, or a schedule: {exponential: [0.001, 0.9]}; in a word: exponential:0.001,0.9 */
    MC_OPTION_LIST,    /* of CHOICEs */
    MC_OPTION_MODEL,   /* one of the choices; or an ONNX file, relative to where it is named; or a named architecture */
    MC_OPTION_BOUNDS,  /* {f1: 0.9, recall.cat: 0.8}; in a word: f1:0.9,recall.cat:0.8 */
    MC_OPTION_NUMBERS, /* [1, 2, 0.5], none below 0, or one of the choices; in a word: 1,2,0.5 */
};

/* One option, declared once for recipes, command line, help and manual. */
struct mc_option {
    const char *name; /* key in a recipe; "stop.patience" is patience inside stop, and --stop-patience */
    enum mc_option_kind kind;
    const char *value;    /* what stands for the value in help, "N"; NULL for flags */
    const char *fallback; /* default as one would write it; NULL: none */
    const char *range;    /* numbers: "[0, 1)", "(0, inf)"; NULL: any */
    const char *choices;  /* "magnitude|channel" */
    const char *only;     /* "method=channel", "optimizer=adam|adamw", "data": it has a meaning only then; NULL: always */
    const char *help;     /* one line, lower case, no full stop */
};

/* Is `text` a value that the option takes? MC_ERR_USAGE says what it needs. */
MC_API int mc_option_check(const struct mc_option *option, const char *text, struct mc_error *err);
/* Table of the options of a step ("prune", "distill", …) or of another part of a recipe ("recipe", "gates", "output",
 * "step" for what all steps have, "tune"); NULL with *n = 0 for an unknown one. Static. */
MC_API const struct mc_option *mc_recipe_options(const char *part, size_t *n);
/* Names of all steps with one line of help each; NULL from *n on. */
MC_API const char *mc_recipe_step(size_t i, const char **help);

/* Empty recipe; paths in it are relative to the working directory. */
MC_API int mc_recipe_create(struct mc_recipe **recipe, struct mc_error *err);
/* From a YAML file, or a JSON file, which is YAML; paths in it are relative to the file. MC_ERR_INPUT if it cannot be
 * read, MC_ERR_USAGE if it is no YAML, with line and column. */
MC_API int mc_recipe_load(struct mc_recipe **recipe, const char *path, struct mc_error *err);
MC_API void mc_recipe_destroy(struct mc_recipe *recipe);
/* Set what stands at a dotted path, "gates.max_bytes" or "steps.0.prune.ratio", to a value written as in YAML; what
 * lies on the way is made, and "steps.2" behind the last step appends one; but variables ("vars.NAME") that a
 * recipe from a file does not have are refused. Paths in `value` are relative to the working directory. `given_as` is
 * how the user wrote it ("--set", "--ratio"), for messages; NULL: the path. MC_ERR_USAGE if the way is barred or the
 * value is no YAML. */
MC_API int mc_recipe_set(struct mc_recipe *recipe, const char *path, const char *value, const char *given_as,
                         struct mc_error *err);

/* As above, but `text` is taken as it stands: a value on a command line is no YAML. */
MC_API int mc_recipe_set_text(struct mc_recipe *recipe, const char *path, const char *text, const char *given_as,
                              struct mc_error *err);

/* Go through a recipe without its work: check everything, load everything, try the model on the data, do of each step
 * what is quickly done and decides what comes next, and look at a few samples of its training. Nothing is written.
 * *record is like that of mc_recipe_run, with the counts that each stage is expected to have; with `timed` (a second
 * or so for each step that trains) `expected_s`, an estimate, of each step and of all. Errors are those with which the
 * run would end. */
MC_API int mc_recipe_check(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir,
                           bool overwrite, bool timed, struct mc_record **record, struct mc_error *err);

/* Check everything, load everything, do the steps, measure after each, hold the gates against the result, and write the
 * outputs: the model only if every gate held (or output.always), the reports in any case. What is written was first
 * loaded again from its bytes and compared. `out_dir` is where relative output paths lead (NULL: the working
 * directory); `overwrite` lets existing files be replaced.
 *
 * MC_OK: done. MC_GATE_FAILED: done, a gate did not hold, err->text says which. In both cases *record is the
 * caller's. Any other status: nothing was handed out and nothing written. */
MC_API int mc_recipe_run(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir,
                         bool overwrite, struct mc_record **record, struct mc_error *err);

/* The same in a run directory: `dir`, where outputs go, gets a folder `run` with a log, the record (record.json), and
 * what a run that was killed or interrupted goes on from, at whatever moment that was: the model after each step, and
 * the state of training every ten seconds. With `resume` a step is not done again whose inputs are those of one that is
 * kept there (the model's bytes, the options of this step and those before it, seed, threads, data, version of this
 * program), training goes on where it was, and what the directory has is replaced; the result has the bytes that a run
 * without break has. Without, MC_ERR_USAGE if there is something to go on from and `overwrite` is false. What is kept
 * goes when all gates held, unless `resume` asks for it. One run at a time: MC_ERR_USAGE while another works there.
 * Processes that work together (context.peers) keep nothing: for them MC_ERR_USAGE with `resume`. */
MC_API int mc_recipe_run_in(struct mc_recipe *recipe, const struct mc_context *context, const char *dir, bool overwrite,
                            bool resume, struct mc_record **record, struct mc_error *err);

/* Write a recipe that fits a model and a data set (NULL: none), with comments, to the file `path`: what can be pruned
 * is pruned, what can be trained learns from the original, and gates hold what a look at the steps promises. `model`
 * and `data` are as on a command line, relative to the working directory. The recipe was checked as by mc_recipe_check,
 * whose record *record is. MC_ERR_USAGE if the file exists and `overwrite` is false. */
MC_API int mc_recipe_draft(const char *model, const char *data, const char *path, bool overwrite,
                           const struct mc_context *context, struct mc_record **record, struct mc_error *err);

/* The same, of a recipe for mc_recipe_tune: a search for the smallest packed model whose accuracy (of numbers R2) on
 * the validation samples is within `max_drop` of the model's. MC_ERR_USAGE for an architecture, and without data. */
MC_API int mc_recipe_draft_smallest(const char *model, const char *data, double max_drop, const char *path,
                                    bool overwrite, const struct mc_context *context, struct mc_record **record,
                                    struct mc_error *err);

/* Look for the values of options with which the steps do best, as the recipe's part "tune" says (docs/recipe.md): try
 * combinations of them on validation samples or in cross-validation, in rounds if it is successive halving. What does
 * best has the best metric, or the fewest bytes of those that keep it within a bound.
 *
 * Every result is added to the file tune.results as it comes, and a search goes on from what is there: one that was
 * killed and begun again ends as one that was not. `overwrite` begins anew. At the end the recipe with the best values,
 * without the part, is written to tune.best. Several processes may share a search by its file: process `share` of
 * `shares` tries one in so many, waits for the others between rounds and at the end, and only the first writes
 * tune.best. NULL for all by one process.
 *
 * *record has the trials, best first. MC_ERR_USAGE if the recipe has no such part or the file has the results of
 * another search. A trial whose loss becomes infinite has failed, which is no error unless all have. */
struct mc_share {
    int share, shares; /* from 0 */
};

MC_API int mc_recipe_tune(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir,
                          bool overwrite, const struct mc_share *share, struct mc_record **record,
                          struct mc_error *err);

#ifdef __cplusplus
}
#endif
#endif
