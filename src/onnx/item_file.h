/* item_file.h - sequences, maps and optionals in files, as ONNX's onnx-data.proto has them. */
#ifndef MC_ONNX_ITEM_FILE_H
#define MC_ONNX_ITEM_FILE_H

#include "graph/graph.h"
#include "graph/item.h"

/* An item of a declared kind: a tensor from a .pb or .npy file, others from SequenceProto, MapProto or OptionalProto
 * files. MC_ERR_INPUT for what is none, MC_ERR_UNSUPPORTED for sparse tensors. */
int mc_item_load(struct mc_item **item, enum mc_type_kind kind, const char *path, struct mc_error *err);

/* The file that mc_item_load reads. What is declared MC_TYPE_OTHER is written as what it is. */
int mc_item_save(const struct mc_item *item, enum mc_type_kind kind, const char *name, const char *path, bool overwrite,
                 struct mc_error *err);

#endif
