cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
steps:
  - prune: {sparsity: 0.5}
END
compress apply r.yaml -q --set steps.0.prune.sparsity=0.8 --set steps.1.prune.pattern=2:4 --set gates.max_nonzeros=3900 \
    --set 'output={model: out.onnx, report: [json]}' --seed 9
grep -o '"seed": 9' report.json
compress apply r.yaml -q --set steps.0.prune.sparsty=0.8 || echo "status $?"
compress apply r.yaml -q --set steps.5.prune.sparsity=0.8 || echo "status $?"
compress apply r.yaml -q --set steps || echo "status $?"
compress apply r.yaml -q --set 'data=[' || echo "status $?"
ls -A
