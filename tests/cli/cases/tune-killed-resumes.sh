# 24 trials of 5 folds, killed at any moment and begun again, end with the table of a search that nobody disturbed.
awk 'BEGIN {
    print "a,b,class"
    for (i = 0; i < 150; i++) printf "%f,%f,c%d\n", sin(i * 1.7) + i % 3, cos(i * 2.3) - (i % 3 == 1), i % 3
}' >table.csv
cat >r.yaml <<'YAML'
model: mlp:2-6-3
data: csv:table.csv
seed: 3
steps:
  - train: {epochs: 40}
tune:
  search: random
  trials: 24
  folds: 5
  space:
    steps.0.train.rate: {log: [0.001, 0.3]}
    steps.0.train.l2: [0, 0.0001, 0.01]
YAML
tune() { "$COMPRESS" tune r.yaml --threads 1 "$@"; }
tune --out whole -q --json whole.json
for pause in 0.03 0.05 0.1 0.08 0.15; do
    tune --out cut -q --json cut.json & pid=$!
    sleep $pause
    kill -KILL $pid 2>/dev/null || true
    wait $pid || true
done 2>/dev/null
rm -f cut.json
tune --out cut -q --json cut.json
cmp whole.json cut.json && cmp whole/best.yaml cut/best.yaml && echo same table
tune --out jobs -q --jobs 2 --json jobs.json
cmp whole.json jobs.json && echo same table in two processes
[ "$(wc -l <jobs/tune.tsv)" = 122 ] && echo every trial once
tune --out whole --set tune.folds=4 || echo "status $?"
tune --jobs 2 -f || echo "status $?"
tune --share 3/2 || echo "status $?"
ls -A
