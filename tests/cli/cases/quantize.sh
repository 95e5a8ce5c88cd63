# Weights in fewer bits, activations by samples or as they come; accuracy and sizes; what a pruned model keeps.
DATA=glyphs,train=200,test=60
compress quantize "$FIXTURES/mlp.onnx" -o int8.onnx -q
compress quantize "$FIXTURES/mlp.onnx" -o int4.onnx --weights int4 -q
compress quantize "$FIXTURES/mlp.onnx" -o half.onnx --weights float16 -q
compress quantize "$FIXTURES/mlp.onnx" -o dynamic.onnx --scheme dynamic -q
compress quantize "$FIXTURES/mlp.onnx" -o static.onnx --scheme static --data $DATA --calibration mse -q --max-accuracy-drop 0.05 --json static.json
dense=$(wc -c <"$FIXTURES/mlp.onnx")
for form in int8 int4 half dynamic static; do
    echo "$form: more than $((dense * 10 / $(wc -c <$form.onnx) / 10)) times smaller"
    compress compare "$FIXTURES/mlp.onnx" $form.onnx --data $DATA -q --json $form.compare.json
done
compress info static.onnx --json - -q | grep -c '"operator": "QuantizeLinear"'
grep -c '"noise"' static.json
# the same bytes again, whatever the number of threads
compress quantize "$FIXTURES/mlp.onnx" -o again.onnx --scheme static --data $DATA --calibration mse -q --threads 1
cmp static.onnx again.onnx
# zeros stay, in the container too
compress prune "$FIXTURES/mlp.onnx" -o sparse.onnx --sparsity 0.9 --packed sparse.packed -q
compress quantize sparse.onnx -o small.onnx --packed small.packed -q
[ $(($(wc -c <small.packed) * 2)) -lt "$(wc -c <sparse.packed)" ] && echo "less than half"
# in a recipe, where it is rehearsed as well
cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
data: $DATA
steps:
  - prune: {sparsity: 0.5}
  - quantize: {scheme: static, samples: 64, exclude: "fc2*"}
output: {model: out.onnx}
END
compress apply r.yaml --check -q
compress apply r.yaml --out out -q
[ -s out/out.onnx ] && echo done
compress quantize "$FIXTURES/mlp.onnx" -o none.onnx --scheme dynamic --exclude '*' || echo "status $?"
[ ! -e none.onnx ]
