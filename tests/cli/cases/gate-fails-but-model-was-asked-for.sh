cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
steps:
  - prune: {sparsity: 0.5}
gates: {max_nonzeros: 10}
output: {model: small.onnx, always: true}
END
status=0
compress apply r.yaml -q || status=$?
ls -A
exit $status
