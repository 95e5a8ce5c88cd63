/* packed_file.h - models from files that may be packed. */
#ifndef MC_CODE_PACKED_FILE_H
#define MC_CODE_PACKED_FILE_H

#include "base/file.h"
#include "code/container.h"
#include "graph/graph.h"

/* Load a model from an ONNX file, or from a container of one, told apart by how they begin; external data are looked
 * for beside either. As mc_onnx_load in all else. */
int mc_packed_load(struct mc_model **model, const char *path, struct mc_error *err);

/* MC_PACK_AUTO settled for a file of this length. */
enum mc_code_level mc_packed_level(enum mc_pack_level level, size_t length);

/* Write a container's file into one that was begun. The file may be anything by then if it fails. */
int mc_packed_unpack_into(const struct mc_file_view *packed, struct mc_file_out *out, size_t *length,
                          struct mc_error *err);

#endif
