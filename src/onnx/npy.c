/* npy.c - NumPy's array file; see npy.h. */
#include "onnx/npy.h"

#include <string.h>

#include "base/error.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6
#define ALIGNMENT 64

/* An honest header is a hundred bytes long; NumPy itself refuses more than ten thousand. */
#define MAX_HEADER 10000

static const struct {
    char descr[5];
    enum mc_dtype dtype;
} types[] = {
    {"|b1", MC_BOOL},   {"|u1", MC_UINT8},  {"|i1", MC_INT8},      {"<u2", MC_UINT16},      {"<i2", MC_INT16},
    {"<u4", MC_UINT32}, {"<i4", MC_INT32},  {"<u8", MC_UINT64},    {"<i8", MC_INT64},       {"<f2", MC_FLOAT16},
    {"<f4", MC_FLOAT},  {"<f8", MC_DOUBLE}, {"<c8", MC_COMPLEX64}, {"<c16", MC_COMPLEX128},
};

/* --- reading: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } --- */

struct header {
    enum mc_dtype dtype;
    bool fortran;
    struct mc_shape shape;
    unsigned seen; /* bit per key */
};

/* Where the parser stands in a header, which ends at `end` and not in 0. */
struct text {
    const char *at, *end;
};

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t')) t->at++;
}

static bool take(struct text *t, char c)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != c) return false;
    t->at++;
    return true;
}

static bool take_word(struct text *t, const char *word)
{
    const size_t length = strlen(word);
    skip_blanks(t);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0) return false;
    t->at += length;
    return true;
}

/* A quoted string without escapes into `out`. */
static bool take_string(struct text *t, char *out, size_t size)
{
    skip_blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"')) return false;
    const char quote = *t->at++;
    size_t n = 0;
    for (; t->at < t->end && *t->at != quote; t->at++) {
        if (n + 1 >= size || *t->at == '\\') return false;
        out[n++] = *t->at;
    }
    out[n] = '\0';
    return take(t, quote);
}

static bool take_number(struct text *t, int64_t *number)
{
    skip_blanks(t);
    const char *start = t->at;
    int64_t n = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        if (n > (INT64_MAX - 9) / 10) return false;
        n = n * 10 + (*t->at - '0');
    }
    *number = n;
    return t->at > start;
}

/* (), (3,), (3, 4) */
static bool take_shape(struct text *t, struct mc_shape *shape)
{
    shape->rank = 0;
    if (!take(t, '(')) return false;
    for (bool more = true; !take(t, ')'); more = take(t, ',')) {
        if (!more || shape->rank == MC_MAX_RANK || !take_number(t, &shape->dim[shape->rank])) return false;
        shape->rank++;
    }
    return true;
}

static int read_descr(struct text *t, struct header *h, struct mc_error *err)
{
    char descr[64];
    if (!take_string(t, descr, sizeof descr))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "structured element types are not supported");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(descr, types[i].descr) != 0) continue;
        h->dtype = types[i].dtype;
        return MC_OK;
    }
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "element type '%s' is not supported", descr);
}

static int read_value(struct text *t, struct header *h, const char *key, struct mc_error *err)
{
    unsigned bit = 0;
    if (strcmp(key, "descr") == 0) {
        const int rc = read_descr(t, h, err);
        if (rc < 0) return rc;
        bit = 1;
    } else if (strcmp(key, "fortran_order") == 0) {
        h->fortran = take_word(t, "True");
        if (h->fortran || take_word(t, "False")) bit = 2;
    } else if (strcmp(key, "shape") == 0) {
        if (take_shape(t, &h->shape)) bit = 4;
    }
    if (bit == 0 || (h->seen & bit)) return mc_error_set(err, MC_ERR_INPUT, "'%s' in the header makes no sense", key);
    h->seen |= bit;
    return MC_OK;
}

static int read_header(struct header *h, const char *bytes, size_t length, struct mc_error *err)
{
    struct text t = {bytes, bytes + length};
    char key[64];
    *h = (struct header){0};
    if (!take(&t, '{')) return mc_error_set(err, MC_ERR_INPUT, "the header is not a dictionary");
    while (!take(&t, '}')) {
        if (!take_string(&t, key, sizeof key) || !take(&t, ':'))
            return mc_error_set(err, MC_ERR_INPUT, "the header is not a dictionary");
        const int rc = read_value(&t, h, key, err);
        if (rc < 0) return rc;
        take(&t, ',');
    }
    skip_blanks(&t);
    if (t.at != t.end || h->seen != 7)
        return mc_error_set(err, MC_ERR_INPUT, "the header lacks descr, fortran_order or shape, or has more");
    return MC_OK;
}

/* *header and *n: the header's text; *data: the offset of what follows. */
static int find_header(const unsigned char *bytes, size_t length, const char **header, size_t *n, size_t *data,
                       struct mc_error *err)
{
    if (length < MAGIC_BYTES + 4 || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return mc_error_set(err, MC_ERR_INPUT, "this is not a NumPy file");
    const int version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3 || bytes[MAGIC_BYTES + 1] != 0)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "NumPy format %d.%d is not known", version,
                            bytes[MAGIC_BYTES + 1]);
    const unsigned char *size = bytes + MAGIC_BYTES + 2;
    const size_t start = MAGIC_BYTES + 2 + (version == 1 ? 2 : 4);
    if (length < start) return mc_error_set(err, MC_ERR_INPUT, "the file ends within the header");
    *n = (size_t)size[0] | (size_t)size[1] << 8;
    if (version > 1) *n |= (size_t)size[2] << 16 | (size_t)size[3] << 24;
    if (*n > MAX_HEADER)
        return mc_error_set(err, MC_ERR_INPUT, "the header has %zu bytes, at most %d are read", *n, MAX_HEADER);
    if (*n > length - start) return mc_error_set(err, MC_ERR_INPUT, "the file ends within the header");
    *header = (const char *)bytes + start;
    *data = start + *n;
    return MC_OK;
}

/* Are the elements in the same places in either order: at most one extent above 1? */
static bool order_is_moot(const struct mc_shape *shape)
{
    int long_axes = 0;
    for (int i = 0; i < shape->rank; i++) long_axes += shape->dim[i] > 1;
    return long_axes <= 1 || mc_shape_count(shape) == 0;
}

static bool has_wrong_bool(const struct mc_tensor *tensor, size_t bytes)
{
    const unsigned char *byte = tensor->data;
    if (tensor->dtype != MC_BOOL) return false;
    for (size_t i = 0; i < bytes; i++)
        if (byte[i] > 1) return true;
    return false;
}

int mc_npy_parse(struct mc_tensor **tensor, const void *bytes, size_t length, struct mc_error *err)
{
    const char *text = NULL;
    size_t n = 0, offset = 0, needed;
    struct header h;
    char shape[256];
    int rc = find_header(bytes, length, &text, &n, &offset, err);
    if (rc == MC_OK) rc = read_header(&h, text, n, err);
    if (rc < 0) return rc;
    if (!mc_dtype_size(h.dtype, mc_shape_count(&h.shape), &needed) || needed != length - offset)
        return mc_error_set(err, MC_ERR_INPUT, "%zu bytes of elements do not make %s %s", length - offset,
                            mc_dtype_name(h.dtype), mc_shape_text(&h.shape, shape, sizeof shape));
    if (h.fortran && !order_is_moot(&h.shape))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "arrays in Fortran order are not supported");
    struct mc_tensor *t;
    rc = mc_tensor_create(&t, h.dtype, &h.shape, err);
    if (rc < 0) return rc;
    if (needed > 0) memcpy(t->data, (const char *)bytes + offset, needed);
    if (has_wrong_bool(t, needed)) {
        mc_tensor_destroy(t);
        return mc_error_set(err, MC_ERR_INPUT, "a bool is neither 0 nor 1");
    }
    *tensor = t;
    return MC_OK;
}

/* --- writing --- */

static const char *descr_of(enum mc_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].dtype == dtype) return types[i].descr;
    return NULL;
}

int mc_npy_header(struct mc_buf *out, const struct mc_tensor *tensor, struct mc_error *err)
{
    const char *descr = descr_of(tensor->dtype);
    if (!descr)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "NumPy has no element type %s", mc_dtype_name(tensor->dtype));
    const size_t start = out->length;
    mc_buf_append(out, MAGIC "\1\0\0\0", MAGIC_BYTES + 4); /* the length is put in below */
    mc_buf_printf(out, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < tensor->shape.rank; i++)
        mc_buf_printf(out, i ? ", %lld" : "%lld", (long long)tensor->shape.dim[i]);
    mc_buf_puts(out, tensor->shape.rank == 1 ? ",), }" : "), }");
    while ((out->length - start + 1) % ALIGNMENT != 0 && !out->failed) mc_buf_puts(out, " ");
    mc_buf_puts(out, "\n");
    if (out->failed) return mc_error_memory(err);
    const size_t n = out->length - start - (MAGIC_BYTES + 4);
    out->data[start + MAGIC_BYTES + 2] = (char)(n & 255);
    out->data[start + MAGIC_BYTES + 3] = (char)(n >> 8);
    return MC_OK;
}
