/* boxes.c - NonMaxSuppression (ONNX opset 10): of boxes that overlap the one with the highest score. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/items.h"
#include "op/move.h"

enum { BOXES, SCORES, MOST, IOU, LEAST };

struct box {
    double x1, y1, x2, y2; /* x1 <= x2, y1 <= y2 */
};

struct candidate {
    double score;
    int64_t box;
};

struct selection {
    const struct mc_tensor *boxes, *scores;
    bool centered;
    int64_t most;
    double iou, least;
    int64_t n, capacity;
    int64_t *rows; /* [n, 3]: sample, class, box */
};

static struct box box_at(const struct selection *s, int64_t at)
{
    double v[4];
    for (int i = 0; i < 4; i++) v[i] = mc_tensor_get_f64(s->boxes, 4 * at + i);
    if (s->centered) return (struct box){v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
    return (struct box){fmin(v[1], v[3]), fmin(v[0], v[2]), fmax(v[1], v[3]), fmax(v[0], v[2])};
}

/* Intersection over union; 0 for boxes without area. */
static double overlap(const struct box *a, const struct box *b)
{
    const double w = fmin(a->x2, b->x2) - fmax(a->x1, b->x1), h = fmin(a->y2, b->y2) - fmax(a->y1, b->y1);
    const double one = (a->x2 - a->x1) * (a->y2 - a->y1), other = (b->x2 - b->x1) * (b->y2 - b->y1);
    if (!(w > 0 && h > 0 && one > 0 && other > 0)) return 0;
    return w * h / (one + other - w * h);
}

/* Highest score first; of equals the lower index. */
static int by_score(const void *a, const void *b)
{
    const struct candidate *p = a, *q = b;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return p->box < q->box ? -1 : p->box > q->box;
}

static int add_row(struct selection *s, int64_t sample, int64_t class, int64_t box, struct mc_error *err)
{
    if (s->n == s->capacity) {
        const int64_t capacity = 2 * s->capacity + 16;
        int64_t *rows = mc_realloc(s->rows, (size_t)capacity, 3 * sizeof *rows);
        if (!rows) return mc_error_memory(err);
        s->rows = rows;
        s->capacity = capacity;
    }
    int64_t *const row = s->rows + 3 * s->n++;
    row[0] = sample;
    row[1] = class;
    row[2] = box;
    return MC_OK;
}

/* boxes: those of the sample. */
static int select_class(struct selection *s, int64_t sample, int64_t class, const struct box *boxes,
                        struct candidate *room, struct mc_error *err)
{
    const int64_t n_boxes = s->boxes->shape.dim[1], classes = s->scores->shape.dim[1], first = s->n;
    int64_t n = 0;
    for (int64_t i = 0; i < n_boxes; i++) {
        const double score = mc_tensor_get_f64(s->scores, (sample * classes + class) * n_boxes + i);
        if (score > s->least) room[n++] = (struct candidate){score, i};
    }
    qsort(room, (size_t)n, sizeof *room, by_score);
    for (int64_t i = 0; i < n && s->n - first < s->most; i++) {
        bool keep = true;
        for (int64_t k = first; k < s->n && keep; k++)
            keep = overlap(&boxes[room[i].box], &boxes[s->rows[3 * k + 2]]) <= s->iou;
        const int rc = keep ? add_row(s, sample, class, room[i].box, err) : MC_OK;
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* Input i as one number; `otherwise` where it is left out. */
static int take_number(const struct mc_call *call, int i, double otherwise, double *number, struct mc_error *err)
{
    const struct mc_tensor *tensor = NULL;
    *number = otherwise;
    if (i >= call->n_in || !call->in[i]) return MC_OK;
    const int rc = mc_take_tensor(call, i, &tensor, err);
    if (rc < 0) return rc;
    if (mc_tensor_count(tensor) != 1 || !(MC_TYPE_BIT(tensor->dtype) & (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT64))))
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number", i, call->node->inputs[i]->name);
    *number = mc_tensor_get_f64(tensor, 0);
    return MC_OK;
}

static int take_boxes(const struct mc_call *call, struct selection *s, struct mc_error *err)
{
    double most = 0;
    int rc = mc_take_tensor(call, BOXES, &s->boxes, err);
    if (rc == MC_OK) rc = mc_take_tensor(call, SCORES, &s->scores, err);
    if (rc < 0) return rc;
    for (int i = 0; i < 2 && rc == MC_OK; i++) {
        const struct mc_fact fact = mc_fact_of(i ? s->scores : s->boxes);
        rc = mc_need_dtype(call->node, i, &fact, MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(call->node, i, &fact, 3, 3, err);
    }
    if (rc == MC_OK) rc = take_number(call, MOST, 0, &most, err);
    if (rc == MC_OK) rc = take_number(call, IOU, 0, &s->iou, err);
    if (rc == MC_OK) rc = take_number(call, LEAST, -INFINITY, &s->least, err);
    if (rc < 0) return rc;
    const struct mc_shape *b = &s->boxes->shape, *p = &s->scores->shape;
    if (b->dim[2] != 4 || p->dim[0] != b->dim[0] || p->dim[2] != b->dim[1])
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': has no score for each box",
                            call->node->inputs[SCORES]->name);
    if (!(s->iou >= 0 && s->iou <= 1))
        return mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': needs 0 to 1, has %g", call->node->inputs[IOU]->name,
                            s->iou);
    s->most = most < 0 ? 0 : most > 0x1p53 ? INT64_MAX : (int64_t)most;
    s->centered = mc_node_int(call->node, "center_point_box", 0) != 0;
    return MC_OK;
}

static int non_max_suppression_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct selection s = {0};
    struct mc_tensor *result = NULL;
    int rc = take_boxes(call, &s, err);
    if (rc < 0) return rc;
    const int64_t samples = s.scores->shape.dim[0], classes = s.scores->shape.dim[1];
    const int64_t n = s.boxes->shape.dim[1];
    struct candidate *room = MC_NEW_ARRAY(struct candidate, n);
    struct box *boxes = MC_NEW_ARRAY(struct box, n);
    if (!room || !boxes) rc = mc_error_memory(err);
    for (int64_t i = 0; i < samples && rc == MC_OK; i++) {
        for (int64_t k = 0; k < n; k++) boxes[k] = box_at(&s, i * n + k);
        for (int64_t c = 0; c < classes && rc == MC_OK; c++) rc = select_class(&s, i, c, boxes, room, err);
    }
    if (rc == MC_OK) {
        const struct mc_shape shape = {.rank = 2, .dim = {s.n, 3}};
        rc = mc_tensor_create(&result, MC_INT64, &shape, err);
    }
    for (int64_t i = 0; i < 3 * s.n && rc == MC_OK; i++) ((int64_t *)result->data)[i] = s.rows[i];
    mc_free(s.rows);
    mc_free(boxes);
    mc_free(room);
    return rc == MC_OK ? mc_give_tensor(call, 0, result, err) : rc;
}

MC_ITEM_OP(non_max_suppression, "", "NonMaxSuppression", 10, 2, 5, 1)
