#!/usr/bin/env python3
"""Wanda by itself, beside what `compress prune --score wanda` kept: do the masks agree, and what does each choice cost?

    wanda.py DENSE PRUNED IMAGES [--sparsity 0.6]

DENSE and PRUNED are a net of Conv and Gemm before and after `--score wanda`, IMAGES an IDX file of which the first 512
go through the dense one in ONNX Runtime. For every weight: the share of places where PRUNED has zeros as |w| ||x|| has
them, output by output (Sun et al. 2024, eq. 1), and the relative error of the layer's own outputs when magnitude or
Wanda choose within the layer or within each output. The program calibrates on other images, so that scores close to
the threshold fall to either side.
"""
import argparse
import gzip

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def weights_of(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def inputs_of(path, images):
    """The input of each Conv and Gemm, by the name of its weight."""
    model = onnx.load(path)
    graph_input = model.graph.input[0].name
    of = {n.input[1]: n.input[0] for n in model.graph.node if n.op_type in ("Conv", "Gemm")}
    taps = sorted(set(of.values()) - {graph_input})
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(tap) for tap in taps)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = dict(zip(taps, session.run(taps, {graph_input: images}))) | {graph_input: images}
    return {weight: found[name] for weight, name in of.items()}


def columns_of(x, weight):
    """What a row of the weight is multiplied with: [inputs, samples or positions]."""
    if weight.ndim == 2:
        return x.reshape(len(x), -1).T.astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape(weight[0].size, -1).astype(float)


def keep_in_layer(score, sparsity):
    keep = np.ones(score.size, bool)
    keep[np.argsort(score.reshape(-1), kind="stable")[: round(sparsity * score.size)]] = False
    return keep.reshape(score.shape)


def keep_in_rows(score, sparsity):
    keep = np.ones(score.shape, bool)
    least = np.argsort(score, axis=1, kind="stable")[:, : round(sparsity * score.shape[1])]
    np.put_along_axis(keep, least, False, axis=1)
    return keep


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dense")
    parser.add_argument("pruned")
    parser.add_argument("images")
    parser.add_argument("--sparsity", type=float, default=0.6)
    args = parser.parse_args()
    with gzip.open(args.images) if args.images.endswith(".gz") else open(args.images, "rb") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:512].astype("f") / 255
    dense, pruned = weights_of(args.dense), weights_of(args.pruned)
    print("weight, masks that agree, relative error: magnitude/layer, magnitude/output, wanda/layer, wanda/output")
    for name, x in inputs_of(args.dense, images).items():
        columns = columns_of(x, dense[name])
        w = dense[name].reshape(len(dense[name]), -1)
        score = abs(w) * np.linalg.norm(columns, axis=1)
        masks = [choose(s, args.sparsity) for s in (abs(w), score) for choose in (keep_in_layer, keep_in_rows)]
        agree = ((pruned[name].reshape(w.shape) != 0) == masks[3]).mean()
        errors = [np.linalg.norm((w * mask - w) @ columns) / np.linalg.norm(w @ columns) for mask in masks]
        print(f"{name} {agree:.4f} " + " ".join(f"{e:.3f}" for e in errors))


if __name__ == "__main__":
    main()
