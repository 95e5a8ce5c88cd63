/* pieces.c - walks through large contents; see pieces.h. */
#include "graph/pieces.h"

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

int mc_value_visit(const struct mc_value *value, mc_piece_fn *visit, void *context, struct mc_error *err)
{
    const struct mc_tensor *t = value->data;
    const size_t size = (size_t)mc_dtype_bits(t->dtype) / 8;
    const int64_t count = mc_tensor_count(t);
    if (size == 0 || t->dtype == MC_STRING) return visit(context, t->data, count, err);
    const int64_t piece = piece_of(value->edit, size);
    unsigned char *copy = value->edit ? mc_alloc((size_t)(piece < count ? piece : count), size) : NULL;
    int rc = value->edit && !copy ? mc_error_memory(err) : MC_OK;
    for (int64_t first = 0; first < count && rc == MC_OK; first += piece) {
        const int64_t n = count - first < piece ? count - first : piece;
        const unsigned char *elements = (const unsigned char *)t->data + (size_t)first * size;
        if (copy) {
            memcpy(copy, elements, (size_t)n * size);
            rc = value->edit->apply(value->edit, first, n, copy, err);
        }
        if (rc == MC_OK) rc = visit(context, copy ? copy : elements, n, err);
        mc_tensor_forget(t, (size_t)first * size, (size_t)n * size);
    }
    mc_free(copy);
    return rc;
}

int mc_edit_contents(const struct mc_edit *edit, struct mc_tensor *tensor, struct mc_error *err)
{
    return edit->apply(edit, 0, mc_tensor_count(tensor), tensor->data, err);
}

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
    const int rc = mc_value_visit(value, count_piece, &c, err);
    *nonzeros = c.nonzeros;
    return rc;
}
