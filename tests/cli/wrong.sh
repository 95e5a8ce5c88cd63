#!/bin/sh
# wrong.sh COMPRESS SOURCE-ROOT - every wrong command line of wrong.tsv.
#
# A line is: what it needs, exit status, what stands behind "compress", and a shell pattern for the first line on
# stderr, with tabs between them. The words are read by sh, in an empty folder with
#   m.onnx           a 784-24-10 network          p.packed   its container       cut.onnx   its first half
#   r.yaml, s.yaml   recipes to apply, to tune    t.csv      a table             x.npy      an input of m.onnx
#   dir, empty, junk, dangling                    what is no file that could be read
#   ro, secret       a folder that may not be written to, a file that may not be read (by others than root)
#   full             a folder on a disk without room (for what needs `disk`)
# and has to leave all that as it was. It needs: - nothing; user: not to be root, or setpriv to become somebody else;
# disk: to be allowed to mount a tmpfs. What is needed and not there is skipped, and counted.
set -u
compress_binary=$(realpath "$1")
source=$(realpath "$2")
table=$source/tests/cli/wrong.tsv
scratch=$(mktemp -d)
chmod 755 "$scratch"
trap 'umount "$scratch/full" 2>/dev/null; rm -rf "$scratch"' EXIT
export COMPRESS="$compress_binary"

here=$scratch/template
mkdir "$here"
cd "$here" || exit 1
"$COMPRESS" train mlp:784-24-10 --data glyphs,train=60,test=20 --epochs 1 --seed 1 -q -o m.onnx &&
    "$COMPRESS" pack m.onnx -q -o p.packed || { echo "cannot make the fixtures"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
head -c 30000 m.onnx >cut.onnx
printf 'model: m.onnx\nsteps: [{prune: {sparsity: 0.5}}]\noutput: {model: o.onnx, report: [json]}\n' >r.yaml
printf 'model: mlp:2-2\ndata: csv:t.csv\nsteps: [{train: {epochs: 1}}]\ntune: {space: {steps.0.train.l2: [0, 1]}}\n' >s.yaml
{ echo a,b,c; for i in 1 2 3 4 5 6 7 8 9; do echo "$i,1,x"; echo "2,$i,y"; done; } >t.csv
{ printf "\223NUMPY\001\000v\000{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }%-50s\n" ''
  head -c 3136 /dev/zero; } >x.npy
mkdir dir ro
: >empty
head -c 5000 /dev/zero | tr '\000' '\377' >junk
ln -s nowhere dangling
echo no >secret
chmod 000 secret
chmod 555 ro

# as_other: words that run a command as somebody who is not root; nothing if that cannot be.
if [ "$(id -u)" != 0 ]; then
    as_other='env'
elif setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
    as_other='setpriv --reuid 65534 --clear-groups'
else
    as_other=
fi
mkdir "$scratch/full"
disk=false
if mount -t tmpfs -o size=4k none "$scratch/full" 2>/dev/null; then disk=true; fi

# state: all that is in the folder.
state() { find . -type f -exec cksum {} + 2>/dev/null; find . ! -type f; } 
run_case() {
    rm -rf "$scratch/case"
    cp -a "$here" "$scratch/case"
    cd "$scratch/case" || exit 1
    [ "$needs" = disk ] && ln -s "$scratch/full" full
    as='env'
    if [ "$needs" = user ]; then
        as=$as_other
        [ "$(id -u)" = 0 ] && chown -R 65534 . 
    fi
    before=$(state | sort)
    $as sh -c "\"\$COMPRESS\" $words" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
    status=$?
    after=$(state | sort)
    line=$(head -n 1 "$scratch/stderr")
    problem=
    [ "$status" = "$wanted" ] || problem="$problem; exit status $status"
    # shellcheck disable=SC2254 # it is meant as a pattern
    case $line in $pattern) ;; *) problem="$problem; says '$line'" ;; esac
    [ "$before" = "$after" ] || problem="$problem; leaves something behind: $(ls -A)"
    [ "$disk" = false ] || [ -z "$(ls -A "$scratch/full")" ] || problem="$problem; leaves $(ls -A "$scratch/full") on the full disk"
    [ "$(grep -c '^compress: ' "$scratch/stderr")" = 1 ] || problem="$problem; says so in $(grep -c '^compress: ' "$scratch/stderr") lines"
    cd "$scratch" || exit 1
    rm -rf "$scratch"/full/*
    [ -z "$problem" ] && return 0
    echo "compress $words: should be $wanted, '$pattern'$problem"
    return 1
}

passed=0 failed=0 skipped=0
tab=$(printf '\t')
while IFS="$tab" read -r needs wanted words pattern; do
    case $needs in '' | '#'*) continue ;; esac
    if { [ "$needs" = user ] && [ -z "$as_other" ]; } || { [ "$needs" = disk ] && [ "$disk" = false ]; }; then
        skipped=$((skipped + 1))
    elif run_case; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done <"$table"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
