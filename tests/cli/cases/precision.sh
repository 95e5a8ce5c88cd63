compress bench "$FIXTURES/mlp.onnx" --seconds 0 --batch 16 --train --precision bfloat16 --json bench.json -q
grep -o '"train_precision": "[a-z0-9]*"' bench.json
compress bench "$FIXTURES/mlp.onnx" --precision bfloat16 || echo "status $?"
for precision in float32 bfloat16; do
  compress train mlp:784-32-10 --data glyphs,train=4000,test=500 --epochs 4 -q -o $precision.onnx --seed 3 --precision $precision
  compress eval $precision.onnx --data glyphs,train=4000,test=500 --json eval.json -q
  grep -c '"accuracy": 0.[789]' eval.json || :
done
cmp -s float32.onnx bfloat16.onnx || echo 'not the same'
cat > recipe.yaml <<END
model: float32.onnx
data: glyphs,train=4000,test=500
steps:
  - finetune: {epochs: 1, precision: float16}
END
compress apply recipe.yaml --out out || echo "status $?"
