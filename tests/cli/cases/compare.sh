compress prune "$FIXTURES/mlp.onnx" -o small.onnx --method channel --ratio 0.5 -q
compress compare "$FIXTURES/mlp.onnx" "$FIXTURES/mlp.onnx" --json same.json -q
grep max_difference same.json
compress compare "$FIXTURES/mlp.onnx" small.onnx --data glyphs,train=200,test=60 --draws 50 --json both.json >table
grep -c '^parameters ' table
grep -o '^McNemar, mid-p\|^same answers\|^both right' table
for key in output_differences agreement mcnemar_mid_p accuracy_difference_low per_class confusion top5 auc f1_micro; do
    echo "$key $(grep -c "\"$key\":" both.json)"
done
compress eval small.onnx --data glyphs,train=200,test=60 -v | grep -c '^is, taken for'
compress train linear --data "npz:$SOURCE/tests/data/files/packed.npz" --epochs 1 -o other.onnx -q
compress compare "$FIXTURES/mlp.onnx" other.onnx -q --json other.json && grep outputs_why other.json
compress compare "$FIXTURES/mlp.onnx" || echo "status $?"
compress compare "$FIXTURES/mlp.onnx" small.onnx --confidence 1 || echo "status $?"
