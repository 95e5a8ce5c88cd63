#!/bin/sh
# run.sh COMPRESS LIBRARY SOURCE-ROOT - the Python package, where Python and NumPy are there; else skipped.
#
# PYTHON names another interpreter than python3.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || { echo "0 passed, 0 failed, 1 skipped"; exit 77; }
export COMPRESS="$1" COMPRESS_LIBRARY="$2" PYTHONPATH="$3/python" PYTHONDONTWRITEBYTECODE=1
exec "$python" "$3/tests/python/test_package.py" -v
