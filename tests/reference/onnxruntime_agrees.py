#!/usr/bin/env python3
"""Hold `compress run` against ONNX Runtime, model by model.

    onnxruntime_agrees.py --binary build/tools/compress MODEL.onnx… [--batch 2] [--tolerance 1e-4] [--check]

Feeds both the same random inputs (unknown first dimension: --batch; other unknown ones: 1) and compares every output:
largest difference over largest magnitude must stay within --tolerance. --check runs onnx.checker with full_check as
well. ONNX Runtime's own graph optimisation is off. Written with onnx 1.23, onnxruntime 1.32, numpy 2.4.

The last line reads "N passed, N failed, N skipped"; skipped is what `compress` refuses with status 3.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def random_inputs(session, batch, rng):
    inputs = {}
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) else (batch if i == 0 else 1) for i, d in enumerate(value.shape)]
        dtype = TYPES[value.type]
        if np.issubdtype(dtype, np.integer):
            inputs[value.name] = rng.integers(0, 8, shape).astype(dtype)
        else:
            inputs[value.name] = rng.standard_normal(shape).astype(dtype)
    return inputs


def run_ours(binary, path, inputs, n_outputs, folder):
    command = [binary, "run", str(path), "--output-dir", str(folder / "out")]
    for i, array in enumerate(inputs.values()):
        file = folder / f"input_{i}.pb"
        file.write_bytes(numpy_helper.from_array(array).SerializeToString())
        command += ["--input", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.returncode, done.stderr.strip()
    read = lambda i: numpy_helper.to_array(onnx.TensorProto.FromString((folder / "out" / f"output_{i}.pb").read_bytes()))
    return 0, [read(i) for i in range(n_outputs)]


def compare(binary, path, batch, tolerance, check):
    """(status, detail): passed, failed or skipped."""
    if check:
        onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = random_inputs(session, batch, np.random.default_rng(0))
    expected = session.run(None, inputs)
    with tempfile.TemporaryDirectory() as folder:
        status, ours = run_ours(binary, path, inputs, len(expected), pathlib.Path(folder))
    if status:
        return ("skipped" if status == 3 else "failed"), f"exit {status}: {ours[-200:]}"
    worst = 0.0
    for a, b in zip(ours, expected):
        if a.shape != b.shape or a.dtype != b.dtype:
            return "failed", f"{a.dtype}{list(a.shape)}, expected {b.dtype}{list(b.shape)}"
        if b.size:
            worst = max(worst, float(np.max(np.abs(a.astype(np.float64) - b)) / (np.max(np.abs(b)) + 1e-30)))
    return ("passed" if worst <= tolerance else "failed"), f"{worst:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--check", action="store_true", help="run onnx.checker with full_check first")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for path in args.models:
        try:
            status, detail = compare(args.binary, path, args.batch, args.tolerance, args.check)
        except Exception as error:  # the checker or ONNX Runtime refuses the file
            status, detail = "failed", str(error).splitlines()[0][:200]
        counts[status] += 1
        print(f"{status:8}{path.name:40}{detail}", flush=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return counts["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
