/* recurrence_backward.c - RNN, GRU and LSTM back through time; see recurrent.c. */
#include <string.h>

#include "kernel/blas.h"
#include "op/recurrence.h"

/* y = a(x), and the slope there. */
static void activate(const struct mc_recurrence *job, const struct mc_activation *a, double x, int64_t j)
{
    const bool cut = job->clip > 0 && fabs(x) > job->clip;
    const double y = act(job, a, x);
    set(job, job->became, j, y);
    set(job, job->slopes, j, cut ? 0 : a->slope(x, y, a->alpha, a->beta));
}

/* The usual activations, of n sums that y holds. */
static void squash(const struct mc_recurrence *job, enum mc_unary f, int64_t n, float *y, float *slope)
{
    static const double none[2];
    job->loops->unary[MC_LOOP_F32][f](n, y, y, none);
    for (int64_t j = 0; j < n && f == MC_UNARY_SIGMOID; j++) slope[j] = y[j] * (1 - y[j]);
    for (int64_t j = 0; j < n && f == MC_UNARY_TANH; j++) slope[j] = 1 - y[j] * y[j];
}

/* What GRU's third gate, and LSTM's and RNN's all, add up from input and state. */
static double sum_of_gate(const struct mc_recurrence *job, struct mc_recurrence_place at, int64_t j, const char *c,
                          const char *c_new)
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
static void usual_gates_again(const struct mc_recurrence *job, struct mc_recurrence_place at)
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
static void gates_again(const struct mc_recurrence *job, struct mc_recurrence_place at, const char *c,
                        const char *c_new)
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
static void state_again(const struct mc_recurrence *job, const char *c_new, int64_t at)
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
    static void name(const struct mc_recurrence *job, struct mc_recurrence_place at, const char *c_,                   \
                     const char *c_new_)                                                                               \
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
    static void name(const struct mc_recurrence *job, struct mc_recurrence_place at, const char *h_)                   \
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

static void rnn_back(const struct mc_recurrence *job, struct mc_recurrence_place at)
{
    for (int64_t j = 0; j < job->e.H; j++) {
        set(job, job->through, at.through + j, get(job, job->dh, at.state + j) * get(job, job->slopes, j));
        set(job, job->dh, at.state + j, 0);
    }
}

static void unit_back(const struct mc_recurrence *job, struct mc_recurrence_place at, int64_t turn)
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
static void product_back(const struct mc_recurrence *job, int64_t first, int64_t n, char *to, bool fresh)
{
    const struct mc_recurrent_extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, false, e->N, e->H, n);
    gemm.bfloats = job->bfloats;
    gemm.lda = e->G * e->H;
    gemm.beta = fresh ? 0 : 1;
    mc_gemm(&gemm, job->through + (size_t)first * size,
            part(job, R, e->G * e->H * e->H) + (size_t)(first * e->H) * size, to);
}

/* Of one sample: what comes to the second gate and to the state from what it masked. */
static void unmask_f32(const struct mc_recurrence *job, struct mc_recurrence_place at, const char *h_)
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

static void unmask(const struct mc_recurrence *job, struct mc_recurrence_place at, const char *h)
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

static void mask_back(const struct mc_recurrence *job, int64_t turn)
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
static void take_gradient(const struct mc_recurrence *job, int64_t row, int64_t n)
{
    const struct mc_recurrent_extents *e = &job->e;
    const struct mc_tensor *dy = job->grad_out[0];
    const int64_t t = e->samples_first ? row % e->T : row / e->N;
    const int64_t at =
        e->samples_first ? (n * e->T + t) * e->D + job->direction : (t * e->D + job->direction) * e->N + n;
    struct mc_tensor dh = {.dtype = job->dtype, .data = job->dh};
    if (dy) mc_add_run(&dh, n * e->H, dy, at * e->H, e->H);
}

static void turn_back(struct mc_recurrence *job, int64_t turn)
{
    const struct mc_recurrent_extents *e = &job->e;
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
static void clear_ends(const struct mc_recurrence *job)
{
    const struct mc_recurrent_extents *e = &job->e;
    const size_t width = (size_t)(e->G * e->H) * mc_element_size(job->dtype);
    for (int64_t n = 0; n < e->N; n++)
        for (int64_t t = length_of(job, n); t < e->T; t++)
            memset(job->kept->gates + (size_t)(e->samples_first ? n * e->T + t : t * e->N + n) * width, 0, width);
}

/* grad = d^T of, `rows` rows of `columns` from `first` on; d: [T N, G H]. */
static void matrix_back(const struct mc_recurrence *job, const char *d, const char *of, int64_t first, int64_t rows,
                        int64_t columns, char *grad)
{
    const struct mc_recurrent_extents *e = &job->e;
    const size_t size = mc_element_size(job->dtype);
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, true, false, rows, columns, e->T * e->N);
    gemm.bfloats = job->bfloats;
    gemm.lda = e->G * e->H;
    mc_gemm(&gemm, d + (size_t)first * size, of, grad + (size_t)(first * columns) * size);
}

static char *grad_part(const struct mc_recurrence *job, int i, int64_t per_direction)
{
    return (char *)job->grad_in[i]->data + (size_t)(job->direction * per_direction) * mc_element_size(job->dtype);
}

static void bias_back(const struct mc_recurrence *job, const char *d, char *grad)
{
    const struct mc_recurrent_extents *e = &job->e;
    const struct mc_row_loops *loops = &job->loops->rows[mc_loop_type(job->dtype)];
    const int64_t width = e->G * e->H;
    memset(job->d_bias, 0, (size_t)width * sizeof *job->d_bias);
    for (int64_t i = 0; i < e->T * e->N; i++)
        loops->add_to(width, d + (size_t)(i * width) * mc_element_size(job->dtype), job->d_bias);
    loops->store(width, job->d_bias, 1, grad);
}

/* All turns are done: the gradients by the gates are there. */
static void parameters_back(const struct mc_recurrence *job)
{
    const struct mc_recurrent_extents *e = &job->e;
    const int64_t width = e->G * e->H;
    const size_t size = mc_element_size(job->dtype);
    const struct mc_recurrence_kept *k = job->kept;
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

/* Workspace going back: sums for biases and peepholes in double, then the rest in elements of dtype. */
size_t mc_recurrent_room_back(const struct mc_recurrent_extents *e, size_t size)
{
    const int64_t doubles = e->G * e->H + 3 * e->H, elements = 3 * e->N * e->H + 3 * e->G * e->H + 2 * e->H;
    return (size_t)doubles * sizeof(double) + (size_t)elements * size;
}

static void lay_out_back(struct mc_recurrence *job, void *workspace)
{
    const struct mc_recurrent_extents *e = &job->e;
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

int mc_recurrent_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_activation all[6];
    struct mc_recurrence job;
    const int rc = mc_recurrence_init(&job, step, all, err);
    if (rc < 0) return rc;
    const struct mc_recurrent_extents *e = &job.e;
    lay_out_back(&job, step->workspace);
    for (int i = 0; i < step->n_in && e->T * e->N == 0; i++)
        if (step->grad_in[i]) mc_zero(step->grad_in[i]);
    for (int direction = 0; direction < e->D && e->N > 0; direction++) {
        struct mc_recurrence_kept kept = mc_recurrence_kept(e, direction, step->saved, mc_element_size(job.dtype));
        mc_recurrence_turn_to(&job, step, direction, all);
        job.kept = &kept;
        job.gates = kept.gates;
        memset(job.d_peepholes, 0, (size_t)(3 * e->H) * sizeof *job.d_peepholes);
        mc_recurrence_load(&job, step->grad_out[1], job.dh);
        mc_recurrence_load(&job, job.cell == LSTM ? step->grad_out[2] : NULL, job.dc);
        for (int64_t turn = e->T - 1; turn >= 0; turn--) turn_back(&job, turn);
        mc_recurrence_store(&job, job.dh, step->grad_in[H_0]);
        if (job.cell == LSTM) mc_recurrence_store(&job, job.dc, step->grad_in[C_0]);
        clear_ends(&job);
        if (e->T > 0) parameters_back(&job);
    }
    return MC_OK;
}
