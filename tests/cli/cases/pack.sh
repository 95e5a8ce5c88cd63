# A container gives its file back byte for byte, is read in a model's place, and is refused when it is damaged.
compress prune "$FIXTURES/mlp.onnx" -o small.onnx --sparsity 0.9 --packed beside.packed -q
compress pack small.onnx -o small.packed --json - | grep '"level"\|"bytes"\|"method"' | head -n 4
cmp small.packed beside.packed
compress unpack small.packed -o again.onnx -q && cmp small.onnx again.onnx
compress info small.packed | grep '^non-zeros\|packed'
compress pack small.onnx -o fast.packed --level fast -q && compress unpack fast.packed -o /dev/stdout -q | cmp - small.onnx
head -c 500 small.packed >cut.packed
compress unpack cut.packed -o cut.onnx || echo "status $?"
compress info cut.packed || echo "status $?"
compress pack small.packed -o twice.packed || echo "status $?"
compress pack "$SOURCE/README.md" -o readme.packed || echo "status $?"
compress unpack small.onnx -o other.onnx || echo "status $?"
compress unpack small.packed -o again.onnx || echo "status $?"
compress pack small.onnx || echo "status $?"
ls
