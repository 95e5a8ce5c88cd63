compress optimize "$FIXTURES/mlp.onnx" -o same.onnx -q && compress info same.onnx | grep '^parameters'
compress optimize "$FIXTURES/mlp.onnx" -o out.onnx -q --passes fold,dead --skip dead --json - | grep '"passes"\|"skip"'
compress optimize "$FIXTURES/mlp.onnx" -o out.onnx -q -f --passes merge || echo "status $?"
compress optimize "$FIXTURES/mlp.onnx" || echo "status $?"
cat >recipe.yaml <<END
model: $FIXTURES/mlp.onnx
steps:
  - prune: {method: channel, ratio: 0.5}
  - optimize: {skip: [share]}
output: {model: small.onnx}
END
compress apply recipe.yaml --out out -q && compress info out/small.onnx | grep '^parameters'
