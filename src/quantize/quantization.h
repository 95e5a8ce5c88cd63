/* quantization.h - weights and activations in fewer bits, as ONNX says it with QuantizeLinear, DequantizeLinear and
 * DynamicQuantizeLinear, so that any runtime that knows those runs the result.
 *
 * Weights are symmetric: a code of 0 stands for 0, so that what was pruned stays so. Before anything is rounded the
 * model is rewritten (rewrite/rewrite.h): constants folded, batch normalization in the weights.
 */
#ifndef MC_QUANTIZE_QUANTIZATION_H
#define MC_QUANTIZE_QUANTIZATION_H

#include "prune/prune.h"
#include "quantize/codes.h"
#include "quantize/spread.h"

enum mc_quantize_scheme {
    MC_QUANTIZE_WEIGHTS, /* stored so, and made floats of */
    MC_QUANTIZE_STATIC,  /* and activations rounded on scales that samples give */
    MC_QUANTIZE_DYNAMIC, /* and those that go into dense layers by the range that they have in each run */
};

struct mc_quantize_options {
    enum mc_quantize_scheme scheme; /* default WEIGHTS */
    enum mc_code_form form;         /* of weights; default INT8. STATIC and DYNAMIC: INT8 or INT7 */
    bool by_tensor;                 /* a scale for a tensor instead of one for each of its outputs */
    int64_t block;       /* of INT4: weights in matrices that share a scale, along what is summed; 0: those of
                          * an output; default 32 */
    const char *exclude; /* patterns (prune/exclude.h) of tensors and nodes that are left alone, or NULL */
    /* of STATIC */
    bool signed_activations;         /* int8 instead of uint8 */
    enum mc_calibration calibration; /* default MINMAX */
    double percent;                  /* of PERCENTILE; default 99.99 */
    struct mc_samples samples;       /* there have to be some */

    uint64_t seed;       /* of the check's inputs */
    struct mc_dims dims; /* of the check; default: 2 for an unknown batch */
    struct mc_runtime runtime;
};

void mc_quantize_options_init(struct mc_quantize_options *options);

/* Store the weights of `model` (those that mc_masks_find finds: what a node contracts or convolves with its data; and
 * tables whose rows are picked) in fewer bits, with a DequantizeLinear or Cast that makes floats of them, and round
 * activations as the scheme says. Weights are checked against a model whose floats are what the codes stand for (a
 * difference beyond rounding is MC_ERR_INTERNAL), what runs on bytes against its own graph in floats (agreement.h). The
 * model is unchanged after any failure; operators must be bound. On success all former pointers to parts of the model
 * are void. MC_ERR_UNSUPPORTED names nodes that keep the model from the opset that is needed, or from being run on
 * samples.
 *
 * `section` (may be NULL) gets opset_before, opset_after, tensors, values (how many numbers these have), error
 * (squared, over the squared size of them), left: [{tensor, why}], check: {checked, max_difference, max_output} or
 * {checked: false, why}; of activations nodes (on bytes), activations (STATIC) and agreement: {noise, difference}
 * (agreement.h). */
int mc_quantize(struct mc_model *model, const struct mc_quantize_options *options, struct mc_record *section,
                struct mc_error *err);

#endif
