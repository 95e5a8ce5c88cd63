#!/bin/sh
# symbols.sh LIBRARY LIST - the shared library gives out the functions of the list and nothing else.
#
# The list is the binary interface: a line that goes means a new soname, one that comes a new minor version.
set -eu
found=$(mktemp)
trap 'rm -f "$found"' EXIT
nm -D --defined-only "$1" | awk '$2 ~ /[TDBRV]/ && $3 !~ /^\./ { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort >"$found"
if diff "$2" "$found"; then
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
