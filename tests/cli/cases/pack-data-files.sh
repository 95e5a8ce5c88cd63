# External data go into the container with the model, and come out of it in their places beside it.
mkdir -p one/data two
# y = x + w, where w are 16 floats in data/w.bin
printf '\010\010\072X\012\016\012\001x\012\001w\022\001y\042\003Add\022\001g\052\041\010\020\020\001B\001wj\026\012\010location\022\012data/w.binp\001Z\017\012\001x\022\012\012\010\010\001\022\004\012\002\010\020b\017\012\001y\022\012\012\010\010\001\022\004\012\002\010\020B\004\012\000\020\021' >one/add.onnx
for i in 1 2 3 4 5 6 7 8; do printf '\000\000\200\077\000\000\000\100'; done >one/data/w.bin # 1 2 1 2 ...
compress pack one/add.onnx -o add.packed | head -n 4
compress unpack add.packed -o two/again.onnx -q && cmp one/add.onnx two/again.onnx && cmp one/data/w.bin two/data/w.bin
compress info add.packed | grep '^parameters'
compress compare one/add.onnx add.packed >/dev/null && echo "compared"
compress unpack add.packed -o two/third.onnx || echo "status $?"
compress unpack add.packed -o /dev/null || echo "status $?"
rm one/data/w.bin
compress pack one/add.onnx -o other.packed || echo "status $?"
ls . two
