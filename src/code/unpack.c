/* unpack.c - containers to files; see container.h.
 *
 * The container is outside bytes: every number in it meets a limit, nothing is allocated that is larger than a block,
 * and nothing of a block is decoded before its check was found right.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "code/container.h"
#include "code/text.h"
#include "onnx/external.h"

struct block {
    int type;
    size_t decoded;
    struct mc_bytes body;
};

struct unpacking {
    const struct mc_file_view *file;
    struct mc_bytes in;
    const unsigned char *start;
    uint64_t seed;         /* of the next block's check */
    bool checked;          /* all of them were */
    size_t n_beside;       /* files beside the model */
    struct mc_bytes names; /* of those to come */
    uint64_t hash_of_names;
    char *name;   /* of the present file, with room for the longest; "": the model */
    size_t total; /* bytes that the present file has */
    size_t given; /* of them, given out */
    struct mc_hash hash;
    struct mc_workspace workspace;
    unsigned char *plain, *data; /* room for one block of either kind; NULL: not needed yet */
    struct mc_container_taker taker;
};

static uint64_t read_number(const unsigned char *bytes, int n)
{
    uint64_t number = 0;
    for (int i = 0; i < n; i++) number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* --- blocks --- */

/* The names of files beside the model. */
static int read_names(struct unpacking *u, struct mc_error *err)
{
    if (!mc_varint_read_size(&u->in, MC_CONTAINER_MOST_BESIDE, &u->n_beside) || u->n_beside == 0 ||
        !mc_bytes_read_block(&u->in, &u->names) || mc_bytes_left(&u->in) < MC_CONTAINER_CHECK_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "the packed model's head is broken");
    u->hash_of_names = mc_hash_bytes(u->start, (size_t)(u->in.at - u->start), 0);
    if (read_number(mc_bytes_take(&u->in, MC_CONTAINER_CHECK_BYTES), MC_CONTAINER_CHECK_BYTES) !=
        (u->hash_of_names & UINT32_MAX))
        return mc_error_set(err, MC_ERR_INPUT, "the check of the packed model's head is wrong: the file was damaged");
    u->name = mc_alloc(MC_CONTAINER_MOST_NAME + 1, 1);
    return u->name ? MC_OK : mc_error_memory(err);
}

static int read_head(struct unpacking *u, struct mc_error *err)
{
    if (!mc_container_is(u->in.at, mc_bytes_left(&u->in)))
        return mc_error_set(err, MC_ERR_INPUT, "the bytes are not a packed model");
    const int version = u->in.at[MC_CONTAINER_MAGIC_BYTES - 1];
    if (version != MC_CONTAINER_ALONE && version != MC_CONTAINER_BESIDE)
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "it is packed in version %d of the container, versions up to %d are known", version,
                            MC_CONTAINER_BESIDE);
    u->in.at += MC_CONTAINER_MAGIC_BYTES;
    return version == MC_CONTAINER_BESIDE ? read_names(u, err) : MC_OK;
}

/* The next name: longer than nothing, not before the last, and inside the model's folder. */
static int read_name(struct unpacking *u, struct mc_error *err)
{
    struct mc_bytes name;
    if (!mc_bytes_read_block(&u->names, &name) || mc_bytes_left(&name) > MC_CONTAINER_MOST_NAME ||
        memchr(name.at, 0, mc_bytes_left(&name)))
        return mc_error_set(err, MC_ERR_INPUT, "the name of a file beside the model is broken");
    char last[MC_CONTAINER_MOST_NAME + 1];
    memcpy(last, u->name, strlen(u->name) + 1);
    memcpy(u->name, name.at, mc_bytes_left(&name));
    u->name[mc_bytes_left(&name)] = '\0';
    if (!mc_external_is_inside(u->name))
        return mc_error_set(err, MC_ERR_INPUT, "file '%s' would lie outside the model's folder", u->name);
    if (strcmp(last, u->name) >= 0)
        return mc_error_set(err, MC_ERR_INPUT, "file '%s' comes behind '%s'", u->name, last);
    return MC_OK;
}

/* What comes before the blocks of the model (0) or of a file beside it. */
static int begin_file(struct unpacking *u, size_t index, struct mc_error *err)
{
    const unsigned char *start = index == 0 && u->n_beside == 0 ? u->start : u->in.at;
    if (index > 0) {
        const int rc = read_name(u, err);
        if (rc < 0) return rc;
    }
    if (!mc_varint_read_size(&u->in, index == 0 ? MC_CONTAINER_MOST_BYTES : INT64_MAX, &u->total))
        return mc_error_set(err, MC_ERR_INPUT, "the packed model's head is broken");
    u->seed = mc_hash_bytes(start, (size_t)(u->in.at - start), u->hash_of_names + index);
    u->given = 0;
    mc_hash_init(&u->hash, 0);
    if (index == 0 || !u->checked) return MC_OK;
    return u->taker.begin_beside(u->taker.context, u->name, err);
}

static size_t most_decoded(int type)
{
    return type == MC_BLOCK_DATA ? MC_SEGMENT_MOST_BYTES : type == MC_BLOCK_END ? 0 : MC_STRUCTURE_MOST_PLAIN;
}

/* The next block, whose check is right. */
static int read_block(struct unpacking *u, struct block *block, struct mc_error *err)
{
    const unsigned char *start = u->in.at, *type = mc_bytes_take(&u->in, 1);
    if (!type) return mc_error_set(err, MC_ERR_INPUT, "the packed model ends before its end block");
    block->type = *type;
    if (block->type > MC_BLOCK_BESIDE || !mc_varint_read_size(&u->in, most_decoded(block->type), &block->decoded) ||
        !mc_bytes_read_block(&u->in, &block->body) || mc_bytes_left(&u->in) < MC_CONTAINER_CHECK_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "the head of the block is broken, or the file is cut short");
    const size_t length = (size_t)(u->in.at - start);
    const uint64_t said = read_number(mc_bytes_take(&u->in, MC_CONTAINER_CHECK_BYTES), MC_CONTAINER_CHECK_BYTES);
    if (u->checked || said == (mc_hash_bytes(start, length, u->seed++) & UINT32_MAX)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "its check is wrong: the file was damaged");
}

static int give(struct unpacking *u, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    if (length == 0) return MC_OK;
    if (length > u->total - u->given)
        return mc_error_set(err, MC_ERR_INPUT, "there are more than the %zu bytes that the head says", u->total);
    u->given += length;
    mc_hash_add(&u->hash, bytes, length);
    return u->taker.take(u->taker.context, bytes, length, err);
}

/* --- data --- */

/* Decode the block's segments into u->data. */
static int decode_data(struct unpacking *u, struct block *block, struct mc_error *err)
{
    if (!u->data) u->data = mc_alloc_aligned(MC_SEGMENT_MOST_BYTES, 1);
    if (!u->data) return mc_error_memory(err);
    size_t done = 0;
    while (done < block->decoded) {
        size_t length;
        const int rc =
            mc_segment_decode(&block->body, u->data + done, block->decoded - done, &length, &u->workspace, err);
        if (rc < 0) return rc;
        done += length;
    }
    return mc_bytes_left(&block->body) == 0 ? MC_OK : mc_code_broken(err, "the last segment");
}

/* --- structure --- */

/* A structure block on its way out: what stands between payloads, and where they come. */
struct structure {
    bool is_beside;        /* marks tell lengths too */
    struct mc_bytes marks; /* distances */
    size_t n_marks;
    const unsigned char *at, *end; /* of the structure, not yet given out */
};

static int decode_plain(struct unpacking *u, struct block *block, struct mc_error *err)
{
    if (!u->plain) u->plain = mc_alloc_aligned(MC_STRUCTURE_MOST_PLAIN, 1);
    if (!u->plain) return mc_error_memory(err);
    const unsigned char *coder = mc_bytes_take(&block->body, 1);
    const size_t left = mc_bytes_left(&block->body);
    int rc;
    switch (coder ? *coder : -1) {
    case MC_STRUCTURE_RAW:
        if (left != block->decoded) return mc_code_broken(err, "structure");
        memcpy(u->plain, block->body.at, left);
        return MC_OK;
    case MC_STRUCTURE_ZSTD:
        rc = mc_zstd_decode(&block->body, u->plain, block->decoded, err);
        if (rc < 0) return rc;
        return mc_bytes_left(&block->body) == 0 ? MC_OK : mc_code_broken(err, "structure");
    case MC_STRUCTURE_TEXT:
        rc = mc_text_decode(u->plain, block->decoded, block->body.at, left);
        return rc < 0 ? mc_error_memory(err) : rc ? MC_OK : mc_code_broken(err, "structure");
    default:
        return mc_code_broken(err, "structure");
    }
}

static int read_structure(struct unpacking *u, struct block *block, struct structure *s, struct mc_error *err)
{
    int rc = decode_plain(u, block, err);
    if (rc < 0) return rc;
    struct mc_bytes plain = {u->plain, u->plain + block->decoded};
    if (!mc_varint_read_size(&plain, MC_STRUCTURE_MOST_MARKS, &s->n_marks)) return mc_code_broken(err, "structure");
    s->is_beside = block->type == MC_BLOCK_BESIDE;
    s->marks = plain;
    for (size_t i = 0; i < s->n_marks; i++) {
        size_t distance, length;
        if (!mc_varint_read_size(&plain, MC_STRUCTURE_MOST_BYTES, &distance) ||
            (s->is_beside && !mc_varint_read_size(&plain, u->total, &length)))
            return mc_code_broken(err, "structure");
    }
    s->at = plain.at;
    s->end = plain.end;
    return MC_OK;
}

/* Give out the structure up to the next mark, with the length that stands there. */
static int next_payload(struct unpacking *u, struct structure *s, size_t *length, struct mc_error *err)
{
    size_t distance;
    struct mc_bytes rest = {s->at, s->end};
    if (!mc_varint_read_size(&s->marks, MC_STRUCTURE_MOST_BYTES, &distance) || !mc_bytes_take(&rest, distance) ||
        !mc_varint_read_size(s->is_beside ? &s->marks : &rest, u->total, length))
        return mc_code_broken(err, "structure");
    const unsigned char *from = s->at;
    s->at = rest.at;
    s->n_marks--;
    return give(u, from, (size_t)(rest.at - from), err);
}

/* All payloads of a structure block are ready for their bytes: give out what comes before the first that has any. */
static int skip_to_payload(struct unpacking *u, struct structure *s, size_t *open, struct mc_error *err)
{
    int rc = MC_OK;
    while (rc == MC_OK && *open == 0 && s->n_marks > 0) rc = next_payload(u, s, open, err);
    if (rc == MC_OK && *open == 0) {
        rc = give(u, s->at, (size_t)(s->end - s->at), err);
        s->at = s->end;
    }
    return rc;
}

/* --- the whole --- */

/* Bytes of a data block to the payloads that wait for them. */
static int give_data(struct unpacking *u, struct structure *s, size_t *open, size_t decoded, struct mc_error *err)
{
    for (size_t done = 0; done < decoded;) {
        if (*open == 0) return mc_error_set(err, MC_ERR_INPUT, "it has more bytes than the file has room for");
        const size_t length = *open < decoded - done ? *open : decoded - done;
        int rc = give(u, u->data + done, length, err);
        done += length;
        *open -= length;
        if (rc == MC_OK) rc = skip_to_payload(u, s, open, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int check_end(struct unpacking *u, struct block *block, struct mc_error *err)
{
    if (mc_bytes_left(&block->body) != MC_CONTAINER_HASH_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "the end block is broken");
    if (u->given != u->total)
        return mc_error_set(err, MC_ERR_INPUT, "there are %zu bytes, the head says %zu", u->given, u->total);
    if (read_number(block->body.at, MC_CONTAINER_HASH_BYTES) != mc_hash_value(&u->hash))
        return mc_error_set(err, MC_ERR_INPUT, "the bytes are not those that were packed");
    return MC_OK;
}

static int do_block(struct unpacking *u, struct block *block, struct structure *s, size_t *open, struct mc_error *err)
{
    int rc;
    if (block->type == MC_BLOCK_DATA) {
        rc = decode_data(u, block, err);
        return rc == MC_OK ? give_data(u, s, open, block->decoded, err) : rc;
    }
    if (*open > 0) return mc_error_set(err, MC_ERR_INPUT, "contents of a tensor are missing before it");
    if (block->type == MC_BLOCK_END) return check_end(u, block, err);
    rc = read_structure(u, block, s, err);
    return rc == MC_OK ? skip_to_payload(u, s, open, err) : rc;
}

/* Blocks of the present file. Those that were not checked yet are only looked at. */
static int do_blocks(struct unpacking *u, size_t *index, bool is_beside, struct mc_error *err)
{
    static const char *const names[] = {"end", "structure", "data", "structure"};
    struct block block = {.type = MC_BLOCK_DATA};
    struct structure structure = {.n_marks = 0};
    size_t open = 0; /* bytes that the present payload still waits for */
    for (; block.type != MC_BLOCK_END; ++*index) {
        const size_t at = (size_t)(u->in.at - u->start), given = u->given;
        int rc = read_block(u, &block, err);
        if (rc == MC_OK && block.type == (is_beside ? MC_BLOCK_STRUCTURE : MC_BLOCK_BESIDE))
            rc = mc_error_set(err, MC_ERR_INPUT, "its type belongs to another file");
        if (rc < 0) return mc_error_wrap(err, rc, "block %zu at byte %zu", *index, at);
        if (u->checked) rc = do_block(u, &block, &structure, &open, err);
        mc_file_forget(u->file);
        if (rc < 0)
            return mc_error_wrap(err, rc, "block %zu (%s) at byte %zu, for byte %zu of %s", *index, names[block.type],
                                 at, given, is_beside ? u->name : "the model");
    }
    return MC_OK;
}

static int do_files(struct unpacking *u, struct mc_error *err)
{
    size_t index = 0; /* of blocks */
    int rc = MC_OK;
    if (u->name) u->name[0] = '\0';
    for (size_t i = 0; i <= u->n_beside && rc == MC_OK; i++) {
        rc = begin_file(u, i, err);
        if (rc == MC_OK) rc = do_blocks(u, &index, i > 0, err);
    }
    if (rc == MC_OK && mc_bytes_left(&u->names) > 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "there are more names than files");
    if (rc == MC_OK && mc_bytes_left(&u->in) > 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "something follows the end block");
    return rc;
}

/* Nothing is given out before all blocks are there and as they were written. */
static int unpack(struct unpacking *u, struct mc_error *err)
{
    int rc = read_head(u, err);
    if (rc < 0) return rc;
    const struct mc_bytes files = u->in, names = u->names;
    rc = do_files(u, err);
    u->in = files;
    u->names = names;
    u->checked = true;
    return rc == MC_OK ? do_files(u, err) : rc;
}

int mc_container_unpack(const struct mc_file_view *packed, const struct mc_container_taker *taker, struct mc_error *err)
{
    struct unpacking u = {
        .file = packed, .in = {packed->data, packed->data + packed->length}, .start = packed->data, .taker = *taker};
    const int rc = unpack(&u, err);
    mc_workspace_finish(&u.workspace);
    mc_free(u.name);
    mc_free(u.plain);
    mc_free(u.data);
    return rc;
}
