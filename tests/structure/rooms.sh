#!/bin/sh
# rooms.sh SOURCE-ROOT - a room includes only itself and the rooms before it; the tool only the public header.
set -eu
cd "$1"

order='base image tensor graph onnx kernel op run data metric report train prune code rewrite quantize recipe'

passed=0 failed=0
rank() { i=0; for room in $order; do i=$((i + 1)); [ "$room" = "$1" ] && { echo $i; return; }; done; echo 0; }

for room in $order; do
    mine=$(rank "$room")
    bad=
    for used in $(find src/"$room" -name "*.[ch]" -exec cat {} + | sed -n 's/^# *include "\([a-z]*\)\/.*/\1/p' | sort -u); do
        theirs=$(rank "$used")
        [ "$theirs" -gt "$mine" ] && bad="$bad $used"
    done
    if [ -n "$bad" ]; then
        echo "src/$room includes from a room above it:$bad"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
done

outside=$(grep -n '^# *include "' tools/*.[ch] 2>/dev/null | grep -v '"compress/compress.h"' | grep -v '"[a-z_]*\.h"' || true)
if [ -n "$outside" ]; then
    echo "tools may include only compress/compress.h and headers beside them:"
    echo "$outside"
    failed=$((failed + 1))
else
    passed=$((passed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
