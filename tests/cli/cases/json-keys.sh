# The keys that scripts rely on.
keys() { sed -n 's/^  "\([a-z0-9_]*\)".*/\1/p' "$1" | sort | tr '\n' ' '; echo; }
compress info "$FIXTURES/mlp.onnx" --json info.json -q
compress eval "$FIXTURES/mlp.onnx" --data glyphs,train=200,test=60 --json eval.json -q
compress bench "$FIXTURES/mlp.onnx" --seconds 0 --json bench.json -q
compress bench "$FIXTURES/mlp.onnx" --seconds 0 --train --batch 4 --json train.json -q
compress prune "$FIXTURES/mlp.onnx" --sparsity 0.5 -o small.onnx --json prune.json -q
for name in info eval bench train prune; do keys $name.json; done
