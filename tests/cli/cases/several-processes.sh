# Two processes come to what one does, and fail alike. Needs Open MPI, in the build and here.
command -v mpirun >/dev/null || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=self,vader OMPI_MCA_btl_vader_single_copy_mechanism=none
# Open MPI leaves memory behind when it ends, which is not ours to be told of.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
together() { mpirun --oversubscribe -n 2 "$COMPRESS" "$@" --threads 1 2>err.txt; }
alone() { "$COMPRESS" "$@" --threads 1; }
# What mpirun adds of its own is not looked at.
words() { grep '^compress: ' err.txt || true; }
together eval "$FIXTURES/mlp.onnx" --data glyphs,train=50,test=20 -q || { grep -q 'built without MPI' err.txt && exit 77; }

# Batch statistics, a last batch of three samples, validation, early stopping. The rate is low: steps make more of what
# sums in another order round otherwise, six of them with batches of sixteen a hundred times as much at 0.002.
data=glyphs,train=50,test=20,validation=0.3
train() { "$1" train resnet-20 --data $data --epochs 2 --batch 16 --seed 3 --optimizer momentum --rate 0.0005 -q --stop-patience 5 --json "$1.json" -o "$1.onnx"; }
train alone
train together
for key in train_loss validation_loss; do
    for who in alone together; do sed -n "s/.*\"$key\": \([0-9.e+-]*\).*/\1/p" $who.json >$who.$key; done
    paste alone.$key together.$key | awk -v key=$key '
        { d = $1 - $2; if (d < 0) d = -d; if (d > 1e-5 * ($1 > 1 ? $1 : 1)) print key, $0; n++ }
        END { print key, n " epochs" }'
done

# Measured by two, the same figure; printed once.
alone eval alone.onnx --data $data | grep accuracy >one.txt
together eval alone.onnx --data $data | grep accuracy >two.txt
cmp one.txt two.txt && wc -l <two.txt

# A gate that does not hold is told once and is everybody's status; nothing is written.
together train mlp:784-4-10 --data $data --epochs 1 --seed 3 --min-accuracy 1 -q -o gated.onnx || echo "status $?"
words
# So is a mistake, whichever process finds it.
together train mlp:784-4-10 --data csv:none.csv -q -o none.onnx || echo "status $?"
words
together train mlp:784-4-10 --data $data --rate -1 -q -o none.onnx || echo "status $?"
words
ls *.onnx

# What they do is told by one of them.
together train mlp:784-4-10 --data $data --epochs 2 --seed 3 -v -f -o together.onnx >told.txt
grep -c 'epoch 2 of 2' err.txt
