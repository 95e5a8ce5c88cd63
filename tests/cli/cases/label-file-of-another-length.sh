# Two images of 2x2, three labels.
mkdir digits
idx() { printf '\000\000\010'; printf "$1"; }
idx '\003\000\000\000\002\000\000\000\002\000\000\000\00212345678' >digits/train-images-idx3-ubyte
idx '\001\000\000\000\003\000\001\000' >digits/train-labels-idx1-ubyte
cp digits/train-images-idx3-ubyte digits/t10k-images-idx3-ubyte
cp digits/train-labels-idx1-ubyte digits/t10k-labels-idx1-ubyte
compress train linear --data mnist:digits -o out.onnx || echo "status $?"
ls -A
