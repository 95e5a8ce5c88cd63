#!/bin/sh
# release.sh SOURCE-ROOT - the tarball of a commit is the same whenever and wherever it is made.
set -eu
git -C "$1" rev-parse HEAD >/dev/null 2>&1 || { echo "0 passed, 0 failed, 1 skipped"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/one" "$scratch/two"
"$1/tools/release" "$scratch/one" >"$scratch/told"
(umask 077 && TZ=Asia/Tokyo "$1/tools/release" "$scratch/two" >/dev/null)
file=$(basename "$scratch"/one/*.tar.gz)
cmp "$scratch/one/$file" "$scratch/two/$file"
tar -tzf "$scratch/one/$file" | grep -q '^compress-[0-9.]*/meson.build$'
grep -q "$(sha256sum <"$scratch/one/$file" | cut -d' ' -f1)" "$scratch/told"
echo "1 passed, 0 failed, 0 skipped"
