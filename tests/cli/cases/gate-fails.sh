# Exit 1, the report is there and names the gate, the model is not.
cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
data: glyphs,train=200,test=60
steps:
  - prune: {method: channel, ratio: 0.5}
gates: {max_bytes: 1000, max_parameters: 1000000}
output: {model: small.onnx, report: [json, md]}
END
status=0
compress apply r.yaml -q --out out || status=$?
ls -A . out
grep '"held"' out/report.json
exit $status
