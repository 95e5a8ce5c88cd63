/* features.c - tensors of the teacher that a student is to imitate; see features.h. */
#include "train/features.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "kernel/kernels.h"
#include "kernel/update.h"
#include "op/ops.h"
#include "train/relation.h"

enum kind { HINT, ATTENTION, DISTANCE, ANGLE };
static const char *const kind_names[] = {"hint", "attention", "relation", "relation"};

struct mc_feature {
    enum kind kind;
    double weight;
    struct mc_value *student;         /* what is compared: the adapter's output for a hint */
    const struct mc_value *teacher;   /* tap of the same index in the teacher's plan */
    struct mc_shape s_shape, t_shape; /* of one sample */
    float *target;                    /* [capacity, t_shape] */
    struct mc_node *adapter;          /* NULL: none */
    struct mc_value *adapter_weight;
    const struct mc_updates *updates;
};

/* --- names and shapes --- */

static int refuse_name(const struct mc_model *model, const char *whose, const char *name, struct mc_error *err)
{
    const char **names = MC_NEW_ARRAY(const char *, model->n_values);
    size_t n = 0;
    for (int i = 0; names && i < model->n_values; i++)
        if (model->values[i] && !model->values[i]->data) names[n++] = model->values[i]->name;
    const char *nearest = names ? mc_suggest(name, names, n) : NULL;
    mc_error_set(err, MC_ERR_USAGE, "the %s has no tensor '%s'%s%s%s", whose, name, nearest ? " (did you mean '" : "",
                 nearest ? nearest : "", nearest ? "'?)" : "");
    mc_free(names);
    return MC_ERR_USAGE;
}

/* The tensor of that name, and its shape for one sample. */
static int find_tensor(const struct mc_model *model, const char *whose, const char *name, const struct mc_dataset *data,
                       const struct mc_fit_options *options, struct mc_value **value, struct mc_shape *shape,
                       struct mc_error *err)
{
    struct mc_binding binding;
    struct mc_facts facts;
    *value = mc_graph_find(model->graph, name);
    if (!*value || (*value)->data || (*value)->graph != model->graph) return refuse_name(model, whose, name, err);
    int rc = mc_binding_init(&binding, model, data, options->loss, NULL, err);
    if (rc < 0) return rc;
    const int64_t fixed = mc_binding_fixed_batch(&binding), batch = fixed ? fixed : 1;
    binding.shape.dim[0] = batch;
    const struct mc_dims dims = {.n_inputs = 1, .shape = &binding.shape};
    rc = mc_model_facts(&facts, model, &dims, false, err);
    if (rc < 0) return rc;
    const struct mc_fact *fact = &facts.of[(*value)->id];
    char text[128];
    const struct mc_shape whole = fact->shape;
    const enum mc_dtype dtype = fact->dtype;
    mc_facts_finish(&facts);
    if (dtype != MC_FLOAT || whole.rank < 2 || whole.dim[0] != batch)
        return mc_error_set(err, MC_ERR_INPUT, "%s's tensor '%s': needs float32 with the batch first, is %s %s", whose,
                            name, mc_dtype_name(dtype), mc_shape_text(&whole, text, sizeof text));
    *shape = mc_shape_of(whole.rank - 1, whole.dim + 1);
    return MC_OK;
}

/* Do the axes behind the channels agree? */
static bool same_places(const struct mc_shape *a, const struct mc_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 1; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

static int check_pair(const struct mc_feature *f, struct mc_error *err)
{
    char s[128], t[128];
    const bool fits = f->kind == HINT        ? same_places(&f->s_shape, &f->t_shape)
                      : f->kind == ATTENTION ? f->s_shape.rank > 1 && same_places(&f->s_shape, &f->t_shape)
                                             : true;
    if (fits) return MC_OK;
    return mc_error_set(
        err, MC_ERR_INPUT,
        "the student's tensor is %s and the teacher's %s: all axes but the first (channels) have to agree",
        mc_shape_text(&f->s_shape, s, sizeof s), mc_shape_text(&f->t_shape, t, sizeof t));
}

/* --- adapters --- */

/* Weights for `from` channels to `to` in front of n spatial axes, as a convolution or (n = 0) a Gemm has them. */
static struct mc_value *make_weight(struct mc_graph *graph, int64_t from, int64_t to, int n, uint64_t seed,
                                    struct mc_error *err)
{
    struct mc_shape shape = {.rank = 2 + n, .dim = {to, from, 1, 1, 1, 1}};
    struct mc_tensor *data;
    struct mc_rng rng;
    if (mc_tensor_create(&data, MC_FLOAT, &shape, err) < 0) return NULL;
    mc_rng_init(&rng, seed, mc_hash("adapter"));
    for (int64_t i = 0; i < from * to; i++)
        ((float *)data->data)[i] = (float)(mc_rng_normal(&rng) / sqrt((double)from));
    struct mc_value *value = mc_graph_add_initializer_fresh(graph, "adapter.weight", data);
    if (!value) mc_error_memory(err);
    return value;
}

static int add_adapter(struct mc_feature *f, struct mc_model *model, uint64_t seed, struct mc_error *err)
{
    struct mc_graph *graph = model->graph;
    const int n = f->s_shape.rank - 1;
    f->adapter_weight = make_weight(graph, f->s_shape.dim[0], f->t_shape.dim[0], n, seed, err);
    if (!f->adapter_weight) return err ? err->status : MC_ERR_SYSTEM;
    struct mc_value *out = mc_value_create_fresh(graph, "adapter.out");
    struct mc_value *inputs[] = {f->student, f->adapter_weight};
    if (out) f->adapter = mc_node_create(graph, -1, "", n ? "Conv" : "Gemm", "adapter", 2, inputs, 1, &out);
    if (!f->adapter) return mc_error_memory(err);
    f->student = out;
    int rc = n ? MC_OK : mc_node_set_int(f->adapter, "transB", 1, err);
    if (rc == MC_OK) rc = mc_graph_add_output(graph, out, err);
    mc_ops_bind(model);
    return rc;
}

/* The last outputs of the student are those of the adapters, in their order. */
static void remove_adapter(struct mc_feature *f, struct mc_model *model)
{
    struct mc_graph *graph = model->graph;
    if (f->adapter) {
        struct mc_value *out = f->adapter->outputs[0];
        if (out->is_output) graph->n_outputs--;
        out->is_output = false;
        mc_node_remove(f->adapter);
        mc_value_remove(out);
    }
    if (f->adapter_weight) mc_value_remove(f->adapter_weight);
}

/* --- getting ready --- */

static int add_feature(struct mc_features *fs, const struct mc_fit_options *o, enum kind kind, const char *student,
                       const char *teacher, double weight, const struct mc_dataset *data, struct mc_error *err)
{
    struct mc_value *found;
    if (fs->n == MC_MOST_FEATURES)
        return mc_error_set(err, MC_ERR_USAGE, "at most %d pairs of tensors are compared", MC_MOST_FEATURES);
    struct mc_feature *f = &fs->features[fs->n];
    *f = (struct mc_feature){.kind = kind, .weight = weight, .updates = o->runtime.kernels->updates};
    int rc = find_tensor(fs->student, "student", student, data, o, &f->student, &f->s_shape, err);
    if (rc == MC_OK) rc = find_tensor(o->teacher, "teacher", teacher, data, o, &found, &f->t_shape, err);
    if (rc == MC_OK) rc = check_pair(f, err);
    if (rc < 0) return mc_error_wrap(err, rc, "%s '%s=%s'", kind_names[kind], student, teacher);
    f->teacher = found;
    fs->n++;
    return kind == HINT ? add_adapter(f, fs->student, o->seed + (uint64_t)fs->n, err) : MC_OK;
}

/* "student=teacher,…"; a name alone stands for both. */
static int add_pairs(struct mc_features *fs, const struct mc_fit_options *o, enum kind kind, const char *pairs,
                     double weight, const struct mc_dataset *data, struct mc_error *err)
{
    if (!pairs || weight == 0) return MC_OK;
    char *text = mc_strdup(pairs);
    if (!text) return mc_error_memory(err);
    int rc = MC_OK;
    for (char *pair = text, *next; rc == MC_OK && pair; pair = next) {
        next = strchr(pair, ',');
        if (next) *next++ = '\0';
        char *teacher = strchr(pair, '=');
        if (teacher) *teacher++ = '\0';
        rc = add_feature(fs, o, kind, pair, teacher ? teacher : pair, weight, data, err);
    }
    mc_free(text);
    return rc;
}

static void collect_taps(struct mc_features *fs)
{
    for (int i = 0; i < fs->n; i++) {
        bool known = false;
        for (int k = 0; k < fs->n_taps; k++) known = known || fs->taps[k] == fs->features[i].student;
        if (!known) fs->taps[fs->n_taps++] = fs->features[i].student;
    }
}

int mc_features_init(struct mc_features *fs, const struct mc_fit_options *o, struct mc_model *student,
                     const struct mc_dataset *data, struct mc_error *err)
{
    *fs = (struct mc_features){.student = student, .sample = mc_shape_count(&data->sample)};
    if (!o->teacher || (!o->hints && !o->attention && !o->relation)) return MC_OK;
    fs->features = MC_NEW_ARRAY(struct mc_feature, MC_MOST_FEATURES);
    if (!fs->features) return mc_error_memory(err);
    int rc = add_pairs(fs, o, HINT, o->hints, o->hint_weight, data, err);
    if (rc == MC_OK) rc = add_pairs(fs, o, ATTENTION, o->attention, o->attention_weight, data, err);
    if (rc == MC_OK) rc = add_pairs(fs, o, DISTANCE, o->relation, o->distance_weight, data, err);
    if (rc == MC_OK) rc = add_pairs(fs, o, ANGLE, o->relation, o->angle_weight, data, err);
    if (rc < 0 || fs->n == 0) return rc;
    collect_taps(fs);
    const struct mc_value *teachers[MC_MOST_FEATURES];
    for (int i = 0; i < fs->n; i++) teachers[i] = fs->features[i].teacher;
    rc = mc_predictor_init(&fs->teacher, o->teacher, data, o->loss, NULL, teachers, fs->n, 0, &o->runtime, err);
    return rc < 0 ? mc_error_wrap(err, rc, "teacher") : MC_OK;
}

int mc_features_reserve(struct mc_features *fs, int64_t capacity, struct mc_error *err)
{
    size_t work = 0;
    for (int i = 0; i < fs->n; i++) {
        struct mc_feature *f = &fs->features[i];
        const int64_t s = mc_shape_count(&f->s_shape), t = mc_shape_count(&f->t_shape);
        f->target = mc_alloc_aligned((size_t)capacity, (size_t)t * sizeof *f->target);
        if (!f->target) return mc_error_memory(err);
        const size_t own = f->kind == HINT        ? 0
                           : f->kind == ATTENTION ? mc_attention_work(s / f->s_shape.dim[0])
                                                  : mc_relation_work(capacity);
        if (own > work) work = own;
    }
    fs->work = mc_alloc(work, sizeof *fs->work);
    return fs->work ? MC_OK : mc_error_memory(err);
}

void mc_features_finish(struct mc_features *fs)
{
    mc_predictor_finish(&fs->teacher);
    for (int i = MC_MOST_FEATURES - 1; fs->features && i >= 0; i--) {
        mc_free(fs->features[i].target);
        remove_adapter(&fs->features[i], fs->student);
    }
    mc_free(fs->features);
    mc_free(fs->work);
    *fs = (struct mc_features){0};
}

int64_t mc_features_parameters(const struct mc_features *fs)
{
    int64_t n = 0;
    for (int i = 0; i < fs->n; i++)
        if (fs->features[i].adapter_weight) n += mc_tensor_count(fs->features[i].adapter_weight->data);
    return n;
}

/* --- a batch --- */

int mc_features_read(struct mc_features *fs, const float *x, int64_t n, struct mc_error *err)
{
    const struct mc_predictor *teacher = &fs->teacher;
    for (int64_t begin = 0; fs->n > 0 && begin < n; begin += teacher->batch) {
        const int64_t now = n - begin < teacher->batch ? n - begin : teacher->batch;
        const float *scores;
        memcpy(mc_predictor_input(&fs->teacher), x + begin * fs->sample, (size_t)(now * fs->sample) * sizeof *x);
        const int rc = mc_predictor_run(&fs->teacher, now, &scores, err);
        if (rc < 0) return rc;
        for (int i = 0; i < fs->n; i++) {
            const int64_t size = mc_shape_count(&fs->features[i].t_shape);
            const struct mc_tensor *tap = mc_plan_output(teacher->plan, teacher->binding.first_tap + i);
            memcpy(fs->features[i].target + begin * size, tap->data, (size_t)(now * size) * sizeof(float));
        }
    }
    return MC_OK;
}

/* Where the student's plan hands a tensor out. */
static int plan_index(const struct mc_features *fs, const struct mc_binding *binding, const struct mc_value *value)
{
    const struct mc_graph *graph = fs->student->graph;
    if (value == binding->scores) return binding->output;
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value) return i;
    int k = 0;
    while (fs->taps[k] != value) k++;
    return binding->first_tap + k;
}

static double compare(const struct mc_feature *f, int64_t n, const float *s, double weight, float *ds, double *work)
{
    const int64_t size = mc_shape_count(&f->s_shape), t_size = mc_shape_count(&f->t_shape);
    const int64_t places = size / f->s_shape.dim[0];
    switch (f->kind) {
    case HINT: {
        /* the adapter's output, which nothing else looks at: written, not added */
        const double each = 1 / (double)t_size;
        return each * f->updates->squared_error(n * t_size, s, f->target, (float)(weight * each), ds);
    }
    case ATTENTION:
        return mc_attention_loss(n, places, f->s_shape.dim[0], s, f->t_shape.dim[0], f->target, weight, ds, work);
    case DISTANCE:
        return mc_distance_loss(n, size, s, t_size, f->target, weight, ds, work);
    case ANGLE:
        break;
    }
    return mc_angle_loss(n, size, s, t_size, f->target, weight, ds, work);
}

double mc_features_loss(const struct mc_features *fs, const struct mc_binding *binding, struct mc_plan *plan, int64_t n,
                        double weight)
{
    double sum = 0;
    for (int k = 0; k < fs->n_taps; k++) {
        struct mc_tensor *gradient =
            fs->taps[k] == binding->scores ? NULL : mc_plan_grad_output(plan, plan_index(fs, binding, fs->taps[k]));
        if (gradient) memset(gradient->data, 0, mc_tensor_bytes(gradient));
    }
    for (int i = 0; i < fs->n; i++) {
        const struct mc_feature *f = &fs->features[i];
        const int at = plan_index(fs, binding, f->student);
        struct mc_tensor *gradient = mc_plan_grad_output(plan, at);
        const float *s = mc_plan_output(plan, at)->data;
        sum += f->weight * compare(f, n, s, weight * f->weight, gradient ? gradient->data : NULL, fs->work);
    }
    return sum;
}
