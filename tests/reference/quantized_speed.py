#!/usr/bin/env python3
"""Time quantized models on `compress` and on ONNX Runtime, one thread, batch 1, in turns.

    quantized_speed.py --binary build/tools/compress MODEL.onnx… [--forms QOperator,QDQ] [--seconds 1] [--rounds 5]

Each model, of floats, is quantized by ONNX Runtime and run from random inputs: QOperator and QDQ, 8-bit weights for
each channel and unsigned activations, calibrated on one batch; dynamic, activations quantized as they come; nbits,
weights of 4 bits. `as-is` takes the model as it is, of float16 for instance. Prints the best times and their ratio.
Written with onnxruntime 1.32.
"""
import argparse
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization import matmul_nbits_quantizer


def session_of(path, level="ORT_ENABLE_ALL", to=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if to:
        options.optimized_model_filepath = str(to)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def draw(session):
    value = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in value.shape]
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16}[value.type]
    return {value.name: np.random.default_rng(0).standard_normal(shape).astype(dtype)}


class OneBatch(quantization.CalibrationDataReader):
    def __init__(self, inputs):
        self.left = [inputs]

    def get_next(self):
        return self.left.pop() if self.left else None


def time_runtime(session, inputs, seconds):
    for _ in range(3):
        session.run(None, inputs)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def time_ours(binary, path, seconds, folder):
    record = folder / "bench.json"
    command = [binary, "bench", str(path), "--batch", "1", "--threads", "1", "--seconds", str(seconds), "-q", "-f",
               "--json", str(record)]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(record.read_text())
    return next(v for k, v in flatten(found) if k.endswith("best_ms"))


def flatten(tree, prefix=""):
    for key, value in tree.items() if isinstance(tree, dict) else []:
        if isinstance(value, dict):
            yield from flatten(value, prefix + key + ".")
        else:
            yield prefix + key, value


def write_form(form, source, folder, inputs):
    path = folder / f"{form}.onnx"
    if form == "as-is":
        return source
    if form == "dynamic":
        quantization.quantize_dynamic(str(folder / "base.onnx"), str(path))
    elif form == "nbits":
        model = onnx.load(str(folder / "base.onnx"))
        quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(model, block_size=32, is_symmetric=False)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path))
    else:
        quantization.quantize_static(str(folder / "base.onnx"), str(path), OneBatch(inputs),
                                     quant_format=quantization.QuantFormat[form], per_channel=True,
                                     activation_type=quantization.QuantType.QUInt8,
                                     weight_type=quantization.QuantType.QInt8)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--forms", default="QOperator,QDQ")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    for source in args.models:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            inputs = draw(session_of(source, "ORT_ENABLE_BASIC", folder / "base.onnx"))
            for form in args.forms.split(","):
                path = write_form(form, source, folder, inputs)
                session, theirs, ours = session_of(path), [], []
                for _ in range(args.rounds):
                    theirs.append(time_runtime(session, inputs, args.seconds))
                    ours.append(time_ours(args.binary, path, args.seconds, folder))
                print(f"{source.stem:24}{form:12}compress {min(ours):8.2f} ms   ONNX Runtime {min(theirs):8.2f} ms   "
                      f"{min(theirs) / min(ours):.2f} times as fast", flush=True)


if __name__ == "__main__":
    sys.exit(main())
