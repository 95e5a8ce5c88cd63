# A file may not grow past a few blocks, as on a disk that is full: exit 5, nothing left.
trap '' XFSZ
status=0
(ulimit -f 8 && compress prune "$FIXTURES/mlp.onnx" -q -o out.onnx --sparsity 0.5) || status=$?
ls -A
compress info "$FIXTURES/mlp.onnx" >/dev/full || echo "stdout full: $?"
compress info "$FIXTURES/mlp.onnx" --json /dev/full -q || echo "json full: $?"
exit $status
