/* dynamic_products.h - dense layers on integers, whose inputs are rounded by the range that they have. */
#ifndef MC_QUANTIZE_DYNAMIC_PRODUCTS_H
#define MC_QUANTIZE_DYNAMIC_PRODUCTS_H

#include "quantize/store.h"

/* Every Gemm and MatMul of an activation and a stored matrix that nobody else reads becomes
 *
 *     DynamicQuantizeLinear → MatMulInteger → Cast → Mul by the scales → Add of the bias
 *
 * *simulated is the model half-way, the caller's: the rounded inputs made floats again, the products as they were.
 * `section` (may be NULL) gets nodes (how many). MC_ERR_UNSUPPORTED if there is none. */
int mc_quantize_products(struct mc_model *model, struct mc_model **simulated, const struct mc_store *store,
                         const struct mc_quantize_options *options, struct mc_record *section, struct mc_error *err);

#endif
