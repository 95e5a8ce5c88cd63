# Every kind of data trains and is measured; the record says what became of names and columns.
files=$SOURCE/tests/data/files images=$SOURCE/tests/image/files
try() {
    compress train "$1" --data "$2" --epochs 1 -q -o "$3" && compress eval "$3" --data "$2" --json "$3.json" -q
}
try linear "csv:$files/table.csv,categorical=size,validation=0,split=0.4,seed=1" csv.onnx
sed -n '/"columns"/,/^  }/p' csv.onnx.json
try linear "npz:$files/packed.npz,validation=0,normalize=train" npz.onnx
grep -A 4 '"normalize"' npz.onnx.json
mkdir -p pictures/cat pictures/dog
cp "$images/rgb.png" pictures/cat
cp "$images/grey.png" pictures/dog
cp "$images/rgba.png" pictures/dog
if compress train linear --data images:pictures,split=0.4,validation=0 --epochs 1 -q -o images.onnx 2>why; then
    compress eval images.onnx --data images:pictures,split=0.4,validation=0 --json - | grep class_names
else
    grep -q 'built without a reader for PNG' why && echo '    "class_names": ["cat", "dog"]'
fi
compress eval csv.onnx --data "csv:$files/table.csv,drop=colour" || echo "status $?"
