# What every verb says follows the published schema, docs/record.schema.json.
DATA=glyphs,train=200,test=60
compress train mlp:784-8-10 --data $DATA --epochs 2 -o t.onnx --json train.json -q
compress prune "$FIXTURES/mlp.onnx" --data $DATA --method channel --ratio 0.5 --epochs 1 -o p.onnx --json channel.json -q --min-accuracy 0 --no-worse accuracy:0.9
compress prune "$FIXTURES/mlp.onnx" --sparsity 0.5 -o w.onnx --json weights.json -q
compress distill --teacher "$FIXTURES/mlp.onnx" --student p.onnx --data $DATA --epochs 1 -o d.onnx --json distill.json -q
compress cluster "$FIXTURES/mlp.onnx" --k 8 -o c.onnx --json cluster.json -q
compress factorize "$FIXTURES/mlp.onnx" --macs 0.5 -o f.onnx --json factorize.json -q
compress optimize "$FIXTURES/mlp.onnx" -o o.onnx --json optimize.json -q
compress quantize "$FIXTURES/mlp.onnx" --scheme static --data $DATA -o q.onnx --json quantize.json -q
compress pack "$FIXTURES/mlp.onnx" -o m.packed --json pack.json -q
compress unpack m.packed -o back.onnx --json unpack.json -q
compress eval "$FIXTURES/mlp.onnx" --data $DATA --json eval.json -q
compress compare "$FIXTURES/mlp.onnx" w.onnx --data $DATA --draws 20 --json compare.json -q
compress sensitivity "$FIXTURES/mlp.onnx" --data $DATA --step 0.5 --json sensitivity.json -q
compress info "$FIXTURES/mlp.onnx" --json info.json -q
compress bench "$FIXTURES/mlp.onnx" --seconds 0 --per-node --data $DATA --json bench.json -q
compress report weights.json channel.json --json report.json -q
cat >tune.yaml <<END
model: mlp:784-8-10
data: $DATA
steps: [{train: {epochs: 1}}]
tune: {space: {steps.0.train.rate: [0.01, 0.1]}}
END
compress tune tune.yaml --json tune.json -q
ls ./*.json | wc -l
"$CHECK_SCHEMA" "$SOURCE/docs/record.schema.json" ./*.json
sed 's/"threads"/"treads"/' eval.json >wrong.json
"$CHECK_SCHEMA" "$SOURCE/docs/record.schema.json" wrong.json || echo refused
