/* store.h - weights in the graph as codes, with a node that makes floats of them. */
#ifndef MC_QUANTIZE_STORE_H
#define MC_QUANTIZE_STORE_H

#include "quantize/quantization.h"

/* A weight that was stored: what the model holds, and what nodes read. */
struct mc_stored {
    struct mc_value *codes;  /* the initializer, under the name that it had */
    struct mc_value *scales; /* NULL: float16 */
    struct mc_value *floats; /* of codes; output of a DequantizeLinear or Cast */
    struct mc_grain grain;
};

struct mc_store {
    int n, n_left;
    struct mc_stored *weights;
    struct mc_left {
        const char *tensor; /* lent by the model */
        const char *why;    /* a literal */
    } * left;               /* weights that stay as they are */
    int64_t n_values;
    double error, size; /* squared */
};

/* The opset that codes with these options need. */
int mc_store_opset(const struct mc_quantize_options *options);

/* Store the weights of `model`. The values of `reference`, a clone of it, get what the codes stand for. Both models are
 * void after a failure; the store is finished by the caller in any case, and lends parts of the model. */
int mc_store_weights(struct mc_store *store, struct mc_model *model, struct mc_model *reference,
                     const struct mc_quantize_options *options, struct mc_error *err);
void mc_store_finish(struct mc_store *store);

/* A new float32 value "<stem>_<word>" of the model's graph, for a node to make; NULL without memory. */
struct mc_value *mc_fresh_floats(struct mc_model *model, const char *stem, const char *word);

#endif
