# One sample of zeroes as .npy (format 1.0, a header of 118 bytes), in and out again.
header="{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }"
{ printf '\223NUMPY\001\000\166\000%-117s\n' "$header"; head -c 3136 /dev/zero; } >x.npy
compress run "$FIXTURES/mlp.onnx" --input x.npy --output-dir pb
compress run "$FIXTURES/mlp.onnx" --input x.npy --output-dir npy --format npy -q
wc -c <npy/output_0.npy
try() { compress run "$FIXTURES/mlp.onnx" --output-dir none "$@" || echo "status $?"; }
try
try --input x.npy x.npy
try --input npy/output_0.npy
try --input "$FIXTURES/mlp.onnx"
try --input absent.npy
compress run "$FIXTURES/mlp.onnx" --input x.npy --output-dir pb || echo "status $?"
ls -A . pb
