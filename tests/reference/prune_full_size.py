#!/usr/bin/env python3
"""Export full-size networks with random weights, halve their multiply-accumulates, and check what comes out.

    prune_full_size.py --binary build/tools/compress --folder DIR [--set bar|classifiers|segmentation|timm] [NAME…]

Each model is exported once into DIR (open batch, opset 17) and pruned by `compress prune --method channel
--macs 0.5`. The masked twin has to be checked, onnx.checker to accept the file, ONNX Runtime and `compress run` to
agree on it within 1e-4 of the largest output, for batches of 1 and 3. Prints a Markdown row a model: parameters before,
share that stays, MACs reached, seconds of analysis (facts, groups, importance, choice) and surgery
(cut and shapes), peak memory over the file's size, differences from the twin and from ONNX Runtime, and whatever had to
stay whole, with the number of families wider than 1. Written with torch 2.15, torchvision 0.29, timm 1.0.31, onnx 1.23.

The last line reads "N passed, N failed, N refused".
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import onnx
import torch
import torchvision

from onnxruntime_agrees import compare

BAR = ["resnet50", "densenet121", "mobilenet_v2", "efficientnet_b0", "shufflenet_v2_x1_0", "regnet_y_400mf",
       "convnext_tiny", "vit_b_16", "swin_t"]
# One a family, at a size at which all of them are done in minutes.
TIMM = ["vit_tiny_patch16_224", "deit_tiny_patch16_224", "beit_base_patch16_224", "cait_xxs24_224", "mixer_s32_224",
        "resmlp_12_224", "gmlp_ti16_224", "convmixer_768_32", "poolformer_s12", "pvt_v2_b0", "twins_svt_small",
        "xcit_nano_12_p16_224", "levit_128s", "mobilevit_xxs", "efficientformer_l1", "maxvit_rmlp_nano_rw_256",
        "coatnet_nano_rw_224", "convnextv2_atto", "ghostnet_100", "mobilenetv4_conv_small", "hrnet_w18_small",
        "res2net50_26w_4s", "resnest14d", "dla34", "nf_resnet26", "repvgg_a0", "tresnet_m", "vovnet39a",
        "swinv2_tiny_window8_256", "fastvit_t8", "edgenext_xx_small", "inception_next_tiny", "rexnet_100", "selecsls42b"]


class Whole(torch.nn.Module):
    """A segmentation net's main output, a classifier's only one."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        y = self.model(x)
        return y["out"] if isinstance(y, dict) else y


def names_of(which):
    models = torchvision.models
    if which == "bar":
        return BAR
    if which == "timm":
        return TIMM
    module = models.segmentation if which == "segmentation" else models
    return models.list_models(module=module)


def create(name, which):
    torch.manual_seed(0)
    if which == "timm":
        import timm

        model = timm.create_model(name, pretrained=False)
        return model, model.default_cfg["input_size"][1]
    settings = {"weights": None}
    if which == "segmentation":
        settings["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        settings.update(aux_logits=False, init_weights=False)
    model = torchvision.models.get_model(name, **settings)
    return model, {"inception_v3": 299, "maxvit_t": 224}.get(name, 224)


def export(name, which, path):
    model, size = create(name, which)
    model = Whole(model).eval()
    for m in model.modules():  # fresh statistics would make every normalization the identity
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(m.running_mean, 0, 0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 2)
            torch.nn.init.normal_(m.bias, 0, 0.1)
    for p in model.parameters():  # heads and layer scales that begin at nothing would hide whatever is before them
        if p.abs().max() < 1e-3:
            torch.nn.init.normal_(p, 0, 0.3)
    torch.onnx.export(model, torch.randn(2, 3, size, size), str(path), input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}}, opset_version=17, dynamo=False)


PROCESSOR_CLOCK = '''#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
    return (int)syscall(SYS_clock_gettime, id == CLOCK_MONOTONIC ? CLOCK_PROCESS_CPUTIME_ID : id, t);
}
'''


def count_processor_time(folder):
    """Let whatever is started from here on take its processor's time for the clock's."""
    library = pathlib.Path(folder, "clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)], input=PROCESSOR_CLOCK, text=True,
                   check=True)
    os.environ["LD_PRELOAD"] = str(library)


def prune(binary, path, out, record, extra):
    command = ["/usr/bin/time", "-f", "%M", binary, "prune", str(path), "-o", str(out), "--method", "channel", "--macs",
               "0.5", "-q", "-f", "--threads", "1", "--measure", "counts", "--json", str(record)] + extra
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    return done.returncode, lines[:-1], int(lines[-1]) * 1024


def kept_whole(step):
    reasons = collections.Counter(f["why"] for f in step["frozen"] if f["width"] > 1)
    return "; ".join(f"{why} ({n})" for why, n in reasons.most_common() if why not in ("graph input", "graph output"))


def row(binary, path, extra, repeat):
    """(verdict, cells)"""
    out, record = path.with_suffix(".small"), path.with_suffix(".json")
    steps = []
    for _ in range(repeat):
        status, messages, peak = prune(binary, path, out, record, extra)
        if status:
            return ("refused" if status in (2, 3) else "failed"), [f"exit {status}: {' '.join(messages)[-300:]}"]
        result = json.loads(record.read_text())
        steps.append(next(s for s in result["steps"] if "macs_before" in s))
    step = steps[0]
    before, after, twin = result["original"], result["final"], step["twin"]
    if not twin["checked"]:
        return "failed", [f"no twin: {twin['why']}"]
    try:
        onnx.checker.check_model(str(out), full_check=True)
        for batch in (1, 3):
            verdict, agrees = compare(binary, out, batch, 1e-4, False)
            if verdict != "passed":
                break
    except Exception as error:
        verdict, agrees = "failed", str(error).splitlines()[0][:200]
    share = step["macs_after"] / step["macs_before"]
    out.unlink()
    cells = [f"{before['parameters'] / 1e6:.1f} M", f"{after['parameters'] / before['parameters']:.3f}", f"{share:.4f}",
             f"{min(s['analysis_s'] for s in steps):.2f}",
             f"{min(s['surgery_s'] for s in steps):.2f}", f"{peak / path.stat().st_size:.1f}",
             f"{twin['max_difference'] / (twin['max_output'] or 1):.1e}", agrees, kept_whole(step)]
    return ("passed" if verdict == "passed" and 0.48 <= share <= 0.5 + 1e-9 else "failed"), cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--set", choices=["bar", "classifiers", "segmentation", "timm"], default="bar")
    parser.add_argument("--extra", nargs="*", default=[], help="further options of `compress prune`, as name=value")
    parser.add_argument("--repeat", type=int, default=1, help="prune so many times; of seconds the least counts")
    parser.add_argument("--processor-time", action="store_true", help="seconds of the processor, for busy machines")
    parser.add_argument("--discard", action="store_true", help="remove each exported file when it is done")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    if args.processor_time:
        count_processor_time(scratch.name)
    extra = [word for e in args.extra for word in ("--" + e.split("=")[0], e.split("=", 1)[1])]
    counts = collections.Counter()
    print("| model | parameters | stay | MACs | analysis s | surgery s | memory / file | twin | ONNX Runtime | kept whole |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in args.names or names_of(args.set):
        path = args.folder / f"{name}.onnx"
        try:
            if not path.exists():
                export(name, args.set, path)
            verdict, cells = row(args.binary, path, extra, args.repeat)
        except Exception as error:
            verdict, cells = "failed", [str(error).splitlines()[0][:200]]
        counts[verdict] += 1
        print(f"| {name} | " + " | ".join(cells if verdict == "passed" else [verdict] + cells) + " |", flush=True)
        if args.discard:
            path.unlink(missing_ok=True)
    print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['refused']} refused")
    return counts["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
