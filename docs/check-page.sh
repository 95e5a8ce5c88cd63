#!/bin/sh
# check-page.sh PROGRAM PAGE - the page is what the program prints.
set -eu
"$1" | diff -u "$2" - || { echo "bring it up to date: build/docs/operators > docs/operators.md"; exit 1; }
echo "1 passed, 0 failed, 0 skipped"
