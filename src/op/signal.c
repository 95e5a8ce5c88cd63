/* signal.c - DFT (ONNX opset 17, 20), STFT (17) and MelWeightMatrix (17). Numbers that are complex have a last axis of
 * two, real ones of one. Sums are in float64. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/fourier.h"
#include "op/move.h"
#include "op/ops.h"

/* Input i as one number that shapes hang on; `otherwise` where it is left out. */
static int read_number(const struct mc_node *node, const struct mc_fact *const *in, int i, int64_t otherwise,
                       int64_t *number, struct mc_error *err)
{
    int n = 0;
    *number = otherwise;
    if (i >= node->op->max_inputs || !in[i]) return MC_OK;
    const int rc = mc_need_ints(node, i, in[i], number, 1, &n, err);
    if (rc < 0 || n == 1) return rc;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number", i, node->inputs[i]->name);
}

static int need_length(int64_t length, struct mc_error *err)
{
    if (length >= 1 && length <= 1 << 26) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "a transform of length %" PRId64, length);
}

/* [.., n, ..., 1 or 2] */
static int need_signal(const struct mc_node *node, const struct mc_fact *x, struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, x, MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, x, 2, MC_MAX_RANK, err);
    if (rc < 0) return rc;
    const int64_t parts = x->shape.dim[x->shape.rank - 1];
    if (parts == 1 || parts == 2) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': needs a last axis of 1 or 2, has %" PRId64,
                        node->inputs[0]->name, parts);
}

/* --- DFT --- */

struct dft {
    int axis;
    bool inverse, onesided;
    int64_t length, have, bins; /* of the transform; along the axis before and after */
};

static int read_dft(const struct mc_node *node, const struct mc_fact *const *in, struct dft *d, struct mc_error *err)
{
    const struct mc_shape *x = &in[0]->shape;
    int64_t axis = node->op->since < 20 ? mc_node_int(node, "axis", 1) : -2;
    int rc = node->op->since < 20 ? MC_OK : read_number(node, in, 2, -2, &axis, err);
    if (rc == MC_OK) rc = mc_need_axis(axis, x->rank, &d->axis, err);
    if (rc < 0) return rc;
    if (d->axis == x->rank - 1) return mc_error_set(err, MC_ERR_INPUT, "axis %" PRId64 " holds complex parts", axis);
    d->inverse = mc_node_int(node, "inverse", 0) != 0;
    d->onesided = mc_node_int(node, "onesided", 0) != 0;
    d->have = x->dim[d->axis];
    rc = read_number(node, in, 1, d->inverse && d->onesided ? 2 * (d->have - 1) : d->have, &d->length, err);
    if (rc == MC_OK) rc = need_length(d->length, err);
    d->bins = d->onesided && !d->inverse ? d->length / 2 + 1 : d->length;
    return rc;
}

static int dft_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    struct dft d = {0};
    int rc = need_signal(node, in[0], err);
    if (rc == MC_OK) rc = read_dft(node, in, &d, err);
    if (rc < 0) return rc;
    const int last = in[0]->shape.rank - 1;
    if (d.onesided && in[0]->shape.dim[last] != (d.inverse ? 2 : 1))
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': a one-sided transform needs %s numbers",
                            node->inputs[0]->name, d.inverse ? "complex" : "real");
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    out[0].shape.dim[d.axis] = d.bins;
    out[0].shape.dim[last] = d.onesided && d.inverse ? 1 : 2;
    return MC_OK;
}

static int find_dft(const struct mc_step *step, struct dft *d, struct mc_error *err)
{
    struct mc_fact facts[3];
    const struct mc_fact *in[3];
    mc_facts_of_inputs(step, facts, in);
    return read_dft(step->node, in, d, err);
}

static int dft_prepare(struct mc_step *step, struct mc_error *err)
{
    struct dft d = {0};
    const int rc = find_dft(step, &d, err);
    step->workspace_bytes = (size_t)(4 * d.length + mc_fourier_room(d.length)) * sizeof(double);
    return rc;
}

/* The half that was left out mirrors the one that is there. */
static void mirror(double *spectrum, int64_t length)
{
    for (int64_t k = length / 2 + 1; k < length; k++) {
        spectrum[2 * k] = spectrum[2 * (length - k)];
        spectrum[2 * k + 1] = -spectrum[2 * (length - k) + 1];
    }
    spectrum[1] = 0;
    if (length % 2 == 0) spectrum[length + 1] = 0;
}

/* What that makes of a gradient: bins that have a mirror image count twice, the others have no imaginary part, and what
 * lies behind the half is not looked at. */
static double mirrored(const struct dft *d, const double *back, int64_t k, int part)
{
    if (2 * k > d->length) return 0;
    if (k == 0 || 2 * k == d->length) return part ? 0 : back[2 * k];
    return 2 * back[2 * k + part];
}

/* One line to complex numbers, in float32: where sums cancel the standard's tests want the rounding that this leaves.
 */
static void inverse_line(const struct dft *d, const struct mc_tensor *x, int64_t from, struct mc_tensor *y, int64_t to,
                         int64_t inner, float *room)
{
    const int64_t parts = x->shape.dim[x->shape.rank - 1];
    float *const signal = room, *const spectrum = room + 2 * d->length;
    const float scale = 1 / (float)d->length;
    for (int64_t j = 0; j < 2 * d->length; j++) {
        const bool is_there = j / 2 < d->have && j % 2 < parts;
        signal[j] = is_there ? ((const float *)x->data)[(from + j / 2 * inner) * parts + j % 2] : 0;
    }
    mc_fourier_single(d->length, signal, spectrum, room + 4 * d->length);
    for (int64_t k = 0; k < 2 * d->length; k++)
        ((float *)y->data)[(to + k / 2 * inner) * 2 + k % 2] = scale * spectrum[k];
}

static int dft_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    struct dft d = {0};
    const int rc = find_dft(step, &d, err), last = x->shape.rank - 1;
    if (rc < 0) return rc;
    const int64_t parts = x->shape.dim[last], parts_y = y->shape.dim[last];
    const int64_t inner = mc_shape_span(&x->shape, d.axis + 1, last), outer = mc_shape_span(&x->shape, 0, d.axis);
    double *const signal = step->workspace, *const spectrum = signal + 2 * d.length, *room = spectrum + 2 * d.length;
    const double scale = d.inverse ? 1 / (double)d.length : 1;
    const bool single = x->dtype == MC_FLOAT && d.inverse && !d.onesided;
    if (single)
        mc_fourier_init_single(d.length, true, (float *)step->workspace + 4 * d.length);
    else
        mc_fourier_init(d.length, d.inverse, room);
    for (int64_t line = 0; line < outer * inner; line++) {
        const int64_t from = line / inner * d.have * inner + line % inner;
        const int64_t to = line / inner * d.bins * inner + line % inner;
        if (single) {
            inverse_line(&d, x, from, y, to, inner, step->workspace);
            continue;
        }
        for (int64_t j = 0; j < d.length; j++)
            for (int part = 0; part < 2; part++)
                signal[2 * j + part] =
                    j < d.have && part < parts ? mc_tensor_get_f64(x, (from + j * inner) * parts + part) : 0;
        if (d.inverse && d.onesided) mirror(signal, d.length);
        mc_fourier(d.length, signal, spectrum, room);
        for (int64_t k = 0; k < d.bins; k++)
            for (int64_t part = 0; part < parts_y; part++)
                mc_tensor_set_f64(y, (to + k * inner) * parts_y + part, scale * spectrum[2 * k + part]);
    }
    return MC_OK;
}

/* The transform is linear, and its gradient the conjugate one: of what was cut off and padded there is nothing. */
static int dft_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[0];
    struct dft d = {0};
    const int rc = find_dft(step, &d, err), last = dx->shape.rank - 1;
    if (rc < 0) return rc;
    const int64_t parts = dx->shape.dim[last], parts_y = dy->shape.dim[last];
    const int64_t inner = mc_shape_span(&dx->shape, d.axis + 1, last), outer = mc_shape_span(&dx->shape, 0, d.axis);
    double *const g = step->workspace, *const back = g + 2 * d.length, *room = back + 2 * d.length;
    const double scale = d.inverse ? 1 / (double)d.length : 1;
    mc_fourier_init(d.length, !d.inverse, room);
    mc_zero(dx);
    for (int64_t line = 0; line < outer * inner; line++) {
        const int64_t from = line / inner * d.have * inner + line % inner;
        const int64_t to = line / inner * d.bins * inner + line % inner;
        memset(g, 0, (size_t)(2 * d.length) * sizeof *g);
        for (int64_t k = 0; k < 2 * d.bins; k++)
            if (k % 2 < parts_y) g[k] = scale * mc_tensor_get_f64(dy, (to + k / 2 * inner) * parts_y + k % 2);
        mc_fourier(d.length, g, back, room);
        for (int64_t j = 0; j < d.have && j < d.length; j++)
            for (int part = 0; part < parts; part++)
                mc_tensor_set_f64(dx, (from + j * inner) * parts + part,
                                  d.inverse && d.onesided ? mirrored(&d, back, j, part) : back[2 * j + part]);
    }
    return MC_OK;
}

#define SIGNAL_OP(name, onnx_type, version, least, most, ...)                                                          \
    const struct mc_op mc_op_##name##_##version = {.domain = "",                                                       \
                                                   .type = onnx_type,                                                  \
                                                   .since = version,                                                   \
                                                   .min_inputs = least,                                                \
                                                   .max_inputs = most,                                                 \
                                                   .n_outputs = 1,                                                     \
                                                   .widens = true,                                                     \
                                                   .shape = name##_shape,                                              \
                                                   .prepare = name##_prepare,                                          \
                                                   .forward = name##_forward,                                          \
                                                   .coupling = mc_coupling_freeze_all,                                 \
                                                   .cost = mc_cost_free,                                               \
                                                   __VA_ARGS__};

SIGNAL_OP(dft, "DFT", 17, 1, 2, .grad_inputs = 1, .keep = MC_KEEP_IN, .backward = dft_backward,
          .others = "a length and an axis")
SIGNAL_OP(dft, "DFT", 20, 1, 3, .grad_inputs = 1, .keep = MC_KEEP_IN, .backward = dft_backward,
          .others = "a length and an axis")

/* --- STFT: signal [N, n] or [N, n, 1 or 2], step, window [length], length to [N, frames, bins, 2] --- */

enum { SIGNAL, STEP, WINDOW, LENGTH };

struct stft {
    int64_t step, length, frames, bins;
};

/* Of a number: real, or real and imaginary. */
static int64_t parts_of(const struct mc_shape *signal)
{
    return signal->rank == 3 ? signal->dim[2] : 1;
}

static int stft_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    struct stft s;
    int rc = mc_need_dtype(node, SIGNAL, in[SIGNAL], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, SIGNAL, in[SIGNAL], 2, 3, err);
    if (rc == MC_OK && in[SIGNAL]->shape.rank == 3) rc = need_signal(node, in[SIGNAL], err);
    if (rc == MC_OK && in[WINDOW]) rc = mc_need_dtype(node, WINDOW, in[WINDOW], MC_TYPES_FLOAT, err);
    if (rc == MC_OK && in[WINDOW]) rc = mc_need_rank(node, WINDOW, in[WINDOW], 1, 1, err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[SIGNAL]->shape;
    const int64_t usual = in[WINDOW] ? in[WINDOW]->shape.dim[0] : x->dim[1];
    rc = read_number(node, in, STEP, 1, &s.step, err);
    if (rc == MC_OK) rc = read_number(node, in, LENGTH, usual, &s.length, err);
    if (rc == MC_OK) rc = need_length(s.length, err);
    if (rc < 0) return rc;
    const bool onesided = mc_node_int(node, "onesided", 1) && parts_of(x) == 1;
    if (s.step < 1 || s.length > x->dim[1] || (in[WINDOW] && in[WINDOW]->shape.dim[0] != s.length))
        return mc_error_set(err, MC_ERR_INPUT,
                            "frames of %" PRId64 " each %" PRId64 " do not go with a signal of %" PRId64
                            " and a window of %" PRId64,
                            s.length, s.step, x->dim[1], usual);
    s.frames = (x->dim[1] - s.length) / s.step + 1;
    s.bins = onesided ? s.length / 2 + 1 : s.length;
    out[0] =
        (struct mc_fact){.dtype = in[SIGNAL]->dtype, .shape = {.rank = 4, .dim = {x->dim[0], s.frames, s.bins, 2}}};
    return MC_OK;
}

static int64_t frame_length(const struct mc_step *step)
{
    if (step->in[LENGTH]) return mc_tensor_get_i64(step->in[LENGTH], 0);
    return step->in[WINDOW] ? step->in[WINDOW]->shape.dim[0] : step->in[SIGNAL]->shape.dim[1];
}

static int stft_prepare(struct mc_step *step, struct mc_error *err)
{
    const int64_t length = frame_length(step);
    step->workspace_bytes = (size_t)(4 * length + mc_fourier_room(length)) * sizeof(double);
    return MC_OK;
}

static int stft_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[SIGNAL], *window = step->in[WINDOW];
    struct mc_tensor *y = step->out[0];
    const int64_t length = frame_length(step), n = x->shape.dim[1], parts = parts_of(&x->shape);
    const int64_t frames = y->shape.dim[1], bins = y->shape.dim[2], pace = mc_tensor_get_i64(step->in[STEP], 0);
    double *const frame = step->workspace, *const spectrum = frame + 2 * length, *room = spectrum + 2 * length;
    mc_fourier_init(length, false, room);
    for (int64_t i = 0; i < x->shape.dim[0] * frames; i++) {
        const int64_t from = i / frames * n + i % frames * pace;
        for (int64_t j = 0; j < length; j++) {
            const double w = window ? mc_tensor_get_f64(window, j) : 1;
            frame[2 * j] = w * mc_tensor_get_f64(x, (from + j) * parts);
            frame[2 * j + 1] = parts == 2 ? w * mc_tensor_get_f64(x, (from + j) * parts + 1) : 0;
        }
        mc_fourier(length, frame, spectrum, room);
        for (int64_t k = 0; k < 2 * bins; k++) mc_tensor_set_f64(y, i * 2 * bins + k, spectrum[k]);
    }
    return MC_OK;
}

/* The same, frame by frame; by the signal and by the window. */
static int stft_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[SIGNAL], *window = step->in[WINDOW], *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[SIGNAL], *d_window = step->grad_in[WINDOW];
    const int64_t length = frame_length(step), n = x->shape.dim[1], parts = parts_of(&x->shape);
    const int64_t frames = dy->shape.dim[1], bins = dy->shape.dim[2], pace = mc_tensor_get_i64(step->in[STEP], 0);
    double *const g = step->workspace, *const back = g + 2 * length, *room = back + 2 * length;
    mc_fourier_init(length, true, room);
    if (dx) mc_zero(dx);
    if (d_window) mc_zero(d_window);
    for (int64_t i = 0; i < x->shape.dim[0] * frames; i++) {
        const int64_t from = i / frames * n + i % frames * pace;
        memset(g, 0, (size_t)(2 * length) * sizeof *g);
        for (int64_t k = 0; k < 2 * bins; k++) g[k] = mc_tensor_get_f64(dy, i * 2 * bins + k);
        mc_fourier(length, g, back, room);
        for (int64_t j = 0; j < length * parts; j++) {
            const int64_t at = from * parts + j, tap = j / parts;
            const double w = window ? mc_tensor_get_f64(window, tap) : 1, by = back[2 * tap + j % parts];
            if (dx) mc_tensor_set_f64(dx, at, mc_tensor_get_f64(dx, at) + w * by);
            if (d_window)
                mc_tensor_set_f64(d_window, tap, mc_tensor_get_f64(d_window, tap) + mc_tensor_get_f64(x, at) * by);
        }
    }
    return MC_OK;
}

SIGNAL_OP(stft, "STFT", 17, 2, 4, .grad_inputs = 1u << SIGNAL | 1u << WINDOW, .keep = MC_KEEP_IN,
          .backward = stft_backward, .others = "a step and a length")

/* --- MelWeightMatrix: triangles over the bins of a spectrum [dft_length / 2 + 1, bands] --- */

static int mel_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int64_t bands = 0, length = 0;
    const int64_t type = mc_node_int(node, "output_datatype", MC_FLOAT);
    int rc = read_number(node, in, 0, 0, &bands, err);
    if (rc == MC_OK) rc = read_number(node, in, 1, 0, &length, err);
    if (rc == MC_OK) rc = need_length(length, err);
    for (int i = 3; i < 5 && rc == MC_OK; i++) rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
    if (rc < 0) return rc;
    if (type != MC_FLOAT && type != MC_DOUBLE)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'output_datatype': needs float32 or float64");
    if (bands < 0 || bands > INT32_MAX) return mc_error_set(err, MC_ERR_INPUT, "%" PRId64 " bands", bands);
    out[0] = (struct mc_fact){.dtype = (enum mc_dtype)type, .shape = {.rank = 2, .dim = {length / 2 + 1, bands}}};
    return MC_OK;
}

static int mel_prepare(struct mc_step *step, struct mc_error *err)
{
    return MC_OK;
}

static void set_weight(struct mc_tensor *y, double bin, int64_t band, double weight)
{
    if (bin >= 0 && bin < (double)y->shape.dim[0]) mc_tensor_set_f64(y, (int64_t)bin * y->shape.dim[1] + band, weight);
}

/* Edges are evenly spaced on the mel scale, 2595 log10(1 + f / 700), and rounded down to bins. */
static int mel_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    const double length = mc_tensor_get_f64(step->in[1], 0), rate = mc_tensor_get_f64(step->in[2], 0);
    const double low = 2595 * log10(1 + mc_tensor_get_f64(step->in[3], 0) / 700);
    const double high = 2595 * log10(1 + mc_tensor_get_f64(step->in[4], 0) / 700);
    const int64_t bands = y->shape.dim[1];
    if (!(rate > 0) || !isfinite(low) || !isfinite(high))
        return mc_error_set(err, MC_ERR_INPUT, "a sample rate of %g and edges that are no frequencies", rate);
    mc_zero(y);
    for (int64_t band = 0; band < bands; band++) {
        double edge[3];
        for (int k = 0; k < 3; k++) {
            const double mel = low + (double)(band + k) * (high - low) / (double)(bands + 2);
            edge[k] = floor((length + 1) * 700 * (pow(10, mel / 2595) - 1) / rate);
            if (!(fabs(edge[k]) <= length + 1))
                return mc_error_set(err, MC_ERR_INPUT, "band %" PRId64 " lies outside of the spectrum", band);
        }
        if (edge[1] == edge[0]) set_weight(y, edge[1], band, 1);
        for (double bin = edge[0]; bin <= edge[1] && edge[1] > edge[0]; bin++)
            set_weight(y, bin, band, (bin - edge[0]) / (edge[1] - edge[0]));
        for (double bin = edge[1]; bin < edge[2]; bin++)
            set_weight(y, bin, band, (edge[2] - bin) / (edge[2] - edge[1]));
    }
    return MC_OK;
}

SIGNAL_OP(mel, "MelWeightMatrix", 17, 5, 5, .no_backward = "its triangles begin and end on whole bins")
