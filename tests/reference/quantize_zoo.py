"""Quantized models beside ONNX Runtime: does the checker take them, and do both programs compute the same?

    python quantize_zoo.py BINARY ZOO [MODEL…]

Every model of the folder is quantized in each form: with weights alone outputs have to agree to rounding (1e-3 of the
largest), with activations to a share of what quantization itself costs: the root mean square of the difference over that
between float and quantized outputs is shown, and has to be below 1. Static scales are calibrated on 16 random
inputs. Weights have 7 bits there: processors without VNNI cut off sums of two products of bytes in ONNX Runtime.
(onnx 1.23.2 and onnxruntime 1.32 were tried.)
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

FORMS = {
    "int8": ["--weights", "int8"],
    "int8 tensor": ["--weights", "int8", "--scope", "tensor"],
    "int4": ["--weights", "int4"],
    "float16": ["--weights", "float16"],
    "dynamic": ["--scheme", "dynamic", "--weights", "int7"],
    "static": ["--scheme", "static", "--weights", "int7"],
}


def call(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def inputs_of(path):
    """The stored input of a zoo model, by name."""
    model = onnx.load(path)
    tensor = onnx.TensorProto.FromString(path.with_suffix("").with_suffix(".input.pb").read_bytes())
    return {model.graph.input[0].name: onnx.numpy_helper.to_array(tensor)}, len(model.graph.input)


def by_runtime(path, inputs, optimized=True):
    options = onnxruntime.SessionOptions()
    if not optimized:  # it would round the activations before products with weights of few bits
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def by_compress(binary, path, inputs, folder):
    names = []
    for i, x in enumerate(inputs.values()):
        names.append(folder / f"in_{i}.npy")
        np.save(names[-1], x)
    done = call(binary, "run", path, "--input", *names, "--output-dir", folder, "--format", "npy", "-f", "-q")
    assert done.returncode == 0, done.stderr
    return [np.load(f) for f in sorted(folder.glob("output_*.npy"))]


def distance(a, b):
    return max(np.sqrt(np.mean((x.astype(float) - y.astype(float)) ** 2)) / max(np.sqrt(np.mean(y.astype(float) ** 2)), 1e-9)
               for x, y in zip(a, b))


def samples_for(path, inputs, folder):
    """An archive of random inputs of the model's shape."""
    rng = np.random.default_rng(1)
    x = next(iter(inputs.values()))
    shape = (48,) + x.shape[1:]
    if np.issubdtype(x.dtype, np.integer):
        drawn = rng.integers(x.min(), x.max() + 1, shape)
    else:
        drawn = rng.normal(x.mean(), x.std(), shape)
    np.savez(folder / "samples.npz", x=drawn.astype(np.float32), y=np.arange(48) % 2)
    return f"npz:{folder / 'samples.npz'},unlabelled=1"


def try_form(binary, path, form, inputs, floats, folder):
    """What to print, and is it as it should be?"""
    out = folder / "quantized.onnx"
    words = list(FORMS[form])
    if form == "static":
        words += ["--data", samples_for(path, inputs, folder), "--samples", 16, "--measure", "counts"]
    done = call(binary, "quantize", path, *words, "-o", out, "-f", "-q")
    if done.returncode == 3 or (done.returncode != 0 and form == "static" and "inputs" in done.stderr):
        return done.stderr.strip().splitlines()[0][:90], True
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr.strip()[:200]}", False
    onnx.checker.check_model(str(out), full_check=True)
    rounded = form in ("static", "dynamic")
    theirs, ours = by_runtime(out, inputs, rounded), by_compress(binary, out, inputs, folder)
    apart, cost = distance(ours, theirs), distance(theirs, floats)
    size = out.stat().st_size / path.stat().st_size
    good = apart < (cost if rounded else 1e-3)
    return f"{size:5.2f} of the bytes, {cost:8.2g} from the floats, {apart:8.2g} apart", good


def main():
    binary, zoo, *wanted = sys.argv[1:]
    bad = 0
    for path in sorted(pathlib.Path(zoo).glob("*.onnx")):
        if wanted and path.stem not in wanted:
            continue
        inputs, _ = inputs_of(path)
        floats = by_runtime(path, inputs)
        for form in FORMS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    text, good = try_form(binary, path, form, inputs, floats, pathlib.Path(folder))
                except Exception as problem:  # the checker's or the runtime's
                    text, good = f"{type(problem).__name__}: {str(problem)[:300]}", False
            bad += not good
            print(f"{path.stem:24} {form:12} {text}{'' if good else '   WRONG'}", flush=True)
    print(f"{bad} wrong")
    return bad > 0


sys.exit(main())
