#!/bin/sh
# public_header.sh INCLUDE-DIR C-COMPILER [C++-COMPILER] - compress.h alone is good C11 and good C++17.
set -eu
include=$1 cc=$2 cxx=${3:-}
passed=0 failed=0 skipped=0
try() {
    if printf '#include <compress/compress.h>\nint main(void) { return MC_OK; }\n' |
        "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" -; then
        passed=$((passed + 1))
    else
        echo "compress.h does not compile by $*"
        failed=$((failed + 1))
    fi
}
try "$cc" -x c -std=c11
if [ -n "$cxx" ]; then try "$cxx" -x c++ -std=c++17; else skipped=1; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
