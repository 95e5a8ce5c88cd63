/* writer.h - what the parts of the saver share.
 *
 * The message that is written is made of the origin's parts wherever they still hold, of copies of them with the
 * changes put in, and of new ones for what this program made. Nothing of the origin is written to. All that is new
 * lives in the writer's arena, and borrows names and contents from the model.
 */
#ifndef MC_ONNX_WRITER_H
#define MC_ONNX_WRITER_H

#include "graph/graph.h"
#include "onnx.pb-c.h"

/* An initializer in the message, which may yet move to external data. */
struct mc_stored {
    Onnx__TensorProto *proto; /* in the writer's arena */
    const struct mc_value *value;
};

struct mc_writer {
    const struct mc_model *model;
    struct mc_arena arena;
    size_t n_stored, cap_stored;
    struct mc_stored *stored; /* in the order of the file */
    bool has_sparse;
};

void mc_writer_init(struct mc_writer *writer, const struct mc_model *model);
void mc_writer_finish(struct mc_writer *writer);

/* The model's message. Lives as long as the writer and the model do. MC_ERR_SYSTEM without memory. */
int mc_write_model(struct mc_writer *writer, Onnx__ModelProto **proto, struct mc_error *err);
/* A graph's; for attributes. */
int mc_write_graph(struct mc_writer *writer, const struct mc_graph *graph, Onnx__GraphProto **proto,
                   struct mc_error *err);
/* A node's. */
int mc_write_node(struct mc_writer *writer, const struct mc_node *node, Onnx__NodeProto **proto, struct mc_error *err);

#endif
