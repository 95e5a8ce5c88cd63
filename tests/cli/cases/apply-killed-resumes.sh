# SIGKILL at any moment of a recipe: what --resume goes on from ends with the bytes of a run that nobody disturbed.
# KILLS says how often; the moments, in the time that the whole takes, are drawn from SEED.
kills=${KILLS:-5} seed=${SEED:-1}
cat >r.yaml <<YAML
model: $FIXTURES/mlp.onnx
data: glyphs,train=400,test=100
seed: 5
measure: sizes
steps:
  - prune: {method: channel, ratio: 0.5, epochs: 20, checkpoint_seconds: 0, save: stage.onnx, explain: cut.json}
  - distill: {teacher: original, epochs: 30, ema: 0.9, checkpoint_seconds: 0.01}
  - cluster: {bits: 4, epochs: 20, checkpoint_seconds: 0}
  - prune: {sparsity: 0.8, epochs: 30, optimizer: momentum, checkpoint_seconds: 0}
gates: {no_worse: {accuracy: 1}}
output: {model: small.onnx, packed: small.packed, report: [json]}
YAML
apply() { "$COMPRESS" apply r.yaml --threads 1 -q --out "$@"; }
same() {
    for file in small.onnx small.packed stage.onnx cut.json; do cmp whole/$file $1/$file; done
    [ "$(ls -A $1)" = "$(ls -A whole)" ] || ls -A $1
}
begin=$(date +%s%N)
apply whole
ms=$((($(date +%s%N) - begin) / 1000000))
done=0
for pause in $(awk -v n=400 -v s="$seed" -v ms="$ms" 'BEGIN { srand(s); while (n--) print 0.001 * ms * rand() }'); do
    [ "$done" -lt "$kills" ] || break
    (exec "$COMPRESS" apply r.yaml --threads 1 -q --out cut --resume) & pid=$!
    sleep "$pause"
    if kill -KILL $pid 2>/dev/null; then done=$((done + 1)); fi
    if wait $pid; then same cut; rm -r cut; fi
done 2>/dev/null
[ "$done" = "$kills" ] || echo "killed $done times only"
apply cut --resume
same cut && echo same bytes
# Begun anew by accident it is not, and it is left as it is where another is at work.
apply cut || echo "status $?"
rm cut/small.onnx cut/*.packed cut/*.json cut/stage.onnx
apply cut || echo "status $?"
exec 9>>cut/run/log
flock 9
apply cut --resume || echo "status $?"
