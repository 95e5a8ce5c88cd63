#!/usr/bin/env python3
"""Write the small files that the tests of src/data read, and what other programs make of them.

    data_files.py tests/data

writes tests/data/files/* and tests/data/expected.h. Needs numpy 2.4.6, torch 2.15, scikit-learn 1.9.1
(what was used for the committed files).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from pictures import pattern
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

HEAD = """/* expected.h - what other programs make of the files beside it; written by tests/reference/data_files.py with
 * %s. */
#ifndef MC_TESTS_DATA_EXPECTED_H
#define MC_TESTS_DATA_EXPECTED_H
"""


def write_floats(out, name, values):
    text = ", ".join(float.hex(float(v)) + "F" for v in np.asarray(values, dtype=np.float32).ravel())
    out.append(f"static const float {name}[] = {{{text}}};")


def resizing(out):
    x = torch.from_numpy(pattern(10, 7, 2).astype(np.float32)).permute(2, 0, 1).contiguous()
    write_floats(out, "resize_input", x)
    for h, w in [(4, 3), (13, 5), (5, 20), (10, 7)]:
        y = torch.nn.functional.interpolate(x[None], (h, w), mode="bilinear", antialias=True)
        write_floats(out, f"resize_{h}_{w}", y)


def archives(folder):
    x = pattern(4, 2, 6)
    np.savez(folder / "plain.npz", x=x.reshape(4, 2, 2, 3), y=np.array([0, 2, 1, 2]))
    np.savez_compressed(
        folder / "packed.npz",
        x_train=np.arange(15, dtype=np.float64).reshape(5, 3) / 8,
        y_train=np.arange(10, dtype=np.float32).reshape(5, 2),
        x_test=np.full((2, 3), 2.5, np.float32),
        y_test=np.ones((2, 2), np.float32),
    )
    np.savez(
        folder / "labels.npz",
        x=np.arange(6, dtype=np.float32).reshape(3, 2),
        y=np.array([[1, 0, 0], [0, 1, 1], [1, 1, 0]], dtype=bool),
        sample_weight=np.array([1.0, 1.0, 4.0]),
    )
    np.savez(folder / "strings.npz", x=np.array([["a", "b"]]), y=np.array([0]))


CELLS = [
    ["colour", "size", "weight", "grade"],
    ["red", "1", "0.5", "a"],
    ["green", "10", "", "b"],
    ["red", "2", "1.5", "a"],
    ["", "10", "-2", "c"],
    ["blue", "1", "NA", "b"],
]


def table(folder, out):
    (folder / "table.csv").write_text("".join(",".join(row) + "\n" for row in CELLS))
    rows = np.array(CELLS[1:], dtype=object)
    known = rows[:, 0] != ""
    colour = OneHotEncoder(handle_unknown="ignore").fit(rows[known, :1]).transform(rows[:, :1]).toarray()
    size = OneHotEncoder(categories=[["1", "2", "10"]]).fit(rows[:, 1:2]).transform(rows[:, 1:2]).toarray()
    weight = np.array([float(v) if v not in ("", "NA") else np.nan for v in rows[:, 2]])[:, None]
    for how in ["mean", "median"]:
        filled = SimpleImputer(strategy=how).fit_transform(weight)
        write_floats(out, f"table_{how}", np.hstack([colour, size, filled]))


def main():
    base = Path(sys.argv[1])
    folder = base / "files"
    folder.mkdir(exist_ok=True)
    out = [HEAD % f"torch {torch.__version__.split('+')[0]}, scikit-learn 1.9.1"]
    resizing(out)
    archives(folder)
    table(folder, out)
    out.append("#endif")
    (base / "expected.h").write_text("\n".join(out) + "\n")


main()
