#!/usr/bin/env python3
"""One training step of LeNet-5 by PyTorch, for tests/train/test_lenet5_step.c.

    pip install torch
    lenet5_step.py > tests/train/lenet5_step.inc

Weights and batch come from a formula that both sides share, so that nothing large is committed: element i of tensor t
is a hash of both, spread over [-scale, scale) and rounded to float32. (Smooth formulas will not do: samples that
resemble each other make gradients cancel, and PyTorch's own float32 is then off by more than 1e-5.) Of each parameter the file has, after one step of
SGD with momentum 0.9 at rate 0.01 (whose first step is plain descent) and of its gradient: the sum, the sum of squares,
and eight elements spread over it. Everything is computed in double precision.
"""
import math

import torch
from torch import nn
import torch.nn.functional as F

BATCH, RATE = 8, 0.01
SHAPES = [("conv1.weight", (20, 1, 5, 5), 0.2), ("conv1.bias", (20,), 0.1),
          ("conv2.weight", (50, 20, 5, 5), 0.06), ("conv2.bias", (50,), 0.1),
          ("fc3.weight", (500, 800), 0.05), ("fc3.bias", (500,), 0.1),
          ("fc4.weight", (10, 500), 0.06), ("fc4.bias", (10,), 0.1)]


def noise(t, i):
    """Whole numbers modulo 2**32, so that both sides have the same bits; in [-1, 1)."""
    h = (i * 2654435769 + t * 40503) % 2**32
    h = ((h ^ h >> 15) * 2246822519) % 2**32
    h = ((h ^ h >> 13) * 3266489917) % 2**32
    return (h ^ h >> 16) / 2**31 - 1


def fill(t, shape, scale):
    values = torch.tensor([scale * noise(t, i) for i in range(math.prod(shape))], dtype=torch.float64)
    return values.float().double().reshape(shape)


def forward(p, x):
    x = F.max_pool2d(F.conv2d(x, p[0], p[1]), 2)
    x = F.max_pool2d(F.conv2d(x, p[2], p[3]), 2)
    x = F.relu(F.linear(x.flatten(1), p[4], p[5]))
    return F.linear(x, p[6], p[7])


def describe(values):
    v = values.flatten()
    n = v.numel()
    picked = [v[(n - 1) * k // 7].item() for k in range(8)]
    return f"{v.sum().item():.17g}, {(v * v).sum().item():.17g}, {{{', '.join(f'{x:.17g}' for x in picked)}}}"


parameters = [nn.Parameter(fill(t, shape, scale)) for t, (_, shape, scale) in enumerate(SHAPES)]
x = fill(100, (BATCH, 1, 28, 28), 1.0)
labels = torch.tensor([(3 * i + 1) % 10 for i in range(BATCH)])
optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=0.9)
loss = F.cross_entropy(forward(parameters, x), labels)
loss.backward()
optimizer.step()

print(f"/* Made by tests/reference/lenet5_step.py with PyTorch {torch.__version__.split('+')[0]}. */")
print(f"static const double expected_loss = {loss.item():.17g};")
print("static const struct expectation expected_gradients[] = {")
for (name, _, _), p in zip(SHAPES, parameters):
    print(f'    {{"{name}", {describe(p.grad)}}},')
print("};")
print("static const struct expectation expected_weights[] = {")
for (name, _, _), p in zip(SHAPES, parameters):
    print(f'    {{"{name}", {describe(p.data)}}},')
print("};")
