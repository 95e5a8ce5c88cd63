mkdir recipes
cp "$FIXTURES/mlp.onnx" recipes/net.onnx
printf 'model: net.onnx\nsteps:\n  - prune: {sparsity: 0.5}\noutput: {model: small.onnx}\n' >recipes/r.yaml
compress apply recipes/r.yaml -q
cp "$FIXTURES/mlp.onnx" here.onnx
compress apply recipes/r.yaml -q --set model=here.onnx --out out
ls -A . out
