compress prune "$FIXTURES/mlp.onnx" -q -o small.onnx --method channel --ratio 0.5 --explain why.json
compress info small.onnx | grep '^parameters'
grep -c '"verdict": "removed"' why.json
grep -c '"verdict": "kept"' why.json
grep -A 2 '"tensor": "fc1.weight"' why.json | head -n 3
