/* pack.c - files to containers; see container.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "code/container.h"
#include "code/text.h"
#include "onnx/payload.h"

/* Shorter contents stay with the structure. */
enum { LEAST_PAYLOAD = 32 };

/* What zstd does with structure that is too long for the strong coder. */
enum { TEXT_MOST_BYTES = 1 << 17, ZSTD_FAST_LEVEL = 9, ZSTD_BEST_LEVEL = 19 };

const unsigned char mc_container_magic[MC_CONTAINER_MAGIC_BYTES] = {0x8f, 'M', 'C', 'P', 'K', '\r', '\n', 1};

bool mc_container_is(const unsigned char *bytes, size_t length)
{
    /* without the version: what is newer is a container too */
    return length >= MC_CONTAINER_MAGIC_BYTES && memcmp(bytes, mc_container_magic, MC_CONTAINER_MAGIC_BYTES - 1) == 0;
}

struct packing {
    mc_take_fn *take;
    void *context;
    enum mc_code_level level;
    struct mc_buf out;                    /* what nobody has taken yet */
    const struct mc_container_file *file; /* the present one */
    const unsigned char *bytes;
    size_t length;
    const struct mc_payload *payloads;
    size_t n_payloads;
    uint64_t seed; /* of the next block's check */
    struct mc_workspace workspace;
    struct mc_container_figures figures;
};

/* Hand over what was put; the file's pages will not be needed soon. */
static int hand_over(struct packing *p, struct mc_error *err)
{
    if (p->out.failed) return mc_error_memory(err);
    const int rc = p->take(p->context, (unsigned char *)p->out.data, p->out.length, err);
    p->figures.bytes_packed += p->out.length;
    p->out.length = 0;
    if (p->file) mc_file_forget(&p->file->bytes);
    return rc;
}

static void put_number(struct mc_buf *out, uint64_t number, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) mc_byte_write(out, (int)(number >> 8 * i & 255));
}

/* --- blocks --- */

/* `decoded` bytes come of the body. */
static int put_block(struct packing *p, int type, size_t decoded, const struct mc_buf *body, struct mc_error *err)
{
    mc_byte_write(&p->out, type);
    mc_varint_write(&p->out, decoded);
    mc_varint_write(&p->out, body->length);
    mc_buf_append(&p->out, body->data, body->length);
    if (body->failed || p->out.failed) return mc_error_memory(err);
    put_number(&p->out, mc_hash_bytes(p->out.data, p->out.length, p->seed++), MC_CONTAINER_CHECK_BYTES);
    p->figures.n_blocks++;
    if (type == MC_BLOCK_STRUCTURE || type == MC_BLOCK_BESIDE) p->figures.structure_packed += p->out.length;
    return hand_over(p, err);
}

static int put_end(struct packing *p, struct mc_error *err)
{
    struct mc_hash hash;
    struct mc_buf body;
    mc_hash_init(&hash, 0);
    for (size_t at = 0, n; at < p->length; at += n) {
        n = p->length - at < MC_SEGMENT_MOST_BYTES ? p->length - at : MC_SEGMENT_MOST_BYTES;
        mc_hash_add(&hash, p->bytes + at, n);
        mc_file_forget(&p->file->bytes);
    }
    mc_buf_init(&body, 64);
    put_number(&body, mc_hash_value(&hash), MC_CONTAINER_HASH_BYTES);
    const int rc = put_block(p, MC_BLOCK_END, 0, &body, err);
    mc_buf_finish(&body);
    return rc;
}

/* --- structure --- */

/* A stretch of the file: its structure up to the limits of a block, and which payloads lie within. */
struct section {
    size_t start, end;    /* in the file */
    size_t first, behind; /* payloads */
    size_t n_bytes;       /* of structure */
};

static void find_section(const struct packing *p, struct section *s)
{
    size_t at = s->start;
    s->n_bytes = 0;
    for (s->behind = s->first; s->behind < p->n_payloads; s->behind++) {
        const struct mc_payload *payload = &p->payloads[s->behind];
        if (payload->offset - at > MC_STRUCTURE_MOST_BYTES - s->n_bytes ||
            s->behind - s->first == MC_STRUCTURE_MOST_MARKS)
            break;
        s->n_bytes += payload->offset - at;
        at = payload->offset + payload->length;
    }
    /* then what lies behind the last payload, as far as it fits; the next one's length must not be cut in two */
    const size_t limit = s->behind < p->n_payloads ? p->payloads[s->behind].prefix : p->length;
    const size_t room = MC_STRUCTURE_MOST_BYTES - s->n_bytes;
    s->end = limit - at < room ? limit : at + room;
    s->n_bytes += s->end - at;
}

/* The places of the payloads as distances within the structure, then the structure. */
static void write_plain(const struct packing *p, const struct section *s, struct mc_buf *plain)
{
    size_t at = s->start;
    mc_varint_write(plain, s->behind - s->first);
    for (size_t i = s->first; i < s->behind; i++) {
        mc_varint_write(plain, p->payloads[i].prefix - at);
        if (p->file->name) mc_varint_write(plain, p->payloads[i].length);
        at = p->payloads[i].offset + p->payloads[i].length;
    }
    at = s->start;
    for (size_t i = s->first; i < s->behind; i++) {
        mc_buf_append(plain, p->bytes + at, p->payloads[i].offset - at);
        at = p->payloads[i].offset + p->payloads[i].length;
    }
    mc_buf_append(plain, p->bytes + at, s->end - at);
}

static int compress_plain(const struct packing *p, const struct mc_buf *plain, struct mc_buf *body,
                          struct mc_error *err)
{
    if (plain->length <= TEXT_MOST_BYTES || p->level == MC_CODE_BEST) {
        mc_byte_write(body, MC_STRUCTURE_TEXT);
        if (!mc_text_encode(body, (const unsigned char *)plain->data, plain->length)) return mc_error_memory(err);
    } else {
        mc_byte_write(body, MC_STRUCTURE_ZSTD);
        const int level = p->level == MC_CODE_BEST ? ZSTD_BEST_LEVEL : ZSTD_FAST_LEVEL;
        const int rc = mc_zstd_encode(body, plain->data, plain->length, level, err);
        if (rc < 0) return rc;
    }
    if (body->length <= plain->length) return MC_OK;
    body->length = 0;
    mc_byte_write(body, MC_STRUCTURE_RAW);
    mc_buf_append(body, plain->data, plain->length);
    return body->failed ? mc_error_memory(err) : MC_OK;
}

static int put_structure(struct packing *p, const struct section *s, struct mc_error *err)
{
    struct mc_buf plain, body;
    mc_buf_init(&plain, MC_STRUCTURE_MOST_PLAIN);
    mc_buf_init(&body, 2 * (size_t)MC_STRUCTURE_MOST_PLAIN);
    write_plain(p, s, &plain);
    int rc = plain.failed ? mc_error_memory(err) : compress_plain(p, &plain, &body, err);
    if (rc == MC_OK) rc = put_block(p, p->file->name ? MC_BLOCK_BESIDE : MC_BLOCK_STRUCTURE, plain.length, &body, err);
    p->figures.structure += s->n_bytes;
    mc_buf_finish(&plain);
    mc_buf_finish(&body);
    return rc;
}

/* --- data --- */

static struct mc_element_kind kind_of(const struct mc_payload *payload)
{
    const int bits = mc_dtype_bits(payload->dtype);
    struct mc_element_kind kind = {.width = bits >= 64 ? 8 : bits >= 8 ? bits / 8 : 1};
    switch (payload->dtype) {
    case MC_FLOAT:
    case MC_BFLOAT16:
        kind.exponent_bits = 8;
        break;
    case MC_FLOAT16:
        kind.exponent_bits = 5;
        break;
    case MC_DOUBLE:
    case MC_COMPLEX128:
        kind.exponent_bits = 11;
        break;
    case MC_COMPLEX64: /* pairs of floats */
        kind.exponent_bits = 8;
        kind.width = 4;
        break;
    default:
        break;
    }
    const int64_t scale = bits > 8 * kind.width ? bits / (8 * kind.width) : 1,
                  parts = bits > 0 && bits < 8 ? 8 / bits : 1;
    int64_t columns = payload->columns / parts, pitch = payload->pitch / parts;
    const int64_t most = UINT32_MAX / 4;
    columns = columns > most ? most : columns * scale;
    pitch = pitch > most ? most : pitch * scale;
    /* Where no rows are known all is one, and where they are too long the inner ones are. */
    if (columns < 2 || columns > 65536) columns = pitch > 1 && pitch <= 65536 ? pitch : 65536, pitch = 1;
    kind.columns = (uint32_t)columns;
    kind.pitch = (uint32_t)pitch;
    return kind;
}

struct block {
    struct mc_buf body;
    size_t decoded;
};

static int flush(struct packing *p, struct block *block, struct mc_error *err)
{
    if (block->decoded == 0) return MC_OK;
    const int rc = put_block(p, MC_BLOCK_DATA, block->decoded, &block->body, err);
    block->body.length = 0;
    block->decoded = 0;
    return rc;
}

static int put_segment(struct packing *p, struct block *block, const unsigned char *bytes, size_t length,
                       const struct mc_element_kind *kind, struct mc_error *err)
{
    enum mc_method method;
    int rc = block->decoded + length > MC_SEGMENT_MOST_BYTES ? flush(p, block, err) : MC_OK;
    const size_t before = block->body.length;
    if (rc == MC_OK) rc = mc_segment_encode(&block->body, bytes, length, kind, p->level, &p->workspace, &method, err);
    if (rc < 0) return rc;
    block->decoded += length;
    p->figures.methods[method].n_segments++;
    p->figures.methods[method].bytes += length;
    p->figures.methods[method].bytes_packed += block->body.length - before;
    return MC_OK;
}

/* A long payload in pieces of whole rows. */
static int put_payload(struct packing *p, struct block *block, const struct mc_payload *payload, struct mc_error *err)
{
    const struct mc_element_kind kind = kind_of(payload);
    const size_t row = (size_t)kind.columns * (size_t)kind.width;
    const size_t piece = row <= MC_SEGMENT_MOST_BYTES ? MC_SEGMENT_MOST_BYTES / row * row : MC_SEGMENT_MOST_BYTES;
    for (size_t done = 0; done < payload->length;) {
        const size_t length = payload->length - done < piece ? payload->length - done : piece;
        const int rc = put_segment(p, block, p->bytes + payload->offset + done, length, &kind, err);
        if (rc < 0) return rc;
        done += length;
    }
    return MC_OK;
}

static int put_data(struct packing *p, const struct section *s, struct mc_error *err)
{
    struct block block = {.decoded = 0};
    mc_buf_init(&block.body, SIZE_MAX / 2);
    int rc = MC_OK;
    for (size_t i = s->first; rc == MC_OK && i < s->behind; i++) rc = put_payload(p, &block, &p->payloads[i], err);
    if (rc == MC_OK) rc = flush(p, &block, err);
    mc_buf_finish(&block.body);
    return rc;
}

/* --- the whole --- */

/* Blocks of a file, behind its head, whose hash is the seed. */
static int put_blocks(struct packing *p, struct mc_error *err)
{
    struct section s = {0};
    int rc = MC_OK;
    while (rc == MC_OK && s.start < p->length) {
        find_section(p, &s);
        rc = put_structure(p, &s, err);
        if (rc == MC_OK) rc = put_data(p, &s, err);
        s.start = s.end;
        s.first = s.behind;
    }
    return rc == MC_OK ? put_end(p, err) : rc;
}

/* The end of the head: the file's length. */
static int put_file(struct packing *p, const struct mc_container_file *file, uint64_t seed, struct mc_error *err)
{
    struct mc_payload *found = NULL;
    p->file = file;
    p->bytes = file->bytes.data;
    p->length = file->bytes.length;
    p->payloads = file->payloads;
    p->n_payloads = file->n_payloads;
    p->figures.bytes += p->length;
    int rc = MC_OK;
    if (!file->name) {
        rc = mc_payloads_find(&found, &p->n_payloads, p->bytes, p->length, LEAST_PAYLOAD, err);
        p->payloads = found;
    }
    mc_varint_write(&p->out, p->length);
    p->seed = p->out.failed ? 0 : mc_hash_bytes(p->out.data, p->out.length, seed);
    if (rc == MC_OK) rc = hand_over(p, err);
    if (rc == MC_OK) rc = put_blocks(p, err);
    mc_free(found);
    return rc;
}

/* The head of several files, up to their first; its hash goes into the seeds of each. */
static int put_names(struct packing *p, const struct mc_container_file *files, size_t n, uint64_t *hash,
                     struct mc_error *err)
{
    struct mc_buf names;
    mc_buf_init(&names, SIZE_MAX / 2);
    for (size_t i = 1; i < n; i++) {
        mc_varint_write(&names, strlen(files[i].name));
        mc_buf_append(&names, files[i].name, strlen(files[i].name));
    }
    mc_buf_append(&p->out, mc_container_magic, MC_CONTAINER_MAGIC_BYTES - 1);
    mc_byte_write(&p->out, MC_CONTAINER_BESIDE);
    mc_varint_write(&p->out, n - 1);
    mc_varint_write(&p->out, names.length);
    mc_buf_append(&p->out, names.data, names.length);
    *hash = p->out.failed ? 0 : mc_hash_bytes(p->out.data, p->out.length, 0);
    put_number(&p->out, *hash, MC_CONTAINER_CHECK_BYTES);
    const bool failed = names.failed;
    mc_buf_finish(&names);
    return failed ? mc_error_memory(err) : hand_over(p, err);
}

static int check_files(const struct mc_container_file *files, size_t n, struct mc_error *err)
{
    if (files[0].bytes.length > MC_CONTAINER_MOST_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "%zu bytes are more than a container can have (%zu)",
                            files[0].bytes.length, MC_CONTAINER_MOST_BYTES);
    if (n - 1 > MC_CONTAINER_MOST_BESIDE)
        return mc_error_set(err, MC_ERR_INPUT, "%zu files beside the model are more than a container can have (%d)",
                            n - 1, MC_CONTAINER_MOST_BESIDE);
    for (size_t i = 1; i < n; i++)
        if (strlen(files[i].name) > MC_CONTAINER_MOST_NAME)
            return mc_error_set(err, MC_ERR_INPUT, "a name of %zu bytes is longer than a container can have (%d)",
                                strlen(files[i].name), MC_CONTAINER_MOST_NAME);
    return MC_OK;
}

int mc_container_pack_files(const struct mc_container_file *files, size_t n, enum mc_code_level level, mc_take_fn *take,
                            void *context, struct mc_container_figures *figures, struct mc_error *err)
{
    struct packing p = {.take = take, .context = context, .level = level};
    uint64_t hash = 0;
    mc_buf_init(&p.out, SIZE_MAX / 2);
    int rc = check_files(files, n, err);
    if (rc == MC_OK && n > 1)
        rc = put_names(&p, files, n, &hash, err);
    else
        mc_buf_append(&p.out, mc_container_magic, MC_CONTAINER_MAGIC_BYTES);
    for (size_t i = 0; i < n && rc == MC_OK; i++) rc = put_file(&p, &files[i], hash + i, err);
    mc_workspace_finish(&p.workspace);
    mc_buf_finish(&p.out);
    if (figures) *figures = p.figures;
    return rc;
}

/* --- is it right? --- */

struct comparison {
    const struct mc_container_file *files;
    size_t n, at, done; /* of the files the present one, of that so much */
    bool differs;
};

static int compare(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    (void)err;
    struct comparison *c = context;
    const struct mc_file_view *file = &c->files[c->at].bytes;
    if (length > file->length - c->done || memcmp(bytes, file->data + c->done, length) != 0) c->differs = true;
    if (c->differs) return MC_OK;
    c->done += length;
    mc_file_forget(file);
    return MC_OK;
}

static int begin_next(void *context, const char *name, struct mc_error *err)
{
    (void)err;
    struct comparison *c = context;
    const bool is_next = c->at + 1 < c->n && strcmp(c->files[c->at + 1].name, name) == 0;
    if (!is_next || c->done != c->files[c->at].bytes.length) c->differs = true;
    c->at += is_next;
    c->done = 0;
    return MC_OK;
}

int mc_container_check(const struct mc_file_view *packed, const struct mc_container_file *files, size_t n,
                       struct mc_error *err)
{
    struct comparison c = {.files = files, .n = n};
    const struct mc_container_taker taker = {compare, begin_next, &c};
    struct mc_error why = {0};
    const int rc = mc_container_unpack(packed, &taker, &why);
    if (rc == MC_ERR_SYSTEM) return err ? *err = why, rc : rc;
    if (rc == MC_OK && !c.differs && c.at + 1 == n && c.done == files[c.at].bytes.length) return MC_OK;
    return mc_error_set(err, MC_ERR_INTERNAL, "what was packed does not come back: %s",
                        rc < 0 ? why.text : "the bytes differ");
}

/* --- a model alone --- */

static int count(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    (void)context, (void)bytes, (void)length, (void)err;
    return MC_OK;
}

int mc_container_size(const struct mc_file_view *file, enum mc_code_level level, size_t *length, struct mc_error *err)
{
    struct mc_container_figures figures;
    const int rc =
        mc_container_pack_files(&(struct mc_container_file){.bytes = *file}, 1, level, count, NULL, &figures, err);
    *length = figures.bytes_packed;
    return rc;
}

static int append(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct mc_buf *out = context;
    mc_buf_append(out, bytes, length);
    return out->failed ? mc_error_memory(err) : MC_OK;
}

int mc_container_pack(struct mc_buf *out, const unsigned char *bytes, size_t length, enum mc_code_level level,
                      struct mc_error *err)
{
    const struct mc_container_file file = {.bytes = {.data = bytes, .length = length}};
    const size_t start = out->length;
    int rc = mc_container_pack_files(&file, 1, level, append, out, NULL, err);
    if (rc < 0) return rc;
    const struct mc_file_view packed = {.data = (unsigned char *)out->data + start, .length = out->length - start};
    return mc_container_check(&packed, &file, 1, err);
}
