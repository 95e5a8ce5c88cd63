/* sliding.c - attributes of sliding windows; see sliding.h. */
#include "op/sliding.h"

#include "base/error.h"

/* Larger values could not be met by any input and would overflow the sums below. */
static const int64_t largest = INT32_MAX;

enum auto_pad { NOTSET, SAME_UPPER, SAME_LOWER, VALID };

static int read_auto_pad(const struct mc_node *node, enum auto_pad *mode, struct mc_error *err)
{
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const int found = mc_node_choice(node, "auto_pad", names, VALID + 1, NOTSET);
    *mode = (enum auto_pad)found;
    if (found >= 0) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'auto_pad': needs NOTSET, SAME_UPPER, SAME_LOWER or VALID");
}

/* A list of n integers from `low` on into `values`, which keep what they hold if it is absent. */
static int read_list(const struct mc_node *node, const char *name, int n, int64_t low, int64_t *values,
                     struct mc_error *err)
{
    int64_t length;
    const int64_t *list = mc_node_ints(node, name, &length);
    if (!list) return MC_OK;
    if (length != n)
        return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs %d numbers, has %lld", name, n,
                            (long long)length);
    for (int i = 0; i < n; i++) {
        if (list[i] < low || list[i] > largest)
            return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs numbers from %lld to %lld, has %lld", name,
                                (long long)low, (long long)largest, (long long)list[i]);
        values[i] = list[i];
    }
    return MC_OK;
}

static int read_kernel(const struct mc_node *node, const int64_t *kernel, struct mc_window *w, struct mc_error *err)
{
    int64_t stated[MC_MAX_SPATIAL] = {0};
    const int rc = read_list(node, "kernel_shape", w->rank, 1, stated, err);
    if (rc < 0) return rc;
    if (!kernel && stated[0] == 0) return mc_error_set(err, MC_ERR_INPUT, "attribute 'kernel_shape' is needed");
    for (int i = 0; i < w->rank; i++) {
        w->kernel[i] = kernel ? kernel[i] : stated[i];
        if (kernel && stated[0] && kernel[i] != stated[i])
            return mc_error_set(err, MC_ERR_INPUT,
                                "attribute 'kernel_shape': needs %lld along axis %d as the weight, "
                                "has %lld",
                                (long long)kernel[i], i + 2, (long long)stated[i]);
        if (w->kernel[i] < 1 || w->kernel[i] > largest)
            return mc_error_set(err, MC_ERR_INPUT, "kernel: needs 1 to %lld along axis %d, has %lld",
                                (long long)largest, i + 2, (long long)w->kernel[i]);
    }
    return MC_OK;
}

/* Output extent of one axis, and for SAME the padding that makes it ceil(in / stride). */
static int set_extent(struct mc_window *w, int i, enum auto_pad mode, bool ceil_mode, struct mc_error *err)
{
    const int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1, s = w->stride[i];
    if (mode == SAME_UPPER || mode == SAME_LOWER) {
        w->out[i] = (w->in[i] + s - 1) / s;
        int64_t total = (w->out[i] - 1) * s + reach - w->in[i];
        if (total < 0) total = 0;
        w->begin[i] = mode == SAME_UPPER ? total / 2 : total - total / 2;
        w->end[i] = total - w->begin[i];
        return MC_OK;
    }
    if (mode == VALID) w->begin[i] = w->end[i] = 0;
    const int64_t room = w->in[i] + w->begin[i] + w->end[i] - reach;
    if (room < 0)
        return mc_error_set(err, MC_ERR_INPUT, "kernel reaches over %lld elements, the padded input has %lld",
                            (long long)reach, (long long)(room + reach));
    w->out[i] = (ceil_mode ? room + s - 1 : room) / s + 1;
    if (ceil_mode && (w->out[i] - 1) * s >= w->in[i] + w->begin[i]) w->out[i]--;
    return MC_OK;
}

int mc_sliding_window(const struct mc_node *node, const struct mc_fact *x, const int64_t *kernel, bool ceil_mode,
                      struct mc_window *w, struct mc_error *err)
{
    const int rank = x->shape.rank - 2;
    if (rank < 1 || rank > MC_MAX_SPATIAL)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "input 0 '%s': needs rank 3 to 5, has %d", node->inputs[0]->name,
                            x->shape.rank);
    *w = (struct mc_window){.rank = rank};
    for (int i = 0; i < rank; i++) {
        w->stride[i] = w->dilation[i] = 1;
        w->in[i] = x->shape.dim[2 + i];
        if (w->in[i] > largest)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "axis %d: needs at most %lld elements, has %lld", i + 2,
                                (long long)largest, (long long)w->in[i]);
    }
    enum auto_pad mode = NOTSET;
    int64_t pads[2 * MC_MAX_SPATIAL] = {0};
    int rc = read_auto_pad(node, &mode, err);
    if (rc == MC_OK) rc = read_kernel(node, kernel, w, err);
    if (rc == MC_OK) rc = read_list(node, "strides", rank, 1, w->stride, err);
    if (rc == MC_OK) rc = read_list(node, "dilations", rank, 1, w->dilation, err);
    if (rc == MC_OK && mode == NOTSET) rc = read_list(node, "pads", 2 * rank, 0, pads, err);
    for (int i = 0; i < rank && rc == MC_OK; i++) {
        w->begin[i] = pads[i];
        w->end[i] = pads[rank + i];
        rc = set_extent(w, i, mode, ceil_mode, err);
    }
    return rc;
}

/* --- with open dimensions --- */

static int64_t number_at(const struct mc_node *node, const char *name, int i, int64_t otherwise)
{
    int64_t n;
    const int64_t *list = mc_node_ints(node, name, &n);
    return list && i < n ? list[i] : otherwise;
}

/* What a kernel reaches over along a spatial axis; unknown if its extent is. */
static mc_symbol reach_of(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *kernel, int i)
{
    const int64_t stated = number_at(node, "kernel_shape", i, 0);
    const mc_symbol extent = kernel ? kernel->dim[2 + i] : stated ? mc_symbol_number(s, stated) : MC_SYMBOL_UNKNOWN;
    return mc_symbol_plus(s, mc_symbol_times(s, mc_symbol_plus(s, extent, -1), number_at(node, "dilations", i, 1)), 1);
}

/* As set_extent. Rounded up, the last window has to begin within the input or its first border, which is certain where
 * it reaches over the second border and a step. */
static mc_symbol extent_of(struct mc_symbols *s, const struct mc_node *node, enum auto_pad mode, bool ceil_mode,
                           mc_symbol in, mc_symbol reach, int rank, int i)
{
    const int64_t step = number_at(node, "strides", i, 1);
    const int64_t begin = mode == NOTSET ? number_at(node, "pads", i, 0) : 0;
    const int64_t end = mode == NOTSET ? number_at(node, "pads", rank + i, 0) : 0;
    const mc_symbol stride = mc_symbol_number(s, step);
    if (mode == SAME_UPPER || mode == SAME_LOWER) return mc_symbol_divide_up(s, in, stride);
    const mc_symbol room = mc_symbol_subtract(s, mc_symbol_plus(s, in, begin + end), reach);
    if (!ceil_mode) return mc_symbol_plus(s, mc_symbol_divide(s, room, stride), 1);
    if (!mc_symbol_at_least(s, reach, end + step)) return MC_SYMBOL_UNKNOWN;
    return mc_symbol_plus(s, mc_symbol_divide_up(s, room, stride), 1);
}

void mc_sliding_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *x,
                        const struct mc_outline *kernel, bool ceil_mode, struct mc_outline *out)
{
    enum auto_pad mode = NOTSET;
    const bool known = read_auto_pad(node, &mode, NULL) == MC_OK;
    for (int i = 0; i < x->rank - 2; i++) {
        const mc_symbol reach = reach_of(s, node, kernel, i);
        out->dim[2 + i] =
            known ? extent_of(s, node, mode, ceil_mode, x->dim[2 + i], reach, x->rank - 2, i) : MC_SYMBOL_UNKNOWN;
    }
}

void mc_sliding_transposed_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *x,
                                   const struct mc_outline *kernel, struct mc_outline *out)
{
    const int rank = x->rank - 2;
    enum auto_pad mode = NOTSET;
    const bool known = read_auto_pad(node, &mode, NULL) == MC_OK;
    for (int i = 0; i < rank; i++) {
        const int64_t step = number_at(node, "strides", i, 1), wanted = number_at(node, "output_shape", i, 0);
        const int64_t border =
            mode == NOTSET ? number_at(node, "pads", i, 0) + number_at(node, "pads", rank + i, 0) : 0;
        const mc_symbol in = x->dim[2 + i], strided = mc_symbol_times(s, in, step);
        mc_symbol extent = mc_symbol_add(s, mc_symbol_plus(s, strided, -step), reach_of(s, node, kernel, i));
        extent = mc_symbol_plus(s, extent, number_at(node, "output_padding", i, 0) - border);
        if (mode == SAME_UPPER || mode == SAME_LOWER) extent = strided;
        if (wanted) extent = mc_symbol_number(s, wanted);
        out->dim[2 + i] = known ? extent : MC_SYMBOL_UNKNOWN;
    }
}

/* Padding along an axis that is to make `extent` of `full`: half of what is too much, the odd one at the end if
 * `upper`. Where there is too little, zeros follow. */
static void pad_to(struct mc_window *w, int axis, int64_t full, int64_t extent, bool upper)
{
    const int64_t total = full > extent ? full - extent : 0;
    w->begin[axis] = upper ? total / 2 : total - total / 2;
    w->end[axis] = total - w->begin[axis];
    w->in[axis] = extent;
}

int mc_sliding_transposed(const struct mc_node *node, const struct mc_shape *x, const int64_t *kernel,
                          struct mc_window *w, struct mc_error *err)
{
    int64_t pads[2 * MC_MAX_SPATIAL] = {0}, extra[MC_MAX_SPATIAL] = {0}, wanted[MC_MAX_SPATIAL] = {0};
    const int n = x->rank - 2;
    enum auto_pad mode = NOTSET;
    *w = (struct mc_window){.rank = n};
    for (int k = 0; k < n; k++) w->stride[k] = w->dilation[k] = 1;
    int rc = read_auto_pad(node, &mode, err);
    if (rc == MC_OK) rc = read_kernel(node, kernel, w, err);
    if (rc == MC_OK) rc = read_list(node, "strides", n, 1, w->stride, err);
    if (rc == MC_OK) rc = read_list(node, "dilations", n, 1, w->dilation, err);
    if (rc == MC_OK) rc = read_list(node, "output_padding", n, 0, extra, err);
    if (rc == MC_OK) rc = read_list(node, "pads", 2 * n, 0, pads, err);
    if (rc == MC_OK) rc = read_list(node, "output_shape", n, 1, wanted, err);
    for (int k = 0; k < n && rc == MC_OK; k++) {
        w->out[k] = x->dim[2 + k];
        const int64_t full = w->stride[k] * (w->out[k] - 1) + extra[k] + mc_window_reach(w, k);
        if (wanted[k] || mode == SAME_UPPER || mode == SAME_LOWER) {
            pad_to(w, k, full, wanted[k] ? wanted[k] : w->out[k] * w->stride[k], mode == SAME_UPPER);
        } else {
            w->begin[k] = mode == VALID ? 0 : pads[k];
            w->end[k] = mode == VALID ? 0 : pads[n + k];
            w->in[k] = full - w->begin[k] - w->end[k];
        }
        if (w->in[k] < 1 || w->in[k] > largest || w->out[k] < 1)
            rc = mc_error_set(err, MC_ERR_INPUT, "spatial axis %d: %lld make %lld", k, (long long)w->out[k],
                              (long long)w->in[k]);
    }
    return rc;
}

struct mc_shape mc_sliding_shape(const struct mc_window *w, int64_t n, int64_t channels)
{
    struct mc_shape shape = {.rank = 2 + w->rank, .dim = {n, channels}};
    for (int i = 0; i < w->rank; i++) shape.dim[2 + i] = w->out[i];
    return shape;
}

bool mc_sliding_pads(const struct mc_window *w)
{
    for (int i = 0; i < w->rank; i++)
        if (w->begin[i] || w->end[i]) return true;
    return false;
}
