#!/usr/bin/env python3
"""Print tests/op/move_vectors.h: what ONNX Runtime makes of small cases of the operators that move data.

    move.py > tests/op/move_vectors.h

Needs onnx, onnxruntime, numpy. Inputs named x, a, b hold 1, 2, 3, … so that the outputs say where each element came from.
"""

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

F, D, I32, I64, B = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)
NAMES = {F: "MC_FLOAT", D: "MC_DOUBLE", I32: "MC_INT32", I64: "MC_INT64", B: "MC_BOOL", TensorProto.INT8: "MC_INT8",
         TensorProto.UINT8: "MC_UINT8", TensorProto.FLOAT16: "MC_FLOAT16", TensorProto.BFLOAT16: "MC_BFLOAT16"}


def count(*shape):
    """1, 2, 3, … as float32."""
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ints(*values):
    return np.array(values, dtype=np.int64)


def ints32(*values):
    return np.array(values, dtype=np.int32)


def truth(*values):
    return np.array(values, dtype=bool)


X = count(2, 3, 4)
CASES = [  # name, type, opset, attributes, inputs, number of outputs
    ("reshape_infers", "Reshape", 13, {}, [X, ints(4, -1)], 1),
    ("reshape_takes_over", "Reshape", 13, {}, [X, ints(0, 12)], 1),
    ("reshape_allows_zero", "Reshape", 14, {"allowzero": 1}, [count(0, 3), ints(3, 0)], 1),
    ("reshape_to_scalar", "Reshape", 13, {}, [count(1, 1), ints()], 1),
    ("flatten", "Flatten", 13, {}, [X], 1),
    ("flatten_0", "Flatten", 13, {"axis": 0}, [X], 1),
    ("flatten_end", "Flatten", 13, {"axis": 3}, [X], 1),
    ("flatten_negative", "Flatten", 13, {"axis": -1}, [X], 1),
    ("squeeze_all", "Squeeze", 13, {}, [count(1, 3, 1)], 1),
    ("squeeze_some", "Squeeze", 13, {}, [count(1, 3, 1), ints(-1)], 1),
    ("squeeze_attribute", "Squeeze", 11, {"axes": [0]}, [count(1, 3, 1)], 1),
    ("unsqueeze", "Unsqueeze", 13, {}, [count(2, 3), ints(0, -2)], 1),
    ("unsqueeze_attribute", "Unsqueeze", 11, {"axes": [2, 0]}, [count(2, 3)], 1),
    ("identity", "Identity", 13, {}, [X], 1),
    ("transpose", "Transpose", 13, {"perm": [2, 0, 1]}, [X], 1),
    ("transpose_reverses", "Transpose", 13, {}, [X], 1),
    ("transpose_last", "Transpose", 13, {"perm": [0, 2, 1]}, [X], 1),
    ("concat", "Concat", 13, {"axis": 1}, [count(2, 1, 2), count(2, 2, 2)], 1),
    ("concat_last", "Concat", 13, {"axis": -1}, [count(2, 2), count(2, 1), count(2, 3)], 1),
    ("split_sizes", "Split", 13, {"axis": 1}, [count(2, 6), ints(1, 2, 3)], 3),
    ("split_equal", "Split", 13, {"axis": -1}, [count(2, 6)], 2),
    ("split_attribute", "Split", 11, {"axis": 0, "split": [1, 3]}, [count(4, 2)], 2),
    ("split_uneven", "Split", 18, {"num_outputs": 3}, [count(7)], 3),
    ("slice", "Slice", 13, {}, [count(5, 4), ints(1, 0), ints(4, 3)], 1),
    ("slice_steps", "Slice", 13, {}, [count(5, 4), ints(0, 3), ints(5, 0), ints(0, 1), ints(2, -2)], 1),
    ("slice_clamps", "Slice", 13, {}, [count(5), ints(-100), ints(1000), ints(0)], 1),
    ("slice_reverses", "Slice", 13, {}, [count(5), ints(-1), ints(-(2**63) + 1), ints(0), ints(-1)], 1),
    ("slice_of_nothing", "Slice", 13, {}, [count(5, 2), ints(3), ints(1)], 1),
    ("slice_int32", "Slice", 13, {}, [count(3, 5), ints32(1), ints32(-1), ints32(-1)], 1),
    ("slice_attributes", "Slice", 9, {"starts": [1, -2], "ends": [3, 100], "axes": [0, 1]}, [count(4, 3)], 1),
    ("pad", "Pad", 13, {}, [count(2, 3), ints(1, 0, 0, 2), np.array(9, dtype=np.float32)], 1),
    ("pad_cuts", "Pad", 13, {}, [count(3, 4), ints(-1, 1, 1, -2)], 1),
    ("pad_reflects", "Pad", 13, {"mode": "reflect"}, [count(3, 4), ints(2, 1, 1, 3)], 1),
    ("pad_repeats", "Pad", 13, {"mode": "edge"}, [count(2, 3), ints(1, 2, 2, 0)], 1),
    ("pad_wraps", "Pad", 19, {"mode": "wrap"}, [count(3, 3), ints(2, 1, 1, 0)], 1),
    ("pad_axes", "Pad", 18, {}, [count(2, 2), ints(1, 2), np.array(0, dtype=np.float32), ints(-1)], 1),
    ("pad_attributes", "Pad", 10, {"pads": [0, 1, 1, 0], "value": -2.0}, [count(2, 2)], 1),
    ("gather_rows", "Gather", 13, {}, [count(3, 2), ints(2, 0, 2)], 1),
    ("gather_matrix", "Gather", 13, {"axis": 1}, [X, np.array([[0, -1], [1, 1]], dtype=np.int64)], 1),
    ("gather_one", "Gather", 13, {"axis": -1}, [X, np.array(2, dtype=np.int32)], 1),
    ("expand", "Expand", 13, {}, [count(3, 1), ints(2, 1, 4)], 1),
    ("expand_smaller_rank", "Expand", 13, {}, [count(2, 3), ints(3)], 1),
    ("where", "Where", 16, {}, [truth([True], [False]), count(2, 3), count(3)], 1),
    ("constant_of_shape", "ConstantOfShape", 9,
     {"value": helper.make_tensor("value", I64, [1], [7])}, [ints(2, 3)], 1),
    ("constant_of_shape_default", "ConstantOfShape", 9, {}, [ints(2)], 1),
    ("shape", "Shape", 13, {}, [X], 1),
    ("shape_part", "Shape", 15, {"start": -2, "end": 5}, [X], 1),
    ("shape_none", "Shape", 15, {"start": 2, "end": 1}, [X], 1),
    ("range", "Range", 11, {}, [np.array(10, dtype=np.int64), np.array(4, dtype=np.int64), np.array(-2, dtype=np.int64)], 1),
    ("range_float", "Range", 11, {}, [np.array(1, dtype=np.float32), np.array(2.5, dtype=np.float32),
                                      np.array(0.5, dtype=np.float32)], 1),
    ("range_of_nothing", "Range", 11, {}, [np.array(n, dtype=np.int32) for n in (3, 1, 1)], 1),
    ("size", "Size", 13, {}, [X], 1),
    ("cast_truncates", "Cast", 13, {"to": I32}, [np.array([-1.9, -0.5, 0.5, 2.5], dtype=np.float32)], 1),
    ("cast_to_bool", "Cast", 13, {"to": B}, [np.array([-1.5, 0, 0.1], dtype=np.float32)], 1),
    ("cast_to_double", "Cast", 13, {"to": D}, [count(3)], 1),
    ("cast_to_half", "Cast", 13, {"to": TensorProto.FLOAT16}, [np.array([1.0004, 65519, 1e-8], dtype=np.float32)], 1),
    ("cast_from_int64", "Cast", 13, {"to": F}, [ints(-3, 2**40)], 1),
    ("equal", "Equal", 13, {}, [count(2, 3), count(3)], 1),
    ("equal_int64", "Equal", 13, {}, [ints(1, -2, 2**52 + 1), ints(1, 2, 2**52)], 1),
    ("less", "Less", 13, {}, [count(3, 1), count(4)], 1),
    ("greater_int32", "Greater", 13, {}, [ints32(1, 5, 3), ints32(3)], 1),
    ("less_or_equal", "LessOrEqual", 16, {}, [np.array([1, np.nan, 3], dtype=np.float32), count(3)], 1),
    ("greater_or_equal", "GreaterOrEqual", 16, {}, [np.array([1, np.nan, 2], dtype=np.float32), count(3)], 1),
    ("and", "And", 7, {}, [truth([False], [True]), truth(False, True)], 1),
    ("or", "Or", 7, {}, [truth([False], [True]), truth(False, True)], 1),
    ("xor", "Xor", 7, {}, [truth([False], [True]), truth(False, True)], 1),
    ("not", "Not", 1, {}, [truth(False, True)], 1),
]


def run(kind, opset, attributes, inputs, n_out):
    names = ["in%d" % i for i in range(len(inputs))]
    outputs = ["out%d" % i for i in range(n_out)]
    node = helper.make_node(kind, names, outputs, **attributes)
    given = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in zip(names, inputs)]
    graph = helper.make_graph([node], "g", given, [onnx.ValueInfoProto(name=n) for n in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", max(opset, 7))], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, inputs)))


def number(v):
    v = float(v) if np.asarray(v).dtype.kind == "f" else int(v)
    if v != v:
        return "NAN"
    if v in (float("inf"), float("-inf")):
        return "INFINITY" if v > 0 else "-INFINITY"
    return repr(v)[:-2] if repr(v).endswith(".0") else repr(v)


def array(v, constant=False):
    v = np.asarray(v)
    fields = []
    if v.dtype != np.float32:
        fields.append(".dtype = " + NAMES[helper.np_dtype_to_tensor_dtype(v.dtype)])
    fields.append("OP_DIMS(%s)" % ", ".join(map(str, v.shape)) if v.ndim else "OP_SCALAR")
    if v.size:
        fields.append("OP_DATA(%s)" % ", ".join(number(x) for x in v.flat))
    if constant:
        fields.append(".initializer = true")
    return "{%s}" % ", ".join(fields)


def attribute(name, value):
    if isinstance(value, str):
        return 'OP_STRING("%s", "%s")' % (name, value)
    if isinstance(value, float):
        return 'OP_FLOAT("%s", %s)' % (name, number(value))
    if isinstance(value, TensorProto):
        return 'OP_TENSOR("%s", %s)' % (name, array(onnx.numpy_helper.to_array(value))[1:-1])
    if isinstance(value, list):
        return 'OP_INTS("%s", %s)' % (name, ", ".join(map(str, value)))
    return 'OP_INT("%s", %d)' % (name, value)


def main():
    print("/* move_vectors.h - what ONNX Runtime %s (NumPy %s) makes of small cases of the operators that move data."
          % (onnxruntime.__version__, np.__version__))
    print(" * Made by tests/reference/move.py; do not edit. */")
    print("#ifndef MC_TESTS_OP_MOVE_VECTORS_H\n#define MC_TESTS_OP_MOVE_VECTORS_H\n")
    print('#include <math.h>\n\n#include "harness.h"\n')
    print("struct move_vector {\n    const char *name;\n    struct op_case given;\n"
          "    struct op_tensor expected[OP_MAX_OUTPUTS];\n};\n")
    print("/* clang-format off */\nstatic const struct move_vector move_vectors[] = {")
    for name, kind, opset, attributes, inputs, n_out in CASES:
        outputs = run(kind, opset, attributes, inputs, n_out)
        print('    {"%s",\n     {.type = "%s", .opset = %d,' % (name, kind, opset), end="")
        if attributes:
            print(" .attrs = {%s}," % ", ".join(attribute(k, v) for k, v in attributes.items()), end="")
        print("\n      .in = {%s},\n      .n_in = %d, .n_out = %d%s}," % (
            ",\n             ".join(array(v, kind == "Range") for v in inputs), len(inputs), len(outputs),
            ", .f32_only = true" if kind in ("Cast", "ConstantOfShape") else ""))
        print("     {%s}}," % ",\n      ".join(map(array, outputs)))
    print("};\n/* clang-format on */\n\n#endif")
    return 0


if __name__ == "__main__":
    sys.exit(main())
