#!/usr/bin/env python3
"""Print tests/op/product_vectors.h: what ONNX Runtime makes of small cases of Gemm, MatMul, Conv and the pools.

    products.py > tests/op/product_vectors.h

Needs onnx, onnxruntime, numpy.
"""

import sys

import numpy as np
import onnxruntime

from move import array, attribute, run


def draw(*shape):
    """Numbers in [-2, 2] that take few digits, eighths."""
    n = int(np.prod(shape))
    return np.array(np.round(np.sin(np.arange(1, n + 1) * 12.9898) * 16) / 8, dtype=np.float32).reshape(shape)


def conv(name, x, w, bias=True, opset=11, **attributes):
    return (name, "Conv", opset, attributes, [draw(*x), draw(*w)] + ([draw(w[0])] if bias else []), 1)


def pool(name, kind, x, opset=12, n_out=1, **attributes):
    return (name, kind, opset, attributes, [draw(*x)], n_out)


CASES = [  # name, type, opset, attributes, inputs, number of outputs
    ("gemm", "Gemm", 13, {}, [draw(3, 4), draw(4, 5), draw(5)], 1),
    ("gemm_no_addend", "Gemm", 11, {}, [draw(3, 4), draw(4, 5)], 1),
    ("gemm_transposed", "Gemm", 13, {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
     [draw(4, 3), draw(5, 4), draw(3, 1)], 1),
    ("gemm_transposed_b", "Gemm", 9, {"transB": 1}, [draw(2, 4), draw(3, 4), draw(1, 3)], 1),
    ("gemm_transposed_a", "Gemm", 7, {"transA": 1}, [draw(4, 2), draw(4, 3), draw(2, 3)], 1),
    ("gemm_scalar_addend", "Gemm", 13, {"beta": -1.0}, [draw(2, 3), draw(3, 2), np.array(1.5, dtype=np.float32)], 1),
    ("gemm_one_row", "Gemm", 13, {"transB": 1}, [draw(1, 5), draw(4, 5), draw(4)], 1),
    ("gemm_beta_0", "Gemm", 13, {"beta": 0.0}, [draw(2, 3), draw(3, 2), draw(2)], 1),
    ("matmul", "MatMul", 13, {}, [draw(3, 4), draw(4, 2)], 1),
    ("matmul_vectors", "MatMul", 13, {}, [draw(4), draw(4)], 1),
    ("matmul_vector_matrix", "MatMul", 13, {}, [draw(4), draw(4, 3)], 1),
    ("matmul_matrix_vector", "MatMul", 13, {}, [draw(3, 4), draw(4)], 1),
    ("matmul_batch", "MatMul", 13, {}, [draw(2, 3, 4), draw(2, 4, 2)], 1),
    ("matmul_batch_matrix", "MatMul", 9, {}, [draw(2, 3, 4), draw(4, 2)], 1),
    ("matmul_matrix_batch", "MatMul", 13, {}, [draw(3, 4), draw(2, 4, 2)], 1),
    ("matmul_batch_vector", "MatMul", 13, {}, [draw(2, 3, 4), draw(4)], 1),
    ("matmul_vector_batch", "MatMul", 13, {}, [draw(4), draw(2, 4, 3)], 1),
    ("matmul_broadcast", "MatMul", 1, {}, [draw(2, 1, 2, 3), draw(1, 3, 3, 2)], 1),
    ("matmul_broadcast_rank", "MatMul", 13, {}, [draw(2, 2, 2, 3), draw(2, 3, 1)], 1),
    conv("conv", (2, 2, 4, 5), (3, 2, 3, 2)),
    conv("conv_no_bias", (1, 2, 4, 4), (2, 2, 3, 3), bias=False, pads=[1, 1, 1, 1]),
    conv("conv_strides_pads", (1, 1, 6, 5), (2, 1, 3, 2), strides=[2, 3], pads=[1, 0, 2, 1], kernel_shape=[3, 2]),
    conv("conv_dilations", (1, 2, 6, 7), (1, 2, 2, 3), dilations=[3, 2], pads=[0, 1, 1, 0]),
    conv("conv_groups", (1, 4, 3, 3), (6, 2, 2, 2), group=2),
    conv("conv_depthwise", (1, 3, 4, 4), (3, 1, 3, 3), group=3, pads=[1, 1, 1, 1]),
    conv("conv_same_upper", (1, 1, 5, 4), (1, 1, 2, 3), auto_pad="SAME_UPPER"),
    conv("conv_same_lower", (1, 1, 5, 4), (1, 1, 2, 3), auto_pad="SAME_LOWER"),
    conv("conv_same_upper_strided", (1, 1, 7, 6), (1, 1, 3, 2), auto_pad="SAME_UPPER", strides=[3, 2]),
    conv("conv_same_lower_strided", (1, 1, 7, 6), (1, 1, 4, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
    conv("conv_valid", (1, 1, 5, 4), (1, 1, 2, 3), auto_pad="VALID", strides=[2, 1]),
    conv("conv_one_axis", (2, 2, 7), (3, 2, 3), opset=1, strides=[2], pads=[1, 0]),
    conv("conv_three_axes", (1, 2, 3, 4, 3), (2, 2, 2, 2, 3), pads=[0, 1, 1, 1, 0, 0]),
    conv("conv_one_tap", (1, 3, 3, 2), (2, 3, 1, 1), strides=[2, 1]),
    pool("max_pool", "MaxPool", (1, 2, 5, 4), kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1]),
    pool("max_pool_indices", "MaxPool", (2, 2, 4, 5), n_out=2, kernel_shape=[3, 2], pads=[1, 1, 1, 0], strides=[2, 2]),
    pool("max_pool_storage_order", "MaxPool", (1, 2, 4, 5), n_out=2, kernel_shape=[2, 2], storage_order=1),
    pool("max_pool_ceil", "MaxPool", (1, 1, 6, 5), kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1),
    pool("max_pool_ceil_pads", "MaxPool", (1, 1, 4, 4), kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
    pool("max_pool_dilations", "MaxPool", (1, 1, 6, 6), kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 0, 0, 1]),
    pool("max_pool_same", "MaxPool", (1, 1, 5, 5), kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    pool("max_pool_one_axis", "MaxPool", (2, 1, 6), opset=8, n_out=2, kernel_shape=[3], strides=[2]),
    pool("max_pool_three_axes", "MaxPool", (1, 1, 3, 4, 4), kernel_shape=[2, 2, 2], strides=[1, 2, 2]),
    pool("average_pool", "AveragePool", (1, 2, 5, 4), opset=11, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1]),
    pool("average_pool_with_pads", "AveragePool", (1, 1, 4, 4), opset=11, kernel_shape=[3, 3], pads=[1, 1, 1, 1],
         count_include_pad=1),
    pool("average_pool_ceil", "AveragePool", (1, 1, 6, 6), opset=19, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    pool("average_pool_ceil_with_pads", "AveragePool", (1, 1, 6, 6), opset=19, kernel_shape=[3, 3], strides=[2, 2],
         pads=[1, 1, 0, 0], ceil_mode=1, count_include_pad=1),
    pool("average_pool_dilations", "AveragePool", (1, 1, 6, 6), opset=19, kernel_shape=[2, 2], dilations=[2, 3],
         pads=[1, 0, 1, 0]),
    pool("average_pool_same_lower", "AveragePool", (1, 1, 5, 5), opset=11, kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    pool("average_pool_one_axis", "AveragePool", (2, 1, 6), opset=7, kernel_shape=[3], strides=[2]),
    pool("global_average_pool", "GlobalAveragePool", (2, 3, 3, 2), opset=1),
    pool("global_max_pool", "GlobalMaxPool", (2, 3, 3, 2), opset=1),
]


def main():
    print("/* product_vectors.h - what ONNX Runtime %s (NumPy %s) makes of small cases of Gemm, MatMul, Conv and the pools."
          % (onnxruntime.__version__, np.__version__))
    print(" * Made by tests/reference/products.py; do not edit. */")
    print("#ifndef MC_TESTS_OP_PRODUCT_VECTORS_H\n#define MC_TESTS_OP_PRODUCT_VECTORS_H\n")
    print('#include "harness.h"\n')
    print("struct product_vector {\n    const char *name;\n    struct op_case given;\n    struct op_tensor expected[2];\n};\n")
    print("/* clang-format off */\nstatic const struct product_vector product_vectors[] = {")
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
