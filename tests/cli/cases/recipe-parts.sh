# What a recipe says once, what it takes from another file, steps by name, the model between steps.
mkdir shared
cat >shared/base.yaml <<YAML
vars: {epochs: 1, rate: {exponential: [0.001, 0.9]}}
model: ../start.onnx
data: glyphs,train=200,test=60
steps: [train]
gates: {max_bytes: 60000, min_compression: 1.5}
YAML
cp "$FIXTURES/mlp.onnx" start.onnx
cat >r.yaml <<'YAML'
include: shared/base.yaml
seed: 7
steps:
  - prune: {name: cut, method: channel, ratio: 0.5, save: "cut-${epochs}.onnx"}
  - distill: {epochs: "${epochs}", rate: "${rate}", save: taught.onnx}
gates: {max_bytes: 50000}
output: {model: small.onnx, report: [json]}
YAML
compress apply r.yaml --out out --set vars.epochs=2 | grep -E 'gate|max_|min_|wrote'
compress info out/cut-2.onnx | grep '^parameters'
cmp out/taught.onnx out/small.onnx
compress apply r.yaml --out less -q --set steps.cut.ratio=0.25 || echo "status $?"
ls -A less less/run | grep -v '^[0-9a-f]*.step'
try() { compress apply r.yaml --check "$@" || echo "status $?"; }
try --set steps.cat.ratio=0.5
try --set steps.1.distill.name=cut
try --set steps.1.distill.epochs='${epoch}'
try --set steps.1.distill.save='a${rate}'
try --set output.model=taught.onnx
sed 's/"${epochs}"/${epochs}/' r.yaml >bare.yaml
compress apply bare.yaml --check || echo "status $?"
echo 'include: loop.yaml' >loop.yaml
compress apply loop.yaml --check || echo "status $?"
echo 'include: [r.yaml, absent.yaml]' >absent.yaml.in
compress apply absent.yaml.in --check || echo "status $?"
