compress info "$FIXTURES/mlp.onnx" --dims n=3 || echo "status $?"
compress bench "$FIXTURES/mlp.onnx" --dims nothing || echo "status $?"
compress bench "$FIXTURES/mlp.onnx" -q --seconds 0 --dims input.0=3
compress prune "$FIXTURES/mlp.onnx" -q -o small.onnx --method channel --ratio 0.5 --dims input.1=5 || echo "status $?"
compress prune "$FIXTURES/mlp.onnx" -q -o small.onnx --method channel --ratio 0.5 --dims input.0=5
compress info small.onnx | grep '^input '
