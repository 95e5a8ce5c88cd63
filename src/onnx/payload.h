/* payload.h - where in the bytes of a model, or in files beside it, the contents of its tensors lie.
 *
 * Whatever the bytes are, what is found is right for somebody who only wants to treat these stretches apart from the
 * rest: where they make no sense the search ends with what it has.
 */
#ifndef MC_ONNX_PAYLOAD_H
#define MC_ONNX_PAYLOAD_H

#include "tensor/tensor.h"

struct mc_payload {
    size_t prefix; /* where in the file the length of the contents stands, a varint */
    size_t offset; /* right behind it: the contents */
    size_t length;
    enum mc_dtype dtype; /* of the elements; MC_UINT8 for what is not stored element by element */
    int64_t columns;     /* elements that belong to one index of the first axis; 0: unknown */
    int64_t pitch;       /* elements that belong to one index of the first two axes; 0: unknown */
};

/* Contents of at least `least` bytes, in the order of the file; the list is the caller's (mc_free). */
int mc_payloads_find(struct mc_payload **payloads, size_t *n, const unsigned char *bytes, size_t length, size_t least,
                     struct mc_error *err);

/* Contents that lie in a file beside the model. */
struct mc_payload_beside {
    const unsigned char *location; /* the file's name as the model has it: lent from its bytes */
    size_t location_length;
    struct mc_payload payload; /* in that file, as far as the model says: nobody has looked whether it is there */
};

/* The same for TensorProto.external_data, in the order of the model. */
int mc_payloads_find_beside(struct mc_payload_beside **found, size_t *n, const unsigned char *bytes, size_t length,
                            struct mc_error *err);

#endif
