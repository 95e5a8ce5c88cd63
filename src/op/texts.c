/* texts.c - StringConcat, StringSplit, RegexFullMatch (ONNX opset 20), StringNormalizer (10). */
#include <inttypes.h>
#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/regex.h"
#include "op/items.h"
#include "op/move.h"

static int need_texts(const struct mc_node *node, int i, const struct mc_fact *fact, struct mc_error *err)
{
    return mc_need_dtype(node, i, fact, MC_TYPE_BIT(MC_STRING), err);
}

static int take_texts(const struct mc_call *call, int i, const struct mc_tensor **x, struct mc_error *err)
{
    const int rc = mc_take_tensor(call, i, x, err);
    if (rc < 0 || (*x)->dtype == MC_STRING) return rc;
    return mc_error_set(err, MC_ERR_INPUT, "input %d: needs texts, has %s", i, mc_dtype_name((*x)->dtype));
}

static const struct mc_text *texts_of(const struct mc_tensor *x)
{
    return x->data;
}

/* --- StringConcat --- */

static int string_concat_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                               struct mc_error *err)
{
    char a[96], b[96];
    int rc = need_texts(node, 0, in[0], err);
    if (rc == MC_OK) rc = need_texts(node, 1, in[1], err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = MC_STRING};
    if (mc_shape_broadcast(&in[0]->shape, &in[1]->shape, &out[0].shape)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "shapes %s and %s do not broadcast",
                        mc_shape_text(&in[0]->shape, a, sizeof a), mc_shape_text(&in[1]->shape, b, sizeof b));
}

/* All joined texts one behind the other, of which `texts` are the lengths, then the places. */
static int join(const struct mc_shape *shape, struct mc_tensor *const *in, struct mc_text *texts, struct mc_buf *bytes)
{
    const int64_t n = mc_shape_count(shape);
    struct mc_walk walk;
    mc_walk_start(&walk, shape, 2, in);
    for (int64_t i = 0; i < n; i++, mc_walk_next(&walk)) {
        const struct mc_text *a = &texts_of(in[0])[walk.offset[0]], *b = &texts_of(in[1])[walk.offset[1]];
        mc_buf_append(bytes, a->bytes, a->length);
        mc_buf_append(bytes, b->bytes, b->length);
        texts[i].length = a->length + b->length;
    }
    const char *at = bytes->data;
    for (int64_t i = 0; i < n && !bytes->failed; i++) {
        texts[i].bytes = at;
        at += texts[i].length;
    }
    return bytes->failed ? MC_ERR_SYSTEM : MC_OK;
}

static int string_concat_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *a = NULL, *b = NULL;
    struct mc_tensor *y = NULL;
    struct mc_shape shape;
    struct mc_buf bytes;
    int rc = take_texts(call, 0, &a, err);
    if (rc == MC_OK) rc = take_texts(call, 1, &b, err);
    if (rc < 0) return rc;
    if (!mc_shape_broadcast(&a->shape, &b->shape, &shape) || mc_shape_count(&shape) < 0)
        return mc_error_set(err, MC_ERR_INPUT, "its inputs do not broadcast");
    struct mc_text *texts = MC_NEW_ARRAY(struct mc_text, mc_shape_count(&shape) + 1);
    mc_buf_init(&bytes, SIZE_MAX / 2);
    struct mc_tensor *const in[] = {call->in[0]->tensor, call->in[1]->tensor};
    rc = !texts || join(&shape, in, texts, &bytes) < 0 ? mc_error_memory(err) : MC_OK;
    if (rc == MC_OK) rc = mc_tensor_create_texts(&y, &shape, texts, err);
    mc_buf_finish(&bytes);
    mc_free(texts);
    return rc == MC_OK ? mc_give_tensor(call, 0, y, err) : rc;
}

/* --- StringSplit --- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A list of texts that grows. */
struct pieces {
    struct mc_text *at;
    size_t n, capacity;
};

static int add_piece(struct pieces *pieces, const char *from, const char *to, struct mc_error *err)
{
    if (!mc_grow((void **)&pieces->at, pieces->n, &pieces->capacity, sizeof *pieces->at)) return mc_error_memory(err);
    pieces->at[pieces->n++] = (struct mc_text){from, (size_t)(to - from)};
    return MC_OK;
}

/* At runs of white space, of which those at either end count for nothing. After `most` splits the rest stays whole. */
static int split_at_blanks(const struct mc_text *text, int64_t most, struct pieces *pieces, struct mc_error *err)
{
    const char *at = text->bytes, *const end = at + text->length;
    int rc = MC_OK;
    for (int64_t n = 0; rc == MC_OK; n++) {
        while (at < end && is_blank(*at)) at++;
        if (at == end) break;
        const char *const from = at;
        if (n == most) return add_piece(pieces, from, end, err);
        while (at < end && !is_blank(*at)) at++;
        rc = add_piece(pieces, from, at, err);
    }
    return rc;
}

static const char *find(const char *at, const char *end, const struct mc_text *what)
{
    for (; (size_t)(end - at) >= what->length; at++)
        if (memcmp(at, what->bytes, what->length) == 0) return at;
    return NULL;
}

static int split_at(const struct mc_text *text, const struct mc_text *delimiter, int64_t most, struct pieces *pieces,
                    struct mc_error *err)
{
    const char *from = text->length ? text->bytes : "", *const end = from + text->length;
    int rc = MC_OK;
    for (int64_t n = 0; n < most && rc == MC_OK; n++) {
        const char *at = find(from, end, delimiter);
        if (!at) break;
        rc = add_piece(pieces, from, at, err);
        from = at + delimiter->length;
    }
    return rc == MC_OK ? add_piece(pieces, from, end, err) : rc;
}

static int split_all(const struct mc_call *call, const struct mc_tensor *x, struct pieces *pieces, int64_t *counts,
                     struct mc_error *err)
{
    const struct mc_attr *delimiter = mc_node_attr(call->node, "delimiter");
    const int64_t stated = mc_node_int(call->node, "maxsplit", -1), most = stated < 0 ? INT64_MAX : stated;
    int rc = MC_OK;
    for (int64_t i = 0; i < mc_tensor_count(x) && rc == MC_OK; i++) {
        const size_t before = pieces->n;
        if (!delimiter || delimiter->type != MC_ATTR_STRING || delimiter->s.length == 0)
            rc = split_at_blanks(&texts_of(x)[i], most, pieces, err);
        else
            rc = split_at(&texts_of(x)[i], &delimiter->s, most, pieces, err);
        counts[i] = (int64_t)(pieces->n - before);
    }
    return rc;
}

/* Rows of as many texts as the longest has, the last of them empty. */
static int pad_rows(const struct pieces *pieces, const int64_t *counts, const struct mc_shape *shape,
                    struct mc_tensor **y, struct mc_error *err)
{
    const int64_t columns = shape->dim[shape->rank - 1], n = mc_shape_count(shape);
    struct mc_text *texts = n >= 0 ? MC_NEW_ARRAY(struct mc_text, n + 1) : NULL;
    const struct mc_text *next = pieces->at;
    if (!texts) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++) {
        const bool there = i % columns < counts[i / columns];
        texts[i] = there ? *next : (struct mc_text){"", 0};
        next += there;
    }
    const int rc = mc_tensor_create_texts(y, shape, texts, err);
    mc_free(texts);
    return rc;
}

static int string_split_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y = NULL, *z = NULL;
    struct pieces pieces = {0};
    int rc = take_texts(call, 0, &x, err);
    if (rc == MC_OK && x->shape.rank == MC_MAX_RANK)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "input 0: needs fewer than %d dimensions", MC_MAX_RANK);
    if (rc == MC_OK) rc = mc_tensor_create(&z, MC_INT64, &x->shape, err);
    if (rc < 0) return rc;
    int64_t *counts = z->data, most = 0;
    rc = split_all(call, x, &pieces, counts, err);
    for (int64_t i = 0; i < mc_tensor_count(z) && rc == MC_OK; i++) most = counts[i] > most ? counts[i] : most;
    struct mc_shape shape = x->shape;
    shape.dim[shape.rank++] = most;
    if (rc == MC_OK) rc = pad_rows(&pieces, counts, &shape, &y, err);
    mc_free(pieces.at);
    if (rc == MC_OK) rc = mc_give_tensor(call, 0, y, err);
    if (rc == MC_OK) return mc_give_tensor(call, 1, z, err);
    mc_tensor_destroy(z);
    return rc;
}

/* --- RegexFullMatch --- */

static int regex_full_match_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                  struct mc_error *err)
{
    const struct mc_attr *pattern = mc_node_attr(node, "pattern");
    const int rc = need_texts(node, 0, in[0], err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = MC_BOOL, .shape = in[0]->shape};
    if (pattern && pattern->type == MC_ATTR_STRING) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'pattern': needs a regular expression");
}

static void regex_release(struct mc_step *step)
{
    mc_regex_destroy(step->state);
    step->state = NULL;
}

static int regex_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_attr *pattern = mc_node_attr(step->node, "pattern");
    struct mc_regex *regex;
    const int rc = mc_regex_create(&regex, pattern->s.bytes, pattern->s.length, err);
    step->state = regex;
    return rc < 0 ? mc_error_wrap(err, rc, "attribute 'pattern'") : rc;
}

static int regex_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_text *texts = texts_of(step->in[0]);
    bool *y = step->out[0]->data;
    int rc = MC_OK;
    for (int64_t i = 0; i < mc_tensor_count(step->in[0]) && rc == MC_OK; i++)
        rc = mc_regex_matches(step->state, texts[i].length ? texts[i].bytes : "", texts[i].length, &y[i], err);
    return rc;
}

/* --- StringNormalizer --- */

enum change { LOWER, UPPER, NONE };

/* Letters beyond ASCII change as Unicode has it, whatever locale the node names: that is the environment's business. */
struct casing {
    enum change change;
    bool sensitive;
    locale_t locale;
};

static wint_t change_letter(const struct casing *casing, enum change change, wint_t c)
{
    if (change == NONE) return c;
    if (c < 0x80) {
        const bool letter = change == UPPER ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        return letter ? c ^ 0x20 : c;
    }
    return change == UPPER ? towupper_l(c, casing->locale) : towlower_l(c, casing->locale);
}

/* The character at *at, which moves on; -1 for a byte that is no UTF-8. */
static int64_t next_character(const char **at, const char *end)
{
    const unsigned char *s = (const unsigned char *)*at;
    const int more = s[0] < 0x80 ? 0 : s[0] < 0xc2 ? -1 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : -1;
    int64_t c = more <= 0 ? s[0] : s[0] & (0x3f >> more);
    bool whole = more >= 0 && end - *at > more;
    for (int i = 1; i <= more && whole; i++) {
        whole = (s[i] & 0xc0) == 0x80;
        c = c << 6 | (s[i] & 0x3f);
    }
    *at += whole ? more + 1 : 1;
    return whole ? c : -1;
}

static void put_character(struct mc_buf *buf, uint32_t c)
{
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    char bytes[4];
    for (int i = more; i > 0; i--, c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(lead[more] | c);
    mc_buf_append(buf, bytes, (size_t)more + 1);
}

static void put_text(struct mc_buf *buf, const struct casing *casing, enum change change, const struct mc_text *text)
{
    const char *at = text->bytes, *const end = at + text->length;
    while (text->length && at < end) {
        const char *const from = at;
        const int64_t c = next_character(&at, end);
        const wint_t changed = c < 0 ? 0 : change_letter(casing, change, (wint_t)c);
        if (c < 0 || changed == (wint_t)c)
            mc_buf_append(buf, from, (size_t)(at - from));
        else
            put_character(buf, (uint32_t)changed);
    }
}

/* Are they the same, in lower case where case does not matter? `room` holds what that takes. */
static bool is_word(const struct casing *casing, const struct mc_text *a, const struct mc_text *b, struct mc_buf *room)
{
    if (casing->sensitive) return a->length == b->length && (!a->length || memcmp(a->bytes, b->bytes, a->length) == 0);
    room->length = 0;
    put_text(room, casing, LOWER, a);
    const size_t middle = room->length;
    put_text(room, casing, LOWER, b);
    return !room->failed && room->length == 2 * middle &&
           (!middle || memcmp(room->data, room->data + middle, middle) == 0);
}

static bool is_stopped(const struct casing *casing, const struct mc_node *node, const struct mc_text *text,
                       struct mc_buf *room)
{
    const struct mc_attr *stops = mc_node_attr(node, "stopwords");
    for (int64_t i = 0; stops && stops->type == MC_ATTR_STRINGS && i < stops->n; i++)
        if (is_word(casing, text, &stops->strings[i], room)) return true;
    return false;
}

/* The texts that stay, changed, one behind the other in `bytes`; returns how many. */
static int64_t normalize(const struct casing *casing, const struct mc_node *node, const struct mc_tensor *x,
                         struct mc_text *texts, struct mc_buf *bytes, struct mc_buf *room)
{
    int64_t n = 0;
    for (int64_t i = 0; i < mc_tensor_count(x); i++) {
        const struct mc_text *text = &texts_of(x)[i];
        const size_t before = bytes->length;
        if (is_stopped(casing, node, text, room)) continue;
        put_text(bytes, casing, casing->change, text);
        texts[n++].length = bytes->length - before;
    }
    const char *at = bytes->data;
    for (int64_t i = 0; i < n && !bytes->failed && at; i++) {
        texts[i].bytes = at;
        at += texts[i].length;
    }
    return n;
}

static int casing_init(struct casing *casing, const struct mc_node *node, struct mc_error *err)
{
    static const char *const changes[] = {"LOWER", "UPPER", "NONE"};
    const int change = mc_node_choice(node, "case_change_action", changes, 3, NONE);
    if (change < 0)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'case_change_action': needs LOWER, UPPER or NONE");
    casing->change = (enum change)change;
    casing->sensitive = mc_node_int(node, "is_case_sensitive", 0) != 0;
    casing->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return casing->locale ? MC_OK : mc_error_set(err, MC_ERR_SYSTEM, "the system has no locale C.UTF-8");
}

static int string_normalizer_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y = NULL;
    struct casing casing = {0};
    struct mc_buf bytes, room;
    int rc = take_texts(call, 0, &x, err);
    if (rc == MC_OK && !(x->shape.rank == 1 || (x->shape.rank == 2 && x->shape.dim[0] == 1)))
        rc = mc_error_set(err, MC_ERR_INPUT, "input 0: needs shape [C] or [1,C]");
    if (rc == MC_OK) rc = casing_init(&casing, call->node, err);
    if (rc < 0) return rc;
    struct mc_text *texts = MC_NEW_ARRAY(struct mc_text, mc_tensor_count(x) + 1);
    mc_buf_init(&bytes, SIZE_MAX / 2);
    mc_buf_init(&room, SIZE_MAX / 2);
    if (texts) {
        const int64_t n = normalize(&casing, call->node, x, texts, &bytes, &room);
        struct mc_shape shape = x->shape;
        shape.dim[shape.rank - 1] = n ? n : 1; /* of nothing an empty text is left */
        if (!bytes.failed && !room.failed) rc = mc_tensor_create_texts(&y, &shape, texts, err);
    }
    if (!texts || bytes.failed || room.failed) rc = mc_error_memory(err);
    mc_buf_finish(&room);
    mc_buf_finish(&bytes);
    mc_free(texts);
    freelocale(casing.locale);
    return rc == MC_OK ? mc_give_tensor(call, 0, y, err) : rc;
}

MC_ITEM_OP(string_split, "", "StringSplit", 20, 1, 1, 2)
MC_ITEM_OP(string_normalizer, "", "StringNormalizer", 10, 1, 1, 1)

#define TEXT_OP(name, onnx_type, inputs, ...)                                                                          \
    const struct mc_op mc_op_##name##_20 = {.domain = "",                                                              \
                                            .type = onnx_type,                                                         \
                                            .since = 20,                                                               \
                                            .min_inputs = inputs,                                                      \
                                            .max_inputs = inputs,                                                      \
                                            .n_outputs = 1,                                                            \
                                            .shape = name##_shape,                                                     \
                                            .backward = NULL,                                                          \
                                            .no_backward = "texts have no derivative",                                 \
                                            .coupling = mc_coupling_freeze_all,                                        \
                                            .cost = mc_cost_free,                                                      \
                                            __VA_ARGS__}

TEXT_OP(string_concat, "StringConcat", 2, .evaluate = string_concat_evaluate);
TEXT_OP(regex_full_match, "RegexFullMatch", 1, .prepare = regex_prepare, .release = regex_release,
        .forward = regex_forward);
