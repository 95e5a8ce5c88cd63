cat >r.yaml <<YAML
model: $FIXTURES/mlp.onnx
data: glyphs,train=400,validation=100,test=100
steps:
  - train: {epochs: 2, rate: 0.001}
output: {model: out.onnx}
YAML
compress apply r.yaml --threads 1 -q -v --out out
cut -d ' ' -f 2- out/run/log
