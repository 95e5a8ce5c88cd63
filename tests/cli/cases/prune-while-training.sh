# Patterns, schedules, what comes back and who teaches, from the command line; what cannot be is told in a line.
data=glyphs,train=200,test=60
share() { compress prune "$FIXTURES/mlp.onnx" -o out.onnx -f -q --json - "$@" | grep '^      "sparsity"'; }
share --pattern 2:4
share --pattern 4x1 --sparsity 0.75
share --data $data --epochs 2 --sparsity 0.9 --schedule linear
share --data $data --epochs 2 --sparsity 0.9 --schedule exponential --pattern 1x4
share --data $data --epochs 2 --sparsity 0.9 --regrow surgery --rounds 20 --settle 0.9 --teacher original
share --data $data --epochs 2 --sparsity 0.9 --regrow gradient --exchange 0.5 --schedule one-shot --alpha 0.3 --teacher "$FIXTURES/mlp.onnx"
share --data $data --epochs 2 --sparsity 0.9 --score movement
try() { compress prune "$FIXTURES/mlp.onnx" -o out.onnx -f "$@" 2>errors || echo "$? $(head -n 1 errors)"; }
try --pattern 4x
try --pattern 4x1
try --sparsity 0.9 --schedule linear
try --sparsity 0.9 --score movement
try --sparsity 0.9 --regrow surgery
try --sparsity 0.9 --data $data --epochs 1 --score movement --schedule one-shot
try --sparsity 0.9 --data $data --epochs 1 --score movement --regrow surgery
try --sparsity 0.9 --data $data --epochs 1 --regrow gradient --pattern 2:4
try --sparsity 0.9 --pattern 4x1 --score second-order --data $data
try --sparsity 0.9 --data $data --epochs 1 --alpha 0.5
try --sparsity 0.9 --data $data --epochs 1 --exchange 0.5
