# Points of a curve, killed at any moment and begun again, make the record of a run that nobody disturbed.
run="sensitivity $FIXTURES/mlp.onnx --data glyphs,train=100,test=400 --role test --step 0.03 --threads 1 -q"
"$COMPRESS" $run --json whole.json
for pause in 0.03 0.05 0.1 0.08 0.15; do
    "$COMPRESS" $run --results points.tsv --json cut.json & pid=$!
    sleep $pause
    kill -KILL $pid 2>/dev/null || true
    wait $pid || true
    rm -f cut.json
done 2>/dev/null
if [ -f points.tsv ] && [ "$(wc -l <points.tsv)" -ge 2 ]; then printf '0\t0\t' >>points.tsv; fi
"$COMPRESS" $run --results points.tsv --json cut.json
cmp whole.json cut.json && echo same record
points=$(wc -l <points.tsv)
[ "$points" = "$((2 + $(grep -c '"ratio"' whole.json)))" ] && echo every point once
"$COMPRESS" $run --results points.tsv --json again.json
cmp whole.json again.json && [ "$(wc -l <points.tsv)" = "$points" ] && echo none of them twice
"$COMPRESS" $run --results points.tsv --exclude '*2*' || echo "status $?"
"$COMPRESS" $run --results whole.json || echo "status $?"
ls -A
