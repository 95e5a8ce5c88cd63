/* container.h - ONNX files in few bytes, and back to the last bit; docs/container.md has the format.
 *
 * A container holds a model and the files of its external data. Each file is cut into the contents of tensors and the
 * rest, its structure. Blocks hold one or the other, each with a checksum; what is decoded is bounded by a block,
 * whatever a file claims.
 */
#ifndef MC_CODE_CONTAINER_H
#define MC_CODE_CONTAINER_H

#include "base/file.h"
#include "code/segment.h"
#include "onnx/payload.h"

/* Longest model that is taken: protobuf knows no longer message. */
#define MC_CONTAINER_MOST_BYTES ((size_t)INT32_MAX)
/* Files beside it, and bytes of the name of one. */
enum { MC_CONTAINER_MOST_BESIDE = 1 << 16, MC_CONTAINER_MOST_NAME = 4095 };

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

/* A file that is packed: the model, which any bytes will do for, or one beside it. */
struct mc_container_file {
    const char *name; /* NULL: the model */
    struct mc_file_view bytes;
    const struct mc_payload *payloads; /* of a file beside the model, ascending and apart; in a model they are found */
    size_t n_payloads;
};

/* Takes bytes, in order. */
typedef int mc_take_fn(void *context, const unsigned char *bytes, size_t length, struct mc_error *err);

/* Give out the container of a model, the first, and of the files beside it, ascending by name. `figures` may be NULL.
 * Memory does not grow with the files. MC_ERR_SYSTEM without it, MC_ERR_INPUT for what a container cannot hold. */
int mc_container_pack_files(const struct mc_container_file *files, size_t n, enum mc_code_level level, mc_take_fn *take,
                            void *context, struct mc_container_figures *figures, struct mc_error *err);
/* MC_ERR_INTERNAL if the container does not give these files back. */
int mc_container_check(const struct mc_file_view *packed, const struct mc_container_file *files, size_t n,
                       struct mc_error *err);

/* Append the container of a model alone, checked. */
int mc_container_pack(struct mc_buf *out, const unsigned char *bytes, size_t length, enum mc_code_level level,
                      struct mc_error *err);
/* How long that would be; nothing is decoded. */
int mc_container_size(const struct mc_file_view *file, enum mc_code_level level, size_t *length, struct mc_error *err);

/* Who takes what is decoded: the bytes of the model, then those of each file beside it behind a call that tells its
 * name, which leads into the model's folder (onnx/external.h). */
struct mc_container_taker {
    mc_take_fn *take;
    int (*begin_beside)(void *context, const char *name, struct mc_error *err);
    void *context;
};

/* In memory for one block of each kind. MC_ERR_INPUT names the block that is broken; what was given out by then has to
 * be thrown away. A failure of the taker ends it. */
int mc_container_unpack(const struct mc_file_view *packed, const struct mc_container_taker *taker,
                        struct mc_error *err);

/* --- for both directions --- */

/* The last is structure of a file beside the model, where no lengths stand in front of contents. */
enum { MC_BLOCK_END, MC_BLOCK_STRUCTURE, MC_BLOCK_DATA, MC_BLOCK_BESIDE };

enum { MC_CONTAINER_MAGIC_BYTES = 8, MC_CONTAINER_CHECK_BYTES = 4, MC_CONTAINER_HASH_BYTES = 8 };
extern const unsigned char mc_container_magic[MC_CONTAINER_MAGIC_BYTES];
/* Its last byte is the version: what is in the container. */
enum { MC_CONTAINER_ALONE = 1, MC_CONTAINER_BESIDE };

/* Bytes of structure in one block, and places in it where contents stand. */
enum { MC_STRUCTURE_MOST_BYTES = 1 << 20, MC_STRUCTURE_MOST_MARKS = 1 << 16 };
/* The same coded, before it is compressed: both, and the numbers that go with them. */
enum { MC_STRUCTURE_MOST_PLAIN = MC_STRUCTURE_MOST_BYTES + 14 * MC_STRUCTURE_MOST_MARKS + 64 };

/* How structure is compressed: the first byte. */
enum { MC_STRUCTURE_RAW, MC_STRUCTURE_ZSTD, MC_STRUCTURE_TEXT };

#endif
