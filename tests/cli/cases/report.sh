# Records that were saved are shown again, one as it was, several side by side; and what is none is refused.
compress prune "$FIXTURES/mlp.onnx" --sparsity 0.5 -o a.onnx --json a.json -q
compress prune "$FIXTURES/mlp.onnx" --method channel --ratio 0.5 -o b.onnx --json b.json --max-bytes 100 -q || echo $?
compress report a.json | head -1
compress report a.json b.json | grep '^run\|^gates\|^parameters'
compress report a.json b.json --json both.json --report both.html --report both.md -q
grep -c '"run"' both.json
grep -o '<section id="runs"' both.html
compress report a.json --json - | cmp - a.json
echo '[1]' >list.json
compress report list.json || echo $?
compress report none.json || echo $?
