compress bench "$FIXTURES/mlp.onnx" --seconds 0 --batch 10 --data glyphs,train=40,test=1,augment=crop:2+mixup --json bench.json -q
for key in loading samples_per_second; do grep -c "\"$key\":" bench.json; done
compress bench "$FIXTURES/mlp.onnx" --seconds 0 --batch 100 --data glyphs,train=40,test=1 || echo "status $?"
compress train mlp:784-10 --data glyphs,train=40,test=1,augment=crop:2+mixup --epochs 1 -q -o a.onnx --seed 3 --threads 1
compress train mlp:784-10 --data glyphs,train=40,test=1,augment=crop:2+mixup --epochs 1 -q -o b.onnx --seed 3 --threads 1
cmp a.onnx b.onnx && echo same
compress train mlp:784-10 --data glyphs,train=40,test=1 --augment flipp --epochs 1 -q -o c.onnx || echo "status $?"
