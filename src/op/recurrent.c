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
#include "kernel/bytes.h"
#include "kernel/cell.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"
#include "op/recurrent_activation.h"

enum cell { RNN, GRU, LSTM };
enum input { X, W, R, B, LENGTHS, H_0, C_0, P };

static enum cell cell_of(const struct mc_node *node)
{
    return node->op->type[0] == 'L' ? LSTM : node->op->type[0] == 'G' ? GRU : RNN;
}

static const int gates_of[] = {[RNN] = 1, [GRU] = 3, [LSTM] = 4};

/* f, or f g, or f g h. */
static const char *const usual_activations[][3] = {
    [RNN] = {"Tanh"}, [GRU] = {"Sigmoid", "Tanh"}, [LSTM] = {"Sigmoid", "Tanh", "Tanh"}};
static const int activations_of[] = {[RNN] = 1, [GRU] = 2, [LSTM] = 3};

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

static void recurrent_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const struct mc_outline *x = in[X], *r = in[R];
    if (x->rank != 3 || r->rank != 3) return;
    const bool samples_first = mc_node_int(node, "layout", 0) != 0;
    const mc_symbol D = r->dim[0], H = r->dim[2], T = x->dim[samples_first], N = x->dim[!samples_first];
    const struct mc_outline state = {
        .rank = 3, .n_items = -1, .dim = {samples_first ? N : D, samples_first ? D : N, H}};
    for (int i = 0; i < node->op->n_outputs; i++) out[i] = state;
    out[0] = (struct mc_outline){.rank = 4, .n_items = -1, .dim = {T, D, N, H}};
    if (samples_first) out[0] = (struct mc_outline){.rank = 4, .n_items = -1, .dim = {N, T, D, H}};
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
    const struct mc_bfloat_loops *bfloats;
    const struct mc_cells *cells; /* NULL: anything but float32 with the usual activations */
    const void *reset_bias;       /* [H]: GRU: of the product that is reset */
    enum cell cell;
    enum mc_dtype dtype;
    bool before_reset, coupled;
    const struct mc_byte_loops *rounds; /* LSTM: a state meets its matrix rounded to 8 bits; NULL: as it is */
    double clip;                        /* 0: none */
    struct mc_activation f, g, h_of;    /* h_of: of LSTM's state */
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
    /* Training: all turns are kept, see struct kept. */
    struct kept *kept;
    const struct mc_loops *loops;
    struct mc_tensor *const *grad_in, *const *grad_out;
    double *d_bias, *d_peepholes;  /* [G H], [3, H] */
    char *dh, *dc, *d_masked;      /* [N, H]: gradients by the states, and by what a GRU masks */
    char *became, *slopes;         /* [G H]: what the gates of one sample became */
    char *squashed, *squash_slope; /* [H]: LSTM: the same of its state */
};

/* What forward leaves for backward, of one direction: gates and `through` of every turn (of a GRU the first two gates
 * of `through` are what they became, and of the gates what they were before if that is not the usual), and the states
 * before each turn and after the last. Going back, the gradients by both take their places. */
struct kept {
    char *gates;   /* [T N, G H], as x lies */
    char *through; /* [T, N, G H], turn by turn */
    char *h, *c;   /* [T + 1, N, H] */
    char *masked;  /* [T, N, H] */
};

static size_t kept_bytes(const struct extents *e, size_t size)
{
    return (size_t)(2 * e->T * e->G + 3 * (e->T + 1)) * (size_t)(e->N * e->H) * size;
}

static struct kept kept_of(const struct extents *e, int direction, void *saved, size_t size)
{
    const size_t gates = (size_t)(e->T * e->N * e->G * e->H) * size;
    const size_t states = (size_t)((e->T + 1) * e->N * e->H) * size;
    char *const at = (char *)saved + (size_t)direction * kept_bytes(e, size);
    return (struct kept){.gates = at,
                         .through = at + gates,
                         .h = at + 2 * gates,
                         .c = at + 2 * gates + states,
                         .masked = at + 2 * gates + 2 * states};
}

/* GRU and RNN have no such input: there is nothing to look at. */
static bool has_peepholes(const struct job *job)
{
    return job->cell == LSTM && job->in[P];
}

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

static double act(const struct job *job, const struct mc_activation *a, double x)
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
    gemm.bfloats = job->bfloats;
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
    gemm.bfloats = job->bfloats;
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
    for (int64_t j = 0; j < 2 * H; j++) {
        const double x = get(job, job->gates, gate + j) + get(job, job->through, through + j);
        set(job, job->through, through + j, act(job, &job->f, x));
        if (job->kept) set(job, job->gates, gate + j, x);
    }
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

/* In training: this turn's place among those that are kept, from which the states go on. */
static void keep_turn(struct job *job, int64_t turn)
{
    const size_t size = mc_element_size(job->dtype), state = (size_t)(job->e.N * job->e.H) * size;
    const struct kept *kept = job->kept;
    if (!kept) return;
    memcpy(kept->h + (size_t)(turn + 1) * state, job->h, state);
    if (job->cell == LSTM) memcpy(kept->c + (size_t)(turn + 1) * state, job->c, state);
    job->h = kept->h + (size_t)(turn + 1) * state;
    job->c = kept->c + (size_t)(turn + 1) * state;
    job->masked = kept->masked + (size_t)turn * state;
    job->through = kept->through + (size_t)turn * (size_t)job->e.G * state;
    if (job->cell == GRU) memset(job->masked, 0, state);
}

/* All states as DynamicQuantizeLinear has them, in `masked`, which LSTM does not need. */
static const char *rounded_states(const struct job *job)
{
    const int64_t n = job->e.N * job->e.H;
    const float *h = (const void *)job->h;
    float low, high, *to = (void *)job->masked;
    job->rounds->range(n, h, &low, &high);
    const float scale = high > low ? (high - low) / 255 : 1, zero = rintf(-low / scale);
    for (int64_t i = 0; i < n; i++) to[i] = (fminf(fmaxf(rintf(h[i] / scale) + zero, 0), 255) - zero) * scale;
    return job->masked;
}

static void take_turn(struct job *job, int64_t turn)
{
    const struct extents *e = &job->e;
    keep_turn(job, turn);
    const bool resets_first = job->cell == GRU && !job->before_reset;
    product(job, job->rounds ? rounded_states(job) : job->h, 0, resets_first ? 2 * e->H : e->G * e->H, job->through);
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

/* Workspace going back: sums for biases and peepholes in double, then the rest in elements of dtype. */
static size_t room_back(const struct extents *e, size_t size)
{
    const int64_t doubles = e->G * e->H + 3 * e->H, elements = 3 * e->N * e->H + 3 * e->G * e->H + 2 * e->H;
    return (size_t)doubles * sizeof(double) + (size_t)elements * size;
}

static int recurrent_prepare(struct mc_step *step, struct mc_error *err)
{
    struct extents e = {0};
    const int rc = extents_of(step->node, &step->in[X]->shape, &step->in[R]->shape, &e, err);
    if (rc < 0) return rc;
    const size_t size = mc_element_size(step->in[X]->dtype);
    step->workspace_bytes = (size_t)(((e.T + 1) * e.N + 1) * e.G * e.H + 3 * e.N * e.H) * size;
    if (step->training) {
        if (step->workspace_bytes < room_back(&e, size)) step->workspace_bytes = room_back(&e, size);
        step->saved_bytes = (size_t)e.D * kept_bytes(&e, size);
    }
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
    if (job->dtype != MC_FLOAT || job->clip > 0 || job->coupled || has_peepholes(job)) return false;
    if (job->cell == RNN) return job->f.f == mc_activation_tanh;
    return job->f.f == mc_activation_sigmoid && job->g.f == mc_activation_tanh &&
           (job->cell == GRU || job->h_of.f == mc_activation_tanh);
}

/* What a direction has of its own. */
static void set_direction(struct job *job, const struct mc_step *step, const struct mc_activation *own)
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

static int job_init(struct job *job, const struct mc_step *step, struct mc_activation all[6], struct mc_error *err)
{
    const struct mc_node *node = step->node;
    struct mc_tensor *const *in = step->in;
    *job = (struct job){.cell = cell_of(node),
                        .dtype = in[X]->dtype,
                        .before_reset = mc_node_int(node, "linear_before_reset", 0) != 0,
                        .coupled = mc_node_int(node, "input_forget", 0) != 0,
                        .clip = (double)mc_node_float(node, "clip", 0),
                        .rounds = mc_node_attr(node, MC_LSTM_ROUNDS) ? step->runtime->kernels->bytes : NULL,
                        .in = in,
                        .packed = step->state,
                        .bfloats = mc_step_bfloats(step),
                        .y = step->out[0],
                        .loops = step->runtime->kernels->loops,
                        .grad_in = step->grad_in,
                        .grad_out = step->grad_out};
    const int rc = extents_of(node, &in[X]->shape, &in[R]->shape, &job->e, err), each = activations_of[job->cell];
    if (rc < 0) return rc;
    return mc_activations_read(node, usual_activations[job->cell], each, each * (int)job->e.D, all, err);
}

static void begin_direction(struct job *job, const struct mc_step *step, int direction, const struct mc_activation *all)
{
    job->direction = direction;
    job->reverse = direction == 1 || mc_node_string_is(step->node, "direction", "reverse", false);
    set_direction(job, step, &all[direction * activations_of[job->cell]]);
}

static int recurrent_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_activation all[6];
    struct job job;
    const int rc = job_init(&job, step, all, err);
    if (rc < 0) return rc;
    const struct extents *e = &job.e;
    const size_t size = mc_element_size(job.dtype);
    job.bias = step->workspace;
    job.gates = job.bias + (size_t)(e->G * e->H) * size;
    job.through = job.gates + (size_t)(e->T * e->N * e->G * e->H) * size;
    char *const states = job.through + (size_t)(e->N * e->G * e->H) * size;
    job.masked = states + (size_t)(2 * e->N * e->H) * size;
    memset(job.masked, 0, (size_t)(e->N * e->H) * size);
    if (job.y) mc_zero(job.y);
    for (int direction = 0; direction < e->D && e->N > 0; direction++) {
        struct kept kept;
        begin_direction(&job, step, direction, all);
        job.h = states;
        job.c = states + (size_t)(e->N * e->H) * size;
        if (step->training) {
            kept = kept_of(e, direction, step->saved, size);
            job.kept = &kept;
            job.gates = kept.gates;
            job.h = kept.h;
            job.c = kept.c;
        }
        load_state(&job, step->in[H_0], job.h);
        if (job.cell == LSTM) load_state(&job, step->in[C_0], job.c);
        if (e->T > 0) all_inputs(&job);
        for (int64_t turn = 0; turn < e->T; turn++) take_turn(&job, turn);
        store_state(&job, job.h, step->out[1]);
        if (job.cell == LSTM) store_state(&job, job.c, step->out[2]);
    }
    return MC_OK;
}

/* --- going back through time --- */

/* y = a(x), and the slope there. */
static void activate(const struct job *job, const struct mc_activation *a, double x, int64_t j)
{
    const bool cut = job->clip > 0 && fabs(x) > job->clip;
    const double y = act(job, a, x);
    set(job, job->became, j, y);
    set(job, job->slopes, j, cut ? 0 : a->slope(x, y, a->alpha, a->beta));
}

/* The usual activations, of n sums that y holds. */
static void squash(const struct job *job, enum mc_unary f, int64_t n, float *y, float *slope)
{
    static const double none[2];
    job->loops->unary[MC_LOOP_F32][f](n, y, y, none);
    for (int64_t j = 0; j < n && f == MC_UNARY_SIGMOID; j++) slope[j] = y[j] * (1 - y[j]);
    for (int64_t j = 0; j < n && f == MC_UNARY_TANH; j++) slope[j] = 1 - y[j] * y[j];
}

/* What GRU's third gate, and LSTM's and RNN's all, add up from input and state. */
static double sum_of_gate(const struct job *job, struct place at, int64_t j, const char *c, const char *c_new)
{
    const int64_t H = job->e.H, unit = j % H, gate = j / H;
    const char *p = has_peepholes(job) ? part(job, P, 3 * H) : NULL;
    const double x = get(job, job->gates, at.gate + j), h = get(job, job->through, at.through + j);
    if (job->cell == GRU && job->before_reset)
        return x + (h + get(job, job->reset_bias, unit)) * get(job, job->through, at.through + H + unit);
    if (!p || gate == 3) return x + h;
    const double state = get(job, gate == 1 ? c_new : c, at.state + unit);
    return x + h + get(job, p, (gate == 0 ? 0 : gate == 1 ? H : 2 * H) + unit) * state;
}

/* The usual gates of one sample, in float32: what they became in this turn, and the slopes there. */
static void usual_gates_again(const struct job *job, struct place at)
{
    const int64_t H = job->e.H, all = job->e.G * H, made = job->cell == GRU ? 2 * H : 0;
    const int64_t sigmoids = job->cell == LSTM ? 3 * H : made;
    const float *const x = (const float *)(const void *)job->gates + at.gate, *const bias = job->reset_bias;
    const float *const h = (const float *)(const void *)job->through + at.through;
    float *const y = (void *)job->became, *const slopes = (void *)job->slopes;
    for (int64_t j = 0; j < made; j++) {
        y[j] = h[j];
        slopes[j] = h[j] * (1 - h[j]);
    }
    if (made && job->before_reset)
        for (int64_t j = 0; j < H; j++) y[made + j] = x[made + j] + (h[made + j] + bias[j]) * h[H + j];
    else
        for (int64_t j = made; j < all; j++) y[j] = x[j] + h[j];
    squash(job, MC_UNARY_SIGMOID, sigmoids - made, y + made, slopes + made);
    squash(job, MC_UNARY_TANH, all - sigmoids, y + sigmoids, slopes + sigmoids);
}

/* The same of any gates. */
static void gates_again(const struct job *job, struct place at, const char *c, const char *c_new)
{
    const int64_t H = job->e.H, made = job->cell == GRU ? 2 * H : 0;
    for (int64_t j = 0; j < made; j++) {
        const double v = get(job, job->through, at.through + j), x = get(job, job->gates, at.gate + j);
        const bool cut = job->clip > 0 && fabs(x) > job->clip;
        set(job, job->became, j, v);
        set(job, job->slopes, j, cut ? 0 : job->f.slope(x, v, job->f.alpha, job->f.beta));
    }
    for (int64_t j = made; j < job->e.G * H; j++)
        activate(job, job->cell == RNN || (job->cell == LSTM && j < 3 * H) ? &job->f : &job->g,
                 sum_of_gate(job, at, j, c, c_new), j);
}

/* The same of LSTM's new state. */
static void state_again(const struct job *job, const char *c_new, int64_t at)
{
    const int64_t H = job->e.H;
    const struct mc_activation *a = &job->h_of;
    if (job->cells) {
        memcpy(job->squashed, (const float *)(const void *)c_new + at, (size_t)H * sizeof(float));
        squash(job, MC_UNARY_TANH, H, (void *)job->squashed, (void *)job->squash_slope);
        return;
    }
    for (int64_t j = 0; j < H; j++) {
        const double x = get(job, c_new, at + j), y = a->f(x, a->alpha, a->beta);
        set(job, job->squashed, j, y);
        set(job, job->squash_slope, j, a->slope(x, y, a->alpha, a->beta));
    }
}

/* From the gradients by the states to those by the sums of the gates and by the states before. The product with the
 * matrix of the states is still to be added. */
#define LSTM_BACK(name, type)                                                                                          \
    static void name(const struct job *job, struct place at, const char *c_, const char *c_new_)                       \
    {                                                                                                                  \
        const int64_t H = job->e.H;                                                                                    \
        const type *const p = job->in[P] ? (const void *)part(job, P, 3 * H) : NULL;                                   \
        const type *const y = (const void *)job->became, *const slope = (const void *)job->slopes;                     \
        const type *const t = (const void *)job->squashed, *const t_slope = (const void *)job->squash_slope;           \
        const type *const c = (const type *)(const void *)c_ + at.state;                                               \
        const type *const c_new = (const type *)(const void *)c_new_ + at.state;                                       \
        type *const dh = (type *)(void *)job->dh + at.state, *const dc = (type *)(void *)job->dc + at.state;           \
        type *const d = (type *)(void *)job->through + at.through;                                                     \
        for (int64_t j = 0; j < H; j++) {                                                                              \
            const type i = y[j], o = y[H + j], f = job->coupled ? 1 - i : y[2 * H + j], g = y[3 * H + j];              \
            const type d_o = dh[j] * t[j] * slope[H + j];                                                              \
            const type by_c = dc[j] + dh[j] * o * t_slope[j] + (p ? d_o * p[H + j] : 0);                               \
            const type by_f = by_c * c[j], by_i = by_c * g - (job->coupled ? by_f : 0);                                \
            d[j] = by_i * slope[j];                                                                                    \
            d[H + j] = d_o;                                                                                            \
            d[2 * H + j] = job->coupled ? 0 : by_f * slope[2 * H + j];                                                 \
            d[3 * H + j] = by_c * i * slope[3 * H + j];                                                                \
            dc[j] = by_c * f + (p ? d[j] * p[j] + d[2 * H + j] * p[2 * H + j] : 0);                                    \
            dh[j] = 0;                                                                                                 \
        }                                                                                                              \
        for (int64_t j = 0; j < H && p; j++) {                                                                         \
            job->d_peepholes[j] += (double)d[j] * (double)c[j];                                                        \
            job->d_peepholes[H + j] += (double)d[H + j] * (double)c_new[j];                                            \
            job->d_peepholes[2 * H + j] += (double)d[2 * H + j] * (double)c[j];                                        \
        }                                                                                                              \
    }

/* The second gate waits for the product of the third where that is masked before it. */
#define GRU_BACK(name, type)                                                                                           \
    static void name(const struct job *job, struct place at, const char *h_)                                           \
    {                                                                                                                  \
        const int64_t H = job->e.H;                                                                                    \
        const type *const y = (const void *)job->became, *const slope = (const void *)job->slopes;                     \
        const type *const h = (const type *)(const void *)h_ + at.state, *const bias = job->reset_bias;                \
        type *const dh = (type *)(void *)job->dh + at.state;                                                           \
        type *const d = (type *)(void *)job->through + at.through, *const dx = (type *)(void *)job->gates + at.gate;   \
        for (int64_t j = 0; j < H; j++) {                                                                              \
            const type z = y[j], r = y[H + j], fresh = y[2 * H + j], past = d[2 * H + j];                              \
            const type by_sum = dh[j] * (1 - z) * slope[2 * H + j];                                                    \
            dx[2 * H + j] = by_sum;                                                                                    \
            dx[j] = d[j] = dh[j] * (h[j] - fresh) * slope[j];                                                          \
            dh[j] *= z;                                                                                                \
            d[2 * H + j] = job->before_reset ? by_sum * r : by_sum;                                                    \
            if (job->before_reset) dx[H + j] = d[H + j] = by_sum * (past + bias[j]) * slope[H + j];                    \
        }                                                                                                              \
    }

LSTM_BACK(lstm_back_f32, float)
LSTM_BACK(lstm_back_f64, double)
GRU_BACK(gru_back_f32, float)
GRU_BACK(gru_back_f64, double)

static void rnn_back(const struct job *job, struct place at)
{
    for (int64_t j = 0; j < job->e.H; j++) {
        set(job, job->through, at.through + j, get(job, job->dh, at.state + j) * get(job, job->slopes, j));
        set(job, job->dh, at.state + j, 0);
    }
}

static void unit_back(const struct job *job, struct place at, int64_t turn)
{
    const size_t size = mc_element_size(job->dtype), state = (size_t)(job->e.N * job->e.H) * size;
    const char *c = job->kept->c + (size_t)turn * state, *h = job->kept->h + (size_t)turn * state;
    const bool f32 = job->dtype == MC_FLOAT;
    if (job->cells)
        usual_gates_again(job, at);
    else
        gates_again(job, at, c, c + state);
    if (job->cell == GRU) {
        (f32 ? gru_back_f32 : gru_back_f64)(job, at, h);
        return;
    }
    if (job->cell == LSTM) state_again(job, c + state, at.state);
    if (job->cell == LSTM)
        (f32 ? lstm_back_f32 : lstm_back_f64)(job, at, c, c + state);
    else
        rnn_back(job, at);
    memcpy(job->gates + (size_t)at.gate * size, job->through + (size_t)at.through * size,
           (size_t)(job->e.G * job->e.H) * size);
}

/* to += d r for rows `first` to `first + n` of r, of the gradients by the gates of all samples; `fresh`: to = d r. */
static void product_back(const struct job *job, int64_t first, int64_t n, char *to, bool fresh)
{
    const struct extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, false, e->N, e->H, n);
    gemm.bfloats = job->bfloats;
    gemm.lda = e->G * e->H;
    gemm.beta = fresh ? 0 : 1;
    mc_gemm(&gemm, job->through + (size_t)first * size,
            part(job, R, e->G * e->H * e->H) + (size_t)(first * e->H) * size, to);
}

/* Of one sample: what comes to the second gate and to the state from what it masked. */
static void unmask_f32(const struct job *job, struct place at, const char *h_)
{
    const int64_t H = job->e.H;
    const float *const h = (const float *)(const void *)h_ + at.state;
    const float *const by = (const float *)(const void *)job->d_masked + at.state;
    float *const d = (float *)(void *)job->through + at.through + H, *const dx =
                                                                         (float *)(void *)job->gates + at.gate + H;
    float *const dh = (float *)(void *)job->dh + at.state;
    for (int64_t j = 0; j < H; j++) {
        const float r = d[j];
        dh[j] += by[j] * r;
        dx[j] = d[j] = by[j] * h[j] * (r * (1 - r));
    }
}

static void unmask(const struct job *job, struct place at, const char *h)
{
    const int64_t H = job->e.H;
    for (int64_t j = 0; j < H; j++) {
        const double by = get(job, job->d_masked, at.state + j), r = get(job, job->through, at.through + H + j);
        const double x = get(job, job->gates, at.gate + H + j);
        const bool cut = job->clip > 0 && fabs(x) > job->clip;
        const double slope = cut ? 0 : job->f.slope(x, r, job->f.alpha, job->f.beta);
        const double d = by * get(job, h, at.state + j) * slope;
        set(job, job->dh, at.state + j, get(job, job->dh, at.state + j) + by * r);
        set(job, job->through, at.through + H + j, d);
        set(job, job->gates, at.gate + H + j, d);
    }
}

static void mask_back(const struct job *job, int64_t turn)
{
    const int64_t H = job->e.H;
    const size_t state = (size_t)(job->e.N * H) * mc_element_size(job->dtype);
    const char *h = job->kept->h + (size_t)turn * state;
    product_back(job, 2 * H, H, job->d_masked, true);
    for (int64_t n = 0; n < job->e.N; n++) {
        const int64_t row = row_of(job, turn, n);
        if (row >= 0) (job->cells ? unmask_f32 : unmask)(job, place_of(job, row, n), h);
    }
}

/* The gradient of the state that was handed out, if any was. */
static void take_gradient(const struct job *job, int64_t row, int64_t n)
{
    const struct extents *e = &job->e;
    const struct mc_tensor *dy = job->grad_out[0];
    const int64_t t = e->samples_first ? row % e->T : row / e->N;
    const int64_t at =
        e->samples_first ? (n * e->T + t) * e->D + job->direction : (t * e->D + job->direction) * e->N + n;
    struct mc_tensor dh = {.dtype = job->dtype, .data = job->dh};
    if (dy) mc_add_run(&dh, n * e->H, dy, at * e->H, e->H);
}

static void turn_back(struct job *job, int64_t turn)
{
    const struct extents *e = &job->e;
    const size_t width = (size_t)(e->G * e->H) * mc_element_size(job->dtype);
    const bool resets_first = job->cell == GRU && !job->before_reset;
    job->through = job->kept->through + (size_t)(turn * e->N) * width;
    for (int64_t n = 0; n < e->N; n++) {
        const int64_t row = row_of(job, turn, n);
        if (row < 0) {
            memset(job->through + (size_t)n * width, 0, width);
            continue;
        }
        take_gradient(job, row, n);
        unit_back(job, place_of(job, row, n), turn);
    }
    if (resets_first) mask_back(job, turn);
    product_back(job, 0, resets_first ? 2 * e->H : e->G * e->H, job->dh, false);
}

/* What lies behind the end of a sample has no part in anything. */
static void clear_ends(const struct job *job)
{
    const struct extents *e = &job->e;
    const size_t width = (size_t)(e->G * e->H) * mc_element_size(job->dtype);
    for (int64_t n = 0; n < e->N; n++)
        for (int64_t t = length_of(job, n); t < e->T; t++)
            memset(job->kept->gates + (size_t)(e->samples_first ? n * e->T + t : t * e->N + n) * width, 0, width);
}

/* grad = d^T of, `rows` rows of `columns` from `first` on; d: [T N, G H]. */
static void matrix_back(const struct job *job, const char *d, const char *of, int64_t first, int64_t rows,
                        int64_t columns, char *grad)
{
    const struct extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, true, false, rows, columns, e->T * e->N);
    gemm.bfloats = job->bfloats;
    gemm.lda = e->G * e->H;
    mc_gemm(&gemm, d + (size_t)first * size, of, grad + (size_t)(first * columns) * size);
}

static char *grad_part(const struct job *job, int i, int64_t per_direction)
{
    return (char *)job->grad_in[i]->data + (size_t)(job->direction * per_direction) * mc_element_size(job->dtype);
}

static void bias_back(const struct job *job, const char *d, char *grad)
{
    const struct extents *e = &job->e;
    const struct mc_row_loops *loops = &job->loops->rows[mc_loop_type(job->dtype)];
    const int64_t width = e->G * e->H;
    memset(job->d_bias, 0, (size_t)width * sizeof *job->d_bias);
    for (int64_t i = 0; i < e->T * e->N; i++)
        loops->add_to(width, d + (size_t)(i * width) * mc_element_size(job->dtype), job->d_bias);
    loops->store(width, job->d_bias, 1, grad);
}

/* All turns are done: the gradients by the gates are there. */
static void parameters_back(const struct job *job)
{
    const struct extents *e = &job->e;
    const int64_t width = e->G * e->H;
    const size_t size = mc_element_size(job->dtype);
    const struct kept *k = job->kept;
    if (job->grad_in[X]) {
        struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, false, e->T * e->N, e->I, width);
        gemm.bfloats = job->bfloats;
        gemm.beta = job->direction > 0;
        mc_gemm(&gemm, k->gates, part(job, W, width * e->I), job->grad_in[X]->data);
    }
    if (job->grad_in[W]) matrix_back(job, k->gates, job->in[X]->data, 0, width, e->I, grad_part(job, W, width * e->I));
    if (job->grad_in[R]) {
        const bool masked = job->cell == GRU && !job->before_reset;
        char *const grad = grad_part(job, R, width * e->H);
        matrix_back(job, k->through, k->h, 0, masked ? 2 * e->H : width, e->H, grad);
        if (masked) matrix_back(job, k->through, k->masked, 2 * e->H, e->H, e->H, grad);
    }
    if (job->grad_in[B]) {
        bias_back(job, k->gates, grad_part(job, B, 2 * width));
        bias_back(job, k->through, grad_part(job, B, 2 * width) + (size_t)width * size);
    }
    for (int64_t j = 0; j < 3 * e->H && job->cell == LSTM && job->grad_in[P]; j++)
        set(job, grad_part(job, P, 3 * e->H), j, job->d_peepholes[j]);
}

static void lay_out_back(struct job *job, void *workspace)
{
    const struct extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype), state = (size_t)(e->N * e->H) * size;
    const size_t width = (size_t)(e->G * e->H) * size, unit = (size_t)e->H * size;
    job->d_bias = workspace;
    job->d_peepholes = job->d_bias + e->G * e->H;
    job->dh = (char *)(job->d_peepholes + 3 * e->H);
    job->dc = job->dh + state;
    job->d_masked = job->dc + state;
    job->bias = job->d_masked + state;
    job->became = job->bias + width;
    job->slopes = job->became + width;
    job->squashed = job->slopes + width;
    job->squash_slope = job->squashed + unit;
}

static int recurrent_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_activation all[6];
    struct job job;
    const int rc = job_init(&job, step, all, err);
    if (rc < 0) return rc;
    const struct extents *e = &job.e;
    lay_out_back(&job, step->workspace);
    for (int i = 0; i < step->n_in && e->T * e->N == 0; i++)
        if (step->grad_in[i]) mc_zero(step->grad_in[i]);
    for (int direction = 0; direction < e->D && e->N > 0; direction++) {
        struct kept kept = kept_of(e, direction, step->saved, mc_element_size(job.dtype));
        begin_direction(&job, step, direction, all);
        job.kept = &kept;
        job.gates = kept.gates;
        memset(job.d_peepholes, 0, (size_t)(3 * e->H) * sizeof *job.d_peepholes);
        load_state(&job, step->grad_out[1], job.dh);
        load_state(&job, job.cell == LSTM ? step->grad_out[2] : NULL, job.dc);
        for (int64_t turn = e->T - 1; turn >= 0; turn--) turn_back(&job, turn);
        store_state(&job, job.dh, step->grad_in[H_0]);
        if (job.cell == LSTM) store_state(&job, job.dc, step->grad_in[C_0]);
        clear_ends(&job);
        if (e->T > 0) parameters_back(&job);
    }
    return MC_OK;
}

static void recurrent_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    struct extents e = {0};
    mc_cost_free(node, in, out, cost);
    if (extents_of(node, &in[X]->shape, &in[R]->shape, &e, NULL) < 0) return;
    e.H = in[R]->shape.dim[2]; /* not the attribute's: the cost of what a cut would leave is asked for too */
    const int64_t macs = e.D * e.T * e.N * e.G * e.H * (e.I + e.H);
    cost->macs += macs;
    cost->flops += 2 * macs + 8 * e.D * e.T * e.N * e.G * e.H;
}

/* --- hidden units --- */

/* Zeros whatever the inputs: what an exporter writes as initial state, of the extents that the input has. */
static bool is_zeros(const struct mc_coupling *c, const struct mc_value *v, int depth)
{
    static const char *const movers[] = {"Slice", "Expand", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity"};
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact || !fact->constant || depth == 0) return false;
    const struct mc_node *maker = v->producer;
    if (maker && !mc_coupling_is_fixed(c, v) && strcmp(maker->type, "ConstantOfShape") != 0) {
        bool moves = false;
        for (size_t i = 0; i < MC_COUNT(movers); i++) moves = moves || strcmp(maker->type, movers[i]) == 0;
        return moves && is_zeros(c, maker->inputs[0], depth - 1);
    }
    for (int64_t i = 0; i < mc_tensor_count(fact->constant); i++)
        if (mc_tensor_get_f64(fact->constant, i) != 0) return false;
    return true;
}

/* Index h of (y, a) is row g H + h of (v, b), for every gate g of `blocks`. */
static int couple_blocks(struct mc_coupling *c, const struct mc_value *y, int a, const struct mc_value *v, int b,
                         int64_t blocks, int64_t H, struct mc_error *err)
{
    int rc = MC_OK;
    for (int64_t g = 0; g < blocks; g++)
        for (int64_t h = 0; h < H && rc == MC_OK; h++) rc = mc_couple_index(c, y, a, h, v, b, g * H + h, err);
    return rc;
}

/* A unit's rows of both matrices, its biases and peepholes, and the column of R by which all units see its state. That
 * column is the one place within the node where the unit ends: the twin holds it at zero. */
static int couple_units(struct mc_coupling *c, const struct mc_node *node, const struct extents *e,
                        struct mc_error *err)
{
    const struct mc_value *r = node->inputs[R], *b = mc_node_input(node, B);
    const struct mc_value *peepholes = mc_node_input(node, P);
    int rc = couple_blocks(c, r, 2, r, 1, e->G, e->H, err);
    if (rc == MC_OK) rc = couple_blocks(c, r, 2, node->inputs[W], 1, e->G, e->H, err);
    if (rc == MC_OK && b) rc = couple_blocks(c, r, 2, b, 1, 2 * e->G, e->H, err);
    if (rc == MC_OK && peepholes) rc = couple_blocks(c, r, 2, peepholes, 1, 3, e->H, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) rc = mc_couple_axes(c, r, 2, node->outputs[i], i == 0 ? 3 : 2, err);
    if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[W], 1, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, r, 1, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, r, 2, MC_ROLE_CONSUMES, err);
    if (rc == MC_OK && b) rc = mc_couple_role(c, b, 1, MC_ROLE_SHIFT, err);
    const struct mc_contraction state = {.node = node,
                                         .data = r,
                                         .data_axis = 2,
                                         .weight = r,
                                         .weight_axis = 2,
                                         .weight_out_axis = 1,
                                         .groups = 1,
                                         .bias_input = -1};
    return rc < 0 ? rc : mc_couple_contraction(c, &state, err);
}

/* A state that is given ties the units too; where it is zero it is not needed, and recurrent_resize leaves it out. */
static int couple_states(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = H_0; i <= C_0 && i < node->n_inputs && rc == MC_OK; i++)
        if (node->inputs[i] && !is_zeros(c, node->inputs[i], 8))
            rc = mc_couple_axes(c, node->inputs[R], 2, node->inputs[i], 2, err);
    return rc;
}

static int recurrent_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[X], *w = node->inputs[W];
    struct extents e = {0};
    if (!mc_coupling_is_fixed(c, w) || !mc_coupling_is_fixed(c, node->inputs[R]))
        return mc_coupling_freeze_all(c, node, err);
    int rc = extents_of(node, &mc_coupling_fact(c, x)->shape, &mc_coupling_fact(c, node->inputs[R])->shape, &e, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, x, 2, w, 2, err);
    if (rc == MC_OK) rc = mc_couple_role(c, w, 2, MC_ROLE_CONSUMES, err);
    const struct mc_contraction reading = {.node = node,
                                           .data = x,
                                           .data_axis = 2,
                                           .weight = w,
                                           .weight_axis = 2,
                                           .weight_out_axis = 1,
                                           .groups = 1,
                                           .bias_input = -1};
    if (rc == MC_OK) rc = mc_couple_contraction(c, &reading, err);
    if (rc == MC_OK) rc = couple_units(c, node, &e, err);
    return rc == MC_OK ? couple_states(c, node, err) : rc;
}

static int recurrent_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const int64_t H = mc_resize_new_extent(resize, node->inputs[R], 2);
    if (H == mc_resize_old_extent(resize, node->inputs[R], 2)) return MC_OK;
    for (int i = H_0; i <= C_0 && i < node->n_inputs; i++) {
        if (!node->inputs[i] || mc_resize_changed(resize, node->inputs[i])) continue;
        const int rc = mc_node_set_input(node, i, NULL, err); /* zeros, or it would be tied */
        if (rc < 0) return rc;
    }
    return mc_node_attr(node, "hidden_size") ? mc_node_set_int(node, "hidden_size", H, err) : MC_OK;
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
        .outline = recurrent_outline,                                                                                  \
        .prepare = recurrent_prepare,                                                                                  \
        .release = recurrent_release,                                                                                  \
        .grad_inputs = 1u << X | 1u << W | 1u << R | 1u << B | 1u << H_0 | (most > P ? 1u << C_0 | 1u << P : 0),       \
        .keep = MC_KEEP_IN,                                                                                            \
        .forward = recurrent_forward,                                                                                  \
        .backward = recurrent_backward,                                                                                \
        .others = "lengths",                                                                                           \
        .coupling = recurrent_coupling,                                                                                \
        .resize = recurrent_resize,                                                                                    \
        .cost = recurrent_cost,                                                                                        \
    };

RECURRENT(rnn, "RNN", 1, 6, 2)
RECURRENT(gru, "GRU", 1, 6, 2)
RECURRENT(lstm, "LSTM", 1, 8, 3)
