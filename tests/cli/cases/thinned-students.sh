# A student is the teacher with fewer channels, with its weights or with new ones.
student() { compress distill --teacher "$FIXTURES/mlp.onnx" --student thinned --width 0.5 --data glyphs,train=200,test=60 --epochs 1 --seed 1 -q -f -o student.onnx --json - "$@"; }
student | grep '"weights": "\|"drawn"'
student --weights drawn | grep '"drawn"\|"kept"'
compress info student.onnx | grep '^parameters'
