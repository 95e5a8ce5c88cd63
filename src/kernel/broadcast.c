/* broadcast.c - element-wise loops over operands that broadcast, and the sums that go back; see broadcast.h. */
#include "kernel/broadcast.h"

#include <assert.h>
#include <string.h>

#include "kernel/parallel.h"

/* Summands are made this many at a time: three such buffers of doubles stay in the first-level cache. */
#define BLOCK 256

/* --- nests --- */

/* Put an axis inside of those that are there; it becomes one with the innermost if all arrays step evenly through both.
 */
static void nest_append(struct mc_nest *nest, int64_t extent, const int64_t stride[MC_NEST_ARRAYS])
{
    if (extent == 1) return;
    int k = nest->rank - 1;
    bool merge = k >= 0;
    for (int i = 0; i < MC_NEST_ARRAYS && merge; i++) merge = nest->stride[i][k] == stride[i] * extent;
    if (!merge) k = nest->rank++;
    nest->extent[k] = merge ? nest->extent[k] * extent : extent;
    for (int i = 0; i < MC_NEST_ARRAYS; i++) nest->stride[i][k] = stride[i];
}

/* A nest of no axes has one element: give it an axis, so that there is always an innermost one. */
static void nest_close(struct mc_nest *nest)
{
    if (nest->rank == 0) {
        nest->extent[0] = 1;
        for (int i = 0; i < MC_NEST_ARRAYS; i++) nest->stride[i][0] = 1;
        nest->rank = 1;
    }
    nest->count = 1;
    for (int k = 0; k < nest->rank; k++) nest->count *= nest->extent[k];
}

/* Strides of a dense operand along the axes of the result; 0 where it is broadcast. */
static void operand_strides(const struct mc_shape *result, const struct mc_shape *operand, int64_t *stride)
{
    int64_t next = 1;
    for (int k = result->rank - 1, j = operand->rank - 1; k >= 0; k--, j--) {
        const int64_t extent = j >= 0 ? operand->dim[j] : 1;
        assert(extent == result->dim[k] || extent == 1);
        stride[k] = extent == 1 ? 0 : next;
        next *= extent;
    }
}

void mc_nest_init(struct mc_nest *nest, const struct mc_shape *result, const struct mc_shape *a,
                  const struct mc_shape *b)
{
    const struct mc_shape *shape[MC_NEST_ARRAYS] = {a, b, result};
    int64_t strides[MC_NEST_ARRAYS][MC_MAX_RANK];
    for (int i = 0; i < MC_NEST_ARRAYS; i++) operand_strides(result, shape[i], strides[i]);
    nest->rank = 0;
    for (int k = 0; k < result->rank; k++) {
        const int64_t stride[MC_NEST_ARRAYS] = {strides[0][k], strides[1][k], strides[2][k]};
        nest_append(nest, result->dim[k], stride);
    }
    nest_close(nest);
}

/* A position in a nest: an index, and where the arrays' elements for it lie. */
struct walk {
    const struct mc_nest *nest;
    int64_t index[MC_MAX_RANK];
    int64_t offset[MC_NEST_ARRAYS];
};

static void walk_start(struct walk *w, const struct mc_nest *nest, int64_t flat)
{
    w->nest = nest;
    memset(w->offset, 0, sizeof(w->offset));
    for (int k = nest->rank - 1; k >= 0; k--) {
        w->index[k] = flat ? flat % nest->extent[k] : 0; /* an empty nest has a start, too */
        flat = flat ? flat / nest->extent[k] : 0;
        for (int i = 0; i < MC_NEST_ARRAYS; i++) w->offset[i] += w->index[k] * nest->stride[i][k];
    }
}

/* Elements from here to the end of the innermost axis, `most` at most. */
static int64_t walk_run(const struct walk *w, int64_t most)
{
    const int k = w->nest->rank - 1;
    const int64_t left = w->nest->extent[k] - w->index[k];
    return left < most ? left : most;
}

/* Go on by n, which walk_run allows. */
static void walk_advance(struct walk *w, int64_t n)
{
    const struct mc_nest *nest = w->nest;
    int k = nest->rank - 1;
    w->index[k] += n;
    for (int i = 0; i < MC_NEST_ARRAYS; i++) w->offset[i] += n * nest->stride[i][k];
    for (; k > 0 && w->index[k] == nest->extent[k]; k--) {
        for (int i = 0; i < MC_NEST_ARRAYS; i++)
            w->offset[i] += nest->stride[i][k - 1] - nest->extent[k] * nest->stride[i][k];
        w->index[k] = 0;
        w->index[k - 1]++;
    }
}

static size_t element_size(enum mc_loop_type type)
{
    return type == MC_LOOP_F32 || type == MC_LOOP_I32 ? 4 : 8;
}

/* --- forward --- */

struct forward {
    const struct mc_nest *nest;
    mc_binary_fn *loop;
    size_t size;
    const char *a, *b;
    char *y;
};

static void forward_range(void *context, int64_t begin, int64_t end)
{
    const struct forward *f = context;
    struct walk w;
    walk_start(&w, f->nest, begin);
    while (begin < end) {
        const int64_t n = walk_run(&w, end - begin);
        f->loop(n, f->a + (size_t)w.offset[MC_NEST_A] * f->size, f->b + (size_t)w.offset[MC_NEST_B] * f->size,
                f->y + (size_t)begin * f->size);
        walk_advance(&w, n);
        begin += n;
    }
}

void mc_broadcast(const struct mc_nest *nest, mc_binary_fn *const form[MC_FORM_COUNT], enum mc_loop_type type,
                  const void *a, const void *b, void *y, int64_t work)
{
    const int inner = nest->rank - 1;
    const int64_t step_a = nest->stride[MC_NEST_A][inner], step_b = nest->stride[MC_NEST_B][inner];
    assert(step_a || step_b || nest->count == 0);
    const enum mc_form which = !step_b ? MC_RUN_ONE : !step_a ? MC_ONE_RUN : MC_RUN_RUN;
    struct forward f = {.nest = nest, .loop = form[which], .size = element_size(type), .a = a, .b = b, .y = y};
    mc_parallel(nest->count, mc_parallel_grain(work), forward_range, &f);
}

/* --- sums over broadcast axes --- */

struct sum {
    struct mc_nest kept, reduced; /* the axes that the target has, and the others */
    const struct mc_row_loops *rows;
    mc_term_fn *term;
    size_t size;
    const char *a, *b, *g;
    char *target;
    double factor;
};

union block {
    float f32[BLOCK];
    double f64[BLOCK];
};

/* Room for a block of summands and for what makes them. */
struct blocks {
    union block a, b, term;
};

/* n elements of an operand from `offset` on as a run: itself, or one element n times over in `block`. */
static const void *as_run(const char *data, int64_t offset, int64_t step, int64_t n, size_t size, union block *block)
{
    if (!data) return NULL;
    const char *first = data + (size_t)offset * size;
    if (step) return first;
    memcpy(block, first, size);
    for (int64_t i = 1; i < n && size == sizeof(float); i++) block->f32[i] = block->f32[0];
    for (int64_t i = 1; i < n && size == sizeof(double); i++) block->f64[i] = block->f64[0];
    return block;
}

/* n summands along the innermost axis of `inner`, at the sum of both positions; into `to` unless they lie there
 * already. */
static const void *summands(const struct sum *s, const struct walk *x, const struct walk *y,
                            const struct mc_nest *inner, int64_t n, struct blocks *blocks, void *to)
{
    int64_t at[MC_NEST_ARRAYS];
    for (int i = 0; i < MC_NEST_ARRAYS; i++) at[i] = x->offset[i] + y->offset[i];
    const char *g = s->g + (size_t)at[MC_NEST_RESULT] * s->size;
    if (!s->term) return g;
    const int k = inner->rank - 1;
    const void *a = as_run(s->a, at[MC_NEST_A], inner->stride[MC_NEST_A][k], n, s->size, &blocks->a);
    const void *b = as_run(s->b, at[MC_NEST_B], inner->stride[MC_NEST_B][k], n, s->size, &blocks->b);
    s->term(n, a, b, g, to);
    return to;
}

/* The innermost axis is summed: one element of the target after the other. */
static void sum_runs(void *context, int64_t begin, int64_t end)
{
    const struct sum *s = context;
    struct blocks blocks;
    struct walk kept, reduced;
    const int64_t most = s->term ? BLOCK : s->reduced.count;
    for (walk_start(&kept, &s->kept, begin); begin < end; begin++, walk_advance(&kept, 1)) {
        double acc = 0;
        walk_start(&reduced, &s->reduced, 0);
        for (int64_t done = 0, n; done < s->reduced.count; done += n, walk_advance(&reduced, n)) {
            n = walk_run(&reduced, most);
            acc += s->rows->sum(n, summands(s, &kept, &reduced, &s->reduced, n, &blocks, &blocks.term));
        }
        s->rows->store(1, &acc, s->factor, s->target + (size_t)begin * s->size);
    }
}

/* The innermost axis is kept: a block of the target at a time. */
static void sum_columns(void *context, int64_t begin, int64_t end)
{
    const struct sum *s = context;
    struct blocks blocks;
    struct walk kept, reduced;
    double acc[BLOCK];
    walk_start(&kept, &s->kept, begin);
    for (int64_t n; begin < end; begin += n, walk_advance(&kept, n)) {
        n = walk_run(&kept, end - begin < BLOCK ? end - begin : BLOCK);
        memset(acc, 0, sizeof(acc));
        walk_start(&reduced, &s->reduced, 0);
        for (int64_t i = 0; i < s->reduced.count; i++, walk_advance(&reduced, 1))
            s->rows->add_to(n, summands(s, &kept, &reduced, &s->kept, n, &blocks, &blocks.term), acc);
        s->rows->store(n, acc, s->factor, s->target + (size_t)begin * s->size);
    }
}

/* Nothing is summed. */
static void map_columns(void *context, int64_t begin, int64_t end)
{
    const struct sum *s = context;
    struct blocks blocks;
    struct walk kept, still;
    walk_start(&still, &s->reduced, 0);
    walk_start(&kept, &s->kept, begin);
    for (int64_t n; begin < end; begin += n, walk_advance(&kept, n)) {
        n = walk_run(&kept, end - begin < BLOCK ? end - begin : BLOCK);
        char *to = s->target + (size_t)begin * s->size;
        const void *made = summands(s, &kept, &still, &s->kept, n, &blocks, to);
        if (made != to) memcpy(to, made, (size_t)n * s->size);
    }
}

void mc_broadcast_sum(const struct mc_nest *nest, int side, const struct mc_loops *loops, enum mc_loop_type type,
                      mc_term_fn *term, const void *a, const void *b, const void *g, double factor, void *target)
{
    struct sum s = {.rows = &loops->rows[type],
                    .term = term,
                    .size = element_size(type),
                    .a = a,
                    .b = b,
                    .g = g,
                    .target = target,
                    .factor = factor};
    for (int k = 0; k < nest->rank; k++) {
        const int64_t stride[MC_NEST_ARRAYS] = {nest->stride[0][k], nest->stride[1][k], nest->stride[2][k]};
        nest_append(stride[side] ? &s.kept : &s.reduced, nest->extent[k], stride);
    }
    nest_close(&s.kept);
    nest_close(&s.reduced);
    const bool inner_kept = nest->stride[side][nest->rank - 1] != 0;
    const bool nothing_summed = s.reduced.count == 1 && inner_kept && factor == 1;
    mc_parallel(s.kept.count, mc_parallel_grain(s.reduced.count),
                nothing_summed ? map_columns
                : inner_kept   ? sum_columns
                               : sum_runs,
                &s);
}
