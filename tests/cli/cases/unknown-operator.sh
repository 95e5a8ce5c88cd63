# An operator of another name: described, pruned by magnitude, but neither run nor trained; each node is named.
LC_ALL=C sed 's/Relu/Rulu/g' "$FIXTURES/mlp.onnx" >odd.onnx
try() { compress "$@" -q || echo "status $?"; }
try info odd.onnx
try prune odd.onnx -o sparse.onnx --sparsity 0.5
try bench odd.onnx
try eval odd.onnx --data glyphs,train=200,test=60
try finetune odd.onnx --data glyphs,train=200,test=60 -o tuned.onnx --epochs 1
ls -A
