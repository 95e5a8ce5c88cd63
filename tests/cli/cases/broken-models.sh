# Truncated; dimensions that multiply to 2^63 (2^32 times 2^31, no data); empty; absent; a folder.
head -c 9000 "$FIXTURES/mlp.onnx" >truncated.onnx
{
    printf '\010\010\102\004\012\000\020\015' # ir_version 8, opset 13
    printf '\072\023\052\021'                 # graph, initializer:
    printf '\010\200\200\200\200\020\010\200\200\200\200\010\020\001\102\001w'
} >huge.onnx
: >empty.onnx
for model in truncated.onnx huge.onnx empty.onnx absent.onnx .; do
    compress info "$model" || echo "status $?"
    compress prune "$model" -o out.onnx --sparsity 0.5 || echo "status $?"
done
ls -A
