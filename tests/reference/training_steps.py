#!/usr/bin/env python3
"""Ten steps of training by PyTorch, for tests/train/test_training_steps.c.

    pip install torch onnx numpy onnxscript
    training_steps.py tests/train/steps

writes small models with seeded weights, name.onnx of some kB each, and training_steps.inc with the losses of ten steps of
SGD with momentum 0.9 on one batch that comes from a formula both sides share (as lenet5_step.py). Computed in double
precision; batch normalization takes the statistics of the batch.

    training_steps.py --full FOLDER tests/train/steps [--zoo ZOO]

writes models of full size, ResNet-20 and MobileNetV2 for 32x32 images, and copies those of a zoo, into a folder outside the
repository, and their losses as full_size.inc beside the others; the test looks for the models in the folder that
MC_FULL_SIZE_STEPS names and skips what is not there.

    training_steps.py --check build/tools/compress MODEL.onnx...

trains models of one float input both ways: the file's graph run by PyTorch, and `compress train` from the command line
with the whole batch a step. Prints the largest relative difference of ten losses.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, warnings

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


def begin(folder, name):
    out = open(os.path.join(folder, name), "w")
    print(f"/* Made by tests/reference/training_steps.py with PyTorch {torch.__version__.split('+')[0]}. */", file=out)
    return out


def tell(out, name, rate, n, found):
    print(f'{{"{name}", {rate}, {n}, {{{", ".join(f"{v:.9g}" for v in found)}}}}},', file=out, flush=True)


def write_model(folder, name, make, shape, rate, n, out, dtype=torch.float64, steps=STEPS):
    torch.manual_seed(1)
    model = make()
    export(model, shape, os.path.join(folder, name + ".onnx"))
    strip(os.path.join(folder, name + ".onnx"))
    x, y = batch_of(shape, n=n)
    tell(out, name, rate, n, losses(model.to(dtype).train(), model.parameters(), x.to(dtype), y, rate)[:steps])


def write(folder):
    os.makedirs(folder, exist_ok=True)
    with begin(folder, "training_steps.inc") as out:
        for name, (make, shape, rate) in MODELS.items():
            write_model(folder, name, make, shape, rate, BATCH, out)


def full_mobilenet():
    import torchvision
    model = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    model.classifier[0] = nn.Identity()  # dropout, which draws
    return model


# name: how it is made, rate, samples, precision (depthwise convolutions take PyTorch an hour in double), steps. Batch
# statistics of MobileNetV2 on small images are of one place a sample: PyTorch with inputs that are larger by 1e-7 is
# off by 3e-4 in the fourth step, however small the rate, and so the first three are looked at.
FULL_SIZE = {"resnet-20": (lambda: resnet(16), 0.002, 32, torch.float64, STEPS),
             "mobilenet-v2-cifar": (full_mobilenet, 0.0001, 128, torch.float32, 3)}
ZOO = {"vit_micro": 0.05, "bert_micro": 0.05, "lstm_classifier": 0.1}


def write_full_size(folder, losses_folder, zoo):
    os.makedirs(folder, exist_ok=True)
    with begin(losses_folder, "full_size.inc") as out:
        for name, (make, rate, n, dtype, steps) in FULL_SIZE.items():
            write_model(folder, name, make, (3, 32, 32), rate, n, out, dtype, steps)
        for name, rate in ZOO.items() if zoo else ():
            path = os.path.join(folder, name + ".onnx")
            shutil.copy(os.path.join(zoo, name + ".onnx"), path)
            graph = Graph(path)
            x = graph.batch()
            with torch.no_grad():
                classes = graph(x).shape[-1]
            _, y = batch_of((1,), classes)
            tell(out, name, rate, BATCH, losses(graph, graph.leaves, x, y, rate))


# --- any model, both ways ---

def ints(t):
    return [int(v) for v in t]


def pooled(x, a, pool, fill, **how):
    n, k = x.dim() - 2, a["kernel_shape"]
    strides, pads = a.get("strides", [1] * n), a.get("pads", [0] * 2 * n)
    if any(pads):
        x = F.pad(x, [v for i in reversed(range(n)) for v in (pads[i], pads[n + i])], value=fill)
    return pool(x, k, strides, ceil_mode=bool(a.get("ceil_mode", 0)), **how)


def max_pool(x, a):
    return pooled(x, a, (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 3], -numpy.inf)


def average_pool(x, a):
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
    sums = pooled(x, a, pool, 0.0)
    if a.get("count_include_pad", 0):
        return sums
    return sums / pooled(torch.ones_like(x), a, pool, 0.0)


def same(x, w, a):
    """Pads of auto_pad."""
    n, mode = x.dim() - 2, a.get("auto_pad", b"NOTSET")
    if mode in (b"NOTSET", b"VALID"):
        return a.get("pads", [0] * 2 * n)
    begin, end = [], []
    for i in range(n):
        stride, reach = a.get("strides", [1] * n)[i], a.get("dilations", [1] * n)[i] * (w.shape[2 + i] - 1) + 1
        total = max(0, (-(-x.shape[2 + i] // stride) - 1) * stride + reach - x.shape[2 + i])
        begin.append(total // 2 if mode == b"SAME_UPPER" else total - total // 2)
        end.append(total - begin[-1])
    return begin + end


def conv(x, w, b, a):
    n = x.dim() - 2
    pads = same(x, w, a)
    x = F.pad(x, [v for i in reversed(range(n)) for v in (pads[i], pads[n + i])])
    return (F.conv1d, F.conv2d, F.conv3d)[n - 1](x, w, b, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def conv_transpose(x, w, b, a):
    n = x.dim() - 2
    pads = a.get("pads", [0] * 2 * n)
    assert pads[:n] == pads[n:]
    return (F.conv_transpose1d, F.conv_transpose2d)[n - 1](x, w, b, a.get("strides", 1), pads[:n],
                                                           a.get("output_padding", 0), a.get("group", 1), a.get("dilations", 1))


def reshape(x, shape):
    return x.reshape([x.shape[i] if v == 0 else v for i, v in enumerate(ints(shape))])


def reduced(x, axes, a, how):
    axes = ints(axes) if axes is not None else a.get("axes", list(range(x.dim())))
    return how(x, dim=axes, keepdim=bool(a.get("keepdims", 1)))


def sliced(x, starts, ends, axes=None, steps=None):
    axes = ints(axes) if axes is not None else range(len(starts))
    steps = ints(steps) if steps is not None else [1] * len(starts)
    for start, end, axis, step in zip(ints(starts), ints(ends), axes, steps):
        index = torch.arange(x.shape[axis])[slice(start, end if end > -2**31 else None, step) if step > 0 else slice(0)] \
            if step > 0 else torch.from_numpy(numpy.arange(x.shape[axis])[start:None if end < -2**31 else end:step].copy())
        x = x.index_select(axis, index)
    return x


def lstm(x, w, r, b, *_):
    """Forward, all states zero; gates i o f c."""
    h = c = x.new_zeros(x.shape[1], r.shape[2])
    bias = b[0].reshape(2, -1).sum(0)
    out = []
    for t in range(x.shape[0]):
        i, o, f, g = (x[t] @ w[0].T + h @ r[0].T + bias).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out)[:, None], h[None], c[None]


def scatter_nd(x, at, updates):
    x = x.clone()
    x[tuple(at.reshape(-1, at.shape[-1]).T)] = updates.reshape(-1, *x.shape[at.shape[-1]:])
    return x


def resized(x, *rest, a):
    sizes = ints(rest[-1])[2:] if rest[-1] is not None and not rest[-1].is_floating_point() else None
    scales = None if sizes else [float(v) for v in rest[-1]][2:]
    if a.get("mode", b"nearest") == b"nearest":
        return F.interpolate(x, sizes, scales, mode="nearest")
    return F.interpolate(x, sizes, scales, mode="bilinear", align_corners=False)


def padded(x, pads, value=None, a=None):
    n = x.dim()
    pads = ints(pads)
    return F.pad(x, [v for i in reversed(range(n)) for v in (pads[i], pads[n + i])],
                 a.get("mode", b"constant").decode(), 0.0 if value is None else float(value))


def gather(x, at, axis):
    at = torch.where(at < 0, at + x.shape[axis], at)
    return x.index_select(axis, at.reshape(-1)).reshape([*x.shape[:axis], *at.shape, *x.shape[axis + 1:]])


OPS = {
    "Add": lambda v, a: v[0] + v[1], "Sub": lambda v, a: v[0] - v[1], "Mul": lambda v, a: v[0] * v[1],
    "Div": lambda v, a: v[0] / v[1] if v[0].is_floating_point() else v[0] // v[1],
    "Pow": lambda v, a: v[0] ** v[1], "Sqrt": lambda v, a: v[0].sqrt(), "Erf": lambda v, a: v[0].erf(),
    "Relu": lambda v, a: v[0].relu(), "Sigmoid": lambda v, a: v[0].sigmoid(), "Tanh": lambda v, a: v[0].tanh(),
    "LeakyRelu": lambda v, a: F.leaky_relu(v[0], a.get("alpha", 0.01)), "Elu": lambda v, a: F.elu(v[0], a.get("alpha", 1.0)),
    "HardSigmoid": lambda v, a: (v[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": lambda v, a: v[0] * (v[0] / 6 + 0.5).clamp(0, 1), "PRelu": lambda v, a: torch.where(v[0] < 0, v[1] * v[0], v[0]),
    "Gelu": lambda v, a: F.gelu(v[0], approximate=a.get("approximate", b"none").decode()),
    "Clip": lambda v, a: v[0].clamp(*(None if w is None else float(w) for w in (v[1:] + [None, None])[:2])),
    "Identity": lambda v, a: v[0], "Dropout": lambda v, a: v[0], "Constant": lambda v, a: a["value"],
    "Shape": lambda v, a: torch.tensor(v[0].shape[a.get("start", 0):a.get("end", None)]),
    "ConstantOfShape": lambda v, a: a.get("value", torch.zeros(1)).reshape(()).expand(ints(v[0])).clone(),
    "Range": lambda v, a: torch.arange(v[0].item(), v[1].item(), v[2].item()),
    "Cast": lambda v, a: v[0].to({1: torch.float64, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}[a["to"]]),
    "Equal": lambda v, a: v[0] == v[1], "Not": lambda v, a: ~v[0], "Mod": lambda v, a: v[0] % v[1],
    "Where": lambda v, a: torch.where(*v), "Expand": lambda v, a: v[0] * torch.ones(ints(v[1]), dtype=v[0].dtype),
    "Reshape": lambda v, a: reshape(*v), "Flatten": lambda v, a: v[0].reshape(int(numpy.prod(v[0].shape[:a.get("axis", 1)])), -1),
    "Transpose": lambda v, a: v[0].permute(a["perm"]), "Concat": lambda v, a: torch.cat(v, a["axis"]),
    "Squeeze": lambda v, a: v[0].squeeze(ints(v[1]) if len(v) > 1 else a.get("axes", list(range(v[0].dim())))),
    "Unsqueeze": lambda v, a: unsqueezed(v[0], ints(v[1]) if len(v) > 1 else a["axes"]),
    "Split": lambda v, a: v[0].split(ints(v[1]) if len(v) > 1 else a.get("split", v[0].shape[a.get("axis", 0)] // a["n"]),
                                     a.get("axis", 0)),
    "Slice": lambda v, a: sliced(*v), "Gather": lambda v, a: gather(v[0], v[1], a.get("axis", 0)),
    "ScatterND": lambda v, a: scatter_nd(*v), "Pad": lambda v, a: padded(*v[:3], a=a), "Resize": lambda v, a: resized(*v, a=a),
    "MatMul": lambda v, a: v[0] @ v[1],
    "Gemm": lambda v, a: a.get("alpha", 1.0) * (v[0].T if a.get("transA") else v[0]) @ (v[1].T if a.get("transB") else v[1])
    + (a.get("beta", 1.0) * v[2] if len(v) > 2 else 0),
    "Conv": lambda v, a: conv(v[0], v[1], v[2] if len(v) > 2 else None, a),
    "ConvTranspose": lambda v, a: conv_transpose(v[0], v[1], v[2] if len(v) > 2 else None, a),
    "MaxPool": lambda v, a: max_pool(v[0], a), "AveragePool": lambda v, a: average_pool(v[0], a),
    "GlobalAveragePool": lambda v, a: v[0].mean(dim=list(range(2, v[0].dim())), keepdim=True),
    "ReduceMean": lambda v, a: reduced(v[0], v[1] if len(v) > 1 else None, a, torch.mean),
    "ReduceSum": lambda v, a: reduced(v[0], v[1] if len(v) > 1 else None, a, torch.sum),
    "ReduceL2": lambda v, a: reduced(v[0], v[1] if len(v) > 1 else None, a, torch.linalg.vector_norm),
    "Softmax": lambda v, a: v[0].softmax(a.get("axis", -1)),
    "BatchNormalization": lambda v, a: F.batch_norm(v[0], None, None, v[1], v[2], True, 0, a.get("epsilon", 1e-5)),
    "LayerNormalization": lambda v, a: F.layer_norm(v[0], v[0].shape[a.get("axis", -1):], v[1], v[2] if len(v) > 2 else None,
                                                    a.get("epsilon", 1e-5)),
    "InstanceNormalization": lambda v, a: F.instance_norm(v[0], weight=v[1], bias=v[2], eps=a.get("epsilon", 1e-5)),
    "LSTM": lambda v, a: lstm(*v),
}


def unsqueezed(x, axes):
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


class Graph:
    """An ONNX file run by PyTorch in double precision, its float initializers being parameters."""

    def __init__(self, path):
        import onnx
        from onnx import numpy_helper
        self.model = onnx.load(path)
        read = lambda t: torch.from_numpy(numpy_helper.to_array(t).copy())
        widen = lambda t: t.double() if t.is_floating_point() else t
        self.stored = {t.name: widen(read(t)) for t in self.model.graph.initializer}
        self.input = next(i for i in self.model.graph.input if i.name not in self.stored)
        self.shape = tuple(d.dim_value for d in self.input.type.tensor_type.shape.dim[1:])
        statistics = {n for node in self.model.graph.node if node.op_type == "BatchNormalization" for n in node.input[3:]}
        self.leaves = [t.requires_grad_() for n, t in self.stored.items()
                       if t.is_floating_point() and t.dim() > 0 and n not in statistics]
        self.attributes = []
        for node in self.model.graph.node:
            a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
            self.attributes.append({k: widen(read(v)) if isinstance(v, onnx.TensorProto) else v for k, v in a.items()})
            self.attributes[-1].setdefault("n", len(node.output))

    def batch(self):
        """Whole numbers from 0 to 15 for a model that is fed such."""
        x, _ = batch_of(self.shape)
        if self.input.type.tensor_type.elem_type == 1:
            return x.double()
        return ((x + 1) * 8).long()

    def __call__(self, x):
        values = dict(self.stored, **{self.input.name: x})
        for node, a in zip(self.model.graph.node, self.attributes):
            made = OPS[node.op_type]([values[n] if n else None for n in node.input], a)
            made = made if isinstance(made, (tuple, list)) else [made]
            values.update(zip(node.output, made))
        return values[self.model.graph.output[0].name]


def check(binary, path, rate):
    graph = Graph(path)
    x = graph.batch()
    with torch.no_grad():
        scores = graph(x).shape
    if len(scores) != 2:
        raise NotImplementedError(f"its output has shape {list(scores)}")
    classes = scores[-1]
    _, y = batch_of((1,), classes)
    theirs = losses(graph, graph.leaves, x, y, rate)
    x = x.float()
    with tempfile.TemporaryDirectory() as folder:
        data, report = os.path.join(folder, "data.npz"), os.path.join(folder, "report.json")
        numpy.savez(data, x=x.numpy(), y=y.numpy(), x_test=x.numpy(), y_test=y.numpy())
        done = subprocess.run([binary, "train", path, "--data", f"npz:{data},validation=0,classes={classes}", "-o",
                               os.path.join(folder, "out.onnx"), "--batch", "0", "--epochs", str(STEPS), "--optimizer",
                               "momentum", "--rate", str(rate), "--json", report, "-q"],
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
    p.add_argument("--full", metavar="FOLDER")
    p.add_argument("--zoo", metavar="FOLDER")
    p.add_argument("--rate", type=float, default=0.02)
    p.add_argument("-v", action="store_true")
    p.add_argument("paths", nargs="+")
    a = p.parse_args()
    if a.full:
        write_full_size(a.full, a.paths[0], a.zoo)
        return 0
    if not a.check:
        write(a.paths[0])
        return 0
    worst = 0
    for path in a.paths:
        try:
            difference, what = check(a.check, path, a.rate)
        except (KeyError, NotImplementedError) as e:  # an operator that is not in OPS
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
