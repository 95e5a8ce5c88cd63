#!/usr/bin/env python3
"""Prune models by L2, or cut layers in two, and hold the results against onnx.checker and ONNX Runtime.

    prune_zoo.py --binary build/tools/compress [--ratio 0.25 0.5 0.75] [--macs 0.5] [--dims D] MODEL.onnx…
    prune_zoo.py --binary build/tools/compress --factorize --macs 0.7 MODEL.onnx…

Per model and target: `compress prune` (or `factorize`) has to end with 0 and a checked masked twin, onnx.checker (full_check) has to
accept the file, and `compress run` and ONNX Runtime (no graph optimization) have to agree on it within 1e-4 of the
largest output, for two sizes of the batch. Prints a Markdown table: the share of parameters and of multiply-accumulates that stays, the largest
difference from the twin relative to the largest output, that from ONNX Runtime, and the seconds that pruning took with
reading and writing. Written with onnx 1.23, onnxruntime 1.32, numpy 2.4.

The last line reads "N passed, N failed, N refused".
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import onnx

from onnxruntime_agrees import compare


PRUNE, FACTORIZE = ["prune", "--method", "channel"], ["factorize"]


def shrink(binary, verb, path, option, value, extra, folder):
    out, record = folder / "small.onnx", folder / "record.json"
    command = [binary, *verb, str(path), "-o", str(out), option, str(value), "-q", "-f"]
    started = time.monotonic()
    done = subprocess.run(command + ["--json", str(record)] + extra, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode:
        return done.returncode, done.stderr.strip(), seconds, out
    return 0, json.loads(record.read_text()), seconds, out


def row(binary, verb, path, option, value, extra, batch, folder):
    """(verdict, cells)"""
    status, result, seconds, out = shrink(binary, verb, path, option, value, extra, folder)
    if status:
        return ("refused" if status in (2, 3) else "failed"), [f"exit {status}: {result[-300:]}"]
    step = next(s for s in result["steps"] if "macs_before" in s)
    before, after, twin = result["original"], result["final"], step.get("twin") or step["check"]
    left = step.get("frozen") or [layer for layer in step.get("layers", []) if "why" in layer]
    if not twin["checked"]:
        return "failed", [f"no twin: {twin['why']}"]
    if not step.get("groups_removed") and not any("rank" in layer for layer in step.get("layers", [])):
        return "failed", ["nothing removed"]
    try:
        onnx.checker.check_model(str(out), full_check=True)
        verdict, agrees = compare(binary, out, batch, 1e-4, False)
        if verdict == "passed":  # an open batch has to stay open
            verdict, worse = compare(binary, out, batch + 1, 1e-4, False)
            agrees = agrees if verdict == "passed" else f"batch of {batch + 1}: {worse}"
    except Exception as error:
        verdict, agrees = "failed", str(error).splitlines()[0][:200]
    cells = [
        f"{after['parameters'] / before['parameters']:.3f}",
        f"{step['macs_after'] / max(step['macs_before'], 1):.4f}",
        f"{twin['max_difference'] / (twin['max_output'] or 1):.1e}",
        agrees,
        f"{seconds:.2f}",
        "; ".join(sorted({f"{f['why']}" for f in left})),
    ]
    return ("passed" if verdict == "passed" else "failed"), cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--ratio", type=float, nargs="*", default=[])
    parser.add_argument("--macs", type=float, nargs="*", default=[])
    parser.add_argument("--factorize", action="store_true")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--extra", nargs="*", default=[], help="further options of `compress prune`, as name=value")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    extra = [word for e in args.extra for word in ("--" + e.split("=")[0], e.split("=", 1)[1])]
    targets = [("--ratio", r) for r in args.ratio] + [("--macs", m) for m in args.macs]
    counts = {"passed": 0, "failed": 0, "refused": 0}
    print("| model | target | parameters | MACs | twin | ONNX Runtime | s | kept whole because |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for path in args.models:
        for option, value in targets:
            with tempfile.TemporaryDirectory() as folder:
                verdict, cells = row(args.binary, FACTORIZE if args.factorize else PRUNE, path, option, value, extra, args.batch, pathlib.Path(folder))
            counts[verdict] += 1
            cells = [verdict] + cells if verdict != "passed" else cells
            print(f"| {path.stem} | {option[2:]} {value:g} | " + " | ".join(cells) + " |", flush=True)
    print("\n{passed} passed, {failed} failed, {refused} refused".format(**counts))
    return counts["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
