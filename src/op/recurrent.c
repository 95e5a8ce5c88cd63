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
#include "kernel/cell.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
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

/* The matrices of a direction that the state meets, packed: all gates; or for a GRU that resets before the product the
 * first two gates and then the third. Empty: they are not packed. */
struct packed {
    struct mc_packed *r[2][2];
};

struct job {
    struct extents e;
    const struct packed *packed;
    const struct mc_cells *cells; /* NULL: anything but float32 with the usual activations */
    const void *reset_bias;       /* [H]: GRU: of the product that is reset */
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
    char *bias;    /* [G H] */
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
    const struct mc_packed *packed = job->packed->r[job->direction][first > 0];
    char *const y = to + (size_t)first * size;
    if (packed) {
        mc_packed_run(packed, e->N, (const void *)from, NULL, (void *)y, e->G * e->H);
        return;
    }
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, e->N, n, e->H);
    gemm.ldc = e->G * e->H;
    mc_gemm(&gemm, from, part(job, R, e->G * e->H * e->H) + (size_t)(first * e->H) * size, y);
}

/* w_b, and + r_b where nothing is between the two. */
static void add_biases(const struct job *job)
{
    const struct extents *e = &job->e;
    const int64_t width = e->G * e->H;
    const char *b = part(job, B, 2 * width);
    for (int64_t j = 0; j < width; j++) {
        const bool apart = job->cell == GRU && job->before_reset && j >= 2 * e->H;
        set(job, job->bias, j, get(job, b, j) + (apart ? 0 : get(job, b, width + j)));
    }
}

/* x w^T and the biases. */
static void all_inputs(const struct job *job)
{
    const struct extents *e = &job->e;
    const int64_t rows = e->T * e->N, width = e->G * e->H;
    const size_t row = (size_t)width * mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, rows, width, e->I);
    gemm.beta = job->in[B] ? 1 : 0;
    for (int64_t i = 0; i < rows && job->in[B]; i++) memcpy(job->gates + (size_t)i * row, job->bias, row);
    mc_gemm(&gemm, job->in[X]->data, part(job, W, width * e->I), job->gates);
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
        past += get(job, job->reset_bias, j);
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

/* --- one sample --- */

/* What it has to itself in this turn: gates from its input, gates from its state; its states. */
struct place {
    int64_t gate, through, state;
};

static void make_gates(const struct job *job, struct place at, int64_t n)
{
    if (job->cell != GRU) return;
    if (!job->cells) {
        gru_gates(job, at.gate, at.through, n);
        return;
    }
    const float *x = (const void *)job->gates, *state = (const void *)job->h;
    float *h = (void *)job->through, *masked = (void *)job->masked;
    job->cells->gru_gates(job->e.H, x + at.gate, h + at.through, state + at.state,
                          job->before_reset ? NULL : masked + at.state);
}

static void make_state(const struct job *job, struct place at, int64_t n)
{
    const int64_t H = job->e.H;
    if (!job->cells) {
        for (int64_t j = 0; j < H; j++)
            (job->cell == LSTM ? lstm_unit : job->cell == GRU ? gru_unit : rnn_unit)(job, at.gate, at.through, n, j);
        return;
    }
    const float *x = (const void *)job->gates, *h = (const void *)job->through;
    float *state = (void *)job->h, *c = (void *)job->c;
    x += at.gate;
    h += at.through;
    if (job->cell == LSTM)
        job->cells->lstm(H, x, h, c + at.state, state + at.state);
    else if (job->cell == GRU)
        job->cells->gru(H, x, h, job->before_reset ? job->reset_bias : NULL, state + at.state);
    else
        job->cells->rnn(H, x, h, state + at.state);
}

/* The row of x that sample n sees in this turn, -1 after its end. */
static int64_t row_of(const struct job *job, int64_t turn, int64_t n)
{
    const int64_t length = length_of(job, n), t = job->reverse ? length - 1 - turn : turn;
    if (turn >= length) return -1;
    return job->e.samples_first ? n * job->e.T + t : t * job->e.N + n;
}

static struct place place_of(const struct job *job, int64_t row, int64_t n)
{
    const int64_t width = job->e.G * job->e.H;
    return (struct place){row * width, n * width, n * job->e.H};
}

static void give_state(const struct job *job, int64_t row, int64_t n)
{
    const struct extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    const int64_t t = e->samples_first ? row % e->T : row / e->N;
    const int64_t at =
        e->samples_first ? (n * e->T + t) * e->D + job->direction : (t * e->D + job->direction) * e->N + n;
    memcpy((char *)job->y->data + (size_t)(at * e->H) * size, job->h + (size_t)(n * e->H) * size, (size_t)e->H * size);
}

static void take_turn(const struct job *job, int64_t turn)
{
    const struct extents *e = &job->e;
    const bool resets_first = job->cell == GRU && !job->before_reset;
    product(job, job->h, 0, resets_first ? 2 * e->H : e->G * e->H, job->through);
    for (int64_t n = 0; n < e->N; n++) {
        const int64_t row = row_of(job, turn, n);
        if (row >= 0) make_gates(job, place_of(job, row, n), n);
    }
    if (resets_first) product(job, job->masked, 2 * e->H, e->H, job->through);
    for (int64_t n = 0; n < e->N; n++) {
        const int64_t row = row_of(job, turn, n);
        if (row < 0) continue;
        make_state(job, place_of(job, row, n), n);
        if (job->y) give_state(job, row, n);
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

static int pack(struct packed *packed, const struct mc_step *step, const struct extents *e, struct mc_error *err)
{
    const bool resets_first = e->G == 3 && !mc_node_int(step->node, "linear_before_reset", 0);
    const bool packs = mc_step_packs(step, R, e->N, e->H);
    for (int64_t i = 0; packs && i < e->D * (resets_first ? 2 : 1); i++) {
        const int64_t direction = i % e->D, second = i / e->D, first_row = second ? 2 * e->H : 0;
        const int64_t rows = second ? e->H : resets_first ? 2 * e->H : e->G * e->H;
        const struct mc_unpacked w = {.w = (const float *)step->in[R]->data +
                                           (direction * e->G * e->H + first_row) * e->H,
                                      .K = e->H,
                                      .M = rows,
                                      .row_step = 1,
                                      .column_step = e->H};
        const int rc = mc_packed_create(&packed->r[direction][second], &w, step->runtime, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int recurrent_prepare(struct mc_step *step, struct mc_error *err)
{
    struct extents e = {0};
    const int rc = extents_of(step->node, &step->in[X]->shape, &step->in[R]->shape, &e, err);
    if (rc < 0) return rc;
    step->workspace_bytes =
        (size_t)(((e.T + 1) * e.N + 1) * e.G * e.H + 3 * e.N * e.H) * mc_element_size(step->in[X]->dtype);
    struct packed *packed = step->state = MC_NEW(struct packed);
    return packed ? pack(packed, step, &e, err) : mc_error_memory(err);
}

static void recurrent_release(struct mc_step *step)
{
    struct packed *packed = step->state;
    for (int i = 0; packed && i < 4; i++) mc_packed_destroy(packed->r[i / 2][i % 2]);
    mc_free(packed);
    step->state = NULL;
}

/* The usual activations, and nothing between them and the products? */
static bool is_usual(const struct job *job)
{
    if (job->dtype != MC_FLOAT || job->clip > 0 || job->coupled || job->in[P]) return false;
    if (job->cell == RNN) return job->f.f == hyperbolic;
    return job->f.f == sigmoid && job->g.f == hyperbolic && (job->cell == GRU || job->h_of.f == hyperbolic);
}

/* What a direction has of its own. */
static void set_direction(struct job *job, const struct mc_step *step, const struct activation *own)
{
    const int64_t width = job->e.G * job->e.H;
    const size_t size = mc_element_size(job->dtype);
    job->f = own[0];
    if (job->cell != RNN) job->g = own[1];
    if (job->cell == LSTM) job->h_of = own[2];
    job->cells = is_usual(job) ? step->runtime->kernels->cells : NULL;
    memset(job->bias, 0, (size_t)width * size);
    if (job->in[B]) add_biases(job);
    job->reset_bias = job->in[B] ? part(job, B, 2 * width) + (size_t)(2 * width - job->e.H) * size : job->bias;
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
                      .packed = step->state,
                      .y = step->out[0]};
    int rc = extents_of(node, &in[X]->shape, &in[R]->shape, &job.e, err);
    const struct extents *e = &job.e;
    const int each = (int[]){1, 2, 3}[job.cell];
    if (rc == MC_OK) rc = read_activations(node, each * (int)e->D, all, err);
    if (rc < 0) return rc;
    const size_t size = mc_element_size(job.dtype);
    job.bias = step->workspace;
    job.gates = job.bias + (size_t)(e->G * e->H) * size;
    job.through = job.gates + (size_t)(e->T * e->N * e->G * e->H) * size;
    job.h = job.through + (size_t)(e->N * e->G * e->H) * size;
    job.c = job.h + (size_t)(e->N * e->H) * size;
    job.masked = job.c + (size_t)(e->N * e->H) * size;
    memset(job.masked, 0, (size_t)(e->N * e->H) * size);
    if (job.y) mc_zero(job.y);
    for (job.direction = 0; job.direction < e->D && e->N > 0; job.direction++) {
        job.reverse = job.direction == 1 || mc_node_string_is(node, "direction", "reverse", false);
        set_direction(&job, step, &all[job.direction * each]);
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
        .release = recurrent_release,                                                                                  \
        .forward = recurrent_forward,                                                                                  \
        .backward = NULL,                                                                                              \
        .no_backward = "its derivative is not there yet",                                                              \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = recurrent_cost,                                                                                        \
    };

RECURRENT(rnn, "RNN", 1, 6, 2)
RECURRENT(gru, "GRU", 1, 6, 2)
RECURRENT(lstm, "LSTM", 1, 8, 3)
