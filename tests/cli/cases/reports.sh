# --report writes by the ending of the name, on any verb, whether gates hold or not; a wrong ending is found before any work.
status=0
compress prune "$FIXTURES/mlp.onnx" --sparsity 0.5 -o small.onnx --max-nonzeros 100 -q \
    --report page.html --report gates.xml --report badge.svg --report all.md --report again.json || status=$?
echo $status
ls
grep -c '<testcase\|<failure' gates.xml
grep -o '<h1>.*</h1>' page.html
grep -o 'aria-label="[^"]*"' badge.svg
sed -n 3p all.md
compress info "$FIXTURES/mlp.onnx" -q --report info.html
grep -c '<section' info.html
compress info "$FIXTURES/mlp.onnx" -q --report info.pdf || echo $?
cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
steps: [{prune: {method: channel, ratio: 0.5}}]
output: {report: [html, junit, comment, badge]}
END
compress apply r.yaml -q --out out
ls out
