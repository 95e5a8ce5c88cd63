#!/usr/bin/env python3
"""The tables of a pruned and distilled resnet-20 on CIFAR-10 (docs/benchmarks.md), by the recipes in models/cifar-10.

    cifar_table.py --binary build/tools/compress --data DIR --model RESNET-20.onnx --out OUT [--tables one-shot …]

    one-shot    channels by L2, Taylor, and L2 with reconstruction, 20 to 60 % of them; single weights by magnitude,
                Wanda and second order, 60 %: no training, 512 images without labels (Taylor: with)
    half        half of the multiply-accumulates, tuned, and tuned longer with the original as a teacher
    sparsity    50 to 98 % zeros, tuned with and without the original as a teacher; packed bytes
    distil      a resnet-20 of half the widths, alone and by each way of teaching, three seeds

--epochs N tunes and teaches for N epochs instead of the recipes'; --ways and --seeds choose rows of distil. What lies in
OUT already is not made again. Accuracy is that of batch 5, which nothing looks at.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "models" / "cifar-10"
TABLES = ["one-shot", "half", "sparsity", "distil"]
STAGES = "relu7=relu7,relu14=relu14,relu21=relu21"
WAYS = {"alone": None, "logits": {}, "and hints": {"hints": STAGES}, "and attention": {"attention": STAGES},
        "and relations": {"relation": "relu21=relu21"}}


class Runner:
    def __init__(self, args):
        self.args = args
        self.data = f"cifar10:{args.data},train_batches=1-4,test_batches=5,validation=0,normalize=train"

    def run(self, out, *command):
        """The record of a command; 1, a gate that did not hold, is a result too."""
        report = self.args.out / out / "report.json"
        if not report.exists():
            report.parent.mkdir(parents=True, exist_ok=True)
            line = [self.args.binary, *command, "--threads", str(self.args.threads), "-q", "-f"]
            line += ["--out", str(report.parent)] if command[0] == "apply" else ["--json", str(report)]
            if subprocess.run(line, check=False).returncode not in (0, 1):
                raise SystemExit(f"{out}: failed")
        return json.loads(report.read_text())

    def apply(self, out, recipe, settings):
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        return self.run(out, "apply", str(RECIPES / recipe), "--set", f"vars.folder={self.args.data}", *words)

    def epochs(self, verb):
        return {f"steps.0.{verb}.epochs": self.args.epochs} if self.args.epochs else {}

    def prune(self, out, *options):
        model = str(self.args.out / out / "model.onnx")
        return self.run(out, "prune", str(self.args.model), "-o", model, "--data", self.data, "--epochs", "0", *options)


def one_shot(runner):
    print("| channels that go | L2 | Taylor | L2 and least squares |\n| --- | --- | --- | --- |")
    for ratio in ("0.2", "0.4", "0.6"):
        ways = {"l2": [], "taylor": ["--criterion", "taylor"], "fitted": ["--reconstruct"]}
        row = [runner.prune(f"channels.{ratio}.{name}", "--method", "channel", "--ratio", ratio, *options)["final"]
               for name, options in ways.items()]
        print(f"| {ratio} | " + " | ".join(f"{100 * r['accuracy']:.2f}" for r in row) + " |")
    print("\n| zeros | magnitude | Wanda | second order |\n| --- | --- | --- | --- |")
    ways = {"magnitude": [], "wanda": ["--score", "wanda"], "second-order": ["--score", "second-order"]}
    row = [runner.prune(f"weights.{name}", "--sparsity", "0.6", *options)["final"] for name, options in ways.items()]
    print("| 60 % | " + " | ".join(f"{100 * r['accuracy']:.2f}" for r in row) + " |")


def half(runner):
    for name in ("half", "half-taught"):
        record = runner.apply(name, f"resnet-20.{name}.yaml", {"model": runner.args.model})
        before, cut, after = record["original"], record["steps"][0]["result"], record["final"]
        print(f"{name}: MACs {after['macs']:,} of {before['macs']:,}; accuracy {100 * before['accuracy']:.2f}, "
              f"untuned {100 * cut['accuracy']:.2f}, tuned {100 * after['accuracy']:.2f} %")


def sparsity(runner):
    print("| zeros | accuracy | packed bytes | with a teacher | packed bytes |\n| --- | --- | --- | --- | --- |")
    for share in ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98"):
        cells = []
        for name, teach in (("alone", {}), ("taught", {"steps.0.prune.teacher": "original"})):
            settings = {"model": runner.args.model, "vars.sparsity": share, **runner.epochs("prune"), **teach}
            final = runner.apply(f"sparse.{share}.{name}", "resnet-20.sparse.yaml", settings)["final"]
            cells += [f"{100 * final['accuracy']:.2f}", f"{final['bytes_packed']:,}"]
        print(f"| {share} | " + " | ".join(cells) + " |")


def student(runner, seed):
    """A resnet-20 of half the widths, as weights are drawn."""
    whole, path = runner.args.out / f"drawn.{seed}.onnx", runner.args.out / f"student.{seed}.onnx"
    if not path.exists():
        common = ["--seed", str(seed), "--threads", "1", "-q", "-f", "-o"]
        subprocess.run([runner.args.binary, "train", "resnet-20", "--data", runner.data, "--epochs", "0", *common,
                        str(whole)], check=True)
        subprocess.run([runner.args.binary, "prune", str(whole), "--method", "channel", "--ratio", "0.5", "--criterion",
                        "random", *common, str(path)], check=True)
    return path


def distil(runner):
    print("| taught by | accuracy, mean ± deviation (each seed) |\n| --- | --- |")
    for name in runner.args.ways:
        way = WAYS[name]
        recipe, verb = ("resnet-20.student.yaml", "train") if way is None else ("resnet-20.taught.yaml", "distill")
        settings = runner.epochs(verb)
        if way is not None:
            settings |= {"vars.teacher": runner.args.model} | {f"steps.0.distill.{k}": v for k, v in way.items()}
        finals = [runner.apply(f"student.{name.replace(' ', '-')}.{seed}", recipe,
                               {"model": student(runner, seed), "seed": seed, **settings})["final"]
                  for seed in runner.args.seeds]
        numbers = [100 * f["accuracy"] for f in finals]
        spread = f" ± {statistics.stdev(numbers):.2f}" if len(numbers) > 1 else ""
        each = ", ".join(f"{x:.2f}" for x in numbers)
        print(f"| {name} | {statistics.mean(numbers):.2f}{spread} ({each}) |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder with CIFAR-10's binary batches")
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    args = parser.parse_args()
    args.data, args.out, args.model = args.data.resolve(), args.out.resolve(), args.model.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    makers = {"one-shot": one_shot, "half": half, "sparsity": sparsity, "distil": distil}
    for table in args.tables:
        makers[table](Runner(args))
        print()


if __name__ == "__main__":
    main()
