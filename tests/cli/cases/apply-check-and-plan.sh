# What would be done is looked at, and nothing is written; what the work would find wrong is found before.
cat >r.yaml <<YAML
model: $FIXTURES/mlp.onnx
data: glyphs,train=400,test=100
steps:
  - prune: {method: channel, ratio: 0.5}
  - distill: {teacher: original, epochs: 1000000}
  - prune: {sparsity: 0.8, epochs: 12}
gates: {max_accuracy_drop: 0.01}
output: {model: small.onnx, report: [json, md]}
YAML
compress apply r.yaml --check
compress apply r.yaml --plan --out out
compress apply r.yaml --plan -q --json plan.json && grep -c '"expected_s"' plan.json
try() { compress apply r.yaml --check "$@" || echo "status $?"; }
try --set data=glyphs,train=50,test=20 --set steps.2.prune.score=taylor --set steps.2.prune.schedule=one-shot
try --set model=lenet-5 --set data=csv:"$SOURCE"/tests/cli/cases/table.csv
try --set steps.1.distill.hints=no=such
try --set steps.0.prune.exclude='"*"'
try --out /nowhere/at/all
mkdir small.onnx
try
rmdir small.onnx
touch report.json
try
try -f
ls -A
