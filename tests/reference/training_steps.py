#!/usr/bin/env python3
"""Ten steps of training by PyTorch, for tests/train/test_training_steps.c.

    pip install torch onnx numpy onnxscript
    training_steps.py tests/train/steps

writes small models with seeded weights, name.onnx of some kB each, and training_steps.inc with the losses of ten steps of
SGD with momentum 0.9 on one batch that comes from a formula both sides share (as lenet5_step.py). Computed in double
precision; batch normalization takes the statistics of the batch.

    pip install onnx2torch==1.5.15
    training_steps.py --check build/tools/compress MODEL.onnx...

trains any model of one float input both ways, PyTorch's from the same file by onnx2torch, `compress train` from the
command line with the whole batch a step, and prints the largest relative difference of ten losses.
"""
import argparse, json, os, subprocess, sys, tempfile, warnings

import numpy
import torch
from torch import nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
STEPS, BATCH, CLASSES = 10, 8, 10


def noise(t, n):
    """Whole numbers modulo 2**32, so that both sides have the same bits; in [-1, 1)."""
    i = numpy.arange(n, dtype=numpy.uint64)
    m = numpy.uint64(2**32)
    h = (i * numpy.uint64(2654435769) + numpy.uint64(t * 40503)) % m
    h = ((h ^ h >> numpy.uint64(15)) * numpy.uint64(2246822519)) % m
    h = ((h ^ h >> numpy.uint64(13)) * numpy.uint64(3266489917)) % m
    return ((h ^ h >> numpy.uint64(16)).astype(numpy.float64) / 2**31 - 1).astype(numpy.float32)


def batch_of(shape, classes=CLASSES, n=BATCH):
    x = torch.from_numpy(noise(100, n * int(numpy.prod(shape))).reshape(n, *shape))
    return x, torch.tensor([(3 * i + 1) % classes for i in range(n)])


class Residual(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(),
                                  nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout))
        self.skip = nn.Identity() if cin == cout else nn.Sequential(
            nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        return (self.body(x) + self.skip(x)).relu()


def resnet(width):
    """ResNet-20 for small images (He et al. 2015), narrowed."""
    layers, cin = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()], width
    for w, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
        for i in range(3):
            layers.append(Residual(cin, w, stride if i == 0 else 1))
            cin = w
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, CLASSES))


class Inverted(nn.Module):
    def __init__(self, cin, cout, stride, expand):
        super().__init__()
        hidden = cin * expand
        self.body = nn.Sequential(
            nn.Conv2d(cin, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, cout, 1, bias=False), nn.BatchNorm2d(cout))
        self.adds = stride == 1 and cin == cout

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


def mobilenet():
    """MobileNetV2's blocks (Sandler et al. 2018), few and narrow."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(), Inverted(4, 4, 1, 1),
                         Inverted(4, 6, 2, 4), Inverted(6, 6, 1, 4), Inverted(6, 8, 2, 4), Inverted(8, 8, 1, 4),
                         nn.Conv2d(8, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(24, CLASSES))


class Encoder(nn.Module):
    """A transformer of two layers over patches."""

    def __init__(self, d=12, heads=3):
        super().__init__()
        self.embed = nn.Conv2d(3, d, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, d) * 0.1)
        self.place = nn.Parameter(torch.randn(1, 17, d) * 0.1)
        self.heads = heads
        self.blocks = nn.ModuleList([nn.ModuleDict(dict(
            n1=nn.LayerNorm(d), qkv=nn.Linear(d, 3 * d), out=nn.Linear(d, d), n2=nn.LayerNorm(d), up=nn.Linear(d, 2 * d),
            down=nn.Linear(2 * d, d))) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, CLASSES)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        for b in self.blocks:
            n, l, d = x.shape
            q, k, v = b["qkv"](b["n1"](x)).reshape(n, l, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
            scores = (q @ k.transpose(-2, -1)) * (d // self.heads) ** -0.5
            x = x + b["out"]((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, l, d))
            x = x + b["down"](F.gelu(b["up"](b["n2"](x))))
        return self.head(self.norm(x)[:, 0])


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(6, 9, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(18, CLASSES)

    def forward(self, x):
        return self.head(self.cell(x)[0].mean(1))


MODELS = {  # name: how it is made, shape of a sample, rate
    "resnet": (lambda: resnet(2), (3, 16, 16), 0.05),
    "mobilenet": (mobilenet, (3, 16, 16), 0.05),
    "transformer": (Encoder, (3, 16, 16), 0.05),
    "lstm": (lambda: Recurrent(nn.LSTM), (12, 6), 0.2),
    "gru": (lambda: Recurrent(nn.GRU), (12, 6), 0.2),
}


def losses(model, parameters, x, y, rate):
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=0.9)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def export(model, shape, path):
    torch.onnx.export(model.eval(), (torch.randn(2, *shape),), path, dynamo=False, opset_version=17,
                      do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE, input_names=["input"],
                      output_names=["output"], dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})


def strip(path):
    """Short names, and nothing of where in Python each node was made."""
    import onnx
    model = onnx.load(path)
    short = {"input": "input", "output": "output", "": ""}
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("name")
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = short.setdefault(name, f"v{len(short)}")
    for value in model.graph.initializer:
        value.name = short[value.name]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "training_steps.inc"), "w") as out:
        print(f"/* Made by tests/reference/training_steps.py with PyTorch {torch.__version__.split('+')[0]}. */", file=out)
        for name, (make, shape, rate) in MODELS.items():
            torch.manual_seed(1)
            model = make()
            export(model, shape, os.path.join(folder, name + ".onnx"))
            strip(os.path.join(folder, name + ".onnx"))
            x, y = batch_of(shape)
            found = losses(model.double().train(), model.parameters(), x.double(), y, rate)
            print(f'{{"{name}", {rate}, {{{", ".join(f"{v:.9g}" for v in found)}}}}},', file=out)


# --- any model, both ways ---

def from_onnx(path):
    import onnx
    from onnx2torch import convert
    model = convert(onnx.load(path)).double().train()
    leaves = list(model.parameters())
    for name, buffer in model.named_buffers():
        if "running_" in name or not buffer.is_floating_point() or buffer.dim() == 0:
            continue
        leaves.append(buffer.requires_grad_())
    return model, leaves


def shape_of(path):
    import onnx
    model = onnx.load(path)
    stored = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in stored]
    return tuple(d.dim_value for d in inputs[0].type.tensor_type.shape.dim[1:])


def check(binary, path, rate):
    shape = shape_of(path)
    model, leaves = from_onnx(path)
    x, _ = batch_of(shape)
    with torch.no_grad():
        classes = model(x.double()).shape[-1]
    model, leaves = from_onnx(path)
    x, y = batch_of(shape, classes)
    theirs = losses(model, leaves, x.double(), y, rate)
    with tempfile.TemporaryDirectory() as folder:
        data, report = os.path.join(folder, "data.npz"), os.path.join(folder, "report.json")
        numpy.savez(data, x=x.numpy(), y=y.numpy())
        done = subprocess.run([binary, "train", path, "--data", f"npz:{data}" + ",validation=0,test=0", "-o",
                               os.path.join(folder, "out.onnx"), "--batch", "0", "--epochs", str(STEPS), "--optimizer",
                               "momentum", "--rate", f"{{constant: {rate}}}", "--json", report, "-q"],
                              capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip()
        ours = [e["train_loss"] for e in find_epochs(json.load(open(report)))]
    return max(abs(a - b) / abs(b) for a, b in zip(ours, theirs)), (ours, theirs)


def find_epochs(node):
    if isinstance(node, dict):
        if "epochs" in node and isinstance(node["epochs"], list):
            return node["epochs"]
        node = list(node.values())
    for v in node if isinstance(node, list) else []:
        found = find_epochs(v)
        if found:
            return found
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--check", metavar="BINARY")
    p.add_argument("--rate", type=float, default=0.02)
    p.add_argument("-v", action="store_true")
    p.add_argument("paths", nargs="+")
    a = p.parse_args()
    if not a.check:
        write(a.paths[0])
        return 0
    worst = 0
    for path in a.paths:
        try:
            difference, what = check(a.check, path, a.rate)
        except Exception as e:  # what onnx2torch does not convert
            print(f"{os.path.basename(path):32} skipped: {str(e).splitlines()[0][:90] if str(e) else type(e).__name__}")
            continue
        if difference is None:
            print(f"{os.path.basename(path):32} failed: {what[-160:]}")
            worst = 1
            continue
        print(f"{os.path.basename(path):32} {difference:.2e}", *([what] if a.v else []))
        worst = max(worst, difference)
    return worst > 1e-4


if __name__ == "__main__":
    sys.exit(main())
