# Every example of help and manual does what it says, in the order in which they stand, in one folder.
cp "$FIXTURES/mlp.onnx" model.onnx
compress init model.onnx --data glyphs,train=200,test=60 -q --json plan.json
sed -i 's/epochs: [0-9]*/epochs: 1/; s/max_accuracy_drop: .*/max_accuracy_drop: 1/' recipe.yaml
cat >search.yaml <<'YAML'
model: mlp:784-8-10
data: glyphs,train=100,test=20
steps: [{train: {epochs: 1}}]
tune: {space: {steps.0.train.rate: [0.001, 0.01]}}
YAML
printf "\223NUMPY\001\000v\000{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }%-50s\n" '' >image.npy
head -c 3136 /dev/zero >>image.npy
mkdir results
PATH=$(dirname "$COMPRESS"):$PATH
[ "$(basename "$COMPRESS")" = compress ] || { mkdir bin; ln -s "$COMPRESS" bin/compress; PATH=$PWD/bin:$PATH; }
for verb in $("$COMPRESS" help | sed -n 's/^    \([a-z]*\) .*/\1/p'); do
    "$COMPRESS" help "$verb" | sed -n '/^examples$/,$s/^    //p' >>examples
done
[ "$(grep -c '^compress ' examples)" -gt 20 ]
while read -r line; do sh -c "$line" >out 2>err </dev/null || { echo "status $?: $line"; cat err; }; done <examples
sed 's/\\-/-/g' "$SOURCE/man/compress.1" | sed -n 's/^\.B \(compress .* .*\)/\1/p' >manual
while read -r line; do grep -qxF "$line" manual || echo "not in the manual: $line"; done <examples
