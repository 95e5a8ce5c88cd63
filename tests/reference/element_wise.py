#!/usr/bin/env python3
"""Print tests/op/element_vectors.h: what ONNX Runtime makes of small cases of the element-wise operators, the reductions,
softmax and layer normalization.

    element_wise.py > tests/op/element_vectors.h

Needs onnx, onnxruntime, numpy. Where two inputs are equal or at a kink the cases say nothing of gradients: those have
tests of their own.
"""

import sys

import numpy as np
import onnxruntime

from move import array, attribute, ints, ints32, run


def floats(*values):
    return np.array(values, dtype=np.float32)


def one(value, dtype=np.float32):
    return np.array(value, dtype=dtype)


def draw(*shape):
    """Numbers in [-3, 3] that repeat nowhere."""
    n = int(np.prod(shape))
    return np.array(np.sin(np.arange(1, n + 1) * 12.9898) * 3, dtype=np.float32).reshape(shape)


INF = np.inf
V = floats(-0.0, 0.5, -0.5, 1, -1, 2.75, -2.75, 3, -3, 10, -10, 100, -100, 1e-6, -1e-6, 1e-20)
POSITIVE = floats(1e-30, 0.25, 1, 2, 10, 3e30, INF, 0)
X = draw(2, 3, 4)
# name, type, opset, attributes, inputs, number of outputs
CASES = [
    ("relu", "Relu", 14, {}, [V], 1),
    ("relu_old", "Relu", 6, {}, [V], 1),
    ("leaky_relu", "LeakyRelu", 16, {}, [V], 1),
    ("leaky_relu_alpha", "LeakyRelu", 16, {"alpha": 0.25}, [V], 1),
    ("sigmoid", "Sigmoid", 13, {}, [V], 1),
    ("tanh", "Tanh", 13, {}, [V], 1),
    ("hard_sigmoid", "HardSigmoid", 6, {}, [V], 1),
    ("hard_sigmoid_slope", "HardSigmoid", 6, {"alpha": 0.5, "beta": 0.25}, [V], 1),
    ("hard_swish", "HardSwish", 14, {}, [V], 1),
    ("elu", "Elu", 6, {}, [V], 1),
    ("elu_alpha", "Elu", 6, {"alpha": 2.5}, [V], 1),
    ("gelu", "Gelu", 20, {}, [V], 1),
    ("gelu_tanh", "Gelu", 20, {"approximate": "tanh"}, [V], 1),
    ("erf", "Erf", 13, {}, [V], 1),
    ("exp", "Exp", 13, {}, [floats(0, 1, -1, 20, -20, -INF, 0.001)], 1),
    ("log", "Log", 13, {}, [POSITIVE], 1),
    ("sqrt", "Sqrt", 13, {}, [POSITIVE], 1),
    ("neg", "Neg", 13, {}, [V], 1),
    ("neg_int64", "Neg", 13, {}, [ints(1, -2, 0, 2**52)], 1),
    ("abs", "Abs", 13, {}, [V], 1),
    ("abs_int32", "Abs", 13, {}, [ints32(1, -2, 0, -(2**31) + 1)], 1),
    ("add", "Add", 14, {}, [X, X[::-1].copy()], 1),
    ("add_vector", "Add", 7, {}, [X, draw(4)], 1),
    ("add_per_channel", "Add", 14, {}, [X, draw(1, 3, 1)], 1),
    ("add_scalar", "Add", 14, {}, [draw(), X], 1),
    ("add_both_ways", "Add", 14, {}, [draw(3, 1), draw(1, 4)], 1),
    ("add_nothing", "Add", 14, {}, [draw(0, 3), draw(1)], 1),
    ("add_int64", "Add", 14, {}, [ints(1, 2, -3), ints(10)], 1),
    ("sub", "Sub", 14, {}, [draw(4), X], 1),
    ("sub_int32", "Sub", 14, {}, [ints32(1, 2, -3), ints32(3, 2, 1)], 1),
    ("mul", "Mul", 14, {}, [X, draw(3, 1)], 1),
    ("mul_int64", "Mul", 14, {}, [ints(3, -4), ints(5)], 1),
    ("div", "Div", 14, {}, [X, draw(2, 1, 4)], 1),
    ("div_by_zero", "Div", 14, {}, [floats(1, -1, 0), floats(0)], 1),
    ("div_int64", "Div", 14, {}, [ints(7, -7, 7, -7), ints(2, 2, -2, -2)], 1),
    ("prelu", "PRelu", 16, {}, [X, draw(3, 1)], 1),
    ("prelu_one", "PRelu", 7, {}, [X, floats(0.25)], 1),
    ("pow", "Pow", 15, {}, [floats(0, 1, 2, 3.5, -2, 0), floats(0, 5, -1.5, 2.25, 3, 2)], 1),
    ("pow_square", "Pow", 13, {}, [X, one(2)], 1),
    ("pow_cube", "Pow", 13, {}, [X, one(3)], 1),
    ("pow_int_exponent", "Pow", 13, {}, [floats(1.5, -2, 3), ints(2, 3, 0)], 1),
    ("pow_broadcast", "Pow", 13, {}, [floats([1], [2]), floats(0.5, 2, 3)], 1),
    ("pow_int64", "Pow", 13, {}, [ints(2, -3, 5), ints(10, 3, 0)], 1),
    ("clip", "Clip", 13, {}, [V, one(-1.5), one(2)], 1),
    ("clip_below", "Clip", 11, {}, [V, one(0)], 1),
    ("clip_none", "Clip", 13, {}, [V], 1),
    ("clip_crossed", "Clip", 13, {}, [V, one(2), one(-1)], 1),
    ("clip_attributes", "Clip", 6, {"min": 0.0, "max": 6.0}, [V], 1),
    ("clip_int64", "Clip", 13, {}, [ints(-5, 0, 5, 50), one(-1, np.int64), one(7, np.int64)], 1),
    ("clip_int32_below", "Clip", 13, {}, [ints32(-5, 0, 5), one(1, np.int32)], 1),
    ("max", "Max", 13, {}, [floats(1, np.nan, 3, 4), floats(2, 2, np.nan, -1)], 1),
    ("max_three", "Max", 13, {}, [draw(3, 1), draw(1, 4), draw(2, 1, 1)], 1),
    ("max_one", "Max", 8, {}, [X], 1),
    ("max_int64", "Max", 13, {}, [ints(1, 5, -3), ints(2)], 1),
    ("min", "Min", 13, {}, [floats(1, np.nan, 3, 4), floats(2, 2, np.nan, -1)], 1),
    ("min_three", "Min", 13, {}, [draw(1), draw(3, 4), draw(2, 1, 1)], 1),
    ("min_int32", "Min", 13, {}, [ints32(1, 5, -3), ints32(2)], 1),
    ("softmax", "Softmax", 13, {}, [X], 1),
    ("softmax_first", "Softmax", 13, {"axis": 0}, [X], 1),
    ("softmax_middle", "Softmax", 13, {"axis": -2}, [X], 1),
    ("softmax_flat", "Softmax", 11, {}, [X], 1),
    ("softmax_flat_0", "Softmax", 11, {"axis": 0}, [X], 1),
    ("softmax_flat_2", "Softmax", 11, {"axis": 2}, [X], 1),
    ("softmax_far", "Softmax", 13, {}, [floats([1000, 999, -1000], [-INF, 0, 1])], 1),
    ("log_softmax", "LogSoftmax", 13, {}, [X], 1),
    ("log_softmax_middle", "LogSoftmax", 13, {"axis": 1}, [X], 1),
    ("log_softmax_flat", "LogSoftmax", 11, {"axis": 1}, [X], 1),
    ("log_softmax_far", "LogSoftmax", 13, {}, [floats([1000, 999, -1000])], 1),
    ("reduce_mean", "ReduceMean", 13, {"axes": [1]}, [X], 1),
    ("reduce_mean_spatial", "ReduceMean", 13, {"axes": [-2, -1], "keepdims": 0}, [draw(2, 3, 4, 5)], 1),
    ("reduce_mean_all", "ReduceMean", 13, {"keepdims": 0}, [X], 1),
    ("reduce_mean_input", "ReduceMean", 18, {}, [X, ints(0, 2)], 1),
    ("reduce_mean_noop", "ReduceMean", 18, {"noop_with_empty_axes": 1}, [X], 1),
    ("reduce_sum", "ReduceSum", 13, {"keepdims": 0}, [X, ints(-1)], 1),
    ("reduce_sum_first", "ReduceSum", 13, {}, [X, ints(0)], 1),
    ("reduce_sum_outer", "ReduceSum", 13, {"keepdims": 0}, [draw(2, 3, 4, 5), ints(0, 2, 3)], 1),
    ("reduce_sum_all", "ReduceSum", 13, {}, [X], 1),
    ("reduce_sum_attribute", "ReduceSum", 11, {"axes": [0, 1]}, [X], 1),
    ("reduce_sum_noop", "ReduceSum", 13, {"noop_with_empty_axes": 1}, [X, ints()], 1),
    ("reduce_sum_of_nothing", "ReduceSum", 13, {}, [draw(3, 0), ints(1)], 1),
    ("dropout", "Dropout", 13, {}, [X], 1),
    ("dropout_mask", "Dropout", 13, {}, [draw(3), one(0.25)], 2),
    ("dropout_attribute", "Dropout", 10, {"ratio": 0.75}, [X], 1),
    ("layer_norm", "LayerNormalization", 17, {}, [X, draw(4), draw(4) + 1], 3),
    ("layer_norm_no_bias", "LayerNormalization", 17, {"epsilon": 0.01}, [X, draw(4)], 1),
    ("layer_norm_planes", "LayerNormalization", 17, {"axis": 1}, [X, draw(3, 4), draw(3, 4) - 1], 3),
]


def main():
    print("/* element_vectors.h - what ONNX Runtime %s (NumPy %s) makes of small cases of the element-wise operators,\n"
          " * reductions, softmax and layer normalization. Made by tests/reference/element_wise.py; do not edit. */"
          % (onnxruntime.__version__, np.__version__))
    print("#ifndef MC_TESTS_OP_ELEMENT_VECTORS_H\n#define MC_TESTS_OP_ELEMENT_VECTORS_H\n")
    print('#include <math.h>\n\n#include "harness.h"\n')
    print("struct element_vector {\n    const char *name;\n    struct op_case given;\n"
          "    struct op_tensor expected[OP_MAX_OUTPUTS];\n};\n")
    print("/* clang-format off */\nstatic const struct element_vector element_vectors[] = {")
    for name, kind, opset, attributes, inputs, n_out in CASES:
        outputs = run(kind, opset, attributes, inputs, n_out)
        print('    {"%s",\n     {.type = "%s", .opset = %d,' % (name, kind, opset), end="")
        if attributes:
            print(" .attrs = {%s}," % ", ".join(attribute(k, v) for k, v in attributes.items()), end="")
        print("\n      .in = {%s},\n      .n_in = %d, .n_out = %d}," % (
            ",\n             ".join(map(array, inputs)), len(inputs), len(outputs)))
        print("     {%s}}," % ",\n      ".join(map(array, outputs)))
    print("};\n/* clang-format on */\n\n#endif")
    return 0


if __name__ == "__main__":
    sys.exit(main())
