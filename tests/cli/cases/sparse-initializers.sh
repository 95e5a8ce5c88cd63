# A pruned model with sparse initializers is shorter, says the same, and stays as it is on the way through.
compress prune "$FIXTURES/mlp.onnx" -o dense.onnx --sparsity 0.9 -q
compress prune "$FIXTURES/mlp.onnx" -o sparse.onnx --sparsity 0.9 --form sparse --measure sizes | grep 'sparse'
[ $(($(wc -c <sparse.onnx) * 3)) -lt "$(wc -c <dense.onnx)" ] && echo "shorter"
compress compare dense.onnx sparse.onnx --json - | grep max_difference
compress optimize sparse.onnx -o again.onnx --skip share,fold -q && cmp sparse.onnx again.onnx
compress prune sparse.onnx -o none.onnx --sparsity 0.5 --form small || echo "status $?"
