# A recipe to begin with: it passes its check and runs, for classes, numbers, without data, and where nothing can go.
try() {
    compress apply "$1" --check && compress apply "$1" --out "$2" -q --set output.always=true || echo "status $?"
    [ -s "$2/small.onnx" ]
}
cp "$FIXTURES/mlp.onnx" net.onnx
compress init net.onnx --data glyphs,train=200,test=60 -q
grep -v seconds recipe.yaml | grep -E '^  - |max_'
try recipe.yaml classes
awk 'BEGIN { print "a,b,y"; for (i = 0; i < 80; i++) printf "%f,%f,%f\n", sin(i), cos(3 * i), sin(i) - 2 * cos(3 * i) }' >t.csv
compress train mlp:2-8-1 --data csv:t.csv,target=y --epochs 3 -q -o numbers.onnx
mkdir deep
compress init numbers.onnx --data csv:t.csv,target=y -q -o deep/r.yaml
grep -E '^  max_' deep/r.yaml
try deep/r.yaml numbers
compress train linear --data csv:t.csv,target=y --epochs 1 -q -o linear.onnx
compress init linear.onnx --data csv:t.csv,target=y -q -o linear.yaml
grep -A1 'not for this model' linear.yaml
try linear.yaml linear
compress init net.onnx -q -o bare.yaml
grep -E '^  - |max_' bare.yaml
try bare.yaml bare
compress init mlp:784-16-10 --data glyphs,train=200,test=60 -q -o fresh.yaml
try fresh.yaml fresh
compress init net.onnx --data csv:t.csv,target=y -o other.yaml || echo "status $?"
compress init net.onnx || echo "status $?"
ls other.yaml 2>/dev/null || echo nothing written
