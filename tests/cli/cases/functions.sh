# Functions of the file are listed; what runs are their bodies, whose nodes are called after the call.
model=$SOURCE/tests/op/vectors/function_attributes.onnx
compress info "$model" | sed -n "/^function/,/^Sub/p"
compress bench "$model" --seconds 0 --per-node | grep -o '^[^ ]*/[^ ]*' | sort
LC_ALL=C sed 's/LeakyRelu/LeakyRulu/g' "$model" >odd.onnx
compress bench odd.onnx || echo "status $?"
# What is changed is written with the bodies in the place of the calls.
compress prune "$SOURCE/tests/op/vectors/function_layers.onnx" --method channel --ratio 0.5 -q -o small.onnx
compress info small.onnx | sed -n '/^function/p; /^MatMul/p; /^layer/,$p' | sed 's/  .*//'
