/* pieces.c - walks through large contents; see pieces.h. */
#include "graph/pieces.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/cost.h"

/* Large enough for the disk and for threads to share. */
enum { PIECE_BYTES = 32 << 20 };

static int64_t piece_of(const struct mc_edit *edit, size_t size)
{
    const int64_t n = PIECE_BYTES / (int64_t)size, unit = edit ? edit->unit : 1;
    return n > unit ? n / unit * unit : unit;
}

/* --- changed pieces --- */

/* A visit that runs on a thread of its own, or did. */
struct visiting {
    mc_piece_fn *visit;
    void *context;
    const void *elements;
    int64_t n;
    pthread_t thread;
    bool runs;
    int rc;
    struct mc_error err;
};

static void *run_visit(void *of)
{
    struct visiting *v = of;
    v->rc = v->visit(v->context, v->elements, v->n, &v->err);
    return NULL;
}

static void begin_visit(struct visiting *v, const void *elements, int64_t n)
{
    v->elements = elements;
    v->n = n;
    v->runs = pthread_create(&v->thread, NULL, run_visit, v) == 0;
    if (!v->runs) run_visit(v);
}

static int end_visit(struct visiting *v, struct mc_error *err)
{
    if (v->runs) pthread_join(v->thread, NULL);
    v->runs = false;
    if (v->rc < 0) *err = v->err;
    return v->rc;
}

/* Pieces are made in two copies by turns: one is visited while the other is made. */
static int visit_changed(const struct mc_value *value, size_t size, int64_t piece, mc_piece_fn *visit, void *context,
                         struct mc_error *err)
{
    const struct mc_tensor *t = value->data;
    const int64_t count = mc_tensor_count(t);
    const size_t room = mc_align_pages((size_t)(piece < count ? piece : count) * size);
    struct visiting v = {.visit = visit, .context = context};
    unsigned char *copies = mc_alloc_pages(piece < count ? 2 * room : room);
    int rc = copies ? MC_OK : mc_error_memory(err);
    for (int64_t first = 0; first < count && rc == MC_OK; first += piece) {
        const int64_t n = count - first < piece ? count - first : piece;
        unsigned char *copy = copies + (size_t)(first / piece % 2) * room;
        memcpy(copy, (const unsigned char *)t->data + (size_t)first * size, (size_t)n * size);
        mc_tensor_forget(t, (size_t)first * size, (size_t)n * size);
        rc = value->edit->apply(value->edit, first, n, copy, err);
        if (rc == MC_OK) rc = end_visit(&v, err);
        if (rc == MC_OK && n == count) rc = visit(context, copy, n, err);
        if (rc == MC_OK && n < count) begin_visit(&v, copy, n);
    }
    const int last = end_visit(&v, rc == MC_OK ? err : &(struct mc_error){0});
    mc_free(copies);
    return rc < 0 ? rc : last;
}

int mc_value_visit(const struct mc_value *value, mc_piece_fn *visit, void *context, struct mc_error *err)
{
    const struct mc_tensor *t = value->data;
    const size_t size = (size_t)mc_dtype_bits(t->dtype) / 8;
    const int64_t count = mc_tensor_count(t);
    if (size == 0 || t->dtype == MC_STRING) return visit(context, t->data, count, err);
    const int64_t piece = piece_of(value->edit, size);
    if (value->edit) return visit_changed(value, size, piece, visit, context, err);
    int rc = MC_OK;
    for (int64_t first = 0; first < count && rc == MC_OK; first += piece) {
        const int64_t n = count - first < piece ? count - first : piece;
        rc = visit(context, (const unsigned char *)t->data + (size_t)first * size, n, err);
        mc_tensor_forget(t, (size_t)first * size, (size_t)n * size);
    }
    return rc;
}

int mc_edit_contents(const struct mc_edit *edit, struct mc_tensor *tensor, struct mc_error *err)
{
    return edit->apply(edit, 0, mc_tensor_count(tensor), tensor->data, err);
}

/* --- zeros --- */

struct count {
    enum mc_dtype dtype;
    int64_t nonzeros;
};

static int count_piece(void *context, const void *elements, int64_t n, struct mc_error *err)
{
    (void)err;
    struct count *c = context;
    const struct mc_tensor piece = {
        .dtype = c->dtype, .shape = {.rank = 1, .dim = {n}}, .data = (void *)(uintptr_t)elements};
    c->nonzeros += mc_tensor_nonzeros(&piece);
    return MC_OK;
}

int mc_value_nonzeros(const struct mc_value *value, int64_t *nonzeros, struct mc_error *err)
{
    struct count c = {.dtype = value->data->dtype};
    if (!value->edit && !value->data->mapped) {
        *nonzeros = mc_tensor_nonzeros(value->data);
        return MC_OK;
    }
    if (value->edit && value->edit->nonzeros >= 0) {
        *nonzeros = value->edit->nonzeros;
        return MC_OK;
    }
    const int rc = mc_value_visit(value, count_piece, &c, err);
    *nonzeros = c.nonzeros;
    return rc;
}
