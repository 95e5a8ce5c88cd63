compress prune "$FIXTURES/mlp.onnx" -o out.onnx --sparsty 0.5
