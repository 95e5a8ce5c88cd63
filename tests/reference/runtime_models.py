#!/usr/bin/env python3
"""Hold `compress run` against ONNX Runtime on what its optimizer and its quantizers write of given models.

    runtime_models.py --binary build/tools/compress MODEL.onnx… [--forms extended,dynamic,qdq,qoperator,nbits] [--keep DIR]

Each model, whose inputs have to be floats or integers of small range, is written by ONNX Runtime in these forms and run
on both with the same random inputs: `extended`, its optimizer at the level "extended"; `dynamic`, weights of 8 bits and
activations quantized as they come; `qdq` and `qoperator`, calibrated on one batch; `nbits`, weights of 4 bits. The
quantized ones are optimized as well. Outputs must agree to 1e-4 of the largest. Where 8 bits lie between, which may
be one apart and then go their own ways, each node is held to that by itself: it is fed what ONNX Runtime fed it, and
integers that it makes may be one apart. Written with onnx 1.23, onnxruntime 1.32, numpy 2.4.

The last line reads "N passed, N failed, N refused": refused is what `compress` refuses by name with status 3.
"""
import argparse
import logging
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization import matmul_nbits_quantizer

from onnxruntime_agrees import random_inputs, run_ours

FORMS = ("extended", "dynamic", "qdq", "qoperator", "nbits")


class OneBatch(quantization.CalibrationDataReader):
    def __init__(self, inputs):
        self.left = [inputs]

    def get_next(self):
        return self.left.pop() if self.left else None


def session_of(path, level="ORT_DISABLE_ALL", to=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.log_severity_level = 4
    if to:
        options.optimized_model_filepath = str(to)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def write_form(form, source, folder, inputs):
    """The files that ONNX Runtime makes of `source`: quantized, and then optimized."""
    files, before = [], source
    if form != "extended":
        before = folder / f"{form}.onnx"
        files.append(before)
    if form == "dynamic":
        quantization.quantize_dynamic(str(source), str(before))
    elif form in ("qdq", "qoperator"):
        how = quantization.QuantFormat.QDQ if form == "qdq" else quantization.QuantFormat.QOperator
        quantization.quantize_static(str(source), str(before), OneBatch(inputs), quant_format=how, per_channel=True,
                                     weight_type=quantization.QuantType.QInt8)
    elif form == "nbits":
        quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(str(source)), block_size=32, is_symmetric=False)
        quantizer.process()
        quantizer.model.save_model_to_file(str(before))
    after = folder / f"{form}.optimized.onnx"
    session_of(str(before), "ORT_ENABLE_EXTENDED", after)
    return files + [after]


def apart(model):
    """Each node by itself: what others made is an input of the model, what it makes an output."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    made = [o for node in model.graph.node for o in node.output if o]
    for node in cut.graph.node:
        for i, name in enumerate(node.output):
            node.output[i] = name and "made:" + name
    used = {n for node in model.graph.node for n in node.input}
    del cut.graph.output[:], cut.graph.value_info[:]
    cut.graph.output.extend(onnx.ValueInfoProto(name="made:" + n) for n in made)
    return cut, [n for n in made if n in used], made


def run_apart(binary, path, inputs, folder):
    """ONNX Runtime's values, and what each node makes of them here."""
    model = onnx.load(str(path))
    cut, fed, made = apart(model)
    known = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in made if n not in known)
    session = session_of(model.SerializeToString())
    values = dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs)))
    for name in fed:
        dtype = onnx.helper.np_dtype_to_tensor_dtype(values[name].dtype)
        cut.graph.input.append(onnx.helper.make_tensor_value_info(name, dtype, values[name].shape))
    (folder / "apart.onnx").write_bytes(cut.SerializeToString())
    feeds = {**inputs, **{n: values[n] for n in fed}}
    status, ours = run_ours(binary, folder / "apart.onnx", feeds, len(made), folder)
    return status, ours, [values[n] for n in made], made


def compare(binary, path, inputs, by_node, folder):
    if by_node:
        status, ours, expected, names = run_apart(binary, path, inputs, folder)
    else:
        session = session_of(str(path))
        expected, names = session.run(None, inputs), [o.name for o in session.get_outputs()]
        status, ours = run_ours(binary, path, inputs, len(expected), folder)
    if status:
        return ("refused" if status == 3 else "failed"), f"exit {status}: {ours[-300:]}"
    worst, n_apart = 0.0, 0
    for a, b, name in zip(ours, expected, names):
        if a.shape != b.shape or a.dtype != b.dtype:
            return "failed", f"{name}: {a.dtype}{list(a.shape)}, expected {b.dtype}{list(b.shape)}"
        if b.size == 0:
            continue
        with np.errstate(invalid="ignore"):  # infinities that are equal
            far = float(np.max(np.where(a == b, 0, np.abs(a.astype(np.float64) - b))))
        largest = float(np.max(np.abs(np.where(np.isfinite(b), b, 0))))
        limit = 1 if np.issubdtype(b.dtype, np.integer) else 1e-4 * (largest + 1e-30)
        if not far <= limit:
            return "failed", f"{name}: {far:.2e} apart, at most {limit:.2e}"
        n_apart += np.issubdtype(b.dtype, np.integer) and int(np.count_nonzero(a != b))
        worst = max(worst, far if not np.issubdtype(b.dtype, np.integer) else 0)
    return "passed", f"{worst:.1e}, {n_apart} integers one apart"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--keep", type=pathlib.Path, help="leave the files there")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    counts, kinds = {"passed": 0, "failed": 0, "refused": 0}, set()
    for source in args.models:
        for form in args.forms.split(","):
            with tempfile.TemporaryDirectory() as scratch:
                folder = args.keep / source.stem if args.keep else pathlib.Path(scratch)
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    inputs = random_inputs(session_of(str(source)), 2, np.random.default_rng(0))
                    files = write_form(form, source, folder, inputs)
                except Exception as error:  # ONNX Runtime cannot write it
                    print(f"{'-':8}{source.stem:24}{form:12}{str(error).splitlines()[0][:150]}", flush=True)
                    continue
                for i, file in enumerate(files):
                    room = pathlib.Path(scratch) / str(i)
                    room.mkdir()
                    status, detail = compare(args.binary, file, inputs, form not in ("extended", "nbits"), room)
                    counts[status] += 1
                    kinds |= {n.op_type for n in onnx.load(str(file)).graph.node if n.domain == "com.microsoft"}
                    print(f"{status:8}{source.stem:24}{file.stem:22}{detail}", flush=True)
    print("com.microsoft:", ", ".join(sorted(kinds)))
    print("{passed} passed, {failed} failed, {refused} refused".format(**counts))
    return counts["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
