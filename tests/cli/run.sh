#!/bin/sh
# run.sh COMPRESS SOURCE-ROOT [CASE…] - run the command from outside and compare what it says.
#
# A case is cases/NAME.sh, run by sh in an empty folder of its own. What it prints has to match NAME.stdout and
# NAME.stderr line by line, each line being a shell pattern (an absent file: nothing), and it has to exit with the
# number in NAME.status (absent: 0). Scripts may use
#   compress      the command under test
#   $FIXTURES     mlp.onnx, a 784-24-10 network fitted to a few glyphs; not to be written to
#   $SOURCE       the source tree
#   $CHECK_SCHEMA a program that holds JSON files against a schema
# and exit with 77 where what they need is not there: the case counts as skipped.
set -u
compress_binary=$(realpath "$1") SOURCE=$(realpath "$2")
shift 2
here=$SOURCE/tests/cli
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
FIXTURES=$scratch/fixtures
mkdir "$FIXTURES"
export SOURCE FIXTURES COMPRESS="$compress_binary"
export CHECK_SCHEMA="${CHECK_SCHEMA:-${compress_binary%/tools/*}/tests/report/check_schema}"

compress() { "$COMPRESS" "$@"; }
compress train mlp:784-24-10 --data glyphs,train=200,test=60 --epochs 2 --seed 1 -q -o "$FIXTURES/mlp.onnx" ||
    { echo "cannot make the fixtures"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# matches EXPECTED ACTUAL: every line of the one is a pattern for that line of the other.
matches() {
    [ -f "$1" ] || { [ ! -s "$2" ]; return; }
    exec 3<"$1" 4<"$2"
    while :; do
        pattern= line= more_patterns=0 more_lines=0
        IFS= read -r pattern <&3 || more_patterns=1
        IFS= read -r line <&4 || more_lines=1
        [ "$more_patterns$more_lines" = 11 ] && return 0
        [ "$more_patterns" = "$more_lines" ] || return 1
        # shellcheck disable=SC2254 # it is meant as a pattern
        case $line in $pattern) ;; *) return 1 ;; esac
    done
}

# shows NAME STREAM: expected and actual text of a stream that does not match.
shows() {
    echo "-- $1: $2 should match"
    cat "$here/cases/$1.$2" 2>/dev/null
    echo "-- and is"
    cat "$scratch/$2"
}

run_case() {
    name=$1 wanted=0 good=true
    [ -f "$here/cases/$name.status" ] && wanted=$(cat "$here/cases/$name.status")
    mkdir "$scratch/$name"
    (
        cd "$scratch/$name" || exit 99
        set -eu
        . "$here/cases/$name.sh"
    ) >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
    status=$?
    [ "$status" = 77 ] && { echo "skipped $name"; return 77; }
    [ "$status" = "$wanted" ] || { good=false; echo "-- $name: exit status should be $wanted, is $status"; }
    for stream in stdout stderr; do
        matches "$here/cases/$name.$stream" "$scratch/$stream" || { good=false; shows "$name" $stream; }
    done
    $good && echo "ok $name" || echo "FAILED $name"
    $good
}

[ $# = 0 ] && set -- $(cd "$here/cases" && ls ./*.sh | sed 's/^\.\///; s/\.sh$//')
passed=0 failed=0 skipped=0
for case_name in "$@"; do
    run_case "$case_name"
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
