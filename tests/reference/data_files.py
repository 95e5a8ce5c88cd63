#!/usr/bin/env python3
"""Write the small files that the tests of src/data read, and what other programs make of them.

    data_files.py tests/data

writes tests/data/files/* and tests/data/expected.h. Needs numpy 2.4.6, Pillow 13.0.0, torch 2.15, scikit-learn 1.9.1
(what was used for the committed files).
"""

import sys
from pathlib import Path

import numpy as np
import PIL.features
import torch
from PIL import Image
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

HEAD = """/* expected.h - what other programs make of the files beside it; written by tests/reference/data_files.py with
 * %s. */
#ifndef MC_TESTS_DATA_EXPECTED_H
#define MC_TESTS_DATA_EXPECTED_H
"""


def pattern(height, width, channels):
    """Smooth with a few edges, every byte another."""
    i = np.arange(height * width * channels).reshape(height, width, channels)
    wave = 127 + 120 * np.sin(i * 0.37) * np.cos(i * 0.011)
    wave[height // 3 :, width // 2 :] = 255 - wave[height // 3 :, width // 2 :]
    return wave.astype(np.uint8)


def write_bytes(out, name, values):
    text = ", ".join(str(int(v)) for v in np.asarray(values).ravel())
    out.append(f"static const unsigned char {name}[] = {{{text}}};")


def write_floats(out, name, values):
    text = ", ".join(float.hex(float(v)) + "F" for v in np.asarray(values, dtype=np.float32).ravel())
    out.append(f"static const float {name}[] = {{{text}}};")


def pictures(folder, out):
    rgb, grey = pattern(5, 4, 3), pattern(5, 4, 1)[..., 0]
    colour = Image.fromarray(rgb)
    colour.save(folder / "rgb.png")
    Image.fromarray(np.dstack([rgb, grey])).save(folder / "rgba.png")
    Image.fromarray(grey).save(folder / "grey.png")
    colour.quantize(5).save(folder / "palette.png")
    Image.fromarray(grey > 127).save(folder / "bits.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    photo = Image.fromarray(pattern(17, 11, 3))
    photo.save(folder / "photo.jpg", quality=90, subsampling=0)
    photo.convert("L").save(folder / "grey.jpg", quality=80, progressive=True)
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    (folder / "cut.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:400])
    (folder / "cut.png").write_bytes((folder / "rgb.png").read_bytes()[:70])
    for name in ["rgb.png", "rgba.png", "palette.png", "bits.png", "grey.png", "photo.jpg", "grey.jpg"]:
        with Image.open(folder / name) as image:
            write_bytes(out, "pixels_" + name.replace(".", "_"), np.asarray(image.convert("RGB")))
            write_bytes(out, "grey_" + name.replace(".", "_"), np.asarray(image.convert("L")))


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
    out = [HEAD % f"Pillow {Image.__version__}, libjpeg-turbo {PIL.features.version('libjpeg_turbo')}, torch {torch.__version__.split('+')[0]}, scikit-learn 1.9.1"]
    pictures(folder, out)
    resizing(out)
    archives(folder)
    table(folder, out)
    out.append("#endif")
    (base / "expected.h").write_text("\n".join(out) + "\n")


main()
