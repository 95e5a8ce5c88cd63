/* products.h - running Gemm, MatMul, Conv or a pool on its vectors (product_vectors.h). */
#ifndef MC_TESTS_OP_PRODUCTS_H
#define MC_TESTS_OP_PRODUCTS_H

/* Every vector of an operator gives ONNX Runtime's outputs, in float32 and float64, by every backend and instruction
 * set, with weights that are fed or stored, and in a training plan. */
void products_check(const char *type);
/* Its gradients agree with finite differences, by every backend. */
void products_check_gradients(const char *type);
/* Each allocation fails in turn. */
void products_check_memory(const char *type);

#endif
