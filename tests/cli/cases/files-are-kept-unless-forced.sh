echo mine >out.onnx
compress prune "$FIXTURES/mlp.onnx" -q -o out.onnx --sparsity 0.5 || echo "status $?"
cat out.onnx
compress prune "$FIXTURES/mlp.onnx" -q -f -o out.onnx --sparsity 0.5
compress info out.onnx | grep "^non-zeros"
