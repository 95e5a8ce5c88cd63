"""Prune, distil and shrink ONNX models: libcompress from Python, NumPy arrays in and out.

    import compress_onnx as compress

    model = compress.load("model.onnx")
    scores, = model.run(images)
    record = compress.prune("model.onnx", "small.onnx", method="channel", ratio=0.5)
    record = compress.apply("recipe.yaml", out="out")

Records are what the command's --json writes (docs/record.md), as dictionaries. What goes wrong is a compress.Error with
the status that the command exits with; a gate that does not hold is a compress.GateFailed, which has the record.
"""

from ._library import Error, GateFailed, Interrupted, version
from ._model import Model, apply, load, prune

__all__ = ["Error", "GateFailed", "Interrupted", "Model", "apply", "load", "prune", "version"]
