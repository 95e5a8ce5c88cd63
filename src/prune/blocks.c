/* blocks.c - weights that go together; see blocks.h. */
#include "prune/blocks.h"

#include <assert.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"

static int64_t n_blocks(int64_t extent, int64_t size)
{
    return (extent + size - 1) / size;
}

/* A shape seen as [outer, a, middle, b, inner], where a and b are the axes that are cut. */
struct cut {
    int64_t outer, a, middle, b, inner;
    int64_t size_a, size_b; /* of a block */
};

static struct cut cut_of(const struct mc_shape *shape, const struct mc_blocks *blocks)
{
    const bool rows_first = blocks->row_axis < blocks->column_axis;
    const int a = rows_first ? blocks->row_axis : blocks->column_axis;
    const int b = rows_first ? blocks->column_axis : blocks->row_axis;
    assert(a >= 0 && a < b && b < shape->rank && blocks->rows > 0 && blocks->columns > 0);
    return (struct cut){
        .outer = mc_shape_span(shape, 0, a),
        .a = shape->dim[a],
        .middle = mc_shape_span(shape, a + 1, b),
        .b = shape->dim[b],
        .inner = mc_shape_span(shape, b + 1, shape->rank),
        .size_a = rows_first ? blocks->rows : blocks->columns,
        .size_b = rows_first ? blocks->columns : blocks->rows,
    };
}

/* The block of element [o, a, m, b, 0]; those of the elements behind it follow. */
static int64_t block_at(const struct cut *c, int64_t o, int64_t a, int64_t m, int64_t b)
{
    const int64_t row = (o * n_blocks(c->a, c->size_a) + a / c->size_a) * c->middle + m;
    return (row * n_blocks(c->b, c->size_b) + b / c->size_b) * c->inner;
}

/* How many weights there are in a block: those of its axes that are there. */
static int64_t present(int64_t at, int64_t extent, int64_t size)
{
    const int64_t begin = at / size * size;
    return extent - begin < size ? extent - begin : size;
}

typedef void visit_fn(void *context, int64_t element, int64_t block, double share);

/* Call `visit` for each weight, with its block and its share in it. */
static void for_each(const struct cut *c, visit_fn *visit, void *context)
{
    int64_t element = 0;
    for (int64_t o = 0; o < c->outer; o++)
        for (int64_t a = 0; a < c->a; a++)
            for (int64_t m = 0; m < c->middle; m++)
                for (int64_t b = 0; b < c->b; b++) {
                    const int64_t block = block_at(c, o, a, m, b);
                    const double n = (double)(present(a, c->a, c->size_a) * present(b, c->b, c->size_b));
                    for (int64_t i = 0; i < c->inner; i++) visit(context, element++, block + i, 1 / n);
                }
}

struct scoring {
    const struct mc_tensor *weights;
    double *means;
};

static void add_square(void *context, int64_t element, int64_t block, double share)
{
    const struct scoring *s = context;
    const double w = mc_tensor_get_f64(s->weights, element);
    s->means[block] += w * w * share;
}

int mc_blocks_score(struct mc_tensor **score, const struct mc_tensor *weights, const struct mc_blocks *blocks,
                    struct mc_error *err)
{
    struct mc_shape shape = weights->shape;
    shape.dim[blocks->row_axis] = n_blocks(shape.dim[blocks->row_axis], blocks->rows);
    shape.dim[blocks->column_axis] = n_blocks(shape.dim[blocks->column_axis], blocks->columns);
    const int64_t n = mc_shape_count(&shape);
    const struct cut cut = cut_of(&weights->shape, blocks);
    struct scoring s = {weights, MC_NEW_ARRAY(double, n)};
    const int rc = s.means ? mc_tensor_create(score, MC_FLOAT, &shape, err) : mc_error_memory(err);
    if (rc == MC_OK) {
        for_each(&cut, add_square, &s);
        float *scores = (*score)->data;
        for (int64_t k = 0; k < n; k++) scores[k] = (float)sqrt(s.means[k]);
    }
    mc_free(s.means);
    return rc;
}

struct spreading {
    const unsigned char *of_blocks;
    unsigned char *keep;
};

static void spread(void *context, int64_t element, int64_t block, double share)
{
    (void)share;
    const struct spreading *s = context;
    s->keep[element] = s->of_blocks[block];
}

void mc_blocks_spread(const unsigned char *of_blocks, const struct mc_shape *weights, const struct mc_blocks *blocks,
                      unsigned char *keep)
{
    const struct cut cut = cut_of(weights, blocks);
    struct spreading s = {of_blocks, keep};
    for_each(&cut, spread, &s);
}
