# Magnitudes and what comes of inputs are compared by their share in their tensor unless told otherwise.
prune() {
    out=$1
    shift
    compress prune "$FIXTURES/mlp.onnx" -o "$out" -f -q --data glyphs,train=200,test=20 --epochs 0 --sparsity 0.8 --score "$@"
}
for score in magnitude wanda second-order; do
    prune usual.onnx $score
    for scope in global layer row lamp; do
        prune told.onnx $score --scope $scope
        if cmp -s usual.onnx told.onnx; then echo "$score $scope"; fi
    done
done
