# Channels go in three parts, with an epoch after each, and come to the widths that all at once would have; training may
# have made them small before.
cat >r.yaml <<'YAML'
model: mlp.onnx
data: glyphs,train=60,test=20
seed: 1
steps:
  - train: {epochs: 2, groups: {penalty: lasso, strength: 0.01}}
  - prune: {method: channel, ratio: 0.5, iterations: 3, epochs: 1}
output: {model: small.onnx}
YAML
cp "$FIXTURES/mlp.onnx" .
"$COMPRESS" apply r.yaml --out out --threads 1 -q --json r.json
grep '"width_after"\|"penalized"' r.json | tr -d ' ,'
grep -c '"train_loss"' r.json
"$CHECK_SCHEMA" "$SOURCE/docs/record.schema.json" r.json
"$COMPRESS" apply r.yaml --out again --threads 1 -q && cmp out/small.onnx again/small.onnx && echo same bytes
