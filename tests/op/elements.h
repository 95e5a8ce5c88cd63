/* elements.h - running an element-wise operator, reduction or normalization on its vectors (element_vectors.h). */
#ifndef MC_TESTS_OP_ELEMENTS_H
#define MC_TESTS_OP_ELEMENTS_H

/* Every vector of an operator gives ONNX Runtime's outputs within `tolerance` * max(1, |expected|), in float32 and
 * float64, and once more with each allocation failing in turn. */
void elements_check(const char *type, double tolerance);

#endif
