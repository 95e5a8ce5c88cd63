#!/usr/bin/env python3
"""Write tests/op/vectors/NAME.onnx: small models with inputs, and what ONNX Runtime makes of them, or ONNX's own
reference evaluator where the runtime lacks the operator.

    vectors.py tests/op/vectors

Input K of a model is also its initializer "fed.K", output K should be its initializer "want.K"; no node reads those.
tests/op/test_vectors.c runs them. Needs onnx, onnxruntime, numpy.
"""

import os
import sys

import numpy as np
import onnx
import onnx.parser
import onnx.reference
import onnxruntime
from onnx import helper, numpy_helper


def draw(*shape, low=-2.0, high=2.0, seed=0, dtype=np.float32):
    return np.random.default_rng(seed + 7).uniform(low, high, shape).astype(dtype)


def ints(*values, dtype=np.int64):
    return np.array(values, dtype=dtype)


def one(value, dtype=np.int64):
    return np.array(value, dtype=dtype)


def bytes8(*shape, seed=0, dtype=np.uint8):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed + 11).integers(info.min, info.max + 1, shape).astype(dtype)


def numbers(n):
    return ", ".join(f"{v:.3f}" for v in draw(n))


MICROSOFT_DOMAIN = "com.microsoft"
TRAINING_DOMAIN = "ai.onnx.preview.training"
V = np.array([-0.0, 0.5, -0.5, 1, -1, 2.5, -2.75, 1.5, -10, 10, 100, -100], dtype=np.float32)
UNIT = draw(9, low=-0.99, high=0.99)
X = draw(2, 3, 4)
IMAGE = draw(1, 2, 4, 5)
TIES = np.array([[1, 3, 3, 2], [5, 5, 1, 5]], dtype=np.float32)
HALF = X.astype(np.float16)
# name, type, opset, attributes, inputs (None: left out), number of outputs
CASES = [
    *[(name.lower(), name, 22, {}, [UNIT], 1) for name in ("Acos", "Asin", "Atanh")],
    *[(name.lower(), name, 22, {}, [draw(9, low=1.01, high=9)], 1) for name in ("Acosh",)],
    *[(name.lower(), name, 22, {}, [draw(3, 5)], 1)
      for name in ("Asinh", "Atan", "Cos", "Cosh", "Sin", "Sinh", "Tan", "Softplus", "Softsign", "Mish", "Round")],
    *[(name.lower(), name, 13, {}, [V], 1) for name in ("Ceil", "Floor", "Sign", "Selu")],
    ("reciprocal", "Reciprocal", 13, {}, [draw(5, low=0.1)], 1),
    ("reciprocal_half", "Reciprocal", 13, {}, [draw(5, low=0.1).astype(np.float16)], 1),
    ("round_ties", "Round", 22, {}, [np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], dtype=np.float64)], 1),
    ("celu", "Celu", 12, {"alpha": 2.0}, [V], 1),
    ("selu_own", "Selu", 6, {"alpha": 1.5, "gamma": 0.5}, [V], 1),
    ("shrink", "Shrink", 9, {"lambd": 1.5, "bias": 0.25}, [V], 1),
    ("thresholded", "ThresholdedRelu", 10, {"alpha": 1.25}, [V], 1),
    ("swish", "Swish", 24, {"alpha": 0.5}, [V], 1),
    ("is_inf", "IsInf", 20, {"detect_negative": 0}, [np.array([np.inf, -np.inf, np.nan, 1], dtype=np.float32)], 1),
    ("is_nan", "IsNaN", 20, {}, [np.array([np.inf, np.nan, 1], dtype=np.float32)], 1),
    ("mean", "Mean", 13, {}, [X, draw(3, 1, seed=1), draw(4, seed=2)], 1),
    ("sum", "Sum", 13, {}, [X, draw(3, 1, seed=1), draw(4, seed=2)], 1),
    ("mod_floats", "Mod", 13, {"fmod": 1}, [V, draw(12, seed=3)], 1),
    ("mod_integers", "Mod", 13, {}, [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], 1),
    ("bit_shift", "BitShift", 11, {"direction": "LEFT"}, [ints(1, 2, 255, dtype=np.uint8), ints(1, 7, 9, dtype=np.uint8)], 1),
    ("bitwise_and", "BitwiseAnd", 18, {}, [ints(12, -1, 7, dtype=np.int32), ints(10, 5, -8, dtype=np.int32)], 1),
    ("bitwise_or", "BitwiseOr", 18, {}, [ints(12, 1, 7, dtype=np.uint8), ints(10, 5, 8, dtype=np.uint8)], 1),
    ("bitwise_xor", "BitwiseXor", 18, {}, [ints(12, -1, 7), ints(10, 5, -8)], 1),
    ("bitwise_not", "BitwiseNot", 18, {}, [ints(0, -1, 7, dtype=np.int16)], 1),
    ("arg_max", "ArgMax", 13, {"axis": 1, "keepdims": 0}, [TIES], 1),
    ("arg_max_last", "ArgMax", 13, {"axis": -1, "select_last_index": 1}, [TIES], 1),
    ("arg_min", "ArgMin", 13, {"axis": 0}, [TIES], 1),
    ("cum_sum", "CumSum", 14, {"exclusive": 1, "reverse": 1}, [X, one(1)], 1),
    ("cum_prod", "CumProd", 26, {}, [X, one(-1)], 1),
    ("hardmax", "Hardmax", 13, {"axis": 1}, [X], 1),
    ("top_k", "TopK", 11, {"axis": 1, "largest": 1}, [TIES, ints(3)], 2),
    ("top_k_smallest", "TopK", 11, {"axis": 0, "largest": 0}, [draw(5, 3), ints(2)], 2),
    ("eye_like", "EyeLike", 9, {"k": 1, "dtype": 7}, [draw(3, 4)], 1),
    ("blackman", "BlackmanWindow", 17, {}, [one(7)], 1),
    ("hamming", "HammingWindow", 17, {"periodic": 0}, [one(6)], 1),
    ("hann", "HannWindow", 17, {}, [one(5)], 1),
    *[(f"{name}_old", kind, 13, {"axes": [1], "keepdims": 0}, [X], 1)
      for name, kind in (("reduce_max", "ReduceMax"), ("reduce_l1", "ReduceL1"), ("reduce_l2", "ReduceL2"))],
    *[(name, kind, 18, {}, [draw(2, 3, 4, low=0.5), ints(0, 2)], 1)
      for name, kind in (("reduce_max", "ReduceMax"), ("reduce_min", "ReduceMin"), ("reduce_prod", "ReduceProd"),
                         ("reduce_l1", "ReduceL1"), ("reduce_l2", "ReduceL2"), ("reduce_log_sum", "ReduceLogSum"),
                         ("reduce_log_sum_exp", "ReduceLogSumExp"), ("reduce_sum_square", "ReduceSumSquare"))],
    ("reduce_max_int8", "ReduceMax", 18, {"keepdims": 0}, [bytes8(3, 4, dtype=np.int8), ints(1)], 1),
    ("instance_norm", "InstanceNormalization", 22, {}, [IMAGE, draw(2, seed=1), draw(2, seed=2)], 1),
    ("group_norm", "GroupNormalization", 21, {"num_groups": 2}, [draw(2, 4, 3), draw(4, seed=1), draw(4, seed=2)], 1),
    ("rms_norm", "RMSNormalization", 23, {"axis": -1}, [X, draw(4, seed=1)], 1),
    ("lp_norm", "LpNormalization", 22, {"axis": 1, "p": 1}, [X], 1),
    ("lrn", "LRN", 13, {"size": 3, "alpha": 0.1, "beta": 0.5, "bias": 2.0}, [draw(1, 5, 2, 2)], 1),
    ("mvn", "MeanVarianceNormalization", 13, {}, [IMAGE], 1),
    ("nll", "NegativeLogLikelihoodLoss", 22, {"reduction": "mean", "ignore_index": 1},
     [draw(4, 3), ints(0, 1, 2, 2), draw(3, low=0.5, seed=4)], 1),
    ("sce", "SoftmaxCrossEntropyLoss", 13, {"reduction": "sum"}, [draw(4, 3), ints(0, 1, 2, 2)], 2),
    ("tile", "Tile", 13, {}, [draw(2, 3), ints(2, 2)], 1),
    ("trilu", "Trilu", 14, {"upper": 0}, [draw(2, 4, 4), one(-1)], 1),
    ("one_hot", "OneHot", 11, {"axis": 0}, [ints(0, 2, -1), one(4), np.array([0.5, 2], dtype=np.float32)], 1),
    ("reverse_sequence", "ReverseSequence", 10, {"batch_axis": 1, "time_axis": 0}, [draw(4, 3), ints(2, 4, 1)], 1),
    ("non_zero", "NonZero", 13, {}, [np.array([[1, 0, 2], [0, 3, 0]], dtype=np.float32)], 1),
    *[(f"image_decoder_{order.lower()}", "ImageDecoder", 20, {"pixel_format": order},
       [np.frombuffer(b"P6\n3 2\n255\n" + bytes8(18).tobytes(), dtype=np.uint8)], 1) for order in ("RGB", "BGR", "Grayscale")],
    ("compress", "Compress", 11, {"axis": 1}, [draw(2, 3), np.array([True, False, True])], 1),
    ("unique", "Unique", 11, {"sorted": 1}, [np.array([2, 1, 1, 3, 2], dtype=np.float32)], 4),
    ("gather_elements", "GatherElements", 13, {"axis": 1}, [draw(2, 3), np.array([[2, 0], [-1, 1]])], 1),
    ("gather_nd", "GatherND", 13, {"batch_dims": 1}, [draw(2, 3, 2), np.array([[1], [-1]])], 1),
    ("scatter", "Scatter", 9, {"axis": 0}, [draw(3, 2), np.array([[2, 0]]), draw(1, 2, seed=1)], 1),
    ("scatter_elements", "ScatterElements", 18, {"axis": 1, "reduction": "add"},
     [draw(2, 3), np.array([[0, 0], [2, -1]]), draw(2, 2, seed=1)], 1),
    ("scatter_nd", "ScatterND", 18, {"reduction": "max"}, [draw(4, 2), np.array([[1], [3]]), draw(2, 2, seed=1)], 1),
    ("tensor_scatter", "TensorScatter", 24, {}, [draw(2, 1, 4, 3), draw(2, 1, 2, 3, seed=1), ints(1, 0)], 1),
    ("depth_to_space", "DepthToSpace", 13, {"blocksize": 2, "mode": "CRD"}, [draw(1, 8, 2, 3)], 1),
    ("depth_to_space_dcr", "DepthToSpace", 13, {"blocksize": 2}, [bytes8(1, 8, 2, 3)], 1),
    ("space_to_depth", "SpaceToDepth", 13, {"blocksize": 2}, [draw(2, 2, 4, 6)], 1),
    ("center_crop_pad", "CenterCropPad", 18, {"axes": [1, 2]}, [draw(2, 5, 2), ints(2, 5)], 1),
    ("quantize", "QuantizeLinear", 21, {}, [draw(5, low=-9, high=9), np.float32(0.05), np.uint8(128)], 1),
    ("quantize_axis", "QuantizeLinear", 21, {"axis": 1},
     [draw(2, 3), np.array([0.1, 0.02, 1], dtype=np.float32), np.array([0, 3, -5], dtype=np.int8)], 1),
    ("dequantize", "DequantizeLinear", 21, {"axis": 0},
     [bytes8(2, 3), np.array([0.1, 2], dtype=np.float32), np.array([3, 128], dtype=np.uint8)], 1),
    ("dynamic_quantize", "DynamicQuantizeLinear", 11, {}, [draw(3, 4)], 3),
    ("matmul_integer", "MatMulInteger", 10, {}, [bytes8(3, 4), bytes8(4, 2, seed=1), np.uint8(3), np.uint8(100)], 1),
    ("conv_integer", "ConvInteger", 10, {"pads": [1, 1, 1, 1]}, [bytes8(1, 2, 4, 4), bytes8(3, 2, 3, 3, seed=1), np.uint8(7)], 1),
    ("qlinear_matmul", "QLinearMatMul", 21, {},
     [bytes8(3, 4), np.float32(0.02), np.uint8(120), bytes8(4, 2, seed=1), np.float32(0.03), np.uint8(99),
      np.float32(0.2), np.uint8(128)], 1),
    ("qlinear_conv", "QLinearConv", 10, {"strides": [2, 2]},
     [bytes8(1, 2, 5, 5), np.float32(0.02), np.uint8(120), bytes8(3, 2, 3, 3, seed=1, dtype=np.int8),
      np.array([0.01, 0.02, 0.03], dtype=np.float32), ints(0, 0, 0, dtype=np.int8), np.float32(0.5), np.uint8(100),
      ints(5, -300, 20, dtype=np.int32)], 1),
    ("conv_transpose", "ConvTranspose", 11, {"strides": [2, 1], "pads": [1, 0, 0, 1], "output_padding": [1, 0], "group": 2},
     [draw(2, 4, 3, 3), draw(4, 3, 3, 2, seed=1), draw(6, seed=2)], 1),
    ("conv_transpose_sized", "ConvTranspose", 11, {"strides": [3], "output_shape": [10], "dilations": [2]},
     [draw(1, 2, 4), draw(2, 1, 3, seed=1)], 1),
    ("resize_linear", "Resize", 19, {"mode": "linear"}, [IMAGE, None, np.array([1, 1, 1.5, 2], dtype=np.float32)], 1),
    ("resize_cubic", "Resize", 19, {"mode": "cubic", "coordinate_transformation_mode": "align_corners"},
     [IMAGE, None, None, ints(1, 2, 7, 3)], 1),
    ("resize_nearest", "Resize", 13, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
     [IMAGE, None, np.array([1, 1, 2, 2], dtype=np.float32)], 1),
    ("upsample", "Upsample", 9, {"mode": "linear"}, [IMAGE, np.array([1, 1, 2, 3], dtype=np.float32)], 1),
    ("lstm", "LSTM", 14, {"hidden_size": 3, "direction": "bidirectional"},
     [draw(4, 2, 3), draw(2, 12, 3, seed=1), draw(2, 12, 3, seed=2), draw(2, 24, seed=3), ints(4, 2, dtype=np.int32),
      draw(2, 2, 3, seed=4), draw(2, 2, 3, seed=5), draw(2, 9, seed=6)], 3),
    ("lstm_activations", "LSTM", 7, {"hidden_size": 2, "activations": ["HardSigmoid", "Softsign", "Tanh"], "clip": 0.5},
     [draw(3, 1, 3), draw(1, 8, 3, seed=1), draw(1, 8, 2, seed=2)], 3),
    ("gru", "GRU", 14, {"hidden_size": 3, "direction": "reverse"},
     [draw(4, 2, 3), draw(1, 9, 3, seed=1), draw(1, 9, 3, seed=2), draw(1, 18, seed=3), ints(3, 4, dtype=np.int32)], 2),
    ("gru_before_reset", "GRU", 14, {"hidden_size": 3, "linear_before_reset": 1},
     [draw(4, 2, 3), draw(1, 9, 3, seed=1), draw(1, 9, 3, seed=2), draw(1, 18, seed=3), None, draw(1, 2, 3, seed=4)], 2),
    ("rnn", "RNN", 14, {"hidden_size": 2, "direction": "bidirectional", "activations": ["Relu", "Tanh"]},
     [draw(3, 2, 3), draw(2, 2, 3, seed=1), draw(2, 2, 2, seed=2), draw(2, 4, seed=3)], 2),
    ("attention", "Attention", 23, {"is_causal": 1}, [draw(1, 4, 3, 4), draw(1, 2, 5, 4, seed=1), draw(1, 2, 5, 6, seed=2)], 1),
    ("attention_in_double", "Attention", 23, {"softmax_precision": 11},
     [draw(1, 2, 3, 4), draw(1, 2, 5, 4, seed=1), draw(1, 2, 5, 6, seed=2)], 1),
    ("attention_in_single", "Attention", 23, {"softmax_precision": 1, "qk_matmul_output_mode": 3},
     [draw(1, 2, 3, 4, dtype=np.float64), draw(1, 2, 5, 4, seed=1, dtype=np.float64),
      draw(1, 2, 5, 6, seed=2, dtype=np.float64)], range(4)),
    ("attention_packed", "Attention", 23, {"q_num_heads": 2, "kv_num_heads": 2, "softcap": 1.5},
     [draw(2, 3, 8), draw(2, 4, 8, seed=1), draw(2, 4, 8, seed=2), draw(3, 4, seed=3)], 1),
    ("rotary", "RotaryEmbedding", 23, {"interleaved": 1, "num_heads": 2, "rotary_embedding_dim": 4},
     [draw(1, 3, 12), draw(5, 2, seed=1), draw(5, 2, seed=2), np.array([[4, 0, 2]])], 1),
    ("linear_attention", "LinearAttention", 27, {"q_num_heads": 4, "kv_num_heads": 2},
     [draw(1, 3, 8), draw(1, 3, 4, seed=1), draw(1, 3, 6, seed=2), draw(1, 2, 2, 3, seed=3), draw(1, 3, 2, seed=4, high=0),
      draw(1, 3, 2, seed=5, low=0, high=1)], 2),
    ("causal_conv", "CausalConvWithState", 27, {"activation": "silu"},
     [draw(2, 3, 4), draw(3, 1, 3, seed=1), draw(3, seed=2), draw(2, 3, 2, seed=3)], 2),
    ("swiglu", "SwiGLU", 28, {}, [X, draw(2, 3, 4, seed=1)], 1),
    ("non_max_suppression", "NonMaxSuppression", 11, {},
     [np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [1, 11.1, 0, 10.1]]], dtype=np.float32),
      np.array([[[0.9, 0.75, 0.6, 0.95, 0.5], [0.1, 0.2, 0.7, 0.3, 0.8]]], dtype=np.float32), one(3),
      np.float32(0.5), np.float32(0.25)], 1),
    ("einsum_batch", "Einsum", 12, {"equation": "...ij, jk -> k...i"}, [draw(2, 3, 4), draw(4, 5, seed=1)], 1),
    ("einsum_diagonal", "Einsum", 12, {"equation": "bii->bi"}, [draw(2, 3, 3)], 1),
    ("einsum_three", "Einsum", 12, {"equation": "ab,bc,cd"}, [draw(2, 3), draw(3, 4, seed=1), draw(4, 2, seed=2)], 1),
    ("einsum_heads", "Einsum", 12, {"equation": "bqhd,bkhd->bhqk"}, [draw(2, 3, 2, 4), draw(2, 5, 2, 4, seed=1)], 1),
    ("grid_sample", "GridSample", 16, {"mode": "bilinear", "padding_mode": "reflection"},
     [IMAGE, draw(1, 3, 2, 2, seed=1)], 1),
    ("grid_sample_cubic", "GridSample", 20, {"mode": "cubic", "padding_mode": "border", "align_corners": 1},
     [IMAGE, draw(1, 3, 2, 2, seed=1)], 1),
    ("grid_sample_nearest", "GridSample", 20, {"mode": "nearest"}, [IMAGE, draw(1, 3, 2, 2, seed=1)], 1),
    ("affine_grid", "AffineGrid", 20, {}, [draw(2, 2, 3), ints(2, 1, 3, 4)], 1),
    ("dft", "DFT", 20, {}, [draw(2, 12, 3, 2), one(16), one(1)], 1),
    ("dft_one_sided", "DFT", 17, {"onesided": 1, "axis": 1}, [draw(2, 15, 1)], 1),
    ("dft_inverse", "DFT", 20, {"inverse": 1}, [draw(2, 30, 2, 2), None, one(1)], 1),
    ("dft_inverse_one_sided", "DFT", 20, {"onesided": 1, "inverse": 1}, [draw(2, 6, 2)], 1),
    ("stft_of_numbers", "STFT", 17, {}, [draw(2, 30), one(5), draw(8, seed=1)], 1),
    ("stft", "STFT", 17, {}, [draw(2, 30, 1), one(5), draw(8, seed=1)], 1),
    ("mel", "MelWeightMatrix", 17, {}, [one(6), one(32), one(8000), np.float32(100), np.float32(3500)], 1),
    ("roi_align", "RoiAlign", 16, {"output_height": 2, "output_width": 3, "spatial_scale": 0.5},
     [IMAGE, np.array([[0, 0, 6, 5], [3, 2, 9, 9]], dtype=np.float32), ints(0, 0)], 1),
    ("roi_align_old", "RoiAlign", 10, {"output_height": 2, "output_width": 2, "sampling_ratio": 2},
     [IMAGE, np.array([[0.5, 1, 3, 3.5]], dtype=np.float32), ints(0)], 1),
    ("erf_half", "Erf", 13, {}, [HALF], 1),
    ("max_int8", "Max", 13, {}, [bytes8(4, dtype=np.int8), bytes8(4, seed=1, dtype=np.int8)], 1),
    ("add_half", "Add", 14, {}, [HALF, HALF[:, :1]], 1),
    ("matmul_half", "MatMul", 13, {}, [HALF, draw(4, 2, seed=1).astype(np.float16)], 1),
    ("clip_uint8", "Clip", 13, {}, [bytes8(6), np.uint8(20), np.uint8(200)], 1),
    ("lp_pool", "LpPool", 22, {"kernel_shape": [2, 3], "p": 3, "pads": [0, 1, 1, 0], "strides": [2, 1]}, [IMAGE], 1),
    ("lp_pool_dilated", "LpPool", 18, {"kernel_shape": [2, 2], "p": 1, "dilations": [2, 1], "ceil_mode": 1}, [IMAGE], 1),
    ("global_lp_pool", "GlobalLpPool", 11, {"p": 3}, [IMAGE], 1),
    ("max_roi_pool", "MaxRoiPool", 11, {"pooled_shape": [2, 3], "spatial_scale": 0.5},
     [draw(2, 2, 6, 7), np.array([[0, 0, 0, 9, 9], [1, 3, 2, 5, 13], [1, 8, 6, 30, 7]], dtype=np.float32)], 1),
    ("max_unpool", "MaxUnpool", 11, {"kernel_shape": [2, 2], "strides": [2, 2]},
     [draw(1, 2, 2, 2), np.array([[[[0, 3], [9, 14]], [[17, 18], [28, 31]]]])], 1),
    ("det", "Det", 11, {}, [draw(2, 3, 4, 4)], 1),
    ("det_singular", "Det", 22, {}, [np.array([[1, 2], [2, 4]], dtype=np.float32)], 1),
    ("deform_conv", "DeformConv", 19, {"pads": [1, 1, 0, 1], "strides": [2, 1], "group": 2, "offset_group": 2},
     [draw(2, 4, 5, 6), draw(6, 2, 3, 2, seed=1), draw(2, 24, 2, 7, seed=2), draw(6, seed=3), draw(2, 12, 2, 7, seed=4)], 1),
    ("deform_conv_plain", "DeformConv", 22, {"dilations": [2, 1]},
     [draw(1, 2, 5, 6), draw(3, 2, 2, 2, seed=1), draw(1, 8, 3, 5, seed=2)], 1),
    ("col2im", "Col2Im", 18, {"pads": [1, 0, 0, 1], "strides": [1, 2], "dilations": [2, 1]},
     [draw(1, 8, 9), ints(4, 5), ints(2, 2)], 1),
    ("tf_idf", "TfIdfVectorizer", 9, {"mode": "TFIDF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 2,
     "ngram_counts": [0, 4], "ngram_indexes": [3, 0, 1, 2, 4, 5, 6], "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
     "weights": [0.5, 1, 2, 3, 4, 5, 6]}, [np.array([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8]], dtype=np.int32)], 1),
    ("tf_idf_texts", "TfIdfVectorizer", 9, {"mode": "IDF", "min_gram_length": 2, "max_gram_length": 2, "max_skip_count": 0,
     "ngram_counts": [0, 2], "ngram_indexes": [0, 1, 2, 3], "pool_strings": ["x", "y", "an", "apple", "a", "day"]},
     [np.array(["an", "apple", "a", "day", "an", "apple"], dtype=object)], 1),
    ("string_concat", "StringConcat", 20, {}, [np.array([["a"], ["b\u00e9"]], dtype=object), np.array(["x", "", "z"], dtype=object)], 1),
    ("string_split", "StringSplit", 20, {"delimiter": "--", "maxsplit": 2},
     [np.array(["a--b", "g--", "--c--d--e", "f"], dtype=object)], 2),
    ("string_split_blanks", "StringSplit", 20, {}, [np.array([["  a b   c "], ["d"]], dtype=object)], 2),
    ("string_normalizer", "StringNormalizer", 10, {"case_change_action": "UPPER", "stopwords": ["Monday", "May"]},
     [np.array(["monday", "tuesday", "MAY", "nine"], dtype=object)], 1),
    ("string_normalizer_unicode", "StringNormalizer", 10, {"case_change_action": "UPPER"},
     [np.array(["\u00e9t\u00e9", "\u03b1\u0431c", "\U00010428"], dtype=object)], 1),
    ("string_normalizer_none", "StringNormalizer", 10, {"case_change_action": "LOWER", "is_case_sensitive": 1, "stopwords": ["A"]},
     [np.array([["A", "A"]], dtype=object)], 1),
    ("regex", "RegexFullMatch", 20, {"pattern": r"(\w+)@([\w.]+)\.(com|org)"},
     [np.array(["a@b.com", "a@b.c.org", "a@b", " a@b.com"], dtype=object)], 1),
    ("bit_cast", "BitCast", 26, {"to": 6}, [draw(3)], 1),
    ("cast_strings", "Cast", 13, {"to": 1}, [np.array(["1.5", "-2e3", "NaN"], dtype=object)], 1),
]
# Versions before 7, which neither ONNX Runtime nor the reference evaluator runs, and what is the same now:
# name, type, opset, attributes, inputs; opset, attributes, inputs, how many outputs of either
COLUMN = draw(3, seed=1)[:, None]
NORM = [draw(2, seed=1, low=0.5), draw(2, seed=2), draw(2, seed=3), draw(2, seed=4, low=0.5)]
TRUTHS = [np.arange(24).reshape(2, 3, 4) % 5 < 2, np.arange(4) % 2 == 0]
NUMBERS = [bytes8(2, 3, 4, dtype=np.int8).astype(np.int32) % 3, ints(0, 1, 2, 1, dtype=np.int32)]
ELEMENTS = [draw(3, 2, 2, seed=k, low=0.5) for k in range(1, 5)]
OLD = [
    *[(f"before_7_{kind.lower()}", kind, 1, {"broadcast": 1, "axis": 1, "consumed_inputs": [0, 0]}, [X, COLUMN[:, 0]],
       14, {}, [X, COLUMN], 1) for kind in ("Add", "Sub", "Mul", "Div")],
    ("before_7_pow", "Pow", 1, {"broadcast": 1, "axis": 0}, [draw(2, 3, 4, low=0.5), draw(2, 3, seed=1)],
     13, {}, [draw(2, 3, 4, low=0.5), draw(2, 3, seed=1)[:, :, None]], 1),
    ("before_7_add_last", "Add", 6, {"broadcast": 1}, [X, draw(3, 4, seed=1)], 14, {}, [X, draw(3, 4, seed=1)], 1),
    ("before_7_add_same", "Add", 6, {}, [X, draw(2, 3, 4, seed=1)], 14, {}, [X, draw(2, 3, 4, seed=1)], 1),
    ("before_7_mul_one", "Mul", 6, {"broadcast": 1, "axis": 1}, [X, draw(1, 1, seed=1)], 14, {}, [X, draw(seed=1)], 1),
    ("before_7_sub_int64", "Sub", 6, {"broadcast": 1, "axis": 0}, [ints(5, 6, 7).reshape(3, 1), ints(1, 2, 3)],
     14, {}, [ints(5, 6, 7).reshape(3, 1), ints(1, 2, 3).reshape(3, 1)], 1),
    *[(f"before_7_{kind.lower()}", kind, 1, {"broadcast": 1}, TRUTHS, 7, {}, TRUTHS, 1) for kind in ("And", "Or", "Xor")],
    ("before_7_equal", "Equal", 1, {"broadcast": 1}, NUMBERS, 13, {}, NUMBERS, 1),
    *[(f"before_7_{kind.lower()}", kind, 1, {"broadcast": 1, "axis": 1}, [X, COLUMN[:, 0]], 13, {}, [X, COLUMN], 1)
      for kind in ("Greater", "Less")],
    ("before_7_prelu", "PRelu", 6, {}, [IMAGE, draw(2, seed=1)], 16, {}, [IMAGE, draw(2, 1, 1, seed=1)], 1),
    ("before_7_prelu_one", "PRelu", 1, {"consumed_inputs": [0, 0]}, [IMAGE, draw(1, seed=1)], 16, {}, [IMAGE, draw(1, seed=1)], 1),
    ("before_7_gemm", "Gemm", 6, {"broadcast": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
     [draw(2, 3), draw(4, 3, seed=1), draw(4, seed=2)], 13, {"transB": 1, "alpha": 0.5, "beta": 2.0},
     [draw(2, 3), draw(4, 3, seed=1), draw(4, seed=2)], 1),
    *[(f"before_7_{kind.lower()}", kind, 1, {"consumed_inputs": [0, 0, 0]}, [X, draw(2, 3, 4, seed=1), draw(2, 3, 4, seed=2)],
       13, {}, [X, draw(2, 3, 4, seed=1), draw(2, 3, 4, seed=2)], 1) for kind in ("Max", "Min", "Sum", "Mean")],
    ("before_7_norm", "BatchNormalization", 1, {"is_test": 1, "consumed_inputs": [0, 0, 0, 1, 1], "epsilon": 0.01},
     [IMAGE, *NORM], 15, {"epsilon": 0.01}, [IMAGE, *NORM], 1),
    ("before_14_norm_of_batch", "BatchNormalization", 6, {"momentum": 0.75}, [IMAGE, *NORM],
     15, {"momentum": 0.75, "training_mode": 1}, [IMAGE, *NORM], 3),
    ("before_9_norm_of_elements", "BatchNormalization", 7, {"spatial": 0}, [draw(4, 3, 2, 2), *ELEMENTS],
     15, {}, [draw(4, 3, 2, 2).reshape(4, 12), *[v.ravel() for v in ELEMENTS]], 1),
    ("before_6_cast", "Cast", 1, {"to": "INT32"}, [V], 13, {"to": 6}, [V], 1),
    ("before_6_clip", "Clip", 1, {"min": -1.0, "max": 2.0, "consumed_inputs": [0]}, [V],
     13, {}, [V, np.float32(-1), np.float32(2)], 1),
    ("before_7_dropout", "Dropout", 6, {"is_test": 1, "ratio": 0.25}, [X], 13, {}, [X], 1),
    ("before_2_pad", "Pad", 1, {"paddings": [1, 0, 0, 2], "value": 0.5}, [draw(2, 3)],
     13, {}, [draw(2, 3), ints(1, 0, 0, 2), np.float32(0.5)], 1),
    ("before_6_tile", "Tile", 1, {}, [draw(2, 3), ints(3), ints(1)], 13, {}, [draw(2, 3), ints(1, 3)], 1),
    ("before_7_upsample", "Upsample", 1, {"height_scale": 2.0, "width_scale": 3.0, "mode": "bilinear"}, [IMAGE],
     9, {"mode": "linear"}, [IMAGE, np.array([1, 1, 2, 3], dtype=np.float32)], 1),
]
I32 = np.int32
QA = [bytes8(2, 3), np.float32(0.02), np.uint8(100)]
QB = [bytes8(2, 3, seed=1), np.float32(0.03), np.uint8(7)]
QY = [np.float32(0.05), np.uint8(50)]
TOKENS = [draw(2, 4, 8), draw(2, 5, 8, seed=1), draw(2, 5, 8, seed=2)]
BITS = {"N": 3, "K": 40, "block_size": 16}
# The same for com.microsoft (SimplifiedLayerNormalization has its place in the standard's domain): version 1
MICROSOFT = [
    ("fused_conv", "FusedConv", {"activation": "HardSigmoid", "activation_params": [0.1, 0.4], "pads": [1, 0, 0, 1]},
     [draw(1, 2, 4, 5), draw(3, 2, 2, 2, seed=1), draw(3, seed=2)], 1),
    ("fused_conv_sum", "FusedConv", {"activation": "Relu"},
     [draw(1, 2, 4, 5), draw(3, 2, 2, 2, seed=1), draw(3, seed=2), draw(1, 3, 3, 4, seed=3)], 1),
    ("fused_gemm", "FusedGemm", {"activation": "LeakyRelu", "activation_alpha": 0.2, "transB": 1},
     [draw(2, 3), draw(4, 3, seed=1), draw(4, seed=2)], 1),
    ("fused_matmul", "FusedMatMul", {"transA": 1, "transBatchB": 1, "alpha": 0.5},
     [draw(2, 4, 3), draw(4, 2, 5, seed=1)], 1),
    ("gelu_microsoft", "Gelu", {}, [V], 1),
    ("bias_gelu", "BiasGelu", {}, [X, draw(4, seed=1)], 1),
    ("fast_gelu", "FastGelu", {}, [X, draw(4, seed=1)], 1),
    ("quick_gelu", "QuickGelu", {}, [V], 1),
    ("simplified_layer_norm", "SimplifiedLayerNormalization", {"epsilon": 1e-5}, [X, draw(4, seed=1)], 1),
    ("skip_layer_norm", "SkipLayerNormalization", {"epsilon": 1e-5},
     [X, draw(2, 3, 4, seed=1), draw(4, seed=2), draw(4, seed=3), draw(4, seed=4)], [0, 3]),
    ("skip_simplified_layer_norm", "SkipSimplifiedLayerNormalization", {"epsilon": 1e-5},
     [X, draw(2, 3, 4, seed=1), draw(4, seed=2)], [0, 3]),
    ("embed_layer_norm", "EmbedLayerNormalization", {"epsilon": 1e-5},
     [np.array([[1, 2, 0], [4, 3, 3]], dtype=I32), np.array([[0, 0, 1], [1, 0, 1]], dtype=I32), draw(6, 4),
      draw(5, 4, seed=1), draw(2, 4, seed=2), draw(4, seed=3), draw(4, seed=4),
      np.array([[1, 1, 0], [1, 1, 1]], dtype=I32)], 3),
    ("attention_mask", "Attention", {"num_heads": 2, "unidirectional": 1},
     [draw(2, 4, 8), draw(8, 24, seed=1), draw(24, seed=2), np.array([[0, 0, 1, 1], [1, 1, 1, 1]], dtype=I32)], 1),
    ("attention_ends", "Attention", {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]},
     [draw(2, 4, 8), draw(8, 20, seed=1), draw(20, seed=2), ints(4, 3, 1, 0, dtype=I32)], 1),
    ("attention_past", "Attention", {"num_heads": 2, "unidirectional": 1, "scale": 0.3},
     [draw(2, 4, 8), draw(8, 24, seed=1), draw(24, seed=2), None, draw(2, 2, 2, 3, 4, seed=3)], 2),
    ("qattention", "QAttention", {"num_heads": 2},
     [bytes8(2, 4, 8), bytes8(8, 24, seed=1, dtype=np.int8), draw(24), np.float32(0.01), np.float32(0.02),
      ints(3, 4, dtype=I32), np.uint8(120), np.int8(3)], 1),
    ("multi_head", "MultiHeadAttention", {"num_heads": 2},
     [*TOKENS, draw(24, seed=3), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=I32), draw(1, 2, 4, 5, seed=4)], 1),
    ("multi_head_cross", "MultiHeadAttention", {"num_heads": 2},
     [draw(2, 4, 8), draw(2, 2, 5, 4, seed=1), draw(2, 2, 5, 4, seed=2)], 1),
    ("multi_head_past", "MultiHeadAttention", {"num_heads": 2, "unidirectional": 1},
     [draw(2, 4, 8), draw(2, 4, 8, seed=1), draw(2, 4, 8, seed=2), None, None, None, draw(2, 2, 3, 4, seed=3),
      draw(2, 2, 3, 4, seed=4)], 3),
    ("rotary_microsoft", "RotaryEmbedding", {"interleaved": 1}, [draw(2, 3, 8), ints(2), draw(6, 2, seed=1), draw(6, 2, seed=2)], 1),
    ("grouped_prompt", "GroupQueryAttention", {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1},
     [draw(1, 3, 64), draw(1, 3, 32, seed=1), draw(1, 3, 32, seed=2), draw(1, 2, 0, 16), draw(1, 2, 0, 16),
      ints(2, dtype=I32), one(3, dtype=I32), draw(5, 8, seed=3), draw(5, 8, seed=4)], 3),
    ("grouped_token", "GroupQueryAttention", {"num_heads": 4, "kv_num_heads": 2, "local_window_size": 3},
     [draw(2, 1, 64), draw(2, 1, 32, seed=1), draw(2, 1, 32, seed=2), draw(2, 2, 4, 16, seed=3),
      draw(2, 2, 4, 16, seed=4), ints(4, 4, dtype=I32), one(5, dtype=I32)], 3),
    *[(f"matmul_{bits}_bits", "MatMulNBits", {**BITS, "bits": bits},
       [draw(2, 40), bytes8(3, 3, 2 * bits), draw(3, 3, seed=1), bytes8(3, (3 * bits + 7) // 8, seed=1), None, draw(3, seed=2)], 1)
      for bits in (4, 8)],
    ("dynamic_quantize_matmul", "DynamicQuantizeMatMul", {},
     [draw(3, 4), bytes8(4, 2, dtype=np.int8), np.float32(0.02), np.int8(3), draw(2, seed=1)], 1),
    ("matmul_integer_to_float", "MatMulIntegerToFloat", {},
     [bytes8(3, 4), bytes8(4, 2, seed=1, dtype=np.int8), np.float32(0.02), draw(2, low=0.01), np.uint8(100),
      ints(3, -5, dtype=np.int8), draw(2, seed=1)], 1),
    ("matmul_integer16", "MatMulInteger16", {}, [ints(300, -700, dtype=np.int16)[None], ints(900, 5, dtype=np.int16)[:, None]], 1),
    ("qlinear_add", "QLinearAdd", {}, [*QA, *QB, *QY], 1),
    ("qlinear_mul", "QLinearMul", {}, [*QA, *QB, *QY], 1),
    ("qlinear_where", "QLinearWhere", {}, [np.array([True, False, True]), *QA, *QB, *QY], 1),
    ("qlinear_sigmoid", "QLinearSigmoid", {}, [*QA, np.float32(0.004), np.uint8(3)], 1),
    ("qlinear_leaky_relu", "QLinearLeakyRelu", {"alpha": 0.1}, [*QA, *QY], 1),
    ("qlinear_softmax", "QLinearSoftmax", {"opset": 13, "axis": -1}, [*QA, np.float32(1 / 256), np.uint8(0)], 1),
    ("qlinear_softmax_old", "QLinearSoftmax", {"opset": 11, "axis": 0}, [*QA, np.float32(1 / 256), np.uint8(0)], 1),
    ("qlinear_concat", "QLinearConcat", {"axis": 1}, [*QY, *QA, *QB], 1),
    ("qlinear_average_pool", "QLinearAveragePool", {"kernel_shape": [2, 2], "channels_last": 1},
     [bytes8(1, 4, 5, 2), np.float32(0.02), np.uint8(100), np.float32(0.023), np.uint8(90)], 1),
    ("qlinear_global_average_pool", "QLinearGlobalAveragePool", {},
     [bytes8(1, 2, 4, 5), np.float32(0.02), np.uint8(100), np.float32(0.005), np.uint8(90)], 1),
    ("nhwc_max_pool", "NhwcMaxPool", {"kernel_shape": [2, 3], "strides": [2, 1]}, [bytes8(1, 5, 6, 2)], 1),
    ("qgemm", "QGemm", {"transB": 1},
     [bytes8(2, 3), np.float32(0.02), np.uint8(100), bytes8(4, 3, seed=1), np.float32(0.03), np.uint8(7),
      ints(5, -300, 20, 999, dtype=I32), np.float32(0.5), np.uint8(50)], 1),
    ("qgemm_floats", "QGemm", {"alpha": 0.5},
     [bytes8(2, 3), np.float32(0.02), np.uint8(100), bytes8(3, 4, seed=1), np.float32(0.03), np.uint8(7)], 1),
    ("quantize_int16", "QuantizeLinear", {"axis": 1}, [draw(2, 3), draw(3, low=0.01, high=0.1), ints(5, -3, 0, dtype=np.int16)], 1),
    ("dequantize_int16", "DequantizeLinear", {"axis": 1},
     [bytes8(2, 3, dtype=np.int16), draw(3, low=0.01, high=0.1), ints(5, -3, 0, dtype=np.int16)], 1),
]
# Too much for feeding: what the runtime wants constant
FIXED = [
    ("qlinear_conv_last", "QLinearConv", {"channels_last": 1, "pads": [1, 1, 1, 1]},
     [bytes8(1, 4, 4, 2), np.float32(0.02), np.uint8(120), bytes8(3, 2, 3, 3, seed=1, dtype=np.int8), draw(3, low=0.01, high=0.03),
      ints(0, 0, 0, dtype=np.int8), np.float32(0.5), np.uint8(100), ints(5, -300, 20, dtype=I32)], 1),
    # small weights: without VNNI the runtime cuts off pairs of signed products at 16 bits
    ("dynamic_quantize_lstm", "DynamicQuantizeLSTM", {"hidden_size": 5},
     [draw(4, 1, 3), bytes8(1, 3, 20, dtype=np.int8) // 4, bytes8(1, 5, 20, seed=1, dtype=np.int8) // 4, draw(1, 40, seed=2), None, None,
      None, None, draw(1, low=0.01, high=0.02), ints(0, dtype=np.int8), draw(1, low=0.01, high=0.02, seed=3), ints(0, dtype=np.int8)], 3),
    # one sample: the runtime cuts several among its threads, each with a range of its own
    ("dynamic_quantize_lstm_both", "DynamicQuantizeLSTM", {"hidden_size": 5, "direction": "bidirectional"},
     [draw(4, 1, 3), bytes8(2, 3, 20), bytes8(2, 5, 20, seed=1), draw(2, 40, seed=2), None, draw(2, 1, 5, seed=3),
      draw(2, 1, 5, seed=4), None, draw(2, 20, low=0.01, high=0.02), np.full((2, 20), 120, dtype=np.uint8), draw(2, 20, low=0.01, high=0.02, seed=5),
      np.full((2, 20), 130, dtype=np.uint8)], 3),
]
# ai.onnx.preview.training: version 1
STATE = [draw(3, seed=k, low=0.5) for k in range(8)]
TRAINING = [
    ("adagrad", "Adagrad", {"norm_coefficient": 0.01, "epsilon": 0.001, "decay_factor": 0.1}, [np.float32(0.1), one(2), *STATE[:3]], 2),
    ("adam", "Adam", {"alpha": 0.9, "beta": 0.99, "epsilon": 0.01, "norm_coefficient": 0.02, "norm_coefficient_post": 0.03},
     [np.float32(0.1), one(3), *STATE], 6),
    ("momentum", "Momentum", {"alpha": 0.9, "beta": 0.5, "norm_coefficient": 0.01, "mode": "nesterov"},
     [np.float32(0.1), one(0), *STATE[:6]], 4),
]
# name, opset, graph as onnx.parser reads it, inputs: what needs more than one node
GRAPHS = [
    ("sequences", 17, """g (float[2, 3] a, float[1, 3] b) => (float[r, c] y, int64 n, float[p, q] z) {
        s = SequenceConstruct (a, b)
        i = Constant <value = int64 {-1}> ()
        t = SequenceInsert (s, b, i)
        n = SequenceLength (t)
        u = SequenceErase (t, i)
        y = ConcatFromSequence <axis = 0> (u)
        z = SequenceAt (t, i)
    }""", [draw(2, 3), draw(1, 3, seed=1)]),
    ("sequence_empty", 17, """g (float[4, 3] a) => (int64 n, float[r, c] y) {
        e = SequenceEmpty ()
        t = SequenceInsert (e, a)
        n = SequenceLength (t)
        y = ConcatFromSequence <axis = 1, new_axis = 0> (t)
    }""", [draw(4, 3)]),
    ("split_to_sequence", 17, """g (float[5, 2] a) => (float[r, c] y) {
        k = Constant <value = int64[2] {2, 3}> ()
        s = SplitToSequence <axis = 0> (a, k)
        i = Constant <value = int64 {1}> ()
        y = SequenceAt (s, i)
    }""", [draw(5, 2)]),
    ("sequence_map", 17, """g (float[2, 3] a, float[4, 3] b) => (float[r, c] y) {
        s = SequenceConstruct (a, b)
        t = SequenceMap <body = f (float[p, q] x) => (float[p, q] x2) { x2 = Mul (x, x) }> (s)
        y = ConcatFromSequence <axis = 0> (t)
    }""", [draw(2, 3), draw(4, 3, seed=1)]),
    ("optional", 18, """g (float[2, 3] a) => (bool h, float[r, c] y) {
        o = Optional (a)
        h = OptionalHasElement (o)
        y = OptionalGetElement (o)
    }""", [draw(2, 3)]),
    ("if_else", 17, """g (bool[1] c, float[3] a) => (float[n] y) {
        y = If <then_branch = t () => (float[n] p) { p = Neg (a) }, else_branch = e () => (float[n] q) { q = Concat <axis = 0> (a, a) }> (c)
    }""", [np.array([False]), draw(3)]),
    ("loop", 17, """g (int64 n, float[3] a) => (float[3] y, float[k, 3] all) {
        c = Constant <value = bool {1}> ()
        y, all = Loop <body = b (int64 i, bool c0, float[3] v) => (bool c1, float[3] w, float[3] s) {
            c1 = Identity (c0)
            w = Add (v, v)
            s = Identity (w)
        }> (n, c, a)
    }""", [one(3), draw(3)]),
    ("if_agrees", 17, """g (bool[1] c, float[3, 2] a) => (float[n, m] y) {
        y = If <then_branch = t () => (float[n, m] p) { b = Concat <axis = 0> (a, a) p = Neg (b) },
                else_branch = e () => (float[n, m] q) { q = Concat <axis = 0> (a, a) }> (c)
    }""", [np.array([False]), draw(3, 2)]),
    ("loop_grows", 17, """g (float[3, 2] a) => (float[r, 2] y, float[k, 3, 2] all) {
        n = Constant <value = int64 {4}> ()
        y, all = Loop <body = b (int64 i, bool c0, float[q, 2] v) => (bool c1, float[s, 2] w, float[3, 2] t) {
            c1 = Constant <value = bool {1}> ()
            w = Concat <axis = 0> (v, a)
            t = Neg (a)
        }> (n, , a)
    }""", [draw(3, 2)]),
    ("scan", 17, """g (float[2] first, float[3, 2] rows) => (float[2] last, float[3, 2] sums) {
        last, sums = Scan <num_scan_inputs = 1, body = b (float[2] v, float[2] row) => (float[2] w, float[2] s) {
            w = Add (v, row)
            s = Identity (w)
        }> (first, rows)
    }""", [draw(2), draw(3, 2, seed=1)]),
    ("reshape_by_input", 17, """g (float[2, 6] a, int64[2] s) => (float[r, c] y) {
        t = Reshape (a, s)
        y = Relu (t)
    }""", [draw(2, 6), ints(3, -1)]),
    ("flex_attention", 27, """g (float[1, 4, 3, 4] q, float[1, 2, 5, 4] k, float[1, 2, 5, 6] v) => (float[1, 4, 3, 6] y) {
        y = ai.onnx.preview.FlexAttention <scale = 0.3,
            score_mod = m (float[1, 4, 3, 5] s) => (float[1, 4, 3, 5] t) { t = Tanh (s) },
            prob_mod = n (float[1, 4, 3, 5] p) => (float[1, 4, 3, 5] r) { r = Mul (p, p) }> (q, k, v)
    }""", [draw(1, 4, 3, 4), draw(1, 2, 5, 4, seed=1), draw(1, 2, 5, 6, seed=2)]),
    ("random_shapes", 17, """g (float[2, 3] a) => (int64[2] p, int64[2] q, int64[2] r, int64[2] s, int64[2] t, int64[2] u) {
        n = RandomNormal <shape = [2, 3], seed = 1.0> ()
        p = Shape (n)
        m = RandomNormalLike <seed = 1.0> (a)
        q = Shape (m)
        v = RandomUniform <shape = [2, 3], seed = 1.0> ()
        r = Shape (v)
        w = RandomUniformLike <seed = 1.0> (a)
        s = Shape (w)
        e = Softmax (a)
        b = Bernoulli <seed = 1.0> (e)
        t = Shape (b)
        k = Multinomial <sample_size = 5, seed = 1.0> (a)
        u = Shape (k)
    }""", [draw(2, 3)]),
]


# name, model with functions of its own as a text, inputs
LOCAL = '<ir_version: 10, opset_import: ["" : 17, "local" : 1]> '
MODELS = [
    ("function_attributes", LOCAL + """g (float[N] x) => (float[N] y, float[N] z) {
        h = local.Twice <k = 0.5> (x)
        y = local.Leaky (h)
        z = local.Plain (h)
    }
    <domain: "local", opset_import: ["" : 17]> Leaky <slope: float = 0.3> (a) => (b) {
        b = LeakyRelu <alpha: float = @slope> (a)
    }
    <domain: "local", opset_import: ["" : 17]> Plain <slope> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> Twice <k> (a) => (b) {
        t = local.Leaky <slope: float = @k> (a)
        u = local.Leaky (t)
        c = Constant <value = float[1] {1.5}> ()
        b = Sub (u, c)
    }""", [draw(6)]),
    ("function_operands", LOCAL + """g (float[N] x, float low) => (float[N] y, float[N] z, float[N] t, float[N] u) {
        t = Exp (x)
        y = local.Cut (t, low)
        z = local.Cut (t, , low)
        u, , v = local.Three (x)
    }
    <domain: "local", opset_import: ["" : 17]> Cut (x, l, h) => (y) {
        t = Clip (x, l, h)
        y = Sub (t, x)
    }
    <domain: "local", opset_import: ["" : 17]> Three (a) => (b, c, d) {
        b = Neg (a)
        c = Abs (b)
        d = Sin (c)
    }""", [draw(6), np.float32(1)]),
    ("function_branches", LOCAL + """g (float[N] x, bool c, bool d) => (float[N] y, float[N] z) {
        h = If (c) <then_branch = t () => (float[N] p) { q = local.Pick (x, d) p = Neg (q) },
                    else_branch = e () => (float[N] p) { p = local.Pick (x, c) }>
        y = local.Pick (h, d)
        z = local.Pick (y, c)
    }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> Pick (a, c) => (b) {
        t = Mul (a, a)
        b = If (c) <then_branch = th () => (p) { q = local.Root (t) p = Add (q, a) },
                    else_branch = el () => (p) { q = Neg (t) p = Sub (q, a) }>
    }
    <domain: "local", opset_import: ["" : 17]> Root (a) => (b) { b = Sqrt (a) }""",
     [draw(5), np.array(True), np.array(False)]),
    ("function_layers", LOCAL + f"""g (float[batch, 6] x) => (float[batch, 3] y)
        <float[6, 4] w1 = {{{numbers(24)}}}, float[4] b1 = {{{numbers(4)}}},
         float[4, 3] w2 = {{{numbers(12)}}}, float[3] b2 = {{{numbers(3)}}}> {{
        h = local.Layer (x, w1, b1)
        y = local.Linear (h, w2, b2)
    }}
    <domain: "local", opset_import: ["" : 17]> Linear (x, w, b) => (y) {{
        t = MatMul (x, w)
        y = Add (t, b)
    }}
    <domain: "local", opset_import: ["" : 17, "local" : 1]> Layer (x, w, b) => (y) {{
        t = local.Linear (x, w, b)
        y = Relu (t)
    }}""", [draw(5, 6)]),
    ("function_of_another_opset", LOCAL + """g (float[N, M] x) => (y, z) {
        y = local.Total (x)
        z = Abs (x)
    }
    <domain: "local", opset_import: ["" : 11]> Total (x) => (y) {
        s = ReduceSum <axes = [1]> (x)
        y = Squeeze <axes = [1]> (s)
    }""", [draw(2, 3)]),
]


def single(kind, attributes, inputs, outputs, domain="", n_fed=99):
    """A graph of one node; `outputs`: how many, or which. Inputs from n_fed on are initializers."""
    wanted = range(outputs) if isinstance(outputs, int) else outputs
    names = ["" if v is None else f"in{i}" for i, v in enumerate(inputs)]
    node = helper.make_node(kind, names, [f"out{i}" if i in wanted else "" for i in range(max(wanted) + 1)],
                            domain=domain or None, **attributes)
    given = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in zip(names[:n_fed], inputs) if n]
    fixed = [numpy_helper.from_array(v, n) for n, v in zip(names[n_fed:], inputs[n_fed:]) if n]
    return helper.make_graph([node], "g", given, [onnx.ValueInfoProto(name=n) for n in node.output if n], fixed)


def run(model, feeds):
    """ONNX Runtime's answer, else the reference evaluator's; and whose it is."""
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds), "ONNX Runtime"
    except Exception:
        return onnx.reference.ReferenceEvaluator(model).run(None, feeds), "reference"


def write(folder, name, graph, opset, inputs):
    imports = [helper.make_opsetid("", max(opset, 7))]
    for domain in {node.domain for node in graph.node} - {""}:
        imports.append(helper.make_opsetid(domain, 1))
    return write_model(folder, name, helper.make_model(graph, opset_imports=imports, ir_version=10), inputs)


def write_old(folder, name, kind, opset, attributes, inputs, now, now_attributes, now_inputs, n_out):
    """The model as `opset` has it, with the answer of what is the same now; shapes are the old one's."""
    newer = model_of(single(kind, now_attributes, now_inputs, n_out), now)
    outputs, who = run(newer, {i.name: np.asarray(v) for i, v in zip(newer.graph.input, now_inputs)})
    if outputs[0].size == np.asarray(inputs[0]).size:
        outputs[0] = outputs[0].reshape(np.asarray(inputs[0]).shape)
    return write_answer(folder, name, model_of(single(kind, attributes, inputs, n_out), opset), inputs, outputs, who)


def model_of(graph, opset):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def write_model(folder, name, model, inputs):
    given = [np.asarray(v) for v in inputs if v is not None]
    if name == "string_normalizer_unicode":  # ONNX Runtime wants a locale, the reference drops accents
        return write_answer(folder, name, model, given, [np.array([v.upper() for v in given[0]], dtype=object)], "Python")
    outputs, who = run(model, {i.name: v for i, v in zip(model.graph.input, given)})
    return write_answer(folder, name, model, given, outputs, who)


def write_answer(folder, name, model, given, outputs, who):
    for role, values in (("fed", given), ("want", outputs)):
        for i, value in enumerate(values):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"{role}.{i}"))
    model.producer_name = who
    with open(os.path.join(folder, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString(deterministic=True))
    return who


def main():
    folder = sys.argv[1]
    for name, kind, opset, attributes, inputs, n_out in CASES:
        given = [None if v is None else np.asarray(v) for v in inputs]
        print(name, write(folder, name, single(kind, attributes, given, n_out), opset, given))
    for name, kind, opset, attributes, inputs, now, now_attributes, now_inputs, n_out in OLD:
        given, now_given = [np.asarray(v) for v in inputs], [np.asarray(v) for v in now_inputs]
        print(name, write_old(folder, name, kind, opset, attributes, given, now, now_attributes, now_given, n_out))
    for name, kind, attributes, inputs, outputs in MICROSOFT + FIXED:
        given = [None if v is None else np.asarray(v) for v in inputs]
        domain = "" if kind == "SimplifiedLayerNormalization" else MICROSOFT_DOMAIN
        n_fed = 1 if (name, kind) in [f[:2] for f in FIXED] else 99
        graph = single(kind, attributes, given, outputs, domain, n_fed)
        print(name, write(folder, name, graph, 17, given[:n_fed]))
    for name, kind, attributes, inputs, n_out in TRAINING:
        given = [np.asarray(v) for v in inputs]
        graph = single(kind, attributes, given, n_out, TRAINING_DOMAIN)
        print(name, write(folder, name, graph, 17, given))
    for name, opset, text, inputs in GRAPHS:
        print(name, write(folder, name, onnx.parser.parse_graph(text), opset, inputs))
    for name, text, inputs in MODELS:
        print(name, write_model(folder, name, onnx.parser.parse_model(text), inputs))


if __name__ == "__main__":
    main()
