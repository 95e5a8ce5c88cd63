/* origin.h - what a model was read from, kept for the writer.
 *
 * A model, its clones and the tensors whose bytes lie in the file's messages share one origin; it dies with its
 * last user. Whoever reads a file makes one (onnx/message.h); the graph room only counts.
 */
#ifndef MC_GRAPH_ORIGIN_H
#define MC_GRAPH_ORIGIN_H

#include <stdatomic.h>

/* The first member of what the reader keeps; the count starts at 1. */
struct mc_origin {
    atomic_int users;
    void (*destroy)(struct mc_origin *origin);
};

/* One more user; returns `origin`. NULL is allowed. */
struct mc_origin *mc_origin_retain(struct mc_origin *origin);
/* One user less; the last one destroys it. NULL is allowed. Takes void * so that it is a tensor's release function. */
void mc_origin_release(void *origin);

#endif
