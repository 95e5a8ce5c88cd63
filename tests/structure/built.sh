#!/bin/sh
# built.sh SOURCE-ROOT BUILD-ROOT - no test lies about that nobody builds.
set -eu
cd "$1"
passed=0 failed=0
for file in tests/*/test_*.c; do
    if grep -q "${file##*/}\.o" "$2/build.ninja"; then
        passed=$((passed + 1))
    else
        echo "$file is in no meson.build"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
