cp "$FIXTURES/mlp.onnx" same.onnx
compress prune "$FIXTURES/mlp.onnx" -q -o other.onnx --sparsity 0.5
compress prune same.onnx -q -f -o same.onnx --sparsity 0.5
cmp same.onnx other.onnx && echo same
