/* agreement.h - does what runs on bytes compute what its graph says in floats? */
#ifndef MC_QUANTIZE_AGREEMENT_H
#define MC_QUANTIZE_AGREEMENT_H

#include "quantize/quantization.h"

/* Root mean squares over the output that is worst; that of the float model's output being 1. */
struct mc_agreement {
    bool checked; /* false: the float model cannot be run here (`why`) */
    char why[256];
    double noise;      /* of the simulation against the float model: what rounding costs */
    double difference; /* of the bytes against the simulation: where the two round to different sides */
};

/* Run the float model, `simulated` node by node as the graph says, in floats, and `model` as a plan merges it into
 * operators on bytes, on the first samples (or random inputs where there is no data). MC_ERR_INTERNAL where the bytes
 * are further from the simulation than that is from the floats, and a hundredth. */
int mc_agreement_check(struct mc_agreement *agreement, const struct mc_model *floats, const struct mc_model *simulated,
                       const struct mc_model *model, const struct mc_quantize_options *options, struct mc_error *err);

#endif
