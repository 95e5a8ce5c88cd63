# Weights share a few values, zeros stay, and the container is where it shows.
compress prune "$FIXTURES/mlp.onnx" -o sparse.onnx --sparsity 0.9 --packed sparse.packed -q
compress cluster sparse.onnx -o small.onnx --bits 4 --vectors --packed small.packed -q --json - |
    grep '"tensors"'
[ $(($(wc -c <small.packed) * 2)) -lt $(wc -c <sparse.packed) ] && echo "less than half"
compress cluster sparse.onnx -o drop.onnx --data glyphs,train=200,test=60 --max-drop 0.05 -q --json - | grep -c '"accuracy"' >/dev/null
compress cluster sparse.onnx -o tuned.onnx --data glyphs,train=200,test=60 --k 7 --epochs 1 --packed tuned.packed -q
[ "$(wc -c <tuned.packed)" -lt "$(wc -c <sparse.packed)" ] && echo "still shared"
compress cluster sparse.onnx -o none.onnx || echo "status $?"
compress cluster sparse.onnx -o none.onnx --k 3 --bits 2 || echo "status $?"
compress cluster sparse.onnx -o none.onnx --max-drop 0.01 || echo "status $?"
