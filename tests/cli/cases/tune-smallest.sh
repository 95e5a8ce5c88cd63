# The search is the tool's: init writes it, tune finds the smallest within the bound, apply makes it.
DATA=glyphs,train=400,test=100
compress train mlp:784-24-10 --data $DATA --epochs 12 --seed 1 -q -o net.onnx
compress init net.onnx --data $DATA --objective smallest --max-accuracy-drop 0.05 -o search.yaml -q
sed -i 's/epochs: [0-9]*/epochs: 1/' search.yaml
sed -n '/^tune/,/^output/p' search.yaml
compress tune search.yaml --out found --json tune.json --report page.html -q
"$CHECK_SCHEMA" "$SOURCE/docs/record.schema.json" tune.json
for what in 'quantize: {weights: int8}' 'bits: 3, .*teacher: original' 'prune.alpha'; do grep -q "$what" tune.json && echo "$what"; done
compress report tune.json | grep -q '[0-9],[0-9]*  held' && echo with bytes
grep -c '"holds": true' tune.json | grep -q '[1-9]' && echo some hold
grep -q 'id="trade-off"' page.html && grep -q '"tune.trials.0.bytes"' page.html && echo drawn
compress report tune.json --report table.md -q
grep -A1 '^## Trade-off' table.md | head -1
compress apply found/best.yaml --out small -q
[ $(($(wc -c <small/small.onnx.packed) * 10)) -lt "$(wc -c <net.onnx)" ] && echo "ten times smaller"
compress init mlp:784-8-10 --data $DATA --objective smallest -o no.yaml || echo "status $?"
compress init net.onnx --objective smallest -o no.yaml || echo "status $?"
[ ! -e no.yaml ]
