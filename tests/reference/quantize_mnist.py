"""A float model of MNIST in fewer bits, by this program and by ONNX Runtime's own tools, on the same images.

    python quantize_mnist.py BINARY MODEL MNIST-DIR [CALIBRATION-IMAGES]

Calibration: the first 512 training images (or as many as are asked for). Accuracy: all 10,000 test images, each file in
ONNX Runtime and in this program. Prints a row a file: bytes, wrong answers there and here, answers of ONNX Runtime that
are not the float model's. (onnxruntime 1.32 was tried.)
"""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_dynamic,
                                      quantize_static, shape_inference)

OURS = {
    "int8 weights": [],
    "int4 weights": ["--weights", "int4"],
    "float16 weights": ["--weights", "float16"],
    "dynamic": ["--scheme", "dynamic"],
    "static": ["--scheme", "static"],
    "static, 7 bits": ["--scheme", "static", "--weights", "int7"],
    "static, percentile": ["--scheme", "static", "--calibration", "percentile"],
    "static, entropy": ["--scheme", "static", "--calibration", "entropy"],
    "static, mse": ["--scheme", "static", "--calibration", "mse"],
}


def idx(folder, name):
    path = next(pathlib.Path(folder).glob(name + "*"))
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


class Images(CalibrationDataReader):
    def __init__(self, name, images):
        self.batches = iter([{name: images[i : i + 32]} for i in range(0, len(images), 32)])

    def get_next(self):
        return next(self.batches, None)


def answers(path, images):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: images[i : i + 500]})[0].argmax(1) for i in range(0, len(images), 500)])


def main():
    binary, model, folder, *rest = sys.argv[1:]
    n = int(rest[0]) if rest else 512
    calibration = (idx(folder, "train-images")[:n, None] / np.float32(255)).astype(np.float32)
    images = (idx(folder, "t10k-images")[:, None] / np.float32(255)).astype(np.float32)
    labels = idx(folder, "t10k-labels").astype(np.int64)
    floats = answers(model, images)

    def row(what, path):
        found = answers(path, images)
        size = pathlib.Path(path).stat().st_size
        words = [binary, "eval", path, "--data", f"mnist:{folder}", "--json", "-", "-q", "--threads", "1"]
        here = json.loads(subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout)
        wrong = round((1 - here["accuracy"]) * len(labels))
        print(f"| {what} | {size:,} | {(found != labels).sum()} | {wrong} | {(found != floats).sum()} |", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        np.savez(scratch / "calibration.npz", x=calibration, y=idx(folder, "train-labels")[:n].astype(np.int64))
        data = f"npz:{scratch / 'calibration.npz'},validation=0,split=0.002"
        print("| | bytes | wrong in ONNX Runtime | wrong here | other than the float model |\n| --- | --- | --- | --- | --- |")
        row("float32", model)
        for what, words in OURS.items():
            out = scratch / "ours.onnx"
            data_words = ["--data", data, "--samples", n, "--measure", "counts"] if "static" in what else []
            subprocess.run([str(w) for w in [binary, "quantize", model, *words, *data_words, "-o", out, "-f", "-q"]], check=True)
            onnx.checker.check_model(str(out), full_check=True)
            row(f"compress, {what}", out)
        prepared = scratch / "prepared.onnx"
        shape_inference.quant_pre_process(model, prepared)
        name = onnx.load(model).graph.input[0].name
        theirs = scratch / "theirs.onnx"
        quantize_dynamic(prepared, theirs, weight_type=QuantType.QInt8, per_channel=True)
        row("ONNX Runtime, quantize_dynamic", theirs)
        for method in (CalibrationMethod.MinMax, CalibrationMethod.Percentile, CalibrationMethod.Entropy):
            for reduced in (False, True):
                quantize_static(prepared, theirs, Images(name, calibration), quant_format=QuantFormat.QDQ,
                                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
                                reduce_range=reduced, calibrate_method=method)
                row(f"ONNX Runtime, quantize_static, {method.name}{', 7 bits' if reduced else ''}", theirs)


main()
