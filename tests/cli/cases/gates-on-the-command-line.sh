compress prune "$FIXTURES/mlp.onnx" -q -o small.onnx --sparsity 0.5 --max-nonzeros 11000
compress prune "$FIXTURES/mlp.onnx" -q -o none.onnx --sparsity 0.5 --max-nonzeros 5000 || echo "status $?"
ls -A
