"""Sizes and speeds of the packed container beside zstd, xz and 7-zip.

    pack_peers.py --binary build/tools/compress MODEL.onnx...

For each model: what each leaves, and processor time (user and system) of one thread, the least of `--rounds` runs.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--own", action="store_true", help="the container alone")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    for model in args.models:
        length = os.path.getsize(model)
        with tempfile.TemporaryDirectory() as folder:
            packed, out = os.path.join(folder, "packed"), os.path.join(folder, "out")
            own = [(f"compress, {level}",
                    [args.binary, "pack", model, "-o", packed, "-f", "-q", "--level", level],
                    [args.binary, "unpack", packed, "-o", out, "-f", "-q"]) for level in ("fast", "best")]
            peers = [("zstd -19 --ultra", ["zstd", "-19", "--ultra", "-q", "-f", model, "-o", packed],
                      ["zstd", "-d", "-q", "-f", packed, "-o", out]),
                     ("xz -9", ["sh", "-c", f"xz -9 -T1 -c '{model}' >'{packed}'"],
                      ["sh", "-c", f"xz -d -c <'{packed}' >'{out}'"]),
                     ("7z -mx=9", ["7z", "a", "-mx=9", "-mmt=1", "-bd", "-y", packed + ".7z", model],
                      ["7z", "x", "-y", "-bd", "-mmt=1", "-o" + folder, packed + ".7z"])]
            print(f"{os.path.basename(model)}: {length} bytes")
            for name, pack, unpack in own if args.own else own + peers:
                rounds = args.rounds if name.startswith("compress") else 1
                there = min(cpu_seconds(pack) for _ in range(rounds))
                file = packed if os.path.exists(packed) else packed + ".7z"
                size = os.path.getsize(file)
                back = min(cpu_seconds(unpack) for _ in range(rounds))
                if name.startswith("compress") and open(out, "rb").read() != open(model, "rb").read():
                    sys.exit("it did not come back")
                print(f"  {name:18} {size:12}  {length / size:7.2f}  packs {length / there / 1e6:7.1f} MB/s  "
                      f"unpacks {length / back / 1e6:7.1f} MB/s", flush=True)
                for path in (packed, packed + ".7z", out):
                    if os.path.exists(path):
                        os.remove(path)


if __name__ == "__main__":
    main()
