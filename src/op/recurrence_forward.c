/* recurrence_forward.c - RNN, GRU and LSTM along a sequence; see recurrent.c. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "op/recurrence.h"

/* f, or f g, or f g h. */
static const char *const usual_activations[][3] = {
    [RNN] = {"Tanh"}, [GRU] = {"Sigmoid", "Tanh"}, [LSTM] = {"Sigmoid", "Tanh", "Tanh"}};
static const int activations_of[] = {[RNN] = 1, [GRU] = 2, [LSTM] = 3};

/* --- making ready --- */

static size_t kept_bytes(const struct mc_recurrent_extents *e, size_t size)
{
    return (size_t)(2 * e->T * e->G + 3 * (e->T + 1)) * (size_t)(e->N * e->H) * size;
}

struct mc_recurrence_kept mc_recurrence_kept(const struct mc_recurrent_extents *e, int direction, void *saved,
                                             size_t size)
{
    const size_t gates = (size_t)(e->T * e->N * e->G * e->H) * size;
    const size_t states = (size_t)((e->T + 1) * e->N * e->H) * size;
    char *const at = (char *)saved + (size_t)direction * kept_bytes(e, size);
    return (struct mc_recurrence_kept){.gates = at,
                                       .through = at + gates,
                                       .h = at + 2 * gates,
                                       .c = at + 2 * gates + states,
                                       .masked = at + 2 * gates + 2 * states};
}

static int pack(struct mc_recurrence_packed *packed, const struct mc_step *step, const struct mc_recurrent_extents *e,
                struct mc_error *err)
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

int mc_recurrent_prepare(struct mc_step *step, struct mc_error *err)
{
    struct mc_recurrent_extents e = {0};
    const int rc = mc_recurrent_extents_of(step->node, &step->in[X]->shape, &step->in[R]->shape, &e, err);
    if (rc < 0) return rc;
    const size_t size = mc_element_size(step->in[X]->dtype);
    step->workspace_bytes = (size_t)(((e.T + 1) * e.N + 1) * e.G * e.H + 3 * e.N * e.H) * size;
    if (step->training) {
        if (step->workspace_bytes < mc_recurrent_room_back(&e, size))
            step->workspace_bytes = mc_recurrent_room_back(&e, size);
        step->saved_bytes = (size_t)e.D * kept_bytes(&e, size);
    }
    struct mc_recurrence_packed *packed = step->state = MC_NEW(struct mc_recurrence_packed);
    return packed ? pack(packed, step, &e, err) : mc_error_memory(err);
}

void mc_recurrent_release(struct mc_step *step)
{
    struct mc_recurrence_packed *packed = step->state;
    for (int i = 0; packed && i < 4; i++) mc_packed_destroy(packed->r[i / 2][i % 2]);
    mc_free(packed);
    step->state = NULL;
}

/* w_b, and + r_b where nothing is between the two. */
static void add_biases(const struct mc_recurrence *job)
{
    const struct mc_recurrent_extents *e = &job->e;
    const int64_t width = e->G * e->H;
    const char *b = part(job, B, 2 * width);
    for (int64_t j = 0; j < width; j++) {
        const bool apart = job->cell == GRU && job->before_reset && j >= 2 * e->H;
        set(job, job->bias, j, get(job, b, j) + (apart ? 0 : get(job, b, width + j)));
    }
}

/* The usual activations, and nothing between them and the products? */
static bool is_usual(const struct mc_recurrence *job)
{
    if (job->dtype != MC_FLOAT || job->clip > 0 || job->coupled || has_peepholes(job)) return false;
    if (job->cell == RNN) return job->f.f == mc_activation_tanh;
    return job->f.f == mc_activation_sigmoid && job->g.f == mc_activation_tanh &&
           (job->cell == GRU || job->h_of.f == mc_activation_tanh);
}

/* What a direction has of its own. */
static void set_direction(struct mc_recurrence *job, const struct mc_step *step, const struct mc_activation *own)
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

int mc_recurrence_init(struct mc_recurrence *job, const struct mc_step *step, struct mc_activation all[6],
                       struct mc_error *err)
{
    const struct mc_node *node = step->node;
    struct mc_tensor *const *in = step->in;
    *job = (struct mc_recurrence){.cell = mc_recurrent_cell_of(node),
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
    const int rc = mc_recurrent_extents_of(node, &in[X]->shape, &in[R]->shape, &job->e, err),
              each = activations_of[job->cell];
    if (rc < 0) return rc;
    return mc_activations_read(node, usual_activations[job->cell], each, each * (int)job->e.D, all, err);
}

void mc_recurrence_turn_to(struct mc_recurrence *job, const struct mc_step *step, int direction,
                           const struct mc_activation *all)
{
    job->direction = direction;
    job->reverse = direction == 1 || mc_node_string_is(step->node, "direction", "reverse", false);
    set_direction(job, step, &all[direction * activations_of[job->cell]]);
}

/* Sample n's state of a direction in a [D, N, H] or [N, D, H] tensor. */
static char *state_of(const struct mc_recurrence *job, const struct mc_tensor *states, int64_t n)
{
    const struct mc_recurrent_extents *e = &job->e;
    const int64_t at = e->samples_first ? n * e->D + job->direction : job->direction * e->N + n;
    return (char *)states->data + (size_t)(at * e->H) * mc_element_size(job->dtype);
}

void mc_recurrence_load(const struct mc_recurrence *job, const struct mc_tensor *from, char *to)
{
    const size_t row = (size_t)job->e.H * mc_element_size(job->dtype);
    for (int64_t n = 0; n < job->e.N; n++)
        if (from)
            memcpy(to + (size_t)n * row, state_of(job, from, n), row);
        else
            memset(to + (size_t)n * row, 0, row);
}

void mc_recurrence_store(const struct mc_recurrence *job, const char *from, struct mc_tensor *to)
{
    const size_t row = (size_t)job->e.H * mc_element_size(job->dtype);
    for (int64_t n = 0; n < job->e.N && to; n++) memcpy(state_of(job, to, n), from + (size_t)n * row, row);
}

/* --- sums --- */

/* to = from r^T for rows `first` to `first + n` of r (gates of it). */
static void product(const struct mc_recurrence *job, const char *from, int64_t first, int64_t n, char *to)
{
    const struct mc_recurrent_extents *e = &job->e;
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

/* x w^T and the biases. */
static void all_inputs(const struct mc_recurrence *job)
{
    const struct mc_recurrent_extents *e = &job->e;
    const int64_t rows = e->T * e->N, width = e->G * e->H;
    const size_t row = (size_t)width * mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, rows, width, e->I);
    gemm.bfloats = job->bfloats;
    gemm.beta = job->in[B] ? 1 : 0;
    for (int64_t i = 0; i < rows && job->in[B]; i++) memcpy(job->gates + (size_t)i * row, job->bias, row);
    mc_gemm(&gemm, job->in[X]->data, part(job, W, width * e->I), job->gates);
}

static void lstm_unit(const struct mc_recurrence *job, int64_t gate, int64_t through, int64_t n, int64_t j)
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
static void gru_gates(const struct mc_recurrence *job, int64_t gate, int64_t through, int64_t n)
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

static void gru_unit(const struct mc_recurrence *job, int64_t gate, int64_t through, int64_t n, int64_t j)
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

static void rnn_unit(const struct mc_recurrence *job, int64_t gate, int64_t through, int64_t n, int64_t j)
{
    set(job, job->h, n * job->e.H + j,
        act(job, &job->f, get(job, job->gates, gate + j) + get(job, job->through, through + j)));
}

/* --- one sample --- */

static void make_gates(const struct mc_recurrence *job, struct mc_recurrence_place at, int64_t n)
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

static void make_state(const struct mc_recurrence *job, struct mc_recurrence_place at, int64_t n)
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

/* --- all turns --- */

static void give_state(const struct mc_recurrence *job, int64_t row, int64_t n)
{
    const struct mc_recurrent_extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    const int64_t t = e->samples_first ? row % e->T : row / e->N;
    const int64_t at =
        e->samples_first ? (n * e->T + t) * e->D + job->direction : (t * e->D + job->direction) * e->N + n;
    memcpy((char *)job->y->data + (size_t)(at * e->H) * size, job->h + (size_t)(n * e->H) * size, (size_t)e->H * size);
}

/* In training: this turn's place among those that are kept, from which the states go on. */
static void keep_turn(struct mc_recurrence *job, int64_t turn)
{
    const size_t size = mc_element_size(job->dtype), state = (size_t)(job->e.N * job->e.H) * size;
    const struct mc_recurrence_kept *kept = job->kept;
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
static const char *rounded_states(const struct mc_recurrence *job)
{
    const int64_t n = job->e.N * job->e.H;
    const float *h = (const void *)job->h;
    float low, high, *to = (void *)job->masked;
    job->rounds->range(n, h, &low, &high);
    const float scale = high > low ? (high - low) / 255 : 1, zero = rintf(-low / scale);
    for (int64_t i = 0; i < n; i++) to[i] = (fminf(fmaxf(rintf(h[i] / scale) + zero, 0), 255) - zero) * scale;
    return job->masked;
}

static void take_turn(struct mc_recurrence *job, int64_t turn)
{
    const struct mc_recurrent_extents *e = &job->e;
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

int mc_recurrent_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_activation all[6];
    struct mc_recurrence job;
    const int rc = mc_recurrence_init(&job, step, all, err);
    if (rc < 0) return rc;
    const struct mc_recurrent_extents *e = &job.e;
    const size_t size = mc_element_size(job.dtype);
    job.bias = step->workspace;
    job.gates = job.bias + (size_t)(e->G * e->H) * size;
    job.through = job.gates + (size_t)(e->T * e->N * e->G * e->H) * size;
    char *const states = job.through + (size_t)(e->N * e->G * e->H) * size;
    job.masked = states + (size_t)(2 * e->N * e->H) * size;
    memset(job.masked, 0, (size_t)(e->N * e->H) * size);
    if (job.y) mc_zero(job.y);
    for (int direction = 0; direction < e->D && e->N > 0; direction++) {
        struct mc_recurrence_kept kept;
        mc_recurrence_turn_to(&job, step, direction, all);
        job.h = states;
        job.c = states + (size_t)(e->N * e->H) * size;
        if (step->training) {
            kept = mc_recurrence_kept(e, direction, step->saved, size);
            job.kept = &kept;
            job.gates = kept.gates;
            job.h = kept.h;
            job.c = kept.c;
        }
        mc_recurrence_load(&job, step->in[H_0], job.h);
        if (job.cell == LSTM) mc_recurrence_load(&job, step->in[C_0], job.c);
        if (e->T > 0) all_inputs(&job);
        for (int64_t turn = 0; turn < e->T; turn++) take_turn(&job, turn);
        mc_recurrence_store(&job, job.h, step->out[1]);
        if (job.cell == LSTM) mc_recurrence_store(&job, job.c, step->out[2]);
    }
    return MC_OK;
}
