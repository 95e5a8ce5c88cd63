#!/usr/bin/env python3
"""Hold `compress run` against the tests that the onnx package carries.

    conformance.py --binary build/tools/compress [--list tests/conformance/passing.txt] [--write] [--jobs N] [--only REGEX]

Runs the node tests, the models converted from PyTorch, the simple ones and the light ones. Fails when a test that the
list names does not pass any more, and when any test at all gives a wrong answer, crashes or takes too long; a refusal
(exit status 3) of a test that is not on the list counts as skipped. `--write` makes the list anew.

Outputs agree as onnx's own runner has it: shape and type equal, |out - expected| <= atol + rtol |expected| with rtol
1e-3, atol 1e-7 (2^-6 for bfloat16; light models 1e-4 of the largest). What is drawn at random agrees in shape and type.
The last line reads "N passed, N failed, N skipped". Needs onnx (1.23 made the list) and numpy.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

SECONDS = 60
REFUSED = 3
DRAWN = re.compile(r"test_(bernoulli(_double|_seed)?|training_dropout(_default)?(_mask)?)(_expanded)?$")
DATA = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"


class Case:
    """A model, and files of inputs and expected outputs, several sets of each."""

    def __init__(self, name, model, sets, light=False):
        self.name, self.model, self.sets, self.light = name, model, sets, light


def message_of(value, info):
    """The protobuf message in which a value of the declared type is handed over."""
    kind = info.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        return value
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write(folder, stem, values, infos):
    paths = []
    for i, (value, info) in enumerate(zip(values, infos)):
        paths.append(folder / f"{stem}_{i}.pb")
        paths[-1].write_bytes(message_of(value, info).SerializeToString())
    return paths


def node_cases(scratch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # they overflow on purpose
        found = [case for case in collect_testcases(None) if case.model is not None]
    for case in found:
        folder = scratch / case.name
        folder.mkdir()
        path, graph = folder / "model.onnx", case.model.graph
        path.write_bytes(case.model.SerializeToString())
        sets = []
        for k, (inputs, outputs) in enumerate(case.data_sets):
            (folder / str(k)).mkdir()
            sets.append((write(folder / str(k), "in", inputs, graph.input),
                         write(folder / str(k), "out", outputs, graph.output)))
        yield Case(f"node/{case.name}", path, sets)


def stored_cases(kind):
    def number(path):
        return int(path.stem.rsplit("_", 1)[1])

    for folder in sorted((DATA / kind).iterdir()):
        sets = [(sorted(s.glob("input_*.pb"), key=number), sorted(s.glob("output_*.pb"), key=number))
                for s in sorted(folder.glob("test_data_set_*"))]
        if (folder / "model.onnx").exists() and sets:
            yield Case(f"{kind}/{folder.name}", folder / "model.onnx", sets)


def light_cases(scratch):
    """Their input is a ramp, as onnx's runner makes it."""
    for path in sorted((DATA / "light").glob("*.onnx")):
        model = onnx.load(path)
        held = {i.name for i in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in held]
        folder = scratch / path.stem
        folder.mkdir()
        values = []
        for info in inputs:
            shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
            size = int(np.prod(shape))
            values.append((np.arange(size).reshape(shape) / size).astype(np.float32))
        yield Case(f"light/{path.stem}", path,
                   [(write(folder, "in", values, inputs), [path.with_name(f"{path.stem}_output_0.pb")])], light=True)


def read(path, kind):
    blob = path.read_bytes()
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(blob))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(blob))
    return numpy_helper.to_array(onnx.TensorProto.FromString(blob))


def plain(array):
    """Types that numpy does not know by itself, as ones that it does."""
    if array.dtype.isbuiltin == 1:
        return array
    return array.astype(np.int32 if "int" in array.dtype.name else np.float32)


def difference(out, expected, case):
    """What is different, or None."""
    if expected is None or isinstance(expected, list):
        if type(out) is not type(expected) or (expected is not None and len(out) != len(expected)):
            return f"is {out!r:.60}, expected {expected!r:.60}"
        return next((d for o, e in zip(out or [], expected or []) if (d := difference(o, e, case))), None)
    if out.shape != expected.shape or out.dtype != expected.dtype:
        return f"is {out.dtype}{list(out.shape)}, expected {expected.dtype}{list(expected.shape)}"
    if DRAWN.search(case.name):
        return None
    if expected.dtype == object:
        text = np.vectorize(lambda s: s.decode() if isinstance(s, bytes) else s, otypes=[object])
        return None if expected.size == 0 or np.array_equal(text(out), text(expected)) else "texts differ"
    rtol, atol = (2.0**-6 if expected.dtype.name == "bfloat16" else 1e-3), 1e-7
    if case.light:
        rtol, atol = 0, 1e-4 * float(np.abs(expected).max())
    with np.errstate(all="ignore"):
        agree = np.isclose(plain(out), plain(expected), rtol=rtol, atol=atol, equal_nan=True)
    return None if agree.all() else f"{(~agree).sum()} of {agree.size} numbers differ"


def run_set(case, binary, inputs, expected):
    with tempfile.TemporaryDirectory() as out:
        argv = [binary, "run", case.model, "--output-dir", out]
        for path in inputs:
            argv += ["--input", path]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return "failed", f"took more than {SECONDS} s"
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            status = "refused" if done.returncode == REFUSED else "failed"
            return status, f"exit status {done.returncode}: {''.join(last)}"
        graph = onnx.load(case.model, load_external_data=False).graph
        for i, path in enumerate(expected):
            kind = graph.output[i].type.WhichOneof("value")
            different = difference(read(pathlib.Path(out) / f"output_{i}.pb", kind), read(path, kind), case)
            if different:
                return "failed", f"output {i} {different}"
    return "passed", ""


def run(case, binary):
    for inputs, expected in case.sets:
        status, detail = run_set(case, binary, inputs, expected)
        if status != "passed":
            return status, detail
    return "passed", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--list", type=pathlib.Path, default=pathlib.Path(__file__).with_name("passing.txt"))
    parser.add_argument("--write", action="store_true", help="make the list anew from what passes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=re.compile, default=re.compile(""), help="names that match alone")
    args = parser.parse_args()
    binary = shutil.which(args.binary)
    if not binary:
        sys.exit(f"conformance.py: cannot execute '{args.binary}'")
    listed = set() if args.write or not args.list.exists() else set(args.list.read_text().split())

    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        cases = [*node_cases(scratch), *light_cases(scratch)]
        for kind in ("simple", "pytorch-converted", "pytorch-operator"):
            cases += stored_cases(kind)
        cases = [case for case in cases if args.only.search(case.name)]
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            results = list(pool.map(lambda case: run(case, binary), cases))
    finally:
        shutil.rmtree(scratch)

    passed, failed, skipped, fresh = [], 0, 0, 0
    for case, (status, detail) in zip(cases, results):
        if status == "passed":
            passed.append(case.name)
            fresh += case.name not in listed
        elif status == "refused" and case.name not in listed:
            skipped += 1
        else:
            failed += 1
            print(f"{case.name}: {detail}")
    if args.write:
        args.list.write_text("".join(f"{name}\n" for name in sorted(passed)))
    elif fresh:
        print(f"{fresh} tests pass that {args.list.name} does not name (--write adds them)")
    print(f"{len(passed)} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
