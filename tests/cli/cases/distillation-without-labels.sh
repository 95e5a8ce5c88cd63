# Samples that nobody has labelled serve a student that listens to its teacher alone, and nobody else.
awk 'BEGIN {
    for (k = 0; k < 784; k++) printf "p%d%s", k, k < 783 ? "," : "\n"
    for (i = 0; i < 40; i++) for (k = 0; k < 784; k++) printf "%.2f%s", (i * 31 + k * 7) % 100 / 100, k < 783 ? "," : "\n"
}' >pool.csv
{ sed -n '1s/$/,kind/p' pool.csv; sed '1d' pool.csv | awk '{ print $0 "," NR % 10 }'; } >known.csv
student() { data=$1; shift; compress distill --teacher "$FIXTURES/mlp.onnx" --student mlp:784-8-10 --data "$data" --epochs 3 --seed 1 --threads 1 -q -f -o student.onnx "$@"; }
student csv:pool.csv,unlabelled=1 --alpha 1 --json alone.json && grep -c train_loss alone.json
grep -q validation_loss alone.json || echo no validation
compress distill --teacher "$FIXTURES/mlp.onnx" --student linear --data csv:pool.csv,unlabelled=1 --alpha 1 -q -o none.onnx || echo "status $?"
# Where other roles have labels, they are measured by.
student 'train=csv:pool.csv,unlabelled=1;test=csv:known.csv,label=kind,unlabelled=0' --alpha 1 --json both.json || echo "status $?"
student csv:pool.csv,unlabelled=1 --alpha 0.5 || echo "status $?"
compress eval "$FIXTURES/mlp.onnx" --data csv:pool.csv,unlabelled=1 || echo "status $?"
student csv:pool.csv,unlabelled=2 --alpha 1 || echo "status $?"
