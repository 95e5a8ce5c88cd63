#!/bin/sh
# install.sh BUILD-ROOT SOURCE-ROOT C-COMPILER SANITIZERS - an installed tree has everything in its place, and a program
# that finds the library by pkg-config runs. SANITIZERS: what the library was built with, or none.
set -eu
build=$1 source=$2 cc=$3 sanitizers=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
DESTDIR=$scratch/root meson install -C "$build" --no-rebuild --quiet >/dev/null
passed=0 failed=0
expect() { # expect WHAT COMMAND…
    what=$1; shift
    if "$@" >"$scratch/log" 2>&1; then
        passed=$((passed + 1))
    else
        echo "$what:"
        cat "$scratch/log"
        failed=$((failed + 1))
    fi
}

pc=$(find "$scratch/root" -name compress.pc)
libdir=$(dirname "$(dirname "$pc")")
prefix=$scratch/root$(sed -n 's/^prefix=//p' "$pc")
for file in bin/compress include/compress/compress.h share/man/man1/compress.1 share/compress/record.schema.json; do
    expect "$file is there" test -f "$prefix/$file"
done
for verb in $("$prefix/bin/compress" help | sed -n 's/^    \([a-z]*\) .*/\1/p'); do
    expect "$verb has a page" test -s "$prefix/share/man/man1/compress-$verb.1"
done
for file in bash-completion/completions/compress zsh/site-functions/_compress fish/vendor_completions.d/compress.fish compress/recipe.schema.json; do
    expect "$file is there" test -s "$prefix/share/$file"
done
for file in libcompress.so libcompress.so.0 libcompress.a; do expect "$file is there" test -f "$libdir/$file"; done
expect "the command runs" "$prefix/bin/compress" info "$source/models/lenet-300-100.onnx"

export PKG_CONFIG_PATH="$libdir/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$scratch/root"
version=$(sed -n 's/^#define MC_VERSION "\(.*\)"/\1/p' "$source/include/compress/compress.h")
expect "versions agree" test "$(pkg-config --modversion compress)" = "$version"
expect "nothing is asked for that is opened as the program runs" sh -c '! grep -i -E "mpi|dnnl" "$1"' sh "$pc"
flags=
[ "$sanitizers" = none ] || flags=-fsanitize=$sanitizers
# shellcheck disable=SC2046,SC2086 # lists of words
expect "a program is built" "$cc" $flags -std=c11 "$source/examples/infer.c" -o "$scratch/infer" $(pkg-config --cflags --libs compress)
expect "and runs" env LD_LIBRARY_PATH="$libdir" "$scratch/infer" "$source/models/lenet-300-100.onnx"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
