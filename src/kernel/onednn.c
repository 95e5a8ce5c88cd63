/* onednn.c - convolution on oneDNN, float32; see convolution.h.
 *
 * The primitives work on activations that lie channels last and on weights as they like them. That is as fast as
 * oneDNN's blocked layouts on the shapes of ResNets and LeNets, faster where channels are no multiple of 16 (which
 * pruning makes the usual case), and the one arrangement besides row-major that our own loops can read. Operands that
 * lie otherwise are reordered on the way. Winograd's algorithm is our own (winograd.h): oneDNN's costs three digits.
 *
 * oneDNN divides the work among threads when a primitive is made, so it has to be run with as many. Its fused ReLU is
 * not used: it makes 0 of NaN.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/onednn_library.h"

enum operand_name { X, W, B, Y, N_OPERANDS };
enum pass_name { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, N_PASSES };

/* What each pass calls its operands; 0: it has none such. */
static const int arguments[N_PASSES][N_OPERANDS] = {
    [FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST},
    [BACKWARD_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST},
    [BACKWARD_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_DIFF_DST},
};

/* Which of them it makes. */
static const bool results[N_PASSES][N_OPERANDS] = {
    [FORWARD] = {[Y] = true},
    [BACKWARD_DATA] = {[X] = true},
    [BACKWARD_WEIGHTS] = {[W] = true, [B] = true},
};

/* An operand of a primitive: where the caller has it and where the primitive wants it. */
struct operand {
    dnnl_memory_t user;       /* NULL: the pass has no such operand */
    dnnl_memory_t own;        /* NULL: the primitive takes it as it lies */
    dnnl_primitive_t reorder; /* between the two */
    size_t offset;            /* of `own` in the workspace; of room to throw a result away that nobody wants */
    void *packed;             /* contents of `own` that outlive a call: constant weights */
};

struct pass {
    dnnl_primitive_t primitive;
    struct operand operands[N_OPERANDS];
    dnnl_memory_t scratchpad;
    size_t scratchpad_offset;
};

struct onednn {
    struct mc_convolution conv;
    struct mc_runtime runtime;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* the caller owns the scratchpad */
    dnnl_memory_desc_t user[N_OPERANDS];
    struct pass passes[N_PASSES];
    size_t workspace_bytes; /* the most that a pass needs */
};

/* The library, which is open wherever there is a state. */
static const struct mc_onednn_library *dnnl(void)
{
    return mc_onednn_library();
}

static int fail(dnnl_status_t status, const char *what, struct mc_error *err)
{
    if (status == dnnl_out_of_memory) return mc_error_memory(err);
    return mc_error_set(err, MC_ERR_INTERNAL, "oneDNN cannot %s (status %d)", what, (int)status);
}

/* --- descriptors --- */

static dnnl_format_tag_t activations_tag(int rank, bool last)
{
    static const dnnl_format_tag_t first_tags[] = {dnnl_ncw, dnnl_nchw, dnnl_ncdhw};
    static const dnnl_format_tag_t last_tags[] = {dnnl_nwc, dnnl_nhwc, dnnl_ndhwc};
    return last ? last_tags[rank - 1] : first_tags[rank - 1];
}

static dnnl_status_t describe_activations(dnnl_memory_desc_t *desc, int64_t n, int64_t channels, const int64_t *extents,
                                          int rank, bool last)
{
    dnnl_dims_t dims = {n, channels};
    for (int k = 0; k < rank; k++) dims[2 + k] = extents[k];
    return dnnl()->memory_desc_init_by_tag(desc, 2 + rank, dims, dnnl_f32, activations_tag(rank, last));
}

/* [M, C/groups, kernel…], or [groups, M/groups, C/groups, kernel…]: the same elements in the same order. */
static dnnl_status_t describe_weights(dnnl_memory_desc_t *desc, const struct mc_convolution *conv, bool any)
{
    static const dnnl_format_tag_t tags[2][3] = {{dnnl_oiw, dnnl_oihw, dnnl_oidhw},
                                                 {dnnl_goiw, dnnl_goihw, dnnl_goidhw}};
    const int rank = conv->window.rank;
    const bool grouped = conv->groups > 1;
    dnnl_dims_t dims;
    int n = 0;
    if (grouped) dims[n++] = conv->groups;
    dims[n++] = conv->M / conv->groups;
    dims[n++] = conv->C / conv->groups;
    for (int k = 0; k < rank; k++) dims[n++] = conv->window.kernel[k];
    return dnnl()->memory_desc_init_by_tag(desc, n, dims, dnnl_f32,
                                           any ? dnnl_format_tag_any : tags[grouped][rank - 1]);
}

/* With one channel or one position, channels first and last are the same. */
static bool lies_last(bool last, int64_t channels, int64_t positions)
{
    return last || channels == 1 || positions == 1;
}

/* All operands as the caller has them (`wanted` false) or as the primitives shall have them. */
static dnnl_status_t describe(const struct mc_convolution *conv, bool wanted, dnnl_memory_desc_t desc[N_OPERANDS])
{
    const struct mc_window *w = &conv->window;
    const bool x_last = wanted || lies_last(conv->x_last, conv->C, mc_window_inputs(w));
    const bool y_last = wanted || lies_last(conv->y_last, conv->M, mc_window_outputs(w));
    dnnl_status_t status = describe_activations(&desc[X], conv->N, conv->C, w->in, w->rank, x_last);
    if (status == dnnl_success) status = describe_activations(&desc[Y], conv->N, conv->M, w->out, w->rank, y_last);
    if (status == dnnl_success) status = describe_weights(&desc[W], conv, wanted);
    const dnnl_dims_t bias = {conv->M};
    if (status == dnnl_success) status = dnnl()->memory_desc_init_by_tag(&desc[B], 1, bias, dnnl_f32, dnnl_x);
    return status;
}

/* The window in oneDNN's terms, whose dilation counts the gaps between taps. */
struct steps {
    dnnl_dims_t stride, gap, begin, end;
};

static struct steps steps_of(const struct mc_window *w)
{
    struct steps s;
    for (int k = 0; k < w->rank; k++) {
        s.stride[k] = w->stride[k];
        s.gap[k] = w->dilation[k] - 1;
        s.begin[k] = w->begin[k];
        s.end[k] = w->end[k];
    }
    return s;
}

static dnnl_status_t describe_pass(enum pass_name name, const struct mc_convolution *conv,
                                   const dnnl_memory_desc_t m[N_OPERANDS], dnnl_convolution_desc_t *desc)
{
    const struct steps s = steps_of(&conv->window);
    const dnnl_memory_desc_t *bias = conv->has_bias ? &m[B] : NULL;
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    const dnnl_prop_kind_t kind = conv->backward ? dnnl_forward_training : dnnl_forward_inference;
    switch (name) {
    case FORWARD:
        return dnnl()->dilated_convolution_forward_desc_init(desc, kind, direct, &m[X], &m[W], bias, &m[Y], s.stride,
                                                             s.gap, s.begin, s.end);
    case BACKWARD_DATA:
        return dnnl()->dilated_convolution_backward_data_desc_init(desc, direct, &m[X], &m[W], &m[Y], s.stride, s.gap,
                                                                   s.begin, s.end);
    default:
        return dnnl()->dilated_convolution_backward_weights_desc_init(desc, direct, &m[X], &m[W], bias, &m[Y], s.stride,
                                                                      s.gap, s.begin, s.end);
    }
}

/* --- making ready --- */

/* Room in the workspace of a pass; returns where. */
static size_t reserve(size_t *used, size_t bytes)
{
    const size_t offset = *used;
    *used += mc_align(bytes);
    return offset;
}

static dnnl_status_t create_reorder(struct onednn *s, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                    dnnl_primitive_t *reorder)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl()->reorder_primitive_desc_create(&desc, from, s->engine, to, s->engine, NULL);
    if (status == dnnl_success) status = dnnl()->primitive_create(reorder, desc);
    dnnl()->primitive_desc_destroy(desc);
    return status;
}

static dnnl_status_t create_operand(struct onednn *s, struct operand *o, const dnnl_memory_desc_t *user,
                                    const dnnl_memory_desc_t *wanted, bool is_result, size_t *used)
{
    const bool same = dnnl()->memory_desc_equal(user, wanted);
    dnnl_status_t status = dnnl()->memory_create(&o->user, user, s->engine, DNNL_MEMORY_NONE);
    if (same) {
        if (is_result) o->offset = reserve(used, dnnl()->memory_desc_get_size(user));
        return status;
    }
    if (status == dnnl_success) status = dnnl()->memory_create(&o->own, wanted, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = create_reorder(s, is_result ? wanted : user, is_result ? user : wanted, &o->reorder);
    o->offset = reserve(used, dnnl()->memory_desc_get_size(wanted));
    return status;
}

static dnnl_status_t create_operands(struct onednn *s, enum pass_name name, const_dnnl_primitive_desc_t desc)
{
    struct pass *pass = &s->passes[name];
    size_t used = 0;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < N_OPERANDS && status == dnnl_success; i++) {
        const int argument = arguments[name][i];
        if (!argument || (i == B && !s->conv.has_bias)) continue;
        const dnnl_memory_desc_t *wanted = dnnl()->primitive_desc_query_md(desc, dnnl_query_exec_arg_md, argument);
        status = create_operand(s, &pass->operands[i], &s->user[i], wanted, results[name][i], &used);
    }
    const dnnl_memory_desc_t *scratchpad =
        dnnl()->primitive_desc_query_md(desc, dnnl_query_exec_arg_md, DNNL_ARG_SCRATCHPAD);
    if (status == dnnl_success)
        status = dnnl()->memory_create(&pass->scratchpad, scratchpad, s->engine, DNNL_MEMORY_NONE);
    pass->scratchpad_offset = reserve(&used, dnnl()->memory_desc_get_size(scratchpad));
    if (used > s->workspace_bytes) s->workspace_bytes = used;
    return status;
}

/* oneDNN has a reference implementation of everything; ours is faster. */
static bool is_fast(const_dnnl_primitive_desc_t desc)
{
    const char *name = "ref";
    dnnl()->primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return strncmp(name, "ref", 3) != 0;
}

/* `hint`: the forward pass, which the others are told of. *desc NULL with success: no fast implementation. */
static dnnl_status_t choose_primitive(struct onednn *s, enum pass_name name, const_dnnl_primitive_desc_t hint,
                                      dnnl_primitive_desc_t *desc)
{
    dnnl_memory_desc_t operands[N_OPERANDS];
    dnnl_convolution_desc_t convolution;
    dnnl_status_t status = describe(&s->conv, true, operands);
    if (status == dnnl_success) status = describe_pass(name, &s->conv, operands, &convolution);
    if (status == dnnl_success) status = dnnl()->primitive_desc_create(desc, &convolution, s->attr, s->engine, hint);
    if (status == dnnl_unimplemented || (status == dnnl_success && !is_fast(*desc))) {
        dnnl()->primitive_desc_destroy(*desc);
        *desc = NULL;
        return dnnl_success;
    }
    return status;
}

static dnnl_status_t create_passes(struct onednn *s, bool *have_all)
{
    const int n = s->conv.backward ? N_PASSES : FORWARD + 1;
    dnnl_primitive_desc_t descs[N_PASSES] = {0};
    dnnl_status_t status = dnnl_success;
    *have_all = true;
    for (int i = 0; i < n && status == dnnl_success && *have_all; i++) {
        status = choose_primitive(s, i, i == FORWARD ? NULL : descs[FORWARD], &descs[i]);
        *have_all = descs[i] != NULL;
    }
    for (int i = 0; i < n && status == dnnl_success && *have_all; i++) {
        status = dnnl()->primitive_create(&s->passes[i].primitive, descs[i]);
        if (status == dnnl_success) status = create_operands(s, i, descs[i]);
    }
    for (int i = 0; i < n; i++) dnnl()->primitive_desc_destroy(descs[i]);
    return status;
}

/* --- running --- */

static dnnl_status_t reorder(struct onednn *s, const struct operand *o, bool to_user)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, to_user ? o->own : o->user},
                                    {DNNL_ARG_TO, to_user ? o->user : o->own}};
    return dnnl()->primitive_execute(o->reorder, s->stream, 2, args);
}

/* Point the memories of an operand to where this call has it. `data` NULL: a result that nobody wants. */
static dnnl_status_t point(const struct operand *o, const void *data, char *workspace)
{
    void *room = workspace + o->offset;
    /* oneDNN takes inputs by non-const pointers, and leaves them alone. */
    void *user = data ? (void *)(uintptr_t)data : room;
    dnnl_status_t status = dnnl()->memory_set_data_handle(o->user, user);
    if (status == dnnl_success && o->own) status = dnnl()->memory_set_data_handle(o->own, o->packed ? o->packed : room);
    return status;
}

static dnnl_status_t execute(struct onednn *s, enum pass_name name, const void *const data[N_OPERANDS], char *workspace)
{
    struct pass *pass = &s->passes[name];
    dnnl_exec_arg_t args[N_OPERANDS + 1];
    int n = 0;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < N_OPERANDS && status == dnnl_success; i++) {
        const struct operand *o = &pass->operands[i];
        if (!o->user) continue;
        status = point(o, data[i], workspace);
        if (status == dnnl_success && o->reorder && !o->packed && !results[name][i]) status = reorder(s, o, false);
        args[n++] = (dnnl_exec_arg_t){arguments[name][i], o->own ? o->own : o->user};
    }
    if (status == dnnl_success)
        status = dnnl()->memory_set_data_handle(pass->scratchpad, workspace + pass->scratchpad_offset);
    args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, pass->scratchpad};
    if (status == dnnl_success) status = dnnl()->primitive_execute(pass->primitive, s->stream, n, args);
    for (int i = 0; i < N_OPERANDS && status == dnnl_success; i++)
        if (pass->operands[i].reorder && results[name][i] && data[i]) status = reorder(s, &pass->operands[i], true);
    return status == dnnl_success ? dnnl()->stream_wait(s->stream) : status;
}

static int run(struct onednn *s, enum pass_name name, const void *const data[N_OPERANDS], void *workspace,
               struct mc_error *err)
{
    const int before = mc_runtime_enter(&s->runtime);
    const dnnl_status_t status = execute(s, name, data, workspace);
    mc_runtime_leave(before);
    return status == dnnl_success ? MC_OK : fail(status, "run a convolution", err);
}

/* Weights that never change are put into the primitive's order once and for all. */
static int pack_weights(struct onednn *s, struct mc_error *err)
{
    struct operand *o = &s->passes[FORWARD].operands[W];
    if (!s->conv.weights || !o->own) return MC_OK;
    const dnnl_memory_desc_t *desc = NULL;
    dnnl_status_t status = dnnl()->memory_get_memory_desc(o->own, &desc);
    if (status != dnnl_success) return fail(status, "describe weights", err);
    o->packed = mc_block_create(s->runtime.memory, dnnl()->memory_desc_get_size(desc), 1);
    if (!o->packed) return mc_error_memory(err);
    status = point(o, s->conv.weights, o->packed);
    if (status == dnnl_success) status = reorder(s, o, false);
    if (status == dnnl_success) status = dnnl()->stream_wait(s->stream);
    return status == dnnl_success ? MC_OK : fail(status, "pack weights", err);
}

/* --- the backend --- */

static void onednn_destroy(void *state)
{
    struct onednn *s = state;
    if (!s) return;
    for (int i = 0; i < N_PASSES; i++) {
        for (int k = 0; k < N_OPERANDS; k++) {
            struct operand *o = &s->passes[i].operands[k];
            dnnl()->primitive_destroy(o->reorder);
            dnnl()->memory_destroy(o->own);
            dnnl()->memory_destroy(o->user);
            mc_block_destroy(o->packed);
        }
        dnnl()->memory_destroy(s->passes[i].scratchpad);
        dnnl()->primitive_destroy(s->passes[i].primitive);
    }
    dnnl()->primitive_attr_destroy(s->attr);
    dnnl()->stream_destroy(s->stream);
    dnnl()->engine_destroy(s->engine);
    mc_free(s);
}

static int create_all(struct onednn *s, bool *have_all, struct mc_error *err)
{
    dnnl_status_t status = dnnl()->engine_create(&s->engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl()->stream_create(&s->stream, s->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) status = dnnl()->primitive_attr_create(&s->attr);
    if (status == dnnl_success) status = dnnl()->primitive_attr_set_scratchpad_mode(s->attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success) status = describe(&s->conv, false, s->user);
    if (status == dnnl_success) status = create_passes(s, have_all);
    if (status != dnnl_success) return fail(status, "make a convolution", err);
    return *have_all ? pack_weights(s, err) : MC_OK;
}

static bool onednn_has_packed(const void *state)
{
    return ((const struct onednn *)state)->passes[FORWARD].operands[W].packed != NULL;
}

/* For the gradient of the weights of one tap that strides, 2.6 writes beyond the scratchpad that it has asked for: one
 * in a hundred random convolutions of that kind, and none of any other. */
static bool is_broken(const struct mc_convolution *conv)
{
    bool strides = false;
    for (int i = 0; i < conv->window.rank; i++) strides = strides || conv->window.stride[i] > 1;
    return conv->backward && strides && mc_window_taps(&conv->window) == 1;
}

static int onednn_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                         size_t *workspace_bytes, struct mc_error *err)
{
    *state = NULL;
    if (conv->dtype != MC_FLOAT || !runtime->use_onednn || !dnnl() || is_broken(conv)) return MC_OK;
    struct onednn *s = MC_NEW(struct onednn);
    if (!s) return mc_error_memory(err);
    s->conv = *conv;
    s->runtime = *runtime;
    bool have_all = false;
    const int before = mc_runtime_enter(runtime);
    const int rc = create_all(s, &have_all, err);
    mc_runtime_leave(before);
    if (rc < 0 || !have_all) {
        onednn_destroy(s);
        return rc;
    }
    *workspace_bytes = s->workspace_bytes;
    *state = s;
    return MC_OK;
}

static int onednn_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                          void *workspace, struct mc_error *err)
{
    return run(state, FORWARD, (const void *const[]){[X] = x, [W] = w, [B] = b, [Y] = y}, workspace, err);
}

static int onednn_backward_data(void *state, const void *dy, const void *w, void *dx, void *workspace,
                                struct mc_error *err)
{
    return run(state, BACKWARD_DATA, (const void *const[]){[X] = dx, [W] = w, [B] = NULL, [Y] = dy}, workspace, err);
}

static int onednn_backward_weights(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                                   struct mc_error *err)
{
    return run(state, BACKWARD_WEIGHTS, (const void *const[]){[X] = x, [W] = dw, [B] = db, [Y] = dy}, workspace, err);
}

const struct mc_convolver_backend mc_onednn_backend = {
    .name = "oneDNN",
    .create = onednn_create,
    .destroy = onednn_destroy,
    .has_packed = onednn_has_packed,
    .forward = onednn_forward,
    .backward_data = onednn_backward_data,
    .backward_weights = onednn_backward_weights,
};
