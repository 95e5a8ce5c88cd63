#!/usr/bin/env python3
"""PyTorch and Torch-Pruning beside `compress` on CIFAR-10: batches 1 to 4 train, batch 5 tells the accuracy.

    cifar10.py train INIT.onnx --data DIR --epochs 40
        a resnet-20 from the weights of INIT.onnx (`compress train resnet-20 --epochs 0`), by the recipe of
        models/cifar-10/resnet-20.train.yaml
    cifar10.py prune DENSE.onnx --data DIR --epochs 8 -o HALF.onnx
        half of the multiply-accumulates of DENSE.onnx go by Torch-Pruning's group norm pruner, the rest is tuned by the
        recipe of models/cifar-10/resnet-20.half.yaml

Prints a line an epoch: its number, mean training loss, accuracy on batch 5, seconds. Written with torch 2.15,
torch-pruning 1.6.
"""
import argparse
import gzip
import pathlib
import time

import numpy
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from training_steps import resnet

BATCH, L2, MOMENTUM, RISE = 128, 0.0005, 0.9, 0.2
PEAK = {"train": 0.2, "prune": 0.05}


def batch_file(folder, i):
    path = folder / f"data_batch_{i}.bin"
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    rows = numpy.frombuffer(raw, numpy.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255, rows[:, 0].astype(numpy.int64)


def load(folder):
    """((images, labels) to train, (images, labels) to test), standardized by the channels of the former."""
    parts = [batch_file(folder, i) for i in (1, 2, 3, 4)]
    images, labels = (numpy.concatenate(p) for p in zip(*parts))
    mean, deviation = images.mean((0, 2, 3), keepdims=True), images.std((0, 2, 3), keepdims=True)
    test, test_labels = batch_file(folder, 5)
    as_tensors = [((x - mean) / deviation, y) for x, y in ((images, labels), (test, test_labels))]
    return [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in as_tensors]


def resnet_from(path):
    """A resnet-20 with the weights of an ONNX file of the same order of layers."""
    tensors = [torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer]
    net = resnet(16)
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    if [list(t.shape) for t in tensors] != [list(v.shape) for v in state.values()]:
        raise SystemExit(f"{path}: not a resnet-20 as 'compress train resnet-20' writes it")
    net.load_state_dict(dict(zip(state, tensors)), strict=False)
    return net


def augment(x, generator):
    """Each image is shifted by up to four pixels either way, zeros come in, and half of them are mirrored."""
    n = len(x)
    padded = nn.functional.pad(x, (4, 4, 4, 4))
    shift = torch.randint(0, 9, (n, 2), generator=generator)
    rows = shift[:, 0, None] + torch.arange(32)
    columns = shift[:, 1, None] + torch.arange(32)
    mirrored = torch.rand(n, generator=generator) < 0.5
    columns[mirrored] = columns[mirrored].flip(1)
    return padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows[:, None, :, None],
                  columns[:, None, None, :]]


@torch.no_grad()
def accuracy(net, data):
    net.eval()
    x, y = data
    return sum((net(x[i:i + 500]).argmax(1) == y[i:i + 500]).sum().item() for i in range(0, len(x), 500)) / len(x)


def fit(net, train, test, epochs, peak, seed):
    """Nesterov's momentum; the rate rises for a fifth of the steps; the penalty is on matrices and kernels alone."""
    generator = torch.Generator().manual_seed(seed)
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": L2}, {"params": others}], lr=peak,
                                momentum=MOMENTUM, nesterov=True)
    x, y = train
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, epochs * -(-len(x) // BATCH), pct_start=RISE,
                                                cycle_momentum=False)
    for epoch in range(epochs):
        net.train()
        start, total = time.perf_counter(), 0
        order = torch.randperm(len(x), generator=generator)
        for some in order.split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(augment(x[some], generator)), y[some])
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item() * len(some)
        seconds, right = time.perf_counter() - start, accuracy(net, test)
        print(f"{epoch + 1}  loss {total / len(x):.4f}  accuracy {right:.4f}  {seconds:.0f} s", flush=True)


def halve(net):
    """Prune by group norms until half of the multiply-accumulates are left."""
    import torch_pruning
    example = torch.zeros(1, 3, 32, 32)
    whole, _ = torch_pruning.utils.count_ops_and_params(net, example)
    steps = 100
    pruner = torch_pruning.pruner.GroupNormPruner(
        net, example, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), global_pruning=False,
        pruning_ratio=1.0, iterative_steps=steps, ignored_layers=[m for m in net.modules() if isinstance(m, nn.Linear)])
    left = whole
    for _ in range(steps):
        pruner.step()
        left, _ = torch_pruning.utils.count_ops_and_params(net, example)
        if left <= 0.5 * whole:
            break
    print(f"multiply-accumulates {left / 1e6:.2f} M of {whole / 1e6:.2f} M ({100 * left / whole:.1f} %)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "prune"])
    parser.add_argument("model")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train, test = load(args.data)
    net = resnet_from(args.model)
    if args.what == "prune":
        print(f"accuracy before {accuracy(net, test):.4f}")
        halve(net)
        print(f"accuracy without tuning {accuracy(net, test):.4f}")
    fit(net, train, test, args.epochs, PEAK[args.what], args.seed)
    if args.output:
        torch.onnx.export(net.eval(), torch.zeros(2, 3, 32, 32), args.output, dynamo=False, opset_version=17,
                          input_names=["input"], output_names=["output"],
                          dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})


if __name__ == "__main__":
    main()
