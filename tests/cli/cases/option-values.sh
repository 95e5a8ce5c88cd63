# Each mistake is named as it was typed.
try() { compress "$@" || echo "status $?"; }
try bench m.onnx --batch
try bench m.onnx --batch 0
try bench m.onnx --batch=12x
try bench m.onnx --train=1
try bench m.onnx --cpu avx3
try bench m.onnx extra
try bench
try prune "$FIXTURES/mlp.onnx" --sparsity 0.5
try prune "$FIXTURES/mlp.onnx" -o out.onnx --ratio 0.5
try prune "$FIXTURES/mlp.onnx" -o out.onnx --method channel
try distill --teacher "$FIXTURES/mlp.onnx" --student linear -o out.onnx
ls -A
