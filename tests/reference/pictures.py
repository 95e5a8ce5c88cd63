#!/usr/bin/env python3
"""Write the small image files that the tests of src/image and src/data read, and what Pillow reads in them.

    pictures.py tests/image

writes tests/image/files/* and tests/image/expected.h. Needs numpy 2.4.6, Pillow 13.0.0 (what was used for the committed
files).
"""

import io
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image, features

HEAD = """/* expected.h - the files beside it as Pillow {} reads them (libjpeg-turbo {}, libtiff {}, libwebp {}, OpenJPEG {});
 * written by tests/reference/pictures.py. */
#ifndef MC_TESTS_IMAGE_EXPECTED_H
#define MC_TESTS_IMAGE_EXPECTED_H
"""


def pattern(height, width, channels):
    """Smooth with a few edges, every byte another."""
    i = np.arange(height * width * channels).reshape(height, width, channels)
    wave = 127 + 120 * np.sin(i * 0.37) * np.cos(i * 0.011)
    wave[height // 3 :, width // 2 :] = 255 - wave[height // 3 :, width // 2 :]
    return wave.astype(np.uint8)


def identifier(name):
    return name.replace(".", "_")


def write_bytes(out, name, values):
    text = ", ".join(str(int(v)) for v in np.asarray(values).ravel())
    out.append(f"static const unsigned char {name}[] = {{{text}}};")


def bitmap(bits, height, rows, masks=()):
    """A BMP file whose header has 40 bytes, the masks of the colours behind it."""
    extra = b"".join(struct.pack("<I", mask) for mask in masks)
    data = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    at = 54 + len(extra)
    info = struct.pack("<IiiHHIIiiII", 40, 4, height, 1, bits, 3 if masks else 0, len(data), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at) + info + extra + data


def core_bitmap(rgb):
    """One with the header of 12 bytes that OS/2 gave it."""
    rows = [row[:, ::-1].tobytes() for row in rgb[::-1]]
    data = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    height, width = rgb.shape[:2]
    return b"BM" + struct.pack("<IHHI", 26 + len(data), 0, 0, 26) + struct.pack("<IHHHH", 12, width, height, 1, 24) + data


def write_png_and_jpeg(folder, rgb, grey):
    colour, photo = Image.fromarray(rgb), Image.fromarray(pattern(17, 11, 3))
    colour.save(folder / "rgb.png")
    Image.fromarray(np.dstack([rgb, grey])).save(folder / "rgba.png")
    Image.fromarray(grey).save(folder / "grey.png")
    colour.quantize(5).save(folder / "palette.png")
    Image.fromarray(grey > 127).save(folder / "bits.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    photo.save(folder / "photo.jpg", quality=90, subsampling=0)
    photo.convert("L").save(folder / "grey.jpg", quality=80, progressive=True)
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    (folder / "cut.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:400])
    (folder / "cut.png").write_bytes((folder / "rgb.png").read_bytes()[:70])
    return ["rgb.png", "rgba.png", "palette.png", "bits.png", "grey.png", "photo.jpg", "grey.jpg"]


def write_bmp(folder, rgb, grey):
    colour = Image.fromarray(rgb)
    colour.save(folder / "rgb.bmp")
    Image.fromarray(grey).save(folder / "grey.bmp")
    colour.quantize(5).save(folder / "palette.bmp")
    Image.fromarray(grey > 127).save(folder / "bits.bmp")
    words = np.arange(20, dtype="<u2").reshape(5, 4) * 3276 + 77
    (folder / "words_555.bmp").write_bytes(bitmap(16, 5, [row.tobytes() for row in words]))
    (folder / "words_565.bmp").write_bytes(bitmap(16, -5, [row.tobytes() for row in words], (0xF800, 0x7E0, 0x1F)))
    four = np.dstack([rgb, grey])
    (folder / "words_32.bmp").write_bytes(bitmap(32, 5, [row.tobytes() for row in four]))
    (folder / "core.bmp").write_bytes(core_bitmap(rgb))
    (folder / "runs.bmp").write_bytes(bitmap(8, 5, [b"\4\0\0\1"])[:30] + b"\1" + bitmap(8, 5, [b"\4\0\0\1"])[31:])
    return ["rgb.bmp", "grey.bmp", "palette.bmp", "bits.bmp", "words_555.bmp", "words_565.bmp", "words_32.bmp", "core.bmp"]


def write_pnm(folder, rgb, grey):
    Image.fromarray(rgb).save(folder / "rgb.ppm")
    Image.fromarray(grey).save(folder / "grey.pgm")
    Image.fromarray(grey > 127).save(folder / "bits.pbm")
    text = " ".join(str(v) for v in (rgb.ravel() >> 4))
    (folder / "text.ppm").write_text(f"P3 # of small numbers\n4 5\n15\n{text}\n")
    (folder / "text.pgm").write_text("P2\n# the height is behind it\n4 5 200\n" + "\n".join(str(v % 200) for v in grey.ravel()) + "\n")
    (folder / "text.pbm").write_text("P1\n4 5\n" + "\n".join("".join("01"[int(v > 127)] for v in row) for row in grey) + "\n")
    deep = (rgb.astype(np.uint16) * 200 + 7).astype(">u2")
    (folder / "deep.ppm").write_bytes(b"P6\n4 5\n60000\n" + deep.tobytes())
    return ["rgb.ppm", "grey.pgm", "bits.pbm", "text.ppm", "text.pgm", "text.pbm", "deep.ppm"]


def write_by_libraries(folder, rgb, grey):
    colour, photo = Image.fromarray(rgb), Image.fromarray(pattern(17, 11, 3))
    colour.save(folder / "rgb.tif")
    photo.save(folder / "lzw.tif", compression="tiff_lzw")
    Image.fromarray(grey).save(folder / "deflate.tif", compression="tiff_adobe_deflate")
    Image.fromarray(grey > 127).save(folder / "bits.tif", compression="group4")
    colour.save(folder / "exact.webp", lossless=True)
    photo.save(folder / "photo.webp", quality=80)
    photo.save(folder / "photo.jp2")
    Image.fromarray(grey).save(folder / "grey.j2k")
    return ["rgb.tif", "lzw.tif", "deflate.tif", "bits.tif", "exact.webp", "photo.webp", "photo.jp2", "grey.j2k"]


def main():
    base = Path(sys.argv[1])
    folder = base / "files"
    folder.mkdir(exist_ok=True)
    rgb, grey = pattern(5, 4, 3), pattern(5, 4, 1)[..., 0]
    versions = [features.version(what) for what in ("libjpeg_turbo", "libtiff", "webp", "jpg_2000")]
    out = [HEAD.format(Image.__version__, *versions)]
    names = []
    for write in (write_png_and_jpeg, write_bmp, write_pnm, write_by_libraries):
        names += write(folder, rgb, grey)
    for name in names:
        with Image.open(io.BytesIO((folder / name).read_bytes())) as image:
            write_bytes(out, "pixels_" + identifier(name), np.asarray(image.convert("RGB")))
            write_bytes(out, "grey_" + identifier(name), np.asarray(image.convert("RGB").convert("L")))
    out.append("#endif")
    (base / "expected.h").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
