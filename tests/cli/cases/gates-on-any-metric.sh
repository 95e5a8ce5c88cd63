run() { compress prune "$FIXTURES/mlp.onnx" -o out.onnx -f --method channel --ratio 0.25 --data glyphs,train=200,test=60 "$@"; }
run -q --min f1:0.05,recall.3:0 --max-drop accuracy:0.9 --no-worse accuracy:0.9,f1:0.9 --json first.json && echo held
run -q --no-worse accuracy:0 || echo "status $?"
run -q --baseline first.json && echo held
run -q --min f1:1.5 --max loss:0 || echo "status $?"
run -q --min f2:1 || echo "status $?"
run -q --min f1=1 || echo "status $?"
run -q --tolerance f1:1 || echo "status $?"
run -q --baseline absent.json || echo "status $?"
echo '{"final": {"bytes": 10}}' >small.json
run -q --baseline small.json || echo "status $?"
run -q --min recall.cow:0.5 || echo "status $?"
