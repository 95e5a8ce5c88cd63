data=glyphs,train=200,test=60
for name in one two other; do
    seed=3
    [ $name = other ] && seed=4
    compress train mlp:784-16-10 --data $data --epochs 2 --threads 2 --seed $seed -q -o $name.onnx
done
cmp one.onnx two.onnx && echo same
cmp -s one.onnx other.onnx || echo different
compress eval one.onnx --data $data --json one.json -q
compress eval two.onnx --data $data --json - | sed 's/two.onnx/one.onnx/' | cmp - one.json && echo same
