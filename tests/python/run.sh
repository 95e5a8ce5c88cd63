#!/bin/sh
# run.sh COMPRESS LIBRARY SOURCE-ROOT - the Python package, where Python and NumPy are there; else skipped.
#
# PYTHON names another interpreter than python3.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || { echo "0 passed, 0 failed, 1 skipped"; exit 77; }
export COMPRESS="$1" COMPRESS_LIBRARY="$2" PYTHONPATH="$3/python" PYTHONDONTWRITEBYTECODE=1
"$python" "$3/tests/python/test_package.py" -v

# The wheel has all that it needs, and is the same twice.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/one" "$scratch/two"
for dir in one two; do "$python" "$3/tools/wheel" "$(dirname "$2")" "$scratch/$dir"; done
cmp "$scratch"/one/*.whl "$scratch"/two/*.whl
"$python" -m zipfile -e "$scratch"/one/*.whl "$scratch/unpacked"
unset COMPRESS_LIBRARY
PYTHONPATH="$scratch/unpacked" "$python" -c 'import compress_onnx; print("wheel of", compress_onnx.version())'
