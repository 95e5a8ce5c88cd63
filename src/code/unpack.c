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

struct block {
    int type;
    size_t decoded;
    struct mc_bytes body;
};

struct unpacking {
    struct mc_bytes in;
    const unsigned char *start;
    uint64_t seed; /* of the next block's check */
    bool checked;  /* all of them were */
    size_t total;  /* bytes that the file has */
    size_t given;  /* of them, given out */
    struct mc_hash hash;
    struct mc_workspace workspace;
    unsigned char *plain, *data; /* room for one block of either kind; NULL: not needed yet */
    int (*take)(void *context, const unsigned char *bytes, size_t length, struct mc_error *err);
    void *context;
};

static uint64_t read_number(const unsigned char *bytes, int n)
{
    uint64_t number = 0;
    for (int i = 0; i < n; i++) number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* --- blocks --- */

static int read_head(struct unpacking *u, struct mc_error *err)
{
    if (!mc_container_is(u->in.at, mc_bytes_left(&u->in)))
        return mc_error_set(err, MC_ERR_INPUT, "the bytes are not a packed model");
    const int version = u->in.at[MC_CONTAINER_MAGIC_BYTES - 1];
    if (version != mc_container_magic[MC_CONTAINER_MAGIC_BYTES - 1])
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "it is packed in version %d of the container, version %d is known",
                            version, mc_container_magic[MC_CONTAINER_MAGIC_BYTES - 1]);
    u->in.at += MC_CONTAINER_MAGIC_BYTES;
    if (!mc_varint_read_size(&u->in, MC_CONTAINER_MOST_BYTES, &u->total))
        return mc_error_set(err, MC_ERR_INPUT, "the packed model's head is broken");
    u->seed = mc_hash_bytes(u->start, (size_t)(u->in.at - u->start), 0);
    return MC_OK;
}

static size_t most_decoded(int type)
{
    return type == MC_BLOCK_DATA ? MC_SEGMENT_MOST_BYTES : type == MC_BLOCK_STRUCTURE ? MC_STRUCTURE_MOST_PLAIN : 0;
}

/* The next block, whose check is right. */
static int read_block(struct unpacking *u, struct block *block, struct mc_error *err)
{
    const unsigned char *start = u->in.at, *type = mc_bytes_take(&u->in, 1);
    if (!type) return mc_error_set(err, MC_ERR_INPUT, "the packed model ends before its end block");
    block->type = *type;
    if (block->type > MC_BLOCK_DATA || !mc_varint_read_size(&u->in, most_decoded(block->type), &block->decoded) ||
        !mc_bytes_read_block(&u->in, &block->body) || mc_bytes_left(&u->in) < MC_CONTAINER_CHECK_BYTES)
        return mc_error_set(err, MC_ERR_INPUT, "the head of the block is broken, or the file is cut short");
    const size_t length = (size_t)(u->in.at - start);
    const uint64_t said = read_number(mc_bytes_take(&u->in, MC_CONTAINER_CHECK_BYTES), MC_CONTAINER_CHECK_BYTES);
    if (u->checked || said == (mc_hash_bytes(start, length, u->seed++) & UINT32_MAX)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "its check is wrong: the file was damaged");
}

/* Are all blocks there, and as they were written? */
static int check_blocks(struct unpacking *u, struct mc_error *err)
{
    struct block block = {.type = MC_BLOCK_STRUCTURE};
    const struct mc_bytes blocks = u->in;
    for (size_t index = 0; block.type != MC_BLOCK_END; index++) {
        const size_t at = (size_t)(u->in.at - u->start);
        const int rc = read_block(u, &block, err);
        if (rc < 0) return mc_error_wrap(err, rc, "block %zu at byte %zu", index, at);
    }
    if (mc_bytes_left(&u->in) > 0) return mc_error_set(err, MC_ERR_INPUT, "something follows the end block");
    u->in = blocks;
    u->checked = true;
    return MC_OK;
}

static int give(struct unpacking *u, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    if (length == 0) return MC_OK;
    if (length > u->total - u->given)
        return mc_error_set(err, MC_ERR_INPUT, "there are more than the %zu bytes that the head says", u->total);
    u->given += length;
    mc_hash_add(&u->hash, bytes, length);
    return u->take(u->context, bytes, length, err);
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
    s->marks = plain;
    for (size_t i = 0; i < s->n_marks; i++) {
        size_t distance;
        if (!mc_varint_read_size(&plain, MC_STRUCTURE_MOST_BYTES, &distance)) return mc_code_broken(err, "structure");
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
        !mc_varint_read_size(&rest, MC_CONTAINER_MOST_BYTES, length))
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
        if (*open == 0) return mc_error_set(err, MC_ERR_INPUT, "it has more bytes than the model has room for");
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

static int unpack(struct unpacking *u, struct mc_error *err)
{
    static const char *const names[] = {"end", "structure", "data"};
    struct block block = {.type = MC_BLOCK_STRUCTURE};
    struct structure structure = {.n_marks = 0};
    size_t open = 0; /* bytes that the present payload still waits for */
    int rc = read_head(u, err);
    if (rc == MC_OK) rc = check_blocks(u, err);
    for (size_t index = 0; rc == MC_OK && block.type != MC_BLOCK_END; index++) {
        const size_t at = (size_t)(u->in.at - u->start), given = u->given;
        rc = read_block(u, &block, err);
        if (rc == MC_OK) rc = do_block(u, &block, &structure, &open, err);
        if (rc < 0)
            mc_error_wrap(err, rc, "block %zu (%s) at byte %zu, for byte %zu of the model", index, names[block.type],
                          at, given);
    }
    return rc;
}

int mc_container_unpack(const unsigned char *bytes, size_t length,
                        int (*take)(void *context, const unsigned char *bytes, size_t length, struct mc_error *err),
                        void *context, struct mc_error *err)
{
    struct unpacking u = {.in = {bytes, bytes + length}, .start = bytes, .take = take, .context = context};
    mc_hash_init(&u.hash, 0);
    const int rc = unpack(&u, err);
    mc_workspace_finish(&u.workspace);
    mc_free(u.plain);
    mc_free(u.data);
    return rc;
}
