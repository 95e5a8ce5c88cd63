compress bench "$FIXTURES/mlp.onnx" --seconds 0 --per-node --json bench.json -q
for key in limits nodes time_share limit_share bytes_moved; do grep -c "\"$key\":" bench.json; done
compress bench "$FIXTURES/mlp.onnx" --per-node --train
