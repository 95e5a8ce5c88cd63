/* copy.c - strided copies; see copy.h.
 *
 * A box is simplified first; what is left is one of
 *   runs        the innermost axis is contiguous on both sides: memcpy
 *   transpose   contiguous on either side along different axes: square tiles, so that every cache line that is
 *               fetched is used up while it is there
 *   elements    everything else, one by one
 * The axes outside that core are walked as one number, cut evenly among the threads.
 */
#include "kernel/copy.h"

#include <assert.h>
#include <string.h>

/* Below this a second thread costs more than it saves. */
#define PARALLEL_BYTES (256 * 1024)
/* Edge of a transpose's tile. 16 floats are a cache line; 32 and 64 were slower on extents that are powers of two,
 * where the lines of one tile compete for few places in the cache. */
#define TILE 16

void mc_strides(const struct mc_shape *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int k = shape->rank - 1; k >= 0; k--) {
        strides[k] = stride;
        stride *= shape->dim[k];
    }
}

void mc_box_simplify(struct mc_box *box)
{
    int n = 0;
    for (int k = 0; k < box->rank; k++) {
        const int64_t extent = box->extent[k], to = box->to[k], from = box->from[k];
        if (extent == 1) continue;
        if (n && box->to[n - 1] == extent * to && box->from[n - 1] == extent * from)
            box->extent[n - 1] *= extent;
        else
            box->extent[n++] = extent;
        box->to[n - 1] = to;
        box->from[n - 1] = from;
    }
    box->rank = n;
}

static int64_t box_count(const struct mc_box *box)
{
    int64_t count = 1;
    for (int k = 0; k < box->rank; k++) count *= box->extent[k];
    return count;
}

struct axis {
    int64_t extent, to, from;
};

/* Take axis k out of the box and return it. */
static struct axis take_axis(struct mc_box *box, int k)
{
    const struct axis axis = {box->extent[k], box->to[k], box->from[k]};
    box->rank--;
    for (; k < box->rank; k++) {
        box->extent[k] = box->extent[k + 1];
        box->to[k] = box->to[k + 1];
        box->from[k] = box->from[k + 1];
    }
    return axis;
}

/* Position in a box: the offsets, in elements, that belong to one index. */
struct position {
    int64_t index[MC_MAX_RANK];
    int64_t to, from;
};

static void position_set(struct position *p, const struct mc_box *box, int64_t flat)
{
    p->to = p->from = 0;
    for (int k = box->rank - 1; k >= 0; k--) {
        p->index[k] = flat % box->extent[k];
        flat /= box->extent[k];
        p->to += p->index[k] * box->to[k];
        p->from += p->index[k] * box->from[k];
    }
}

static inline void position_next(struct position *p, const struct mc_box *box)
{
    for (int k = box->rank - 1; k >= 0; k--) {
        p->to += box->to[k];
        p->from += box->from[k];
        if (++p->index[k] < box->extent[k]) return;
        p->to -= box->extent[k] * box->to[k];
        p->from -= box->extent[k] * box->from[k];
        p->index[k] = 0;
    }
}

/* --- the three cores; `size` is a constant wherever they are inlined, so that each memcpy is one load and store --- */

static inline void copy_elements(unsigned char *to, const unsigned char *from, struct axis axis, size_t size)
{
    const int64_t to_step = axis.to * (int64_t)size, from_step = axis.from * (int64_t)size;
    for (int64_t i = 0; i < axis.extent; i++) memcpy(to + i * to_step, from + i * from_step, size);
}

/* rows.to == 1 and columns.from == 1: reading goes along columns, writing along rows. */
static inline void copy_tile(unsigned char *to, const unsigned char *from, struct axis rows, struct axis columns,
                             size_t size)
{
    for (int64_t j = 0; j < columns.extent; j++) {
        unsigned char *const t = to + j * columns.to * (int64_t)size;
        const unsigned char *const f = from + j * (int64_t)size;
        for (int64_t i = 0; i < rows.extent; i++)
            memcpy(t + i * (int64_t)size, f + i * rows.from * (int64_t)size, size);
    }
}

#define FOR_SIZE(size, call)                                                                                           \
    switch (size) {                                                                                                    \
    case 1:                                                                                                            \
        call(1);                                                                                                       \
        break;                                                                                                         \
    case 2:                                                                                                            \
        call(2);                                                                                                       \
        break;                                                                                                         \
    case 4:                                                                                                            \
        call(4);                                                                                                       \
        break;                                                                                                         \
    case 8:                                                                                                            \
        call(8);                                                                                                       \
        break;                                                                                                         \
    case 16:                                                                                                           \
        call(16);                                                                                                      \
        break;                                                                                                         \
    default:                                                                                                           \
        assert(!"element size");                                                                                       \
    }

/* gcc and clang: four floats, loaded from anywhere. */
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

static inline void transpose_4x4(float *to, int64_t to_row, const float *from, int64_t from_row)
{
    const four a = *(const four *)from, b = *(const four *)(from + from_row), c = *(const four *)(from + 2 * from_row),
               d = *(const four *)(from + 3 * from_row);
    const four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(four *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(four *)(to + to_row) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(four *)(to + 2 * to_row) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(four *)(to + 3 * to_row) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void transpose_tile(float *to, int64_t to_row, const float *from, int64_t from_row, int64_t rows,
                           int64_t columns)
{
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    /* first along those lines that lie farther apart, and so compete for places in the cache, until they are used up */
    if (to_row > from_row) {
        for (int64_t j = 0; j < whole_columns; j += 4)
            for (int64_t i = 0; i < whole_rows; i += 4)
                transpose_4x4(to + j * to_row + i, to_row, from + i * from_row + j, from_row);
    } else {
        for (int64_t i = 0; i < whole_rows; i += 4)
            for (int64_t j = 0; j < whole_columns; j += 4)
                transpose_4x4(to + j * to_row + i, to_row, from + i * from_row + j, from_row);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            to[j * to_row + i] = from[i * from_row + j];
}

static int64_t tiles_of(int64_t extent)
{
    return (extent + TILE - 1) / TILE;
}

static int64_t tile_length(int64_t extent, int64_t tile)
{
    return extent - tile * TILE < TILE ? extent - tile * TILE : TILE;
}

void mc_transpose_floats(float *to, int64_t to_row, const float *from, int64_t from_row, int64_t rows, int64_t columns)
{
    for (int64_t c = 0; c < tiles_of(columns); c++)
        for (int64_t r = 0; r < tiles_of(rows); r++)
            transpose_tile(to + c * TILE * to_row + r * TILE, to_row, from + r * TILE * from_row + c * TILE, from_row,
                           tile_length(rows, r), tile_length(columns, c));
}

static void copy_one_tile(unsigned char *to, const unsigned char *from, struct axis rows, struct axis columns,
                          size_t size)
{
    if (size == sizeof(float)) {
        transpose_tile((float *)(void *)to, columns.to, (const float *)(const void *)from, rows.from, rows.extent,
                       columns.extent);
        return;
    }
#define CALL(constant) copy_tile(to, from, rows, columns, constant)
    FOR_SIZE(size, CALL)
#undef CALL
}

static void copy_one_line(unsigned char *to, const unsigned char *from, struct axis axis, size_t size)
{
    if (axis.to == 1 && axis.from == 1) {
        memcpy(to, from, (size_t)axis.extent * size);
        return;
    }
#define CALL(constant) copy_elements(to, from, axis, constant)
    FOR_SIZE(size, CALL)
#undef CALL
}

/* --- walks around them --- */

/* One long run: cut it, since there is nothing outside it to share out. */
static void copy_run(unsigned char *to, const unsigned char *from, size_t bytes)
{
    const size_t piece = 64 * 1024;
    const int64_t n = (int64_t)((bytes + piece - 1) / piece);
#pragma omp parallel for schedule(static) if (bytes >= PARALLEL_BYTES)
    for (int64_t i = 0; i < n; i++) {
        const size_t begin = (size_t)i * piece;
        memcpy(to + begin, from + begin, begin + piece < bytes ? piece : bytes - begin);
    }
}

static void copy_lines(unsigned char *to, const unsigned char *from, struct mc_box box, struct axis axis, size_t size)
{
    const bool large = box_count(&box) * axis.extent * (int64_t)size >= PARALLEL_BYTES;
    const int64_t n = box_count(&box), n_pieces = large ? 64 : 1;
#pragma omp parallel for schedule(static) if (large)
    for (int64_t piece = 0; piece < n_pieces; piece++) {
        const int64_t begin = n * piece / n_pieces, end = n * (piece + 1) / n_pieces;
        struct position p;
        position_set(&p, &box, begin);
        for (int64_t i = begin; i < end; i++, position_next(&p, &box))
            copy_one_line(to + p.to * (int64_t)size, from + p.from * (int64_t)size, axis, size);
    }
}

/* The part of an axis that tile t covers. */
static struct axis tile_axis(struct axis axis, int64_t t)
{
    return (struct axis){tile_length(axis.extent, t), axis.to, axis.from};
}

static void copy_transposed(unsigned char *to, const unsigned char *from, struct mc_box box, struct axis rows,
                            struct axis columns, size_t size)
{
    const bool large = box_count(&box) * rows.extent * columns.extent * (int64_t)size >= PARALLEL_BYTES;
    const int64_t n_rows = tiles_of(rows.extent), n_columns = tiles_of(columns.extent);
    const int64_t n = box_count(&box) * n_columns;
#pragma omp parallel for schedule(static) if (large)
    for (int64_t i = 0; i < n; i++) {
        struct position p;
        position_set(&p, &box, i / n_columns);
        const int64_t column = i % n_columns;
        unsigned char *const t = to + (p.to + column * TILE * columns.to) * (int64_t)size;
        const unsigned char *const f = from + (p.from + column * TILE) * (int64_t)size;
        const struct axis tile_columns = tile_axis(columns, column);
        for (int64_t row = 0; row < n_rows; row++)
            copy_one_tile(t + row * TILE * (int64_t)size, f + row * TILE * rows.from * (int64_t)size,
                          tile_axis(rows, row), tile_columns, size);
    }
}

/* The last axis of stride 1, or -1. */
static int contiguous_axis(const int64_t *strides, int rank)
{
    int k = rank - 1;
    while (k >= 0 && strides[k] != 1) k--;
    return k;
}

void mc_copy_box(void *to, const void *from, const struct mc_box *wanted, size_t size)
{
    struct mc_box box = *wanted;
    if (box_count(&box) == 0) return;
    mc_box_simplify(&box);
    if (box.rank == 0) {
        memcpy(to, from, size);
        return;
    }
    const struct axis inner = take_axis(&box, box.rank - 1);
    if (inner.to == 1 && inner.from == 1 && box.rank == 0) {
        copy_run(to, from, (size_t)inner.extent * size);
        return;
    }
    const int columns = inner.to == 1 && inner.from > 1 ? contiguous_axis(box.from, box.rank) : -1;
    const int rows = inner.from == 1 && inner.to > 1 ? contiguous_axis(box.to, box.rank) : -1;
    const struct axis outer = columns >= 0 ? take_axis(&box, columns) : rows >= 0 ? take_axis(&box, rows) : inner;
    if (columns >= 0)
        copy_transposed(to, from, box, inner, outer, size);
    else if (rows >= 0)
        copy_transposed(to, from, box, outer, inner, size);
    else
        copy_lines(to, from, box, inner, size);
}

void mc_fill(void *to, const void *element, int64_t n, size_t size)
{
    static const unsigned char zeroes[16];
    assert(size <= sizeof zeroes);
    if (n == 0) return;
    if (!memcmp(element, zeroes, size)) {
        memset(to, 0, (size_t)n * size);
        return;
    }
    const struct mc_box box = {.rank = 1, .extent = {n}, .to = {1}, .from = {0}};
    mc_copy_box(to, element, &box, size);
}

void mc_turn_channels(void *to, const void *from, int64_t n, int64_t channels, int64_t positions, size_t size,
                      bool to_last)
{
    struct mc_box box = {.rank = 3, .extent = {n, channels, positions}};
    const int64_t first[] = {channels * positions, positions, 1}, last[] = {channels * positions, 1, channels};
    memcpy(box.to, to_last ? last : first, sizeof first);
    memcpy(box.from, to_last ? first : last, sizeof first);
    mc_copy_box(to, from, &box, size);
}
