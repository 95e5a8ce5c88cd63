/* external.h - tensor contents in files beside the model.
 *
 * A location names a file inside the model's folder: never absolute, never by "..", and not by way of a symbolic
 * link that leads out of it.
 */
#ifndef MC_ONNX_EXTERNAL_H
#define MC_ONNX_EXTERNAL_H

#include "onnx.pb-c.h"
#include "tensor/tensor.h"

/* A file that stands for the one a location names. */
struct mc_external_file {
    const char *location;
    int fd; /* open for reading; may be closed when all is loaded */
};

/* Where a model's external data lie, and how much of them was read so far. */
struct mc_external {
    const char *dir;                      /* the model's folder; NULL: what is in no file of the list is refused */
    const struct mc_external_file *files; /* looked through first */
    size_t n_files;
    size_t copied_bytes; /* by reading, not by mapping */
};

/* The same for as long as it is needed: names are copied, descriptors duplicated. What was kept is dropped, also after
 * a failure. */
int mc_external_keep(struct mc_external *kept, const struct mc_external *external, struct mc_error *err);
void mc_external_drop(struct mc_external *kept);

/* Can a file inside the model's folder be meant? */
bool mc_external_is_inside(const char *location);
/* Open the file inside `dir` that a location names, after all checks of the path. MC_ERR_INPUT, MC_ERR_SYSTEM. */
int mc_external_open(const char *dir, const char *location, int *fd, uint64_t *file_bytes, struct mc_error *err);

/* Tensor over the part of a file that proto->external_data names. The shape has a valid count and the type a size.
 * Large parts are mapped (mc_tensor.mapped), so that a model may be larger than memory; they must not be cut short by
 * others while the tensor lives, and whoever writes to them takes a copy first. Small or misaligned ones are read.
 * MC_ERR_INPUT, MC_ERR_SYSTEM. */
int mc_external_load(struct mc_tensor **tensor, struct mc_external *external, const Onnx__TensorProto *proto,
                     enum mc_dtype dtype, const struct mc_shape *shape, struct mc_error *err);

#endif
