/* packed_file.h - models from files that may be packed. */
#ifndef MC_CODE_PACKED_FILE_H
#define MC_CODE_PACKED_FILE_H

#include "base/file.h"
#include "code/container.h"
#include "graph/graph.h"

/* Load a model from an ONNX file, or from a container of one, told apart by how they begin; external data that are not
 * in the container are looked for beside either. As mc_onnx_load in all else. */
int mc_packed_load(struct mc_model **model, const char *path, struct mc_error *err);

/* MC_PACK_AUTO settled for a file of this length. */
enum mc_code_level mc_packed_level(enum mc_pack_level level, size_t length);

/* Take a container's files out: the model to `path`, others to where it has them beside itself, in folders that are
 * made for them; all appear, or none. MC_ERR_USAGE if one exists and is to be kept, or if they would have no place
 * beside the model. `bytes` of all files together. */
int mc_packed_unpack(const struct mc_file_view *packed, const char *path, bool overwrite, size_t *n_files,
                     size_t *bytes, struct mc_error *err);

#endif
