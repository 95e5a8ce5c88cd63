#!/bin/sh
# headers.sh SOURCE-ROOT COMPILER GENERATED-DIR… - every header compiles alone.
set -eu
root=$1 cc=$2
shift 2
generated=
for dir in "$@"; do generated="$generated -I$dir"; done

passed=0 failed=0
for header in $(cd "$root" && find include src tools -name '*.h' | sort); do
    # shellcheck disable=SC2086 # a list of options
    if printf '#include "%s"\n' "$root/$header" |
        $cc -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -Wall -Werror -fsyntax-only -I"$root/include" -I"$root/src" $generated -x c -; then
        passed=$((passed + 1))
    else
        echo "$header does not compile alone"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
