/* container.h - ONNX files in few bytes, and back to the last bit; docs/container.md has the format.
 *
 * A file is cut into the contents of its tensors and the rest, its structure. Blocks hold one or the other, each with a
 * checksum; what is decoded is bounded by a block, whatever a file claims.
 */
#ifndef MC_CODE_CONTAINER_H
#define MC_CODE_CONTAINER_H

#include "base/file.h"
#include "code/segment.h"

/* Longest file that is taken: protobuf knows no longer message. */
#define MC_CONTAINER_MOST_BYTES ((size_t)INT32_MAX)

/* Does a file begin as a container does? No ONNX file can: protobuf has no such wire type. */
bool mc_container_is(const unsigned char *bytes, size_t length);

/* What became of what. */
struct mc_container_figures {
    size_t bytes, bytes_packed;
    size_t structure, structure_packed; /* bytes of the file that belong to no tensor's contents */
    size_t n_blocks;
    struct {
        size_t n_segments, bytes, bytes_packed;
    } methods[MC_METHODS];
};

/* Append the container of any bytes; of an ONNX file it makes most. It was decoded again and compared:
 * MC_ERR_INTERNAL if it did not come back. `figures` may be NULL. MC_ERR_SYSTEM without memory. */
int mc_container_pack(struct mc_buf *out, const unsigned char *bytes, size_t length, enum mc_code_level level,
                      struct mc_container_figures *figures, struct mc_error *err);

/* How long the container of a file would be, in memory that does not grow with it; nothing is decoded. */
int mc_container_size(const struct mc_file_view *file, enum mc_code_level level, size_t *length, struct mc_error *err);

/* Decode to whoever takes the bytes, in order. MC_ERR_INPUT names the block that is broken; what was given out by then
 * has to be thrown away. A failure of `take` ends it. */
int mc_container_unpack(const unsigned char *bytes, size_t length,
                        int (*take)(void *context, const unsigned char *bytes, size_t length, struct mc_error *err),
                        void *context, struct mc_error *err);

/* --- for both directions --- */

enum { MC_BLOCK_END, MC_BLOCK_STRUCTURE, MC_BLOCK_DATA };

enum { MC_CONTAINER_MAGIC_BYTES = 8, MC_CONTAINER_CHECK_BYTES = 4, MC_CONTAINER_HASH_BYTES = 8 };
extern const unsigned char mc_container_magic[MC_CONTAINER_MAGIC_BYTES];

/* Bytes of structure in one block, and places in it where contents stand. */
enum { MC_STRUCTURE_MOST_BYTES = 1 << 20, MC_STRUCTURE_MOST_MARKS = 1 << 16 };
/* The same coded, before it is compressed: both, and the numbers that go with them. */
enum { MC_STRUCTURE_MOST_PLAIN = MC_STRUCTURE_MOST_BYTES + 4 * MC_STRUCTURE_MOST_MARKS + 64 };

/* How structure is compressed: the first byte. */
enum { MC_STRUCTURE_RAW, MC_STRUCTURE_ZSTD, MC_STRUCTURE_TEXT };

#endif
