compress sensitivity "$FIXTURES/mlp.onnx" --data glyphs,train=100,test=20 --role test --step 0.5 --threads 1 -q --json out.json
grep -c mean_loss_change out.json
compress sensitivity "$FIXTURES/mlp.onnx" --data glyphs,train=100,test=20 --step 2 || echo $?
compress sensitivity "$FIXTURES/mlp.onnx" || echo $?
