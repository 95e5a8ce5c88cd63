/* recurrent.c - RNN, GRU and LSTM (ONNX opset 1, 7, 14; GRU 3): a cell that walks along a sequence.
 *
 *     x: [T, N, I]   w: [D, G H, I]   r: [D, G H, H]   b: [D, 2 G H]   y: [T, D, N, H]   y_h, y_c: [D, N, H]
 *
 * with G gates (1, 3 in the order z r h, 4 in the order i o f c) and D directions; `layout` 1 puts samples first. What
 * the gates make of all inputs is one product ahead of the walk. A sample that is shorter than T leaves zeros behind
 * its end, and reversed it starts at its own. LSTM: Hochreiter and Schmidhuber 1997 with the peepholes of Gers et al.
 * 2002; GRU: Cho et al. 2014.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "op/move.h"
#include "op/ops.h"

enum cell { RNN, GRU, LSTM };
enum input { X, W, R, B, LENGTHS, H_0, C_0, P };

static enum cell cell_of(const struct mc_node *node)
{
    return node->op->type[0] == 'L' ? LSTM : node->op->type[0] == 'G' ? GRU : RNN;
}

static const int gates_of[] = {[RNN] = 1, [GRU] = 3, [LSTM] = 4};

struct extents {
    bool samples_first;
    int64_t T, N, I, H, D, G;
};

static int extents_of(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *r, struct extents *e,
                      struct mc_error *err)
{
    const bool bidirectional = mc_node_string_is(node, "direction", "bidirectional", false);
    const bool first = mc_node_int(node, "layout", 0) != 0;
    if (!bidirectional && !mc_node_string_is(node, "direction", "forward", true) &&
        !mc_node_string_is(node, "direction", "reverse", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'direction': needs forward, reverse or bidirectional");
    *e = (struct extents){.samples_first = first,
                          .T = x->dim[first ? 1 : 0],
                          .N = x->dim[first ? 0 : 1],
                          .I = x->dim[2],
                          .H = mc_node_int(node, "hidden_size", r->dim[2]),
                          .D = bidirectional ? 2 : 1,
                          .G = gates_of[cell_of(node)]};
    if (e->H < 1 || e->H > INT32_MAX / 8)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'hidden_size': %" PRId64, e->H);
    return MC_OK;
}

static int need_shape(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_shape shape,
                      struct mc_error *err)
{
    char want[128], have[128];
    if (!in[i]) return MC_OK;
    const uint64_t type = MC_TYPE_BIT(i == LENGTHS ? MC_INT32 : in[X]->dtype);
    const int rc = mc_need_dtype(node, i, in[i], type, err);
    if (rc < 0 || mc_shape_equal(&in[i]->shape, &shape)) return rc;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs shape %s, has %s", i, node->inputs[i]->name,
                        mc_shape_text(&shape, want, sizeof want), mc_shape_text(&in[i]->shape, have, sizeof have));
}

static int recurrent_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct extents e = {0};
    int rc = MC_OK;
    for (int i = X; i <= R && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 3, 3, err);
    }
    if (rc == MC_OK) rc = extents_of(node, &in[X]->shape, &in[R]->shape, &e, err);
    if (rc < 0) return rc;
    const struct mc_shape state = e.samples_first ? (struct mc_shape){.rank = 3, .dim = {e.N, e.D, e.H}}
                                                  : (struct mc_shape){.rank = 3, .dim = {e.D, e.N, e.H}};
    const int64_t rows = e.G * e.H;
    rc = need_shape(node, in, W, (struct mc_shape){.rank = 3, .dim = {e.D, rows, e.I}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, R, (struct mc_shape){.rank = 3, .dim = {e.D, rows, e.H}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, B, (struct mc_shape){.rank = 2, .dim = {e.D, 2 * rows}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, LENGTHS, (struct mc_shape){.rank = 1, .dim = {e.N}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, H_0, state, err);
    if (rc == MC_OK && e.G == 4) rc = need_shape(node, in, C_0, state, err);
    if (rc == MC_OK && e.G == 4) rc = need_shape(node, in, P, (struct mc_shape){.rank = 2, .dim = {e.D, 3 * e.H}}, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->op->n_outputs; i++) out[i] = (struct mc_fact){.dtype = in[X]->dtype, .shape = state};
    out[0].shape = e.samples_first ? (struct mc_shape){.rank = 4, .dim = {e.N, e.T, e.D, e.H}}
                                   : (struct mc_shape){.rank = 4, .dim = {e.T, e.D, e.N, e.H}};
    return MC_OK;
}

/* --- activations --- */

struct activation {
    double (*f)(double x, double alpha, double beta);
    double alpha, beta;
};

static double affine(double x, double a, double b)
{
    return a * x + b;
}

static double relu(double x, double a, double b)
{
    (void)a, (void)b;
    return x > 0 ? x : 0;
}

static double leaky_relu(double x, double a, double b)
{
    (void)b;
    return x > 0 ? x : a * x;
}

static double thresholded_relu(double x, double a, double b)
{
    (void)b;
    return x > a ? x : 0;
}

static double hyperbolic(double x, double a, double b)
{
    (void)a, (void)b;
    return tanh(x);
}

static double scaled_tanh(double x, double a, double b)
{
    return a * tanh(b * x);
}

static double sigmoid(double x, double a, double b)
{
    (void)a, (void)b;
    return 1 / (1 + exp(-x));
}

static double hard_sigmoid(double x, double a, double b)
{
    return fmin(fmax(a * x + b, 0), 1);
}

static double elu(double x, double a, double b)
{
    (void)b;
    return x > 0 ? x : a * expm1(x);
}

static double softsign(double x, double a, double b)
{
    (void)a, (void)b;
    return x / (1 + fabs(x));
}

static double softplus(double x, double a, double b)
{
    (void)a, (void)b;
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static const struct {
    const char *name;
    int n; /* parameters */
    struct activation with;
} activations[] = {
    {"Affine", 2, {affine, 1, 0}},
    {"Elu", 1, {elu, 1, 0}},
    {"HardSigmoid", 2, {hard_sigmoid, 0.2, 0.5}},
    {"LeakyRelu", 1, {leaky_relu, 0.01, 0}},
    {"Relu", 0, {relu, 0, 0}},
    {"ScaledTanh", 2, {scaled_tanh, 1, 1}},
    {"Sigmoid", 0, {sigmoid, 0, 0}},
    {"Softplus", 0, {softplus, 0, 0}},
    {"Softsign", 0, {softsign, 0, 0}},
    {"Tanh", 0, {hyperbolic, 0, 0}},
    {"ThresholdedRelu", 1, {thresholded_relu, 1, 0}},
};

static bool same_word(const char *a, const char *b)
{
    for (; *a && (*a | 0x20) == (*b | 0x20); a++, b++) continue;
    return *a == *b;
}

/* The next parameter that the list has, or what `value` is. */
static void take_parameter(const struct mc_attr *list, int *used, double *value)
{
    if (list && list->type == MC_ATTR_FLOATS && *used < list->n) *value = (double)list->floats[(*used)++];
}

/* All activations of all directions, in order: f, or f g, or f g h. */
static int read_activations(const struct mc_node *node, int n, struct activation *to, struct mc_error *err)
{
    static const char *const usual[][3] = {
        [RNN] = {"Tanh"}, [GRU] = {"Sigmoid", "Tanh"}, [LSTM] = {"Sigmoid", "Tanh", "Tanh"}};
    const int each = (int[]){1, 2, 3}[cell_of(node)];
    const struct mc_attr *names = mc_node_attr(node, "activations");
    const struct mc_attr *alpha = mc_node_attr(node, "activation_alpha"), *beta = mc_node_attr(node, "activation_beta");
    int alphas = 0, betas = 0;
    if (names && (names->type != MC_ATTR_STRINGS || names->n < n))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'activations': needs %d names", n);
    for (int i = 0; i < n; i++) {
        const char *name = names ? (const char *)names->strings[i].bytes : usual[cell_of(node)][i % each];
        size_t at = 0;
        while (at < MC_COUNT(activations) && !same_word(activations[at].name, name)) at++;
        if (at == MC_COUNT(activations))
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'activations': '%s' is no activation", name);
        to[i] = activations[at].with;
        if (activations[at].n > 0) take_parameter(alpha, &alphas, &to[i].alpha);
        if (activations[at].n > 1) take_parameter(beta, &betas, &to[i].beta);
    }
    return MC_OK;
}

/* --- running --- */

struct job {
    struct extents e;
    enum cell cell;
    enum mc_dtype dtype;
    bool before_reset, coupled;
    double clip;                  /* 0: none */
    struct activation f, g, h_of; /* h_of: of LSTM's state */
    int direction;
    bool reverse;
    struct mc_tensor *const *in;
    struct mc_tensor *y; /* NULL: nobody asked */
    /* Workspace, in elements of dtype. */
    char *gates;   /* [T N, G H]: x w^T + biases */
    char *through; /* [N, G H]: h r^T of this turn */
    char *h, *c;   /* [N, H] */
    char *masked;  /* [N, H]: GRU: r times h */
};

static double get(const struct job *job, const void *data, int64_t i)
{
    return job->dtype == MC_FLOAT ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void set(const struct job *job, void *data, int64_t i, double v)
{
    if (job->dtype == MC_FLOAT)
        ((float *)data)[i] = (float)v;
    else
        ((double *)data)[i] = v;
}

static double act(const struct job *job, const struct activation *a, double x)
{
    if (job->clip > 0) x = fmin(fmax(x, -job->clip), job->clip);
    return a->f(x, a->alpha, a->beta);
}

static int64_t length_of(const struct job *job, int64_t n)
{
    if (!job->in[LENGTHS]) return job->e.T;
    const int64_t length = ((const int32_t *)job->in[LENGTHS]->data)[n];
    return length < 0 ? 0 : length < job->e.T ? length : job->e.T;
}

static const char *part(const struct job *job, int i, int64_t per_direction)
{
    return (const char *)job->in[i]->data + (size_t)(job->direction * per_direction) * mc_element_size(job->dtype);
}

/* to = from r^T for rows `first` to `first + n` of r (gates of it). */
static void product(const struct job *job, const char *from, int64_t first, int64_t n, char *to)
{
    const struct extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, e->N, n, e->H);
    gemm.ldc = e->G * e->H;
    mc_gemm(&gemm, from, part(job, R, e->G * e->H * e->H) + (size_t)(first * e->H) * size, to + (size_t)first * size);
}

/* x w^T + w_b, and + r_b where nothing is between the two. */
static void all_inputs(const struct job *job)
{
    const struct extents *e = &job->e;
    const int64_t rows = e->T * e->N, width = e->G * e->H;
    const struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, rows, width, e->I);
    mc_gemm(&gemm, job->in[X]->data, part(job, W, width * e->I), job->gates);
    if (!job->in[B]) return;
    const char *b = part(job, B, 2 * width);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) {
            const bool apart = job->cell == GRU && job->before_reset && j >= 2 * e->H;
            const double bias = get(job, b, j) + (apart ? 0 : get(job, b, width + j));
            set(job, job->gates, i * width + j, get(job, job->gates, i * width + j) + bias);
        }
}

static void lstm_unit(const struct job *job, int64_t gate, int64_t through, int64_t n, int64_t j)
{
    const int64_t H = job->e.H, at = n * H + j;
    const char *p = job->in[P] ? part(job, P, 3 * H) : NULL;
    double sum[4];
    for (int k = 0; k < 4; k++)
        sum[k] = get(job, job->gates, gate + k * H + j) + get(job, job->through, through + k * H + j);
    double c = get(job, job->c, at);
    if (p) {
        sum[0] += get(job, p, j) * c;
        sum[2] += get(job, p, 2 * H + j) * c;
    }
    const double i = act(job, &job->f, sum[0]), f = job->coupled ? 1 - i : act(job, &job->f, sum[2]);
    c = f * c + i * act(job, &job->g, sum[3]);
    if (p) sum[1] += get(job, p, H + j) * c;
    const double o = act(job, &job->f, sum[1]);
    set(job, job->c, at, c);
    set(job, job->h, at, o * job->h_of.f(c, job->h_of.alpha, job->h_of.beta));
}

/* z and r of all samples whose turn it is; and r times h. */
static void gru_gates(const struct job *job, int64_t gate, int64_t through, int64_t n)
{
    const int64_t H = job->e.H;
    for (int64_t j = 0; j < 2 * H; j++)
        set(job, job->through, through + j,
            act(job, &job->f, get(job, job->gates, gate + j) + get(job, job->through, through + j)));
    for (int64_t j = 0; j < H && !job->before_reset; j++)
        set(job, job->masked, n * H + j, get(job, job->through, through + H + j) * get(job, job->h, n * H + j));
}

static void gru_unit(const struct job *job, int64_t gate, int64_t through, int64_t n, int64_t j)
{
    const int64_t H = job->e.H;
    const double z = get(job, job->through, through + j), h = get(job, job->h, n * H + j);
    double past = get(job, job->through, through + 2 * H + j);
    if (job->before_reset) {
        if (job->in[B]) past += get(job, part(job, B, 6 * H), 5 * H + j);
        past *= get(job, job->through, through + H + j);
    }
    const double fresh = act(job, &job->g, get(job, job->gates, gate + 2 * H + j) + past);
    set(job, job->h, n * H + j, (1 - z) * fresh + z * h);
}

static void rnn_unit(const struct job *job, int64_t gate, int64_t through, int64_t n, int64_t j)
{
    set(job, job->h, n * job->e.H + j,
        act(job, &job->f, get(job, job->gates, gate + j) + get(job, job->through, through + j)));
}

/* The row of x that sample n sees in this turn, -1 after its end. */
static int64_t row_of(const struct job *job, int64_t turn, int64_t n)
{
    const int64_t length = length_of(job, n), t = job->reverse ? length - 1 - turn : turn;
    if (turn >= length) return -1;
    return job->e.samples_first ? n * job->e.T + t : t * job->e.N + n;
}

static void take_turn(const struct job *job, int64_t turn)
{
    const struct extents *e = &job->e;
    const int64_t width = e->G * e->H;
    const size_t size = mc_element_size(job->dtype);
    product(job, job->h, 0, job->cell == GRU && !job->before_reset ? 2 * e->H : width, job->through);
    for (int64_t n = 0; n < e->N && job->cell == GRU; n++)
        if (row_of(job, turn, n) >= 0) gru_gates(job, row_of(job, turn, n) * width, n * width, n);
    if (job->cell == GRU && !job->before_reset) product(job, job->masked, 2 * e->H, e->H, job->through);
    for (int64_t n = 0; n < e->N; n++) {
        const int64_t row = row_of(job, turn, n);
        if (row < 0) continue;
        for (int64_t j = 0; j < e->H; j++)
            (job->cell == LSTM ? lstm_unit : job->cell == GRU ? gru_unit : rnn_unit)(job, row * width, n * width, n, j);
        if (!job->y) continue;
        const int64_t t = e->samples_first ? row % e->T : row / e->N;
        const int64_t at =
            e->samples_first ? (n * e->T + t) * e->D + job->direction : (t * e->D + job->direction) * e->N + n;
        memcpy((char *)job->y->data + (size_t)(at * e->H) * size, job->h + (size_t)(n * e->H) * size,
               (size_t)e->H * size);
    }
}

/* Sample n's state of a direction in a [D, N, H] or [N, D, H] tensor. */
static char *state_of(const struct job *job, const struct mc_tensor *states, int64_t n)
{
    const struct extents *e = &job->e;
    const int64_t at = e->samples_first ? n * e->D + job->direction : job->direction * e->N + n;
    return (char *)states->data + (size_t)(at * e->H) * mc_element_size(job->dtype);
}

static void load_state(const struct job *job, const struct mc_tensor *from, char *to)
{
    const size_t row = (size_t)job->e.H * mc_element_size(job->dtype);
    for (int64_t n = 0; n < job->e.N; n++)
        if (from)
            memcpy(to + (size_t)n * row, state_of(job, from, n), row);
        else
            memset(to + (size_t)n * row, 0, row);
}

static void store_state(const struct job *job, const char *from, struct mc_tensor *to)
{
    const size_t row = (size_t)job->e.H * mc_element_size(job->dtype);
    for (int64_t n = 0; n < job->e.N && to; n++) memcpy(state_of(job, to, n), from + (size_t)n * row, row);
}

static int recurrent_prepare(struct mc_step *step, struct mc_error *err)
{
    struct extents e = {0};
    const int rc = extents_of(step->node, &step->in[X]->shape, &step->in[R]->shape, &e, err);
    if (rc < 0) return rc;
    step->workspace_bytes = (size_t)((e.T + 1) * e.N * e.G * e.H + 3 * e.N * e.H) * mc_element_size(step->in[X]->dtype);
    return MC_OK;
}

static int recurrent_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->node;
    struct activation all[6];
    struct mc_tensor *const *in = step->in;
    struct job job = {.cell = cell_of(node),
                      .dtype = in[X]->dtype,
                      .before_reset = mc_node_int(node, "linear_before_reset", 0) != 0,
                      .coupled = mc_node_int(node, "input_forget", 0) != 0,
                      .clip = (double)mc_node_float(node, "clip", 0),
                      .in = in,
                      .y = step->out[0]};
    int rc = extents_of(node, &in[X]->shape, &in[R]->shape, &job.e, err);
    const struct extents *e = &job.e;
    const int each = (int[]){1, 2, 3}[job.cell];
    if (rc == MC_OK) rc = read_activations(node, each * (int)e->D, all, err);
    if (rc < 0) return rc;
    const size_t size = mc_element_size(job.dtype);
    job.gates = step->workspace;
    job.through = job.gates + (size_t)(e->T * e->N * e->G * e->H) * size;
    job.h = job.through + (size_t)(e->N * e->G * e->H) * size;
    job.c = job.h + (size_t)(e->N * e->H) * size;
    job.masked = job.c + (size_t)(e->N * e->H) * size;
    memset(job.masked, 0, (size_t)(e->N * e->H) * size);
    if (job.y) mc_zero(job.y);
    for (job.direction = 0; job.direction < e->D && e->N > 0; job.direction++) {
        job.reverse = job.direction == 1 || mc_node_string_is(node, "direction", "reverse", false);
        job.f = all[job.direction * each];
        if (each > 1) job.g = all[job.direction * each + 1];
        if (each > 2) job.h_of = all[job.direction * each + 2];
        load_state(&job, in[H_0], job.h);
        if (job.cell == LSTM) load_state(&job, in[C_0], job.c);
        if (e->T > 0) all_inputs(&job);
        for (int64_t turn = 0; turn < e->T; turn++) take_turn(&job, turn);
        store_state(&job, job.h, step->out[1]);
        if (job.cell == LSTM) store_state(&job, job.c, step->out[2]);
    }
    return MC_OK;
}

static void recurrent_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    struct extents e = {0};
    mc_cost_free(node, in, out, cost);
    if (extents_of(node, &in[X]->shape, &in[R]->shape, &e, NULL) < 0) return;
    const int64_t macs = e.D * e.T * e.N * e.G * e.H * (e.I + e.H);
    cost->macs += macs;
    cost->flops += 2 * macs + 8 * e.D * e.T * e.N * e.G * e.H;
}

#define RECURRENT(name, onnx_type, version, most, outputs)                                                             \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = most,                                                                                            \
        .n_outputs = outputs,                                                                                          \
        .first_optional = true,                                                                                        \
        .widens = true,                                                                                                \
        .shape = recurrent_shape,                                                                                      \
        .prepare = recurrent_prepare,                                                                                  \
        .forward = recurrent_forward,                                                                                  \
        .backward = NULL,                                                                                              \
        .no_backward = "its derivative is not there yet",                                                              \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = recurrent_cost,                                                                                        \
    };

RECURRENT(rnn, "RNN", 1, 6, 2)
RECURRENT(gru, "GRU", 1, 6, 2)
RECURRENT(lstm, "LSTM", 1, 8, 3)
