#!/usr/bin/env python3
"""The table of pruned and packed nets on MNIST in docs/benchmarks.md, from the recipes in models/mnist.

    mnist_table.py --binary build/tools/compress --data DIR --out OUT [--seeds 1 2 3] [--nets lenet-300-100 lenet-5]
                   [--recipes 60x packed]

The dense net is made once. From it each seed goes through the recipes of NETS; what lies in OUT already is not made
again. Errors are those of the 10,000 test images, which no recipe looks at. One thread.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "models" / "mnist"
# the recipes of a net
NETS = {
    "lenet-300-100": ["60x", "90x", "packed"],
    "lenet-5": ["60x", "125x", "300x", "packed"],
}


def apply(args, net, name, out, settings):
    """Run a recipe unless its report is there; the record, also of one whose gates did not hold."""
    report = out / "report.json"
    if not report.exists():
        recipe = RECIPES / f"{net}.{name}.yaml"
        command = [args.binary, "apply", str(recipe), "--threads", "1", "-q", "-f", "--out", str(out)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        if subprocess.run(command, check=False).returncode not in (0, 1):
            raise SystemExit(f"{net}.{name}: failed")
    return json.loads(report.read_text())


def run_seed(args, net, dense, seed):
    """The measurements of one seed, by row."""
    rows = {}
    for name in [name for name in NETS[net] if not args.recipes or name in args.recipes]:
        settings = {"model": dense / f"{net}.onnx", "data": f"mnist:{args.data}", "seed": seed}
        record = apply(args, net, name, args.out / f"{net}.{name}.{seed}", settings)
        for i, step in enumerate(record["steps"]):
            if "training" in step:
                rows[f"{name}, step {i + 1}"] = step["result"]
    return rows


def weights(measurement):
    """Weights that are not zero; biases aside."""
    biases = sum(int(layer["shape"].strip("[]").split(",")[1]) for layer in measurement["layers"])
    return measurement["nonzeros"] - biases


def spread(numbers):
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else 0
    return f"{statistics.mean(numbers):.3f} ± {deviation:.3f} ({', '.join(f'{x:.2f}' for x in numbers)})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder with MNIST's IDX files")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--recipes", nargs="+", help="of those of a net, as 125x; default: all")
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    args = parser.parse_args()
    args.data, args.out = args.data.resolve(), args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    for net in args.nets:
        dense = args.out / f"{net}.dense"
        original = apply(args, net, "dense", dense, {"data": f"mnist:{args.data}"})["final"]
        print(f"{net}: {original['parameters']} parameters, error {100 * (1 - original['accuracy']):.2f} %")
        seeds = [run_seed(args, net, dense, seed) for seed in args.seeds]
        for row in seeds[0]:
            results = [rows[row] for rows in seeds]
            fewest = min(original["parameters"] / r["nonzeros"] for r in results)
            of_weights = min(weights(original) / weights(r) for r in results)
            packed = max(r["bytes_packed"] for r in results)
            errors = spread([100 * (1 - r["accuracy"]) for r in results])
            print(f"  {row}: {fewest:.1f} times fewer parameters, {of_weights:.1f} times fewer weights, packed {packed}"
                  f" bytes ({4 * weights(original) / packed:.0f} times), error in % {errors}")


if __name__ == "__main__":
    main()
