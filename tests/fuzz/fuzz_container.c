/* fuzz_container.c - bytes of a packed model. By the first byte: a container as it is; the body of a data or structure
 * block, in a container whose checks are right; any file, which has to come back from its container; or the body of a
 * block of structure of a file beside the model. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "code/container.h"
#include "fuzz.h"

/* More than any block gives. */
enum { MOST_BYTES = 64 << 20 };

static int take(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    (void)err;
    struct mc_buf *buf = context;
    mc_buf_append(buf, bytes, length);
    return buf->failed ? MC_ERR_SYSTEM : MC_OK;
}

static int begin_beside(void *context, const char *name, struct mc_error *err)
{
    (void)context, (void)name, (void)err;
    return MC_OK;
}

static void try_container(const void *bytes, size_t length)
{
    struct mc_error err = {0};
    struct mc_buf out;
    mc_buf_init(&out, MOST_BYTES);
    const struct mc_container_taker taker = {take, begin_beside, &out};
    if (mc_container_unpack(&(struct mc_file_view){.data = bytes, .length = length}, &taker, &err) < 0 && !err.text[0])
        abort();
    mc_buf_finish(&out);
}

static void put_block(struct mc_buf *out, uint64_t *seed, int type, size_t decoded, const void *body, size_t length)
{
    const size_t start = out->length;
    mc_byte_write(out, type);
    mc_varint_write(out, decoded);
    mc_varint_write(out, length);
    mc_buf_append(out, body, length);
    const uint64_t check = mc_hash_bytes(out->data + start, out->length - start, (*seed)++);
    for (int i = 0; i < MC_CONTAINER_CHECK_BYTES; i++) mc_byte_write(out, (int)(check >> 8 * i & 255));
}

/* The first two bytes say how much is to come of a body: not more than 4 KiB, since the strong coder is slow. */
static size_t decoded_of(const uint8_t *data)
{
    return ((size_t)data[0] | (size_t)(data[1] & 15) << 8) + 1;
}

static void try_body(int type, const uint8_t *data, size_t size)
{
    if (size < 2) return;
    const size_t decoded = decoded_of(data);
    unsigned char structure[16] = {MC_STRUCTURE_RAW, 1, 0}, hash[MC_CONTAINER_HASH_BYTES] = {0};
    struct mc_buf packed, length;
    mc_buf_init(&packed, size + 256);
    mc_buf_init(&length, 16);
    mc_varint_write(&length, decoded);
    memcpy(structure + 3, length.data, length.length);
    mc_buf_append(&packed, mc_container_magic, MC_CONTAINER_MAGIC_BYTES);
    mc_varint_write(&packed, decoded + length.length);
    uint64_t seed = mc_hash_bytes(packed.data, packed.length, 0);
    if (type == MC_BLOCK_DATA)
        put_block(&packed, &seed, MC_BLOCK_STRUCTURE, length.length + 2, structure, length.length + 3);
    put_block(&packed, &seed, type, decoded, data + 2, size - 2);
    put_block(&packed, &seed, MC_BLOCK_END, 0, hash, sizeof hash);
    try_container(packed.data, packed.length);
    mc_buf_finish(&length);
    mc_buf_finish(&packed);
}

/* Of a file of 64 KiB beside an empty model. */
static void try_beside(const uint8_t *data, size_t size)
{
    static const unsigned char hash_of_nothing[MC_CONTAINER_HASH_BYTES] = {0x99, 0xe9, 0xd8, 0x51,
                                                                           0x37, 0xdb, 0x46, 0xef};
    if (size < 2) return;
    struct mc_buf packed;
    mc_buf_init(&packed, size + 256);
    mc_buf_append(&packed, mc_container_magic, MC_CONTAINER_MAGIC_BYTES - 1);
    mc_byte_write(&packed, MC_CONTAINER_BESIDE);
    mc_buf_append(&packed, "\x01\x02\x01w", 4);
    const uint64_t hash = mc_hash_bytes(packed.data, packed.length, 0);
    for (int i = 0; i < MC_CONTAINER_CHECK_BYTES; i++) mc_byte_write(&packed, (int)(hash >> 8 * i & 255));
    for (uint64_t file = 0; file < 2; file++) {
        const size_t start = packed.length;
        mc_varint_write(&packed, file << 16);
        uint64_t seed = mc_hash_bytes(packed.data + start, packed.length - start, hash + file);
        const size_t decoded = decoded_of(data);
        if (file > 0) put_block(&packed, &seed, MC_BLOCK_BESIDE, decoded, data + 2, size - 2);
        put_block(&packed, &seed, MC_BLOCK_END, 0, hash_of_nothing, sizeof hash_of_nothing);
    }
    try_container(packed.data, packed.length);
    mc_buf_finish(&packed);
}

static void try_file(const uint8_t *data, size_t size)
{
    struct mc_buf packed, again;
    mc_buf_init(&packed, MOST_BYTES);
    mc_buf_init(&again, MOST_BYTES);
    if (mc_container_pack(&packed, data, size, size % 2 ? MC_CODE_BEST : MC_CODE_FAST, NULL) < 0) abort();
    const struct mc_container_taker taker = {take, begin_beside, &again};
    const struct mc_file_view view = {.data = (unsigned char *)packed.data, .length = packed.length};
    if (mc_container_unpack(&view, &taker, NULL) < 0) abort();
    if (again.length != size || (size > 0 && memcmp(again.data, data, size) != 0)) abort();
    mc_buf_finish(&again);
    mc_buf_finish(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    switch (data[0] % 5) {
    case 0:
        try_container(data + 1, size - 1);
        break;
    case 1:
        try_body(MC_BLOCK_DATA, data + 1, size - 1);
        break;
    case 2:
        try_body(MC_BLOCK_STRUCTURE, data + 1, size - 1);
        break;
    case 3:
        try_file(data + 1, size - 1);
        break;
    default:
        try_beside(data + 1, size - 1);
    }
    return 0;
}
