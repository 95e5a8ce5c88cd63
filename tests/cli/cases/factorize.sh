# Layers in two of lower rank: by a share of what they are, by a budget, by what they do on samples; trained; refused.
DATA=glyphs,train=200,test=60
compress factorize "$FIXTURES/mlp.onnx" --macs 0.5 -o low.onnx -q && compress info low.onnx | grep -c Gemm
compress factorize "$FIXTURES/mlp.onnx" --energy 0.8 --round 4 -o low.onnx -f -q --json - | grep '"rank"\|"why"\|"checked"'
compress factorize "$FIXTURES/mlp.onnx" --parameters 0.6 --by outputs --data $DATA --epochs 1 -o low.onnx -f -q --json - |
    grep -c '"energy"\|"train_loss"'
compress factorize "$FIXTURES/mlp.onnx" --energy 0.8 --round 4 -o low.onnx -f -v 2>/dev/null | sed -n '/^Ranks/,/^$/p'
cat >recipe.yaml <<END
model: $FIXTURES/mlp.onnx
steps: [{factorize: {energy: 0.9, exclude: "fc1*"}}]
gates: {max_parameters: 19089}
output: {model: small.onnx}
END
compress apply recipe.yaml --check -q && compress apply recipe.yaml --out out -q && ls out/small.onnx
compress factorize "$FIXTURES/mlp.onnx" -o none.onnx || echo "status $?"
compress factorize "$FIXTURES/mlp.onnx" --macs 0.01 -o none.onnx || echo "status $?"
compress factorize "$FIXTURES/mlp.onnx" --energy 0.9 --exclude '*' -o none.onnx || echo "status $?"
