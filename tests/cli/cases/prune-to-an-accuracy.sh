# The smallest model within a bound of accuracy: eight models are cut and evaluated, the best of them is written.
data=glyphs,train=300,validation=200,test=20
compress train mlp:784-24-10 --data $data --epochs 4 -q -o trained.onnx --seed 1
compress prune trained.onnx -o small.onnx --method channel --accuracy-drop 0.05 --data $data -q --json record.json
grep -c '"macs_share"' record.json
accuracy() { compress eval "$1" --data $data --role validation --json - -q | grep -m 1 '"accuracy"' | tr -dc '0-9.'; }
awk -v a="$(accuracy trained.onnx)" -v b="$(accuracy small.onnx)" 'BEGIN { print a - b <= 0.05 ? "held" : "broken" }'
size() { compress info "$1" | awk '/^parameters/ { gsub(",", ""); print $2 }'; }
test "$(size small.onnx)" -lt "$(size trained.onnx)" && echo smaller
compress prune trained.onnx -o none.onnx --method channel --accuracy-drop 0.05 2>errors || echo "$? $(head -n 1 errors)"
# What weights of 0 alone make or read leaves no trace.
compress prune trained.onnx -o sparse.onnx --sparsity 0.995 -q
compress prune sparse.onnx -o lean.onnx --method channel --lossless -q --json lossless.json
grep -c '"unread"' lossless.json
test "$(size lean.onnx)" -lt "$(size sparse.onnx)" && echo smaller
# Widths by measured curves.
compress sensitivity trained.onnx --data $data -q --json curves.json >/dev/null
compress prune trained.onnx -o spread.onnx --method channel --parameters 0.5 --sensitivity curves.json -q
size spread.onnx
compress prune trained.onnx -o none.onnx --method channel --macs 0.5 --sensitivity record.json 2>errors || echo "$? $(head -n 1 errors)"
compress prune trained.onnx -o none.onnx --method channel --ratio 0.5 --sensitivity curves.json 2>errors || echo "$? $(head -n 1 errors)"
# Numbers of one's own: of 24 neurons the first twelve are worth nothing.
score() { printf '{"scores": [{"tensor": "fc1.weight", "values": [%s]}]}' "$1" >scores.json; }
score "0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1,1,1"
compress prune trained.onnx -o chosen.onnx --method channel --ratio 0.5 --scores scores.json -q --explain why.json
sed '/"kept"/q' why.json | grep -A 1 '"indices"' | grep -o '[0-9][0-9]*' | sort -n | tail -n 1
score "1,2"
compress prune trained.onnx -o none.onnx --method channel --ratio 0.5 --scores scores.json 2>errors || echo "$? $(head -n 1 errors)"
