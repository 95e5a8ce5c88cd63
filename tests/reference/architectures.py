#!/usr/bin/env python3
"""Parameter counts that tests/train/test_architecture.c compares with, by PyTorch and torchvision.

    pip install torch torchvision
"""
import torch
import torchvision
from torch import nn


def count(net):
    return sum(p.numel() for p in net.parameters())


def block(cin, cout):
    parts = [nn.Conv2d(cin, cout, 3, bias=False), nn.BatchNorm2d(cout), nn.Conv2d(cout, cout, 3, bias=False),
             nn.BatchNorm2d(cout)]
    if cin != cout:
        parts += [nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout)]
    return parts


def resnet(n):
    parts, cin = [nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16)], 16
    for width in (16, 32, 64):
        for _ in range(n):
            parts += block(cin, width)
            cin = width
    return nn.Sequential(*parts, nn.Linear(64, 10))


vgg = torchvision.models.vgg11_bn(weights=None)
for layer in vgg.features:
    if isinstance(layer, nn.Conv2d):
        layer.bias = None  # batch normalization has one
series = nn.Sequential(nn.Conv1d(6, 32, 5, bias=False), nn.BatchNorm1d(32), nn.Conv1d(32, 64, 5, bias=False),
                       nn.BatchNorm1d(64), nn.Conv1d(64, 128, 5, bias=False), nn.BatchNorm1d(128), nn.Linear(128, 10))
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 256), 2, nn.LayerNorm(64))
print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
for name, n in (("resnet-20", 3), ("resnet-32", 5), ("resnet-56", 9)):
    print(name, count(resnet(n)))
print("vgg-11-bn", count(vgg.features) + count(nn.Linear(512, 10)))
print("mobilenet-v2", count(torchvision.models.mobilenet_v2(weights=None)))
print("mobilenet-v2:0.5", count(torchvision.models.mobilenet_v2(weights=None, width_mult=0.5)))
print("conv-1d", count(series))
print("transformer", count(encoder) + count(nn.Conv2d(3, 64, 4)) + 64 * 64 + count(nn.Linear(64, 10)))
