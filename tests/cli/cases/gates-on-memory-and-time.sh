# Bounds that hold, or do not, on any machine; every report has them.
run() { compress prune "$FIXTURES/mlp.onnx" -o out.onnx -f --method channel --ratio 0.25 "$@"; }
run --max-latency-ratio 1e9 --max-activation-bytes 1000000 --report page.html --report gates.xml --report all.md --json all.json |
    grep '^max_\|^activations'
for file in page.html gates.xml all.md all.json; do
    grep -c 'max.*latency.*ratio' $file | sed 's/[1-9][0-9]*/yes/'
    grep -c 'max.*activation.*bytes' $file | sed 's/[1-9][0-9]*/yes/'
done
run -q --max-latency-ratio 1e-9 || echo "status $?"
run -q --max-activation-bytes 0 || echo "status $?"
