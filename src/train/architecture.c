/* architecture.c - named architectures; see mc_architecture_create in train.h.
 *
 *   mlp:784-300-100-10   dense layers of these widths with ReLU between them; the first is what a sample has, the last
 *                        classes or targets
 *   lenet-300-100        the same with 300 and 100 hidden units (LeCun et al. 1998, "Gradient-based learning applied to
 *                        document recognition", has the layers; compression papers have these widths)
 *   lenet-5              Caffe's variant: 20 and 50 filters of 5x5, each with 2x2 max pooling, 500 units
 *   linear               one dense layer
 *   logistic             the same with the probabilities behind it: a Sigmoid on one score for two classes, a Softmax
 *                        for more
 *   vgg-11-bn            configuration A of Simonyan and Zisserman 2015 with batch normalization; a mean over what the
 *                        filters leave takes the place of two of its three dense layers, so that any size will do
 *   resnet-20, -32, -56  for small images, He et al. 2015 ("Deep residual learning"), section 4.2, with projections
 *                        where the width changes
 *   mobilenet-v2:WIDTH   Sandler et al. 2018, table 2, its widths times WIDTH; below 96 pixels the first convolution
 * and the second stage keep the resolution conv-1d              three 1-D convolutions with batch normalization and
 * pooling, for samples [C, L] transformer:WIDTH-HEADS-LAYERS   an encoder on sequences [L, C], or on images cut into
 * 4x4 patches (Dosovitskiy et al. 2021)
 *
 * builder.h says how weights are drawn.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/suggest.h"
#include "train/builder.h"
#include "train/train.h"

enum { MAX_LAYERS = 64, MAX_WIDTH = 1 << 24, PATCH = 4 };

/* What a name asks for. */
struct plan {
    struct mc_shape sample;
    int64_t outputs;
    bool classes; /* is each output one? */
    int n_hidden;
    int64_t hidden[MAX_LAYERS]; /* widths; what the name is followed by, or what the table says */
    double width;               /* mobilenet's factor */
};

/* --- dense --- */

static void build_dense(struct mc_builder *b, const struct plan *p)
{
    mc_build_flatten(b);
    for (int i = 0; i < p->n_hidden; i++) {
        mc_build_dense(b, p->hidden[i], 2);
        mc_build_relu(b);
    }
    mc_build_dense(b, p->outputs, 1);
}

static void build_logistic(struct mc_builder *b, const struct plan *p)
{
    mc_build_flatten(b);
    mc_build_dense(b, p->outputs == 2 ? 1 : p->outputs, 1);
    mc_build_unary(b, p->outputs == 2 ? "Sigmoid" : "Softmax");
}

static int check_classes(const struct plan *p, struct mc_error *err)
{
    return p->classes ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "needs classes, the data has numbers as targets");
}

/* --- filters --- */

static int check_images(const struct plan *p, int64_t least, struct mc_error *err)
{
    char text[128];
    const struct mc_shape *s = &p->sample;
    if (s->rank == 3 && s->dim[1] >= least && s->dim[2] >= least) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE,
                        "needs images [C, H, W] of at least %" PRId64 "x%" PRId64 ", the data's samples are %s", least,
                        least, mc_shape_text(s, text, sizeof text));
}

static int check_lenet5(const struct plan *p, struct mc_error *err)
{
    return check_images(p, 16, err);
}

static void build_lenet5(struct mc_builder *b, const struct plan *p)
{
    for (int64_t filters = 20; filters <= 50; filters += 30) {
        mc_build_conv(b, &(struct mc_filter){.filters = filters, .kernel = 5, .stride = 1, .bias = true});
        mc_build_max_pool(b, 2);
    }
    build_dense(b, p);
}

static void conv_norm(struct mc_builder *b, int64_t filters, int64_t kernel, int64_t stride)
{
    mc_build_conv(b,
                  &(struct mc_filter){
                      .filters = filters, .kernel = kernel, .stride = stride, .pad = kernel / 2, .depthwise = false});
    mc_build_batch_norm(b);
}

static int check_vgg(const struct plan *p, struct mc_error *err)
{
    return check_images(p, 32, err);
}

static void build_vgg11(struct mc_builder *b, const struct plan *p)
{
    static const int widths[] = {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0}; /* 0: a pool */
    for (size_t i = 0; i < MC_COUNT(widths); i++) {
        if (widths[i] == 0) {
            mc_build_max_pool(b, 2);
            continue;
        }
        conv_norm(b, widths[i], 3, 1);
        mc_build_relu(b);
    }
    mc_build_mean_pool(b);
    mc_build_dense(b, p->outputs, 1);
}

static int check_resnet(const struct plan *p, struct mc_error *err)
{
    return check_images(p, 8, err);
}

static void residual_block(struct mc_builder *b, int64_t width, int64_t stride)
{
    struct mc_value *const in = b->last;
    const struct mc_shape before = b->shape;
    conv_norm(b, width, 3, stride);
    mc_build_relu(b);
    conv_norm(b, width, 3, 1);
    struct mc_value *const body = b->last;
    b->last = in;
    if (before.dim[0] != width) {
        const struct mc_shape after = b->shape;
        b->shape = before;
        conv_norm(b, width, 1, stride);
        b->shape = after;
    }
    mc_build_add(b, body);
    mc_build_relu(b);
}

/* hidden[0] blocks of two convolutions in each of three stages. */
static void build_resnet(struct mc_builder *b, const struct plan *p)
{
    conv_norm(b, 16, 3, 1);
    mc_build_relu(b);
    for (int stage = 0; stage < 3; stage++)
        for (int64_t i = 0; i < p->hidden[0]; i++) residual_block(b, INT64_C(16) << stage, stage > 0 && i == 0 ? 2 : 1);
    mc_build_mean_pool(b);
    mc_build_dense(b, p->outputs, 1);
}

/* The multiple of 8 next to a width, but not below nine tenths of it. */
static int64_t rounded(double width)
{
    const int64_t near = (int64_t)(width + 4) / 8 * 8, least = near < 8 ? 8 : near;
    return (double)least < 0.9 * width ? least + 8 : least;
}

static void inverted_residual(struct mc_builder *b, int64_t width, int64_t expansion, int64_t stride)
{
    struct mc_value *const in = b->last;
    const int64_t channels = b->shape.dim[0], inner = channels * expansion;
    if (expansion > 1) {
        conv_norm(b, inner, 1, 1);
        mc_build_relu6(b);
    }
    mc_build_conv(b, &(struct mc_filter){.filters = inner, .kernel = 3, .stride = stride, .pad = 1, .depthwise = true});
    mc_build_batch_norm(b);
    mc_build_relu6(b);
    conv_norm(b, width, 1, 1);
    if (stride == 1 && channels == width) mc_build_add(b, in);
}

static void build_mobilenet(struct mc_builder *b, const struct plan *p)
{
    static const struct {
        int64_t expansion, width, n, stride;
    } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const bool small = p->sample.dim[1] < 96;
    conv_norm(b, rounded(32 * p->width), 3, small ? 1 : 2);
    mc_build_relu6(b);
    for (size_t s = 0; s < MC_COUNT(stages); s++)
        for (int64_t i = 0; i < stages[s].n; i++)
            inverted_residual(b, rounded((double)stages[s].width * p->width), stages[s].expansion,
                              i > 0 || (small && s == 1) ? 1 : stages[s].stride);
    conv_norm(b, p->width > 1 ? rounded(1280 * p->width) : 1280, 1, 1);
    mc_build_relu6(b);
    mc_build_mean_pool(b);
    mc_build_dense(b, p->outputs, 1);
}

static int check_series(const struct plan *p, struct mc_error *err)
{
    char text[128];
    const struct mc_shape *s = &p->sample;
    if (s->rank == 2 && s->dim[1] >= 8) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "needs samples [C, L] of at least 8 steps, the data's are %s",
                        mc_shape_text(s, text, sizeof text));
}

static void build_conv1d(struct mc_builder *b, const struct plan *p)
{
    for (int i = 0; i < 3; i++) {
        conv_norm(b, INT64_C(32) << i, 5, 1);
        mc_build_relu(b);
        mc_build_max_pool(b, 2);
    }
    mc_build_mean_pool(b);
    mc_build_dense(b, p->outputs, 1);
}

/* --- attention: hidden is width, heads, layers --- */

static int check_tokens(const struct plan *p, struct mc_error *err)
{
    char text[128];
    const struct mc_shape *s = &p->sample;
    if (p->n_hidden != 3 || p->hidden[0] % p->hidden[1] != 0)
        return mc_error_set(err, MC_ERR_USAGE,
                            "needs WIDTH-HEADS-LAYERS with heads that divide the width, like 64-4-2");
    if (s->rank == 2 || (s->rank == 3 && s->dim[1] >= PATCH && s->dim[2] >= PATCH)) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "needs sequences [L, C] or images [C, H, W], the data's samples are %s",
                        mc_shape_text(s, text, sizeof text));
}

static void build_transformer(struct mc_builder *b, const struct plan *p)
{
    mc_build_tokens(b, p->hidden[0], PATCH);
    for (int64_t i = 0; i < p->hidden[2]; i++) mc_build_encoder(b, p->hidden[1]);
    mc_build_pool_tokens(b);
    mc_build_dense(b, p->outputs, 1);
}

/* --- the table --- */

/* What a name is followed by. */
enum tail { NOTHING, WIDTHS, FACTOR };

static const struct architecture {
    const char *name;
    void (*build)(struct mc_builder *b, const struct plan *p);
    int (*check)(const struct plan *p, struct mc_error *err); /* NULL: any sample will do */
    enum tail tail;
    int n_hidden;
    int64_t hidden[3];
} architectures[] = {
    {"lenet-300-100", build_dense, NULL, NOTHING, 2, {300, 100}},
    {"lenet-5", build_lenet5, check_lenet5, NOTHING, 1, {500}},
    {"linear", build_dense, NULL, NOTHING, 0, {0}},
    {"logistic", build_logistic, check_classes, NOTHING, 0, {0}},
    {"vgg-11-bn", build_vgg11, check_vgg, NOTHING, 0, {0}},
    {"resnet-20", build_resnet, check_resnet, NOTHING, 1, {3}},
    {"resnet-32", build_resnet, check_resnet, NOTHING, 1, {5}},
    {"resnet-56", build_resnet, check_resnet, NOTHING, 1, {9}},
    {"mobilenet-v2", build_mobilenet, check_vgg, FACTOR, 0, {0}},
    {"conv-1d", build_conv1d, check_series, NOTHING, 0, {0}},
    {"transformer", build_transformer, check_tokens, WIDTHS, 3, {64, 4, 2}},
};

static const char mlp_prefix[] = "mlp:";

/* By the part of a name before its colon. */
static const struct architecture *find(const char *name)
{
    const size_t length = strcspn(name, ":");
    for (size_t i = 0; i < MC_COUNT(architectures); i++) {
        const struct architecture *a = &architectures[i];
        if (strlen(a->name) == length && memcmp(a->name, name, length) == 0 && (a->tail != NOTHING || !name[length]))
            return a;
    }
    return NULL;
}

bool mc_architecture_known(const char *name)
{
    return strncmp(name, mlp_prefix, strlen(mlp_prefix)) == 0 || find(name);
}

/* "784-300-100-10" into *n widths. */
static int parse_widths(const char *text, int64_t *widths, int *n, struct mc_error *err)
{
    *n = 0;
    for (const char *s = text;;) {
        char *stop;
        errno = 0;
        const long long width = strtoll(s, &stop, 10);
        if (*s < '0' || *s > '9' || errno || width < 1 || width > MAX_WIDTH || (*stop && *stop != '-'))
            return mc_error_set(err, MC_ERR_USAGE, "needs widths from 1 to %d like 784-300-10, has '%s'", MAX_WIDTH, s);
        if (*n == MAX_LAYERS) return mc_error_set(err, MC_ERR_USAGE, "needs at most %d widths", MAX_LAYERS);
        widths[(*n)++] = width;
        if (!*stop) break;
        s = stop + 1;
    }
    return *n >= 2 ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "needs at least two widths, has '%s'", text);
}

static int64_t outputs_of(const struct mc_dataset *data)
{
    return data->task == MC_TASK_CLASSIFICATION ? data->n_classes : data->n_targets;
}

static int plan_mlp(struct plan *p, const char *widths, const struct mc_dataset *data, struct mc_error *err)
{
    int64_t all[MAX_LAYERS];
    int n;
    const int rc = parse_widths(widths, all, &n, err);
    if (rc < 0) return rc;
    p->sample = data ? data->sample : mc_shape_of(1, all);
    p->outputs = all[n - 1];
    p->n_hidden = n - 2;
    memcpy(p->hidden, all + 1, (size_t)p->n_hidden * sizeof *all);
    const int64_t count = mc_shape_count(&p->sample);
    if (count != all[0])
        return mc_error_set(err, MC_ERR_USAGE, "takes %" PRId64 " numbers, the data's samples have %" PRId64, all[0],
                            count);
    if (data && mc_dataset_has_targets(data) && outputs_of(data) != p->outputs)
        return mc_error_set(err, MC_ERR_USAGE, "gives %" PRId64 " numbers, the data has %" PRId64 " %s", p->outputs,
                            outputs_of(data), data->task == MC_TASK_CLASSIFICATION ? "classes" : "targets");
    return MC_OK;
}

/* What follows the colon: the factor, or the numbers that take the place of the table's. */
static int read_tail(struct plan *p, const struct architecture *a, const char *tail, struct mc_error *err)
{
    p->width = 1;
    if (!tail) return MC_OK;
    if (a->tail == WIDTHS) return parse_widths(tail, p->hidden, &p->n_hidden, err);
    char *end;
    p->width = strtod(tail, &end);
    if (end != tail && !*end && p->width >= 0.1 && p->width <= 4) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "needs a factor from 0.1 to 4 behind the colon, has '%s'", tail);
}

static int plan_named(struct plan *p, const struct architecture *a, const char *tail, const struct mc_dataset *data,
                      struct mc_error *err)
{
    if (!data) return mc_error_set(err, MC_ERR_USAGE, "needs data, which say how many inputs and outputs there are");
    p->sample = data->sample;
    if (!mc_dataset_has_targets(data))
        return mc_error_set(err, MC_ERR_USAGE, "the data has no labels that say how many outputs it is to have");
    p->outputs = outputs_of(data);
    p->classes = data->task == MC_TASK_CLASSIFICATION;
    p->n_hidden = a->n_hidden;
    memcpy(p->hidden, a->hidden, sizeof a->hidden);
    const int rc = read_tail(p, a, tail, err);
    return rc == MC_OK && a->check ? a->check(p, err) : rc;
}

static int refuse(const char *name, struct mc_error *err)
{
    const char *names[MC_COUNT(architectures) + 1];
    for (size_t i = 0; i < MC_COUNT(architectures); i++) names[i] = architectures[i].name;
    names[MC_COUNT(architectures)] = "mlp";
    mc_error_set(err, MC_ERR_USAGE, "unknown architecture '%s': needs " MC_ARCHITECTURES, name);
    const char *nearest = mc_suggest(name, names, MC_COUNT(names));
    if (nearest) mc_error_hint(err, "did you mean '%s'?", nearest);
    return MC_ERR_USAGE;
}

int mc_architecture_create(struct mc_model **model, const char *name, const struct mc_dataset *data, uint64_t seed,
                           struct mc_error *err)
{
    if (!mc_architecture_known(name)) return refuse(name, err);
    const struct architecture *a = find(name);
    const char *colon = strchr(name, ':');
    struct plan p = {0};
    int rc =
        a ? plan_named(&p, a, colon ? colon + 1 : NULL, data, err) : plan_mlp(&p, name + strlen(mlp_prefix), data, err);
    if (rc < 0) return mc_error_wrap(err, rc, "architecture '%s'", name);
    struct mc_builder b;
    mc_build_begin(&b, &p.sample, seed, err);
    if (b.status == MC_OK) (a ? a->build : build_dense)(&b, &p);
    mc_build_end(&b);
    if (b.status == MC_OK) *model = b.model;
    return b.status;
}
